/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_MESH_FIELD_H
#define FL_MESH_FIELD_H
/*
 * The kinds of text that a mesh file holds: names, addresses, keys. Readers follow json_place.h:
 * *out is written on success only, an error names the place and the cure.
 */
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>

#include "json_place.h"
#include "mesh.h"

int mesh_field_port(const struct json_place *place, uint16_t *port);
int mesh_field_name(const struct json_place *place, char name[MESH_NAME_MAX]);
int mesh_field_interface(const struct json_place *place, char name[IF_NAMESIZE]);
/* IPv4 unicast, in network byte order. */
int mesh_field_address(const struct json_place *place, struct in_addr *address);
/* An array of them. *addresses and *count are the caller's to free on errors too. */
int mesh_field_addresses(const struct json_place *place, struct in_addr **addresses,
			 uint32_t *count);
/* Unicast, and not one that the mesh makes itself (LB_MAC_PREFIX). */
int mesh_field_mac(const struct json_place *place, uint8_t mac[ETH_ALEN]);
int mesh_field_key(const struct json_place *place, uint8_t key[16]);

/* What is wrong with an interface's name, or NULL. The kernel's rules (dev_valid_name). */
const char *mesh_interface_fault(const char *name);
#endif
