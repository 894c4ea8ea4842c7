/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_HISTOGRAM_H
#define FL_HISTOGRAM_H
/* Durations by their logarithm, 32 steps to each power of two: 3 % exact, from 1 ns to an hour. */
#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_SIZE = 42 * HISTOGRAM_STEPS };

struct histogram {
	uint64_t count[HISTOGRAM_SIZE], total;
	uint64_t least, most; /* exact */
};

void histogram_add(struct histogram *h, uint64_t ns);
/* The duration that this share (0 to 1) of all does not exceed; 0 without any. */
uint64_t histogram_quantile(const struct histogram *h, double share);
#endif
