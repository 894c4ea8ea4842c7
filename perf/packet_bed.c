// SPDX-License-Identifier: BSD-2-Clause
#include "packet_bed.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "harness.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "floors.skel.h"
#include "xdp.skel.h"
#pragma GCC diagnostic pop

/* Readers run in test_run, never while this thread writes; what membarrier costs belongs to
 * filling. */
static void grace(void *context)
{
	(void)context;
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static int complain(const char *what, int err)
{
	fprintf(stderr, "packet: %s: %s\n", what, strerror(-err));
	return err;
}

static int load_uplink(struct packet_bed *bed, uint32_t flow_buckets)
{
	struct bpf_map *map;
	int err = 0;

	bed->xdp = fl_xdp__open();
	if (!bed->xdp)
		return -errno;
	bpf_object__for_each_map(map, bed->xdp->obj)
	{
		if (bpf_map__pin_path(map))
			err = bpf_map__set_pin_path(map, NULL);
		if (err)
			return err;
	}
	if (flow_buckets)
		err = bpf_map__set_max_entries(bed->xdp->maps.fl_flows, flow_buckets);
	return err ? err : fl_xdp__load(bed->xdp);
}

static int map_array(struct packet_bed *bed, int number, struct bpf_map *map, void **out,
		     uint32_t *count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *p;

	size = (size + page - 1) & ~(page - 1);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (p == MAP_FAILED)
		return -errno;
	bed->maps[number].at = p;
	bed->maps[number].size = size;
	*out = p;
	if (count)
		*count = bpf_map__max_entries(map);
	return 0;
}

static int map_tables(struct packet_bed *bed)
{
	struct lb_tables *l = &bed->l;
	struct fl_xdp *x = bed->xdp;
	const struct {
		struct bpf_map *map;
		void **out;
		uint32_t *count;
	} arrays[PACKET_MAPS] = {
	    {x->maps.fl_config, (void **)&l->config, NULL},
	    {x->maps.fl_ports, (void **)&l->ports, NULL},
	    {x->maps.fl_rings, (void **)&l->rings, &l->ring_count},
	    {x->maps.fl_slots, (void **)&l->slots, &l->slot_count},
	    {x->maps.fl_backends, (void **)&l->backends, &l->backend_count},
	    {x->maps.fl_tasks, (void **)&l->tasks, NULL},
	    {x->maps.fl_vias, (void **)&l->vias, NULL},
	    {x->maps.fl_index, (void **)&l->index, &l->index_buckets},
	    {x->maps.fl_flows, (void **)&l->flows, &l->flow_buckets},
	};
	int err = 0;

	for (int i = 0; i < PACKET_MAPS && !err; i++)
		err = map_array(bed, i, arrays[i].map, arrays[i].out, arrays[i].count);
	l->slot_count *= 4; /* four to an element */
	return err;
}

int packet_bed_open(struct packet_bed *bed, uint32_t flow_buckets)
{
	int err;

	*bed = (struct packet_bed){0};
	err = load_uplink(bed, flow_buckets);
	if (err) {
		packet_bed_close(bed);
		return complain("cannot load the program", err);
	}
	err = map_tables(bed);
	if (!err)
		err = tables_open(&bed->l, grace, NULL, &bed->tables);
	if (!err) {
		bed->floors = fl_floors__open_and_load();
		err = bed->floors ? 0 : -errno;
	}
	if (err) {
		packet_bed_close(bed);
		return complain("cannot set up", err);
	}
	bed->plan = &bed->floors->bss->floors_plan;
	bed->programs[PACKET_EMPTY] = bpf_program__fd(bed->floors->progs.floors_empty);
	bed->programs[PACKET_SWAP] = bpf_program__fd(bed->floors->progs.floors_swap);
	bed->programs[PACKET_ENCAPSULATE] = bpf_program__fd(bed->floors->progs.floors_encapsulate);
	bed->programs[PACKET_UPLINK] = bpf_program__fd(bed->xdp->progs.fl_uplink);
	bed->driver = bpf_program__fd(bed->floors->progs.floors_drive);
	bed->target = bpf_map__fd(bed->floors->maps.floors_target);
	return 0;
}

void packet_bed_close(struct packet_bed *bed)
{
	tables_close(bed->tables);
	for (int i = 0; i < PACKET_MAPS; i++)
		if (bed->maps[i].at)
			munmap(bed->maps[i].at, bed->maps[i].size);
	fl_floors__destroy(bed->floors);
	fl_xdp__destroy(bed->xdp);
	*bed = (struct packet_bed){0};
}

int packet_bed_aim(struct packet_bed *bed, enum packet_program program)
{
	uint32_t place = 0;

	if (bpf_map_update_elem(bed->target, &place, &bed->programs[program], BPF_ANY))
		return -errno;
	return 0;
}

int packet_bed_run(struct packet_bed *bed, int program, const uint8_t *frame, uint32_t length,
		   uint32_t repeat, struct packet_run *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = length,
		    .data_out = out->frame, .data_size_out = sizeof(out->frame),
		    .repeat = (int)repeat);
	double start_ns = harness_thread_ns();
	int err = bpf_prog_test_run_opts(program, &opts);

	(void)bed;
	if (err)
		return complain("BPF_PROG_TEST_RUN", err);
	out->ns = (harness_thread_ns() - start_ns) / repeat;
	out->verdict = opts.retval;
	out->length = opts.data_size_out;
	return 0;
}

int packet_bed_reasons(struct packet_bed *bed, uint64_t out[LB_REASONS_MAX])
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	struct lb_reason_counters *each = NULL;
	uint32_t key = 0;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(bed->xdp->maps.fl_reasons), &key, each))
		err = -errno;
	for (int r = 0; r < LB_REASONS_MAX; r++) {
		out[r] = 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			out[r] += each[cpu].packets[r];
	}
	free(each);
	return err;
}

static uint64_t map_memory(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

uint64_t packet_bed_memory(const struct packet_bed *bed)
{
	uint64_t bytes = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, bed->xdp->obj) bytes += map_memory(bpf_map__fd(map));
	return bytes;
}
