/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_DEVICE_H
#define FL_DPDK_DEVICE_H
/* The devices that a forwarder has, configured: queues, how they are filled, frame sizes, memory.
 */
#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "spread.h"

struct device_want {
	const char *name;   /* for messages */
	const char *kernel; /* arguments of the device whose other end is the kernel's, or NULL */
	uint16_t queues;    /* 0: as many as it has, and lcores want */
	uint16_t lcores;
	uint32_t mtu; /* of the wire: both devices take IP packets so long */
	int node;     /* NUMA node of the memory for frames; -1: any */
};

struct device {
	uint16_t port, queues, tx_queues;
	uint16_t kernel_port, kernel_queues; /* WORKER_NO_PORT, 0: there is none */
	struct spread_plan plan;
	bool sums;                /* it says whose IP checksum is wrong */
	bool rss;                 /* it spreads flows over queues as it was asked to */
	uint32_t mtu, kernel_mtu; /* what is longer is not sent to the kernel */
	struct rte_mempool *pool;
};

/* The one that EAL found first, and the kernel's. 0, or a negative errno: nothing runs. */
int device_start(const struct device_want *want, struct device *out, struct error *error);
void device_stop(const struct device *d);

/* Longest IP packet that a device says it takes. */
struct rte_eth_dev_info;
uint32_t device_mtu_max(const struct rte_eth_dev_info *info);
#endif
