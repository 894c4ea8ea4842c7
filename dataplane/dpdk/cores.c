// SPDX-License-Identifier: BSD-2-Clause
#include "cores.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES_MAX = 64 };

/* A CPU's folder has a link to its node: cpu3/node1. */
static int cpu_node(const char *sys, uint32_t cpu)
{
	char path[PATH_MAX];

	for (int node = 0; node < NODES_MAX; node++) {
		snprintf(path, sizeof(path), "%s/devices/system/cpu/cpu%u/node%d", sys, cpu, node);
		if (!access(path, F_OK))
			return node;
	}
	return -1;
}

uint32_t cores_available(const char *sys, struct core *out, uint32_t max)
{
	uint32_t count = 0;
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE && count < max; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			out[count++] = (struct core){cpu, cpu_node(sys, cpu)};
	return count;
}

static int read_node(const char *path)
{
	FILE *f = fopen(path, "re");
	int node = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &node) != 1 || node < 0)
		node = -1;
	fclose(f);
	return node;
}

int cores_device_node(const char *sys, const char *device, const char *interface)
{
	char path[PATH_MAX];
	const char *iface = device ? strstr(device, "iface=") : NULL;

	if (iface)
		interface = iface + strlen("iface=");
	if (device && !iface)
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%.*s/numa_node", sys,
			 (int)strcspn(device, ","), device);
	else
		snprintf(path, sizeof(path), "%s/class/net/%.*s/device/numa_node", sys,
			 (int)strcspn(interface, ","), interface);
	return read_node(path);
}

struct core cores_choose(const struct core *all, uint32_t count, int node)
{
	for (uint32_t i = count; node >= 0 && i-- > 0;)
		if (all[i].node == node)
			return all[i];
	return all[count - 1];
}

static const struct core *find(const struct core *all, uint32_t count, unsigned long cpu)
{
	for (uint32_t i = 0; i < count; i++)
		if (all[i].cpu == cpu)
			return &all[i];
	return NULL;
}

int cores_parse(const char *list, const struct core *all, uint32_t count, struct core *out,
		uint32_t max, struct error *error)
{
	const char *at = list;

	for (uint32_t n = 0;;) {
		char *end;
		unsigned long cpu = strtoul(at, &end, 10);
		const struct core *core = find(all, count, cpu);

		if (*at < '0' || *at > '9' || (*end && *end != ','))
			return error_set(error, -EINVAL, "%s: not a list of CPUs like 1,3", list);
		if (!core)
			return error_set(error, -EINVAL, "%s: there is no CPU %lu for us", list,
					 cpu);
		if (n == max)
			return error_set(error, -EINVAL, "%s: more than %u CPUs", list, max);
		out[n++] = *core;
		if (!*end)
			return (int)n;
		at = end + 1;
	}
}

bool cores_is_far(struct core core, int node)
{
	return core.node >= 0 && node >= 0 && core.node != node;
}
