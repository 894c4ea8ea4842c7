/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_CORES_H
#define FL_DPDK_CORES_H
/*
 * Which CPUs forward: those that the user named, else one near the card. A node is a NUMA node, -1
 * where the machine does not say. What is read lies under sys (/sys); the choice itself is pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct core {
	uint32_t cpu;
	int node;
};

/* CPUs that this process may run on, ascending: how many, at most max. */
uint32_t cores_available(const char *sys, struct core *out, uint32_t max);
/* device: a PCI address, or a virtual device's arguments, of which iface= counts; NULL: interface.
 */
int cores_device_node(const char *sys, const char *device, const char *interface);

/* The last one on the device's node, else the last one: the first CPUs are everybody's. count > 0.
 */
struct core cores_choose(const struct core *all, uint32_t count, int node);
/* "1,3" out of all[]: how many (<= max), or -EINVAL. */
int cores_parse(const char *list, const struct core *all, uint32_t count, struct core *out,
		uint32_t max, struct error *error);
/* Both are known, and differ. */
bool cores_is_far(struct core core, int node);
#endif
