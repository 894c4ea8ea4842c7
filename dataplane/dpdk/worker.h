/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_WORKER_H
#define FL_DPDK_WORKER_H
/*
 * One lcore and its queues of the uplink: receive, decide, send. Where the device has too few
 * queues for all lcores (spread.h), some receive and others decide and send.
 */
#include <rte_spinlock.h>

#include "forward.h"
#include "spread.h"

enum { WORKER_NO_PORT = 0xffff };

struct worker {
	uint16_t uplink, kernel; /* ports; kernel WORKER_NO_PORT: what is left to it is freed */
	bool from_kernel;        /* what the kernel sends by kernel_queue goes to the uplink */
	bool sums;               /* the device says whose IP checksum is wrong */
	uint16_t kernel_queue;
	uint16_t queue, stride,
	    queues;        /* of the uplink it polls queue, queue + stride, ... below queues */
	uint16_t tx_queue; /* for frames that it did not receive itself */
	/* Where lcores share a queue to send by; NULL: each has its own. */
	rte_spinlock_t *tx_lock, *kernel_lock;
	struct spread *spread;  /* who decides on what it receives; NULL: itself */
	struct rte_ring *share; /* what others received for it; NULL: nothing */
	unsigned int lcore;
	struct forwarder forwarder;
};

/* All are the caller's and have to outlive the worker; counters have room for the tables' backends.
 */
void worker_start(struct worker *w, const struct lb_tables *tables, struct dpdk_counters *counters,
		  struct next_hops *next_hops, struct fragments *fragments);
void worker_stop(struct worker *w);

/* One burst of at most `most` frames (<= FORWARD_BURST) from each of its queues; how many came.
 * Holds nothing of the tables afterwards. */
uint32_t worker_poll(struct worker *w, uint16_t most);
/* Sends frames out of one queue. What it has no room for is lost, as it would be in a card's own.
 */
void worker_send(struct worker *w, uint16_t port, uint16_t queue, struct rte_mbuf **frames,
		 uint16_t count);
#endif
