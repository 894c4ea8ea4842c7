/* SPDX-License-Identifier: BSD-2-Clause */
#include "coverage.h"

#include <inttypes.h>

void sim_coverage_add(struct sim_coverage *total, const struct sim_coverage *more)
{
#define SIM_ADD(name) total->name += more->name;
	SIM_COUNTERS(SIM_ADD)
#undef SIM_ADD
}

void sim_coverage_print(const struct sim_coverage *coverage, FILE *out)
{
	unsigned column = 0;

#define SIM_PRINT(name)                                                                            \
	fprintf(out, "%-27s %12" PRIu64 "%s", #name, coverage->name, column++ % 2 ? "\n" : "   ");
	SIM_COUNTERS(SIM_PRINT)
#undef SIM_PRINT
	if (column % 2)
		fputc('\n', out);
}

const char *sim_coverage_missing(const struct sim_coverage *coverage)
{
#define SIM_LOOK(name)                                                                             \
	if (!coverage->name)                                                                       \
		return #name;
	SIM_COUNTERS(SIM_LOOK)
#undef SIM_LOOK
	return NULL;
}
