/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_NAMES_H
#define FL_NAMES_H
/*
 * What the tables' entries are called. The tables hold numbers only; the daemon leaves the names of
 * the mesh it applied in <run_dir>/names, one per line. Without that file everything still
 * works, and shows numbers.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct names;

/* Never NULL but when memory is out; an unreadable file gives empty names. */
struct names *names_load(const char *run_dir);
void names_free(struct names *n);

struct names_backend {
	char service[64], node[64], state[8];
	struct in_addr address;
	uint8_t mac[6];
	uint32_t weight;
};
/* NULL: not known. */
const char *names_service_of_port(const struct names *n, uint8_t protocol, uint16_t published);
const struct names_backend *names_backend_of(const struct names *n, const char *service,
					     const uint8_t mac[6]);
const char *names_node_of_vtep(const struct names *n, uint32_t vtep_be);
/* First address of a node; 0: no such node. */
uint32_t names_address_of_node(const struct names *n, const char *node);
#endif
