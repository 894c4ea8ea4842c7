// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench_packet.h"
#include "bench_ring.h"

/* DPDK's are in a program of their own, beside this one: not every machine has DPDK. */
static int bench_dpdk(int argc, char **argv)
{
	char path[PATH_MAX] = "";
	char *slash;

	(void)argc;
	if (readlink("/proc/self/exe", path, sizeof(path) - sizeof("-dpdk")) > 0) {
		slash = path + strlen(path);
		memcpy(slash, "-dpdk", sizeof("-dpdk"));
		execv(path, argv - 1);
	}
	fprintf(stderr, "fairlead-bench: %s: %s; it is built where libdpdk is installed\n", path,
		strerror(errno));
	return 1;
}

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"packet", "what a packet costs in the XDP program, next to its floors (root)", bench_packet},
    {"cycles", "what a packet costs in the DPDK forwarder, next to a control", bench_dpdk},
    {"pktgen", "a packet generator, for any load balancer", bench_dpdk},
    {"ring", "what building and rebuilding a ring takes", bench_ring},
};
enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void usage(FILE *to)
{
	fprintf(to, "usage: fairlead-bench COMMAND [options]\n\n");
	for (int i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
}

int main(int argc, char **argv)
{
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return 0;
	}
	for (int i = 0; argc > 1 && i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	usage(stderr);
	return 2;
}
