/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench_ring.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lbtables/ring.h"

enum { RUNS_DEFAULT = 101, RUNS_MIN = 51, RUNS_MAX = 100000, WEIGHT = 100, WEIGHT_CHANGED = 150 };

enum change { SCRATCH, REMOVED, ADDED, REWEIGHTED, CHANGES };
static const char *const change_names[CHANGES] = {"scratch", "removed", "added", "weight"};

struct bench {
	uint32_t size;
	uint32_t count;
	uint32_t runs;
	struct ring_backend *backends; /* count + 1: the last is the one that is added */
	struct ring_backend *changed;
	uint16_t *base; /* the ring of the first count backends */
	uint16_t *previous;
	uint16_t *owner;
	double *times_us;
};

/* The worst of all runs. */
struct outcome {
	int64_t moved_max;
	double extra_percent;
	double imbalance_percent;
};

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int time_compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static void bench_free(struct bench *b)
{
	free(b->backends);
	free(b->changed);
	free(b->base);
	free(b->previous);
	free(b->owner);
	free(b->times_us);
}

static int bench_init(struct bench *b)
{
	b->backends = calloc(b->count + 1, sizeof(*b->backends));
	b->changed = calloc(b->count + 1, sizeof(*b->changed));
	b->base = calloc(b->size, sizeof(*b->base));
	b->previous = calloc(b->size, sizeof(*b->previous));
	b->owner = calloc(b->size, sizeof(*b->owner));
	b->times_us = calloc(b->runs, sizeof(*b->times_us));
	if (!b->backends || !b->changed || !b->base || !b->previous || !b->owner || !b->times_us)
		return -1;
	for (uint32_t i = 0; i <= b->count; i++) {
		b->backends[i].name = ring_name(&i, sizeof(i));
		b->backends[i].weight = WEIGHT;
	}
	return ring_build(b->backends, b->count, b->size, NULL, 0, b->base) < 0 ? -1 : 0;
}

/* Makes changed and previous for one run; returns how many backends are listed. */
static uint32_t prepare(struct bench *b, enum change change, uint32_t run)
{
	uint32_t victim = run % b->count, count = b->count;

	memcpy(b->changed, b->backends, (b->count + 1) * sizeof(*b->changed));
	memcpy(b->previous, b->base, b->size * sizeof(*b->previous));
	switch (change) {
	case REMOVED:
		count--;
		b->changed[victim] = b->changed[count];
		for (uint32_t s = 0; s < b->size; s++) {
			if (b->base[s] == victim)
				b->previous[s] = RING_NO_OWNER;
			else if (b->base[s] == count)
				b->previous[s] = (uint16_t)victim;
		}
		break;
	case ADDED:
		b->changed[count].name = ring_name(&run, sizeof(run)) + 1;
		count++;
		break;
	case REWEIGHTED:
		b->changed[victim].weight = WEIGHT_CHANGED;
		break;
	case SCRATCH:
	case CHANGES:
		break;
	}
	return count;
}

static int measure(struct bench *b, enum change change, struct outcome *worst)
{
	*worst = (struct outcome){0};
	for (uint32_t run = 0; run < b->runs; run++) {
		uint32_t count = prepare(b, change, run);
		const uint16_t *previous = change == SCRATCH ? NULL : b->previous;
		double start_us = now_us();
		int64_t moved = ring_build(b->changed, count, b->size, previous, b->size, b->owner);
		struct ring_quality quality;

		b->times_us[run] = now_us() - start_us;
		if (moved < 0)
			return -1;
		quality = ring_judge(b->changed, count, b->size, previous, b->owner);
		if (moved > worst->moved_max)
			worst->moved_max = moved;
		if (100.0 * (double)quality.moved_extra / b->size > worst->extra_percent)
			worst->extra_percent = 100.0 * (double)quality.moved_extra / b->size;
		if (100 * quality.imbalance_max > worst->imbalance_percent)
			worst->imbalance_percent = 100 * quality.imbalance_max;
	}
	qsort(b->times_us, b->runs, sizeof(*b->times_us), time_compare);
	return 0;
}

static int bench_case(uint32_t size, uint32_t count, uint32_t runs)
{
	__attribute__((cleanup(bench_free))) struct bench b = {
	    .size = size, .count = count, .runs = runs};

	if (bench_init(&b) < 0)
		return -1;
	for (enum change change = SCRATCH; change < CHANGES; change++) {
		struct outcome worst;

		if (measure(&b, change, &worst) < 0)
			return -1;
		printf("%8" PRIu32 " %8" PRIu32 "  %-8s %10.1f %10.1f %10.1f %10" PRId64
		       " %10.4f %12.4f\n",
		       size, count, change_names[change], b.times_us[runs / 2],
		       b.times_us[runs / 10], b.times_us[runs - 1 - runs / 10], worst.moved_max,
		       worst.extra_percent, worst.imbalance_percent);
	}
	return 0;
}

int bench_ring(int argc, char **argv)
{
	static const struct {
		uint32_t size;
		uint32_t count;
	} cases[] = {{65537, 100}, {65537, 1000}, {16411, 64}, {1031, 4}, {655373, 1000}};
	char *end = NULL;
	unsigned long runs = argc > 1 ? strtoul(argv[1], &end, 10) : RUNS_DEFAULT;

	if (argc > 2 || (end && *end) || runs < RUNS_MIN || runs > RUNS_MAX) {
		fprintf(stderr, "usage: ring [runs, %d to %d]\n", RUNS_MIN, RUNS_MAX);
		return 2;
	}
	printf("%lu runs per line; moved, extra and imbalance are the worst of them\n", runs);
	printf("%8s %8s  %-8s %10s %10s %10s %10s %10s %12s\n", "M[slots]", "N", "change",
	       "median[us]", "p10[us]", "p90[us]", "moved", "extra[%]", "imbalance[%]");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (bench_case(cases[i].size, cases[i].count, (uint32_t)runs) < 0) {
			fprintf(stderr, "ring: cannot build a ring of %" PRIu32 " slots\n",
				cases[i].size);
			return 1;
		}
	}
	return 0;
}
