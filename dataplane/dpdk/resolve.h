/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_RESOLVE_H
#define FL_DPDK_RESOLVE_H
/*
 * The slow path of next_hop.h: asks the kernel for the way to a client and lets the frames that wait for
 * it go. One thread, not an lcore's; lcores hand frames over and take them back by rings.
 */
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdint.h>

#include "next_hop.h"

enum { RESOLVE_WAITING_MAX = 1024, RESOLVE_KNOWN_MAX = 1 << 16 };

struct resolver;

/* mac: the uplink's own. nodes: the lcores' NUMA nodes. NULL: out of memory or sockets. */
struct resolver *resolver_open(struct next_hops *hops, uint32_t ifindex, const uint8_t mac[6],
			       unsigned int lcores, const int *nodes);
void resolver_close(struct resolver *r);

/* An lcore: frame waits for the way to addr_be. False: too many wait, it was freed. */
bool resolver_ask(struct resolver *r, unsigned int lcore, uint32_t addr_be, struct rte_mbuf *frame);
/* An lcore: frames that are ready to be sent, at most count. */
unsigned int resolver_ready(struct resolver *r, unsigned int lcore, struct rte_mbuf **frames,
			    unsigned int count);

/* The thread: waits up to timeout_ms for something to do and does it. */
void resolver_work(struct resolver *r, int timeout_ms);

struct resolver_counters {
	uint64_t asked, resolved, unreachable, timed_out;
};
struct resolver_counters resolver_counters(const struct resolver *r);
#endif
