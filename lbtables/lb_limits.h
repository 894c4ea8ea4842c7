/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_LIMITS_H
#define FL_LB_LIMITS_H
/*
 * Every bound of the forwarding tables, in one place. BPF, host and DPDK builds share them.
 * Bounds marked "default" are sizes a driver may raise when it creates its tables; the others
 * are fixed by a field's width.
 */
enum {
	/* Width of flow.task: 15 bits, id 0 means "none". */
	LB_TASKS_MAX = 1 << 15,
	/* Width of flow.via: 16 bits, id 0 means "none". */
	LB_VIAS_MAX = 1 << 16,
	/* Protocol (TCP, UDP) times port. */
	LB_PORTS_MAX = 2 << 16,
	/* Own addresses and virtual IPs one node answers on. */
	LB_ADDRS_MAX = 8,
	/* Width of a ring slot: an ordinal into the service's backends. */
	LB_SERVICE_BACKENDS_MAX = 1 << 16,

	/* Rings: default and largest size; small services use a smaller prime (ring.h). */
	LB_RING_SIZE_DEFAULT = 65537,
	LB_RING_SIZE_MAX = 655373,
	/* How many generations of a ring are live at once: the newest and the ones a mid-flow
	 * packet may still belong to. */
	LB_GENERATIONS_MAX = 4,
	LB_WEIGHT_MAX = 65535,

	LB_RINGS_DEFAULT = 1 << 16,          /* x 32 bytes */
	LB_BACKENDS_DEFAULT = 1 << 16,       /* x 64 bytes */
	LB_SLOTS_DEFAULT = 1 << 24,          /* x 2 bytes: 128 services of 65,537 slots, 2 generations */
	LB_INDEX_BUCKETS_DEFAULT = 1 << 13,  /* x 128 bytes: 65,536 entries, filled to 1/16 at most */
	LB_FLOW_BUCKETS_DEFAULT = 1 << 17,   /* x 128 bytes: 1,048,576 flows in 16 MiB */
	LB_FRAGMENTS_DEFAULT = 1 << 12,
	LB_ALIASES_DEFAULT = 1 << 14,
	LB_WAYS = 8,                         /* entries of an index or flow bucket: two cache lines */

	/* What the tunnel adds: outer Ethernet (replaces none), IPv4, UDP, VXLAN. RFC 7348 section 5. */
	LB_ETH_LEN = 14,
	LB_OUTER_LEN = 14 + 20 + 8 + 8,
	LB_MTU_MIN = 576,
};
#endif
