/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_HARNESS_H
#define FL_HARNESS_H
/* What every measurement needs: one CPU, what the machine is, whether it was quiet, medians. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Keeps this thread on one CPU; -1 is the last one it may use. Returns it or a negative errno. */
int harness_pin(int cpu);

struct harness_machine {
	char kernel[128], processor[128];
	int cpus;
	bool jit;
	bool bpf_stats; /* kernel.bpf_stats_enabled: each program run then costs more */
};
void harness_machine(struct harness_machine *out);

/* How busy all CPUs were in the next window_ms, in percent; this thread sleeps meanwhile. */
double harness_busy(uint32_t window_ms);
/* Waits up to patience_ms for a window under limit; returns the last window's. */
double harness_wait_quiet(double limit, uint32_t patience_ms);

double harness_now_ms(void);
/* CPU time of this thread: without what others took from it. */
double harness_thread_ns(void);
/* Resident set, bytes. */
uint64_t harness_rss(void);

/* A chain of random reads through bytes of memory in 4 KiB pages, as BPF maps lie: what one read
 * costs that waits for the one before. chain is the caller's, from harness_chain_make (NULL: no
 * memory). */
uint32_t *harness_chain_make(size_t bytes);
double harness_chain_ns(const uint32_t *chain, uint32_t steps);
void harness_chain_free(uint32_t *chain, size_t bytes);

struct harness_spread {
	double median, p10, p90;
};
/* Sorts values. */
struct harness_spread harness_spread(double *values, uint32_t count);
#endif
