// SPDX-License-Identifier: BSD-2-Clause
/* The benchmarks that need DPDK; fairlead-bench runs this program for them. */
#include "dpdk_bench.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "cycles"))
		return dpdk_cycles(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "pktgen"))
		return dpdk_pktgen(argc - 1, argv + 1);
	fprintf(stderr, "usage: fairlead-bench cycles|pktgen [options]\n");
	return 2;
}
