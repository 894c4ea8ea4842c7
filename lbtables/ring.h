/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RING_H
#define FL_RING_H
/*
 * Maglev rings with weights and minimal disruption (user space).
 *
 * Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4. Each backend has a permutation of the slots, made from two hashes of its name; the
 * backends take turns in picking their next free slot. Two changes to the paper:
 *
 *  - Weights are quotas: backend i owns floor or ceil of size * weight / total slots.
 *  - A rebuild starts from the previous generation: a slot keeps its owner while that owner is
 *    still there and within its quota. Only slots that must move do, so the ring depends on its
 *    history.
 *
 * No I/O and no threads: one thread at a time per call. Memory is malloc's (jemalloc in releases).
 */
#include <stddef.h>
#include <stdint.h>

#include "lb_limits.h"

struct ring_backend {
	uint64_t name;   /* hash of what the backend is, the same on every node (ring_name) */
	uint16_t weight; /* 0: owns no slot (draining, down) */
};

/* The smallest of {1, 1031, 4099, 16411, 65537} that holds imbalance under 0.5 % for these weights:
 * at least 256 slots for the lightest backend. 1 for at most one backend of weight > 0. */
uint32_t ring_size_fit(const struct ring_backend *backends, uint32_t count);

/* 1 if size can be a ring's size: 1, or a prime from 3 to LB_RING_SIZE_MAX. */
int ring_size_valid(uint32_t size);

/* Stable 64-bit hash of a backend's identity (FNV-1a, then a finaliser). */
uint64_t ring_name(const void *bytes, size_t length);

/*
 * Fills owner[0..size-1] with ordinals into backends.
 *
 * previous (size previous_size, may be NULL) holds the older generation's owners as ordinals of
 * the *same* backends array, or RING_NO_OWNER where that owner is no longer listed; when the sizes
 * differ slot s stands for the same range of hashes, s / size.
 * Returns the number of slots whose owner is another than before (previous NULL: size), or
 * -EINVAL (count 0 or over LB_SERVICE_BACKENDS_MAX - 1, total weight 0, bad size, duplicate names),
 * -ENOMEM. owner is written only on success.
 */
int64_t ring_build(const struct ring_backend *backends, uint32_t count, uint32_t size,
		   const uint16_t *previous, uint32_t previous_size, uint16_t *owner);
#define RING_NO_OWNER 0xffff

/* What a ring is worth, for tests, `fairlead` and the benchmark. */
struct ring_quality {
	uint64_t moved_extra;  /* slots that moved though their old owner could have kept them */
	double imbalance_max;  /* largest |slots / quota - 1| over the backends with weight > 0 */
};
struct ring_quality ring_judge(const struct ring_backend *backends, uint32_t count, uint32_t size,
			       const uint16_t *previous, const uint16_t *owner);

/* CRC-32C over the names of the owners, slot by slot (little-endian): two nodes whose rings
 * have the same checksum send every flow to the same backend. */
uint32_t ring_checksum(const struct ring_backend *backends, const uint16_t *owner, uint32_t size);
#endif
