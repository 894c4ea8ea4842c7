/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_XDP_RESERVE_H
#define FL_XDP_RESERVE_H
/*
 * Published ports as reserved local ports. The mesh takes every packet to a published port, so the
 * kernel must not pick one as the source port of a connection of the node itself: its replies would
 * go to a task. net.ipv4.ip_local_reserved_ports says so, one list for TCP and UDP. Ports that somebody
 * else reserved stay reserved.
 */
#include <stdint.h>

#include "error.h"
#include "lb_tables.h"

enum { RESERVE_WORDS = 65536 / 64 };

/* The ports that tables publish, TCP and UDP in one: that is how the kernel reserves them. */
void reserve_published_ports(const struct lb_tables *tables, uint64_t ports[RESERVE_WORDS]);

/* Replaces ours (a bit per port, the caller's memory of it) by wanted. */
int reserve_ports(uint64_t ours[RESERVE_WORDS], const uint64_t wanted[RESERVE_WORDS],
		  struct error *error);
#endif
