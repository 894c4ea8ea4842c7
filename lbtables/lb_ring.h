/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_RING_H
#define FL_LB_RING_H
/* From a published port and a flow's hash to a backend. */
#include "lb_backend.h"
#include "lb_env.h"
#include "lb_hash.h"

enum { LB_NO_BACKEND = 0xffffffffU };

/* The published port's entry, read as the one word as which it is published. ring 0: none. */
lb_inline struct lb_port lb_port_read(struct lb_env *env, uint32_t index)
{
	union {
		uint64_t word;
		struct lb_port port;
	} u = {0};
	const struct lb_port *port = lb_env_port(env, index);

	if (port)
		u.word = lb_read_once((const uint64_t *)port);
	return u.port;
}

/* Index of the backend that owns a hash in a ring. */
lb_inline uint32_t lb_ring_pick(struct lb_env *env, const struct lb_ring *ring, uint64_t hash)
{
	uint32_t ordinal;

	if (!ring->size)
		return LB_NO_BACKEND;
	ordinal = lb_env_slot(env, ring->slots + lb_ring_slot(hash, ring->size));
	return ordinal < ring->backend_count ? ring->backends + ordinal : LB_NO_BACKEND;
}

#endif
