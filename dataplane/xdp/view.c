// SPDX-License-Identifier: BSD-2-Clause
/* Reading a running data plane from outside: `fairlead` needs no daemon for it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../dpdk/state.h"
#include "attach.h"
#include "dataplane.h"
#include "maps.h"

struct dp_view {
	struct xdp_maps maps;
	struct dpdk_state dpdk; /* fairlead-dpdk's, living or dead; nothing of it where there is none */
};

int dp_view_open(const char *pin_dir, const char *run_dir, struct dp_view **out,
		 struct error *error)
{
	struct dp_view *view = calloc(1, sizeof(*view));
	char path[PATH_MAX];
	int err;

	if (!view)
		return error_set(error, -ENOMEM, "out of memory");
	err = xdp_maps_open(&view->maps, pin_dir ? pin_dir : DP_PIN_DIR, 0, error);
	if (err) {
		free(view);
		return err;
	}
	snprintf(path, sizeof(path), "%s/dpdk.state", run_dir ? run_dir : DP_RUN_DIR);
	dpdk_state_open(path, &view->dpdk);
	*out = view;
	return 0;
}

void dp_view_close(struct dp_view *view)
{
	if (!view)
		return;
	xdp_maps_close(&view->maps);
	dpdk_state_close(&view->dpdk);
	free(view);
}

_Static_assert((int)DP_DPDK_LCORES_MAX == (int)DPDK_LCORES_MAX, "");

bool dp_view_dpdk(const struct dp_view *view, struct dp_dpdk *out)
{
	const struct dpdk_shared *shared = view->dpdk.shared;

	if (!dpdk_state_alive(&view->dpdk) || !__atomic_load_n(&shared->running, __ATOMIC_ACQUIRE))
		return false;
	*out = (struct dp_dpdk){.pid = shared->pid,
				.uptime_s = (uint64_t)time(NULL) - shared->started_s,
				.lcore_count = shared->lcores};
	snprintf(out->description, sizeof(out->description), "%s", shared->description);
	for (uint32_t i = 0; i < shared->lcores; i++) {
		const struct dpdk_counters *c = dpdk_state_counters(&view->dpdk, i);

		out->received += c->received;
		out->sent += c->sent;
		out->to_kernel += c->to_kernel;
		out->waited += c->no_next_hop;
		out->lost += c->no_room + c->not_sent + c->ring_full;
		out->lcores[i] = (struct dp_dpdk_lcore){shared->cpu[i], c->received, c->sent,
							c->handed_over};
	}
	return true;
}

static void add_words(void *to, const void *from, size_t size)
{
	uint64_t *sum = to;
	const uint64_t *add = from;

	for (size_t w = 0; w < size / sizeof(*sum); w++)
		sum[w] += __atomic_load_n(&add[w], __ATOMIC_RELAXED);
}

const struct lb_tables *dp_view_tables(const struct dp_view *view)
{
	return &view->maps.tables;
}

int dp_view_reasons(const struct dp_view *view, struct lb_reason_counters *out)
{
	int err = xdp_maps_sum(&view->maps, XDP_MAP_REASONS, 0, out, sizeof(*out));

	for (uint32_t i = 0; !err && view->dpdk.shared && i < view->dpdk.shared->lcores; i++)
		add_words(out, &dpdk_state_counters(&view->dpdk, i)->reasons, sizeof(*out));
	return err;
}

int dp_view_backend(const struct dp_view *view, uint32_t index, struct lb_backend_counters *out)
{
	const struct dpdk_shared *shared = view->dpdk.shared;
	int err = xdp_maps_sum(&view->maps, XDP_MAP_BACKEND_STATS, index, out, sizeof(*out));

	for (uint32_t i = 0; !err && shared && index < shared->backend_count && i < shared->lcores; i++)
		add_words(out, &dpdk_state_counters(&view->dpdk, i)->backends[index], sizeof(*out));
	return err;
}

int dp_view_task(const struct dp_view *view, uint32_t id, struct lb_task_counters *out)
{
	return xdp_maps_sum(&view->maps, XDP_MAP_TASK_STATS, id, out, sizeof(*out));
}

uint32_t dp_view_ticks(const struct dp_view *view, double *seconds)
{
	uint64_t jiffies;
	unsigned int hz;

	(void)view;
	jiffies = attach_probe_jiffies(&hz);
	*seconds = hz ? 256.0 / hz : 1.0;
	return (uint32_t)(jiffies >> 8) & LB_FLOW_TICKS_MASK;
}

struct sampling {
	int (*each)(void *context, const struct lb_sample *sample);
	void *context;
	int result;
};

static int on_sample(void *context, void *data, size_t size)
{
	struct sampling *s = context;

	if (size >= sizeof(struct lb_sample) && !s->result)
		s->result = s->each(s->context, data);
	return s->result ? -ECANCELED : 0;
}

static int set_sampling(const struct dp_view *view, uint32_t mask)
{
	struct lb_config *config = mmap(NULL, view->maps.bytes[XDP_MAP_CONFIG], PROT_READ | PROT_WRITE,
					MAP_SHARED, view->maps.fd[XDP_MAP_CONFIG], 0);

	if (config == MAP_FAILED)
		return -errno;
	__atomic_store_n(&config->sample_mask, mask, __ATOMIC_RELEASE);
	munmap(config, view->maps.bytes[XDP_MAP_CONFIG]);
	return 0;
}

int dp_view_samples(struct dp_view *view, uint32_t one_in,
		    int (*each)(void *context, const struct lb_sample *sample), void *context,
		    struct error *error)
{
	struct sampling s = {.each = each, .context = context};
	struct ring_buffer *ring =
	    ring_buffer__new(view->maps.fd[XDP_MAP_SAMPLES], on_sample, &s, NULL);
	int err;

	if (!ring)
		return error_set(error, -errno, "cannot read samples: %s", strerror(errno));
	/* Bit 0 says "on"; the rest is what a random number is masked with (bpf/sample.h). */
	err = set_sampling(view, (one_in - 1) << 1 | 1);
	while (!err && !s.result) {
		int n = ring_buffer__poll(ring, 200);

		if (n < 0 && n != -EINTR && n != -ECANCELED)
			err = error_set(error, n, "cannot read samples: %s", strerror(-n));
		if (n == -EINTR)
			s.result = 1;
	}
	set_sampling(view, 0);
	ring_buffer__free(ring);
	return err;
}
