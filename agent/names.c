// SPDX-License-Identifier: BSD-2-Clause
#include "names.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node_name {
	char name[64];
	uint32_t vtep_be, addr_be;
};
struct port_name {
	char service[64];
	uint32_t protocol, published;
};

struct names {
	struct node_name *nodes;
	struct port_name *ports;
	struct names_backend *backends;
	size_t node_count, port_count, backend_count;
};

/* Makes room for one more; false without memory. */
static bool grow(void **array, size_t count, size_t size)
{
	void *larger;

	if (count & (count - 1))
		return true;
	larger = realloc(*array, (count ? count * 2 : 1) * size);
	if (!larger)
		return false;
	*array = larger;
	return true;
}

static bool parse_line(struct names *n, const char *line)
{
	struct names_backend b;
	struct node_name node;
	struct port_name port;
	uint8_t *m = b.mac;

	if (sscanf(line, "node %63s %x %x", node.name, &node.vtep_be, &node.addr_be) == 3) {
		if (!grow((void **)&n->nodes, n->node_count, sizeof(node)))
			return false;
		n->nodes[n->node_count++] = node;
	} else if (sscanf(line, "port %63s %u %u", port.service, &port.protocol,
			  &port.published) == 3) {
		if (!grow((void **)&n->ports, n->port_count, sizeof(port)))
			return false;
		n->ports[n->port_count++] = port;
	} else if (sscanf(line,
			  "backend %63s %63s %x %2hhx%2hhx%2hhx%2hhx%2hhx%2hhx %u %7s", b.service,
			  b.node, &b.address.s_addr, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5],
			  &b.weight, b.state) == 11) {
		if (!grow((void **)&n->backends, n->backend_count, sizeof(b)))
			return false;
		n->backends[n->backend_count++] = b;
	}
	return true;
}

struct names *names_load(const char *run_dir)
{
	struct names *n = calloc(1, sizeof(*n));
	char path[PATH_MAX], line[512];
	FILE *f;

	if (!n)
		return NULL;
	snprintf(path, sizeof(path), "%s/names", run_dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!parse_line(n, line))
			break;
	if (f)
		fclose(f);
	return n;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	free(n->nodes);
	free(n->ports);
	free(n->backends);
	free(n);
}

const char *names_service_of_port(const struct names *n, uint8_t protocol, uint16_t published)
{
	for (size_t i = 0; i < n->port_count; i++)
		if (n->ports[i].protocol == protocol && n->ports[i].published == published)
			return n->ports[i].service;
	return NULL;
}

const struct names_backend *names_backend_of(const struct names *n, const char *service,
					     const uint8_t mac[6])
{
	for (size_t i = 0; i < n->backend_count; i++)
		if (!memcmp(n->backends[i].mac, mac, 6) &&
		    (!service || !strcmp(n->backends[i].service, service)))
			return &n->backends[i];
	return NULL;
}

const char *names_node_of_vtep(const struct names *n, uint32_t vtep_be)
{
	for (size_t i = 0; i < n->node_count; i++)
		if (n->nodes[i].vtep_be == vtep_be)
			return n->nodes[i].name;
	return NULL;
}

uint32_t names_address_of_node(const struct names *n, const char *node)
{
	for (size_t i = 0; i < n->node_count; i++)
		if (!strcmp(n->nodes[i].name, node))
			return n->nodes[i].addr_be;
	return 0;
}
