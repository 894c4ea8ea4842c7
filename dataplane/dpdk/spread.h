/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_SPREAD_H
#define FL_DPDK_SPREAD_H
/*
 * RSS in software, for a device with fewer queues than there are lcores: those that receive hand
 * frames to those that work, by a hash of addresses and ports, so that a flow stays on one lcore
 * and in order.
 *
 *   queue 0 -- receiver --+--[ring]-- worker: decides, sends
 *                         `--[ring]-- worker
 *
 * Receivers decide on nothing. On devices with one queue (AF_XDP, tap, packet sockets) a burst costs them a
 * system call and a copy, which nobody can share with them.
 */
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdint.h>

#include "state.h"

enum {
	SPREAD_BURST = 32,
	SPREAD_RING =
	    2048, /* frames that wait for a worker, as in a device's queue; others are lost */
};

struct spread_plan {
	uint16_t receivers, workers; /* workers 0: each lcore decides on what it receives */
};
/* Both > 0. Enough queues: no spread. Else a receiver for each worker, while there are queues for
 * them. */
struct spread_plan spread_plan(uint32_t queues, uint32_t lcores);

struct spread {
	uint64_t key[2]; /* nobody outside can aim at one lcore */
	uint32_t workers;
	struct rte_ring *rings[DPDK_LCORES_MAX]; /* of each worker */
};

/* nodes: NUMA nodes of the workers; where one has no memory, any. 0 or -ENOMEM. */
int spread_open(struct spread *s, struct spread_plan plan, const int *nodes);
/* Frees the frames that wait. */
void spread_close(struct spread *s);

/*
 * 0 for what is not IPv4. Ports count in whole TCP and UDP packets without IP options; all else
 * goes by addresses alone, so that later fragments, which say no port, follow their first.
 */
uint32_t spread_hash(const uint64_t key[2], const uint8_t *frame, uint32_t length);

/* A receiver: count (<= SPREAD_BURST) frames to their workers; how many had room. The others are
 * freed. */
uint16_t spread_put(struct spread *s, struct rte_mbuf **frames, uint16_t count);
#endif
