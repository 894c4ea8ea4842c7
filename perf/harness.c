// SPDX-License-Identifier: BSD-2-Clause
#include "harness.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
	WINDOW_MS = 200, /* the kernel counts in ticks of 10 ms */
	LINE = 64,
};

int harness_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0) {
		if (sched_getaffinity(0, sizeof(set), &set))
			return -errno;
		for (size_t i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &set))
				cpu = (int)i;
	}
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : cpu;
}

static long read_long(const char *path)
{
	FILE *f = fopen(path, "re");
	long value = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%ld", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

void harness_machine(struct harness_machine *out)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	struct utsname name;
	char line[256];

	*out = (struct harness_machine){.processor = "unknown"};
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "model name : %127[^\n]", out->processor) == 1)
			break;
	if (f)
		fclose(f);
	if (!uname(&name))
		snprintf(out->kernel, sizeof(out->kernel), "%.63s %.60s", name.release,
			 name.machine);
	out->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	out->jit = read_long("/proc/sys/net/core/bpf_jit_enable") != 0;
	out->bpf_stats = read_long("/proc/sys/kernel/bpf_stats_enabled") != 0;
}

static void sleep_ms(uint32_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* /proc/stat: user nice system idle iowait irq softirq steal. Steal counts as busy. */
static void read_ticks(unsigned long long *busy, unsigned long long *all)
{
	unsigned long long t[8] = {0};
	FILE *f = fopen("/proc/stat", "re");

	*busy = *all = 0;
	if (!f)
		return;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
		   &t[4], &t[5], &t[6], &t[7]) == 8) {
		for (int i = 0; i < 8; i++)
			*all += t[i];
		*busy = *all - t[3] - t[4];
	}
	fclose(f);
}

double harness_busy(uint32_t window_ms)
{
	unsigned long long busy_before, all_before, busy, all;

	read_ticks(&busy_before, &all_before);
	sleep_ms(window_ms);
	read_ticks(&busy, &all);
	return all == all_before
		   ? 0
		   : 100.0 * (double)(busy - busy_before) / (double)(all - all_before);
}

double harness_wait_quiet(double limit, uint32_t patience_ms)
{
	double percent = harness_busy(WINDOW_MS);

	for (uint32_t waited = WINDOW_MS; percent >= limit && waited < patience_ms;
	     waited += WINDOW_MS)
		percent = harness_busy(WINDOW_MS);
	return percent;
}

double harness_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

double harness_thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

uint64_t harness_rss(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint32_t *harness_chain_make(size_t bytes)
{
	const uint32_t words = LINE / sizeof(uint32_t), lines = (uint32_t)(bytes / LINE);
	uint32_t *chain =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t random = 0x9e3779b97f4a7c15;

	if (chain == MAP_FAILED)
		return NULL;
	madvise(chain, bytes, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < lines; i++)
		chain[i * words] = i * words;
	/* Sattolo: one cycle through all lines. */
	for (uint32_t i = lines - 1; i > 0; i--) {
		uint32_t j, swap = chain[i * words];

		random = random * 6364136223846793005 + 1442695040888963407;
		j = (uint32_t)(((random >> 32) * i) >> 32);
		chain[i * words] = chain[j * words];
		chain[j * words] = swap;
	}
	return chain;
}

double harness_chain_ns(const uint32_t *chain, uint32_t steps)
{
	double start_ns = harness_thread_ns();
	uint32_t at = 0;

	for (uint32_t i = 0; i < steps; i++)
		at = *(const volatile uint32_t *)(chain + at);
	return (harness_thread_ns() - start_ns) / steps;
}

void harness_chain_free(uint32_t *chain, size_t bytes)
{
	if (chain)
		munmap(chain, bytes);
}

static int compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

struct harness_spread harness_spread(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (struct harness_spread){
	    .median =
		count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2,
	    .p10 = values[(count - 1) / 10],
	    .p90 = values[count - 1 - (count - 1) / 10],
	};
}
