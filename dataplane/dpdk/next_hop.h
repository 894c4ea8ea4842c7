/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_NEXT_HOP_H
#define FL_DPDK_NEXT_HOP_H
/*
 * Ethernet addresses on the way to a client, by its IPv4 address, for replies that come back through
 * this node. A cache of what the kernel's routes and neighbours say: the forwarder only reads, one
 * thread writes.
 */
#include <stdbool.h>
#include <stdint.h>

struct next_hop {
	uint8_t dst[6], src[6];
	uint32_t reserved;
};

struct next_hops;

/* count: entries. NULL: rte_errno says why. */
struct next_hops *next_hops_open(uint32_t count);
void next_hops_close(struct next_hops *n);

/* Lcores: the way, to be used before the lcore's next quiescent state; NULL: not known. */
const struct next_hop *next_hops_find(const struct next_hops *n, uint32_t addr_be);

/* An lcore begins to read, and says when it reads nothing. */
void next_hops_reader(struct next_hops *n, unsigned int lcore);
void next_hops_quiescent(struct next_hops *n, unsigned int lcore);
void next_hops_reader_gone(struct next_hops *n, unsigned int lcore);

/* The writer. hop NULL: forget it. 0; -ENOSPC: full, nothing changed. */
int next_hops_set(struct next_hops *n, uint32_t addr_be, const struct next_hop *hop);
#endif
