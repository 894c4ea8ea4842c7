// SPDX-License-Identifier: BSD-2-Clause
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const uint64_t MAGIC = 0x666c64706b303032; /* changes with the layout */

static uint64_t counters_size(uint32_t backend_count)
{
	uint64_t size = sizeof(struct dpdk_counters) +
			(uint64_t)backend_count * sizeof(struct lb_backend_counters);

	return (size + 127) / 128 * 128; /* lcores share no line, nor the neighbour that is fetched with it */
}

static int map(struct dpdk_state *s, uint64_t bytes)
{
	s->shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		return -errno;
	}
	s->bytes = bytes;
	return 0;
}

/* Sums of a dead one's lcores become the first one's beginning. */
static void inherit(const struct dpdk_state *from, const struct dpdk_state *to)
{
	uint64_t words = counters_size(to->shared->backend_count) / sizeof(uint64_t);
	uint64_t *sum = (uint64_t *)dpdk_state_counters(to, 0);

	if (!from->shared || from->shared->backend_count != to->shared->backend_count)
		return;
	for (uint32_t i = 0; i < from->shared->lcores; i++) {
		const uint64_t *old = (const uint64_t *)dpdk_state_counters(from, i);

		for (uint64_t w = 0; w < words; w++)
			sum[w] += old[w];
	}
}

int dpdk_state_create(const char *path, uint32_t lcores, uint32_t backend_count,
		      struct dpdk_state *out, struct error *error)
{
	uint64_t bytes = sizeof(struct dpdk_shared) + lcores * counters_size(backend_count);
	struct dpdk_state s, old;
	char new_path[PATH_MAX];
	int err = dpdk_state_open(path, &old);

	if (!err && dpdk_state_alive(&old))
		err = error_set(error, -EBUSY, "another fairlead-dpdk runs, pid %d", old.shared->pid);
	else
		err = err == -EACCES ? error_set(error, err, "cannot open %s", path) : 0;
	if (err)
		goto close_old;
	/* A new file, never the old one cut short: somebody may have that mapped. */
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	unlink(new_path);
	s = (struct dpdk_state){.fd = open(new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
	if (s.fd < 0 || flock(s.fd, LOCK_EX | LOCK_NB) || ftruncate(s.fd, (off_t)bytes) ||
	    map(&s, bytes)) {
		err = error_set(error, -errno, "cannot make %s: %s", new_path, strerror(errno));
		dpdk_state_close(&s);
		goto close_old;
	}
	s.shared->pid = getpid();
	s.shared->lcores = lcores;
	s.shared->backend_count = backend_count;
	s.shared->started_s = (uint64_t)time(NULL);
	for (uint32_t i = 0; i < DPDK_LCORES_MAX; i++)
		s.shared->quiet[i].seen = UINT64_MAX;
	inherit(&old, &s);
	s.shared->magic = MAGIC;
	if (rename(new_path, path)) {
		err = error_set(error, -errno, "cannot make %s: %s", path, strerror(errno));
		dpdk_state_close(&s);
		goto close_old;
	}
	*out = s;
close_old:
	dpdk_state_close(&old);
	return err;
}

int dpdk_state_open(const char *path, struct dpdk_state *out)
{
	struct dpdk_state s = {.fd = open(path, O_RDWR | O_CLOEXEC)};
	struct stat info;
	int err;

	*out = s;
	if (s.fd < 0)
		return -errno;
	err = fstat(s.fd, &info) ? -errno : 0;
	if (!err && (uint64_t)info.st_size < sizeof(*s.shared))
		err = -EPROTO;
	if (!err)
		err = map(&s, (uint64_t)info.st_size);
	if (!err && s.shared->magic != MAGIC)
		err = -EPROTO;
	if (!err && (s.shared->lcores > DPDK_LCORES_MAX ||
		     sizeof(*s.shared) + s.shared->lcores * counters_size(s.shared->backend_count) >
			 s.bytes))
		err = -EPROTO;
	if (err)
		dpdk_state_close(&s);
	*out = s;
	return err;
}

void dpdk_state_close(struct dpdk_state *s)
{
	if (s->shared)
		munmap(s->shared, s->bytes);
	if (s->fd >= 0)
		close(s->fd);
	s->shared = NULL;
	s->fd = -1;
}

bool dpdk_state_alive(const struct dpdk_state *s)
{
	if (!s->shared)
		return false;
	if (flock(s->fd, LOCK_SH | LOCK_NB))
		return errno == EWOULDBLOCK;
	flock(s->fd, LOCK_UN);
	return false;
}

struct dpdk_counters *dpdk_state_counters(const struct dpdk_state *s, uint32_t lcore)
{
	return (struct dpdk_counters *)((uint8_t *)(s->shared + 1) +
					lcore * counters_size(s->shared->backend_count));
}

void dpdk_state_move(const struct dpdk_state *s, uint32_t from, uint32_t to)
{
	if (!s->shared || to >= s->shared->backend_count)
		return;
	for (uint32_t i = 0; i < s->shared->lcores; i++) {
		struct lb_backend_counters *c = dpdk_state_counters(s, i)->backends;

		c[to] = from < s->shared->backend_count ? c[from] : (struct lb_backend_counters){0};
	}
}

uint64_t dpdk_state_raise(const struct dpdk_state *s)
{
	return __atomic_add_fetch(&s->shared->token, 1, __ATOMIC_SEQ_CST);
}

bool dpdk_state_seen(const struct dpdk_state *s, uint64_t token)
{
	for (uint32_t i = 0; i < s->shared->lcores; i++)
		if (__atomic_load_n(&s->shared->quiet[i].seen, __ATOMIC_ACQUIRE) < token)
			return false;
	return true;
}

bool dpdk_state_grace(const struct dpdk_state *s, uint32_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000};
	struct timespec start, now;
	uint64_t token;

	if (!s->shared)
		return true;
	token = dpdk_state_raise(s);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int n = 1; !dpdk_state_seen(s, token); n++) {
		nanosleep(&pause, NULL);
		if (n & 127)
			continue;
		if (!dpdk_state_alive(s))
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 >
		    (long)timeout_ms)
			return false;
	}
	return true;
}
