/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_FORWARD_H
#define FL_DPDK_FORWARD_H
/*
 * A burst of frames from the uplink through the forwarding decision, on the lcore that received it or that
 * it was handed to (spread.h).
 *
 *   in --> decision --+--> out: encapsulated, returned to its client, answered by ICMP
 *                     +--> kernel: untouched; not ours, or for a task of this node
 *                     `--> freed: dropped, and counted by reason
 */
#include <rte_mbuf.h>

#include "env.h"
#include "next_hop.h"

enum { FORWARD_BURST = 32 };

struct forwarder {
	struct lb_env env;
	struct next_hops *next_hops; /* towards clients */
	/* Asks for the way to a client or node that next_hops does not have. The frame that waits for it is
	 * ready but for its first twelve bytes, and the callee's from then on. */
	void (*ask)(void *context, uint32_t addr_be, struct rte_mbuf *frame);
	void *ask_context;
};

/* What became of a burst; frames are the caller's. */
struct forwarded {
	struct rte_mbuf *out[FORWARD_BURST], *kernel[FORWARD_BURST];
	uint16_t out_count, kernel_count;
};

/* count <= FORWARD_BURST. Takes all of in[]. */
void forward_burst(struct forwarder *f, struct rte_mbuf **in, uint16_t count, struct forwarded *done);
#endif
