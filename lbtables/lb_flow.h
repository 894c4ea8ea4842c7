/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_FLOW_H
#define FL_LB_FLOW_H
/*
 * The flow table of a task's node: which address and entry node a client used to reach a task, so
 * that replies can carry the right source and find their way back. Layout in lb_types.h.
 *
 * CPUs share it without locks. An entry is claimed by compare-and-swap of its key, its value is
 * replaced by compare-and-swap, and a value is believed only if the key is the same after it was
 * read as before. A flow is never forgotten for being idle; it gives way only when all 8 ways of
 * its bucket are in use, and then in this order: expired, closed, half-open, UDP, established, the
 * oldest first (lb_flow_rank). A flow that gave way comes back with the client's next packet.
 */
#include "lb_backend.h"
#include "lb_env.h"
#include "lb_hash.h"
#include "lb_packet.h"

lb_inline uint64_t lb_flow_key(uint32_t client_be, uint16_t port_be, uint32_t task, bool udp)
{
	return (uint64_t)task << 49 | (uint64_t)udp << 48 | (uint64_t)port_be << 32 | client_be;
}
lb_inline uint32_t lb_flow_task(uint64_t key)
{
	return (uint32_t)(key >> 49);
}
lb_inline bool lb_flow_is_udp(uint64_t key)
{
	return (key >> 48) & 1;
}
lb_inline uint32_t lb_flow_client(uint64_t key)
{
	return (uint32_t)key;
}
lb_inline uint16_t lb_flow_client_port(uint64_t key)
{
	return (uint16_t)(key >> 32);
}
/* The key of the same flow with the client's port replaced. */
lb_inline uint64_t lb_flow_key_port(uint64_t key, uint16_t port_be)
{
	return (key & ~(0xffffULL << 32)) | (uint64_t)port_be << 32;
}

lb_inline uint64_t lb_flow_value(uint32_t via, uint16_t port_be, uint32_t ticks, uint32_t state)
{
	return (uint64_t)via << 48 | (uint64_t)port_be << 32 |
	       (uint64_t)(ticks & LB_FLOW_TICKS_MASK) << LB_FLOW_STATE_BITS | state;
}
lb_inline uint32_t lb_flow_via(uint64_t value)
{
	return (uint32_t)(value >> 48);
}
lb_inline uint16_t lb_flow_port(uint64_t value)
{
	return (uint16_t)(value >> 32);
}
lb_inline uint32_t lb_flow_ticks(uint64_t value)
{
	return (uint32_t)(value >> LB_FLOW_STATE_BITS) & LB_FLOW_TICKS_MASK;
}
lb_inline uint32_t lb_flow_state(uint64_t value)
{
	return (uint32_t)value & LB_FLOW_STATE_MASK;
}
lb_inline uint32_t lb_flow_age(uint64_t value, uint32_t now)
{
	return (now - lb_flow_ticks(value)) & LB_FLOW_TICKS_MASK;
}

lb_inline struct lb_flow_bucket *lb_flow_bucket_of(struct lb_env *env,
						   const struct lb_config *config, uint64_t key)
{
	return lb_env_flows(env, lb_table_hash(config->table_key, key) & config->flow_mask);
}

/* One way's value if it holds key, else 0 (no value is 0: its via is not). */
lb_inline uint64_t lb_flow_peek(const struct lb_flow *way, uint64_t key)
{
	uint64_t value;

	if (lb_read_once(&way->key) != key)
		return 0;
	value = lb_read_once(&way->value);
	lb_barrier();
	return lb_read_once(&way->key) == key ? value : 0;
}

/* What a packet does to a flow's state. */
lb_inline uint32_t lb_flow_next_state(uint32_t state, bool udp, uint8_t tcp_flags, bool from_task)
{
	if (udp)
		return from_task ? state | LB_FLOW_REPLIED : state;
	if (tcp_flags & LB_TCP_RST)
		return state | LB_FLOW_CLOSED;
	if (from_task) {
		state |= LB_FLOW_REPLIED;
		return tcp_flags & LB_TCP_FIN ? state | LB_FLOW_FIN_TASK : state;
	}
	if (tcp_flags & LB_TCP_SYN)
		return state & LB_FLOW_ALIASED; /* a new connection of the same name */
	if (state & LB_FLOW_REPLIED)
		state |= LB_FLOW_ESTABLISHED;
	return tcp_flags & LB_TCP_FIN ? state | LB_FLOW_FIN_CLIENT : state;
}

/* Stores a changed value; on a lost race the other writer's news is as good. */
lb_inline void lb_flow_update(struct lb_flow *way, uint64_t old_value, uint64_t new_value)
{
	if (old_value != new_value)
		__sync_val_compare_and_swap(&way->value, old_value, new_value);
}

enum lb_flow_rank {
	LB_RANK_ESTABLISHED = 1,
	LB_RANK_UDP,
	LB_RANK_HALF_OPEN,
	LB_RANK_CLOSED,
	LB_RANK_EXPIRED,
	LB_RANK_EMPTY,
};

/* How gladly an entry gives way. Only expired and empty ones do so without loss. */
lb_inline enum lb_flow_rank lb_flow_rank(const struct lb_config *config, uint64_t key,
					 uint64_t value, uint32_t now)
{
	uint32_t age = lb_flow_age(value, now);
	uint32_t state = lb_flow_state(value);

	if (!key)
		return LB_RANK_EMPTY;
	if (lb_flow_is_udp(key))
		return age >= config->ticks_udp ? LB_RANK_EXPIRED : LB_RANK_UDP;
	if ((state & LB_FLOW_CLOSED) == LB_FLOW_CLOSED)
		return age >= config->ticks_closed ? LB_RANK_EXPIRED : LB_RANK_CLOSED;
	if (!(state & LB_FLOW_ESTABLISHED))
		return age >= config->ticks_new ? LB_RANK_EXPIRED : LB_RANK_HALF_OPEN;
	return LB_RANK_ESTABLISHED;
}

/* The larger of two numbers below 2^63 without a branch: the verifier would otherwise follow each
 * of the many orders of eight entries. */
lb_inline uint64_t lb_max(uint64_t a, uint64_t b)
{
	uint64_t below = a - b, mask = (uint64_t)((int64_t)below >> 63);

#ifdef __bpf__
	__asm__ __volatile__("" : "+r"(mask));
#endif
	return b + (below & ~mask);
}

/* The way of key's bucket that gives way to a new flow, and its rank: way | rank << 3. Rank 0: none
 * does. A function of its own: its answer is any number to the verifier. */
lb_cold int lb_flow_victim(struct lb_env *env, uint64_t key, uint32_t now)
{
	const struct lb_config *config;
	struct lb_flow_bucket *bucket;
	uint64_t best = 0;

	if (!env)
		return 0;
	config = lb_env_config(env);
	if (!config)
		return 0;
	bucket = lb_flow_bucket_of(env, config, key);
	if (!bucket)
		return 0;
	for (int i = 0; i < LB_WAYS; i++) {
		uint64_t way_key = lb_read_once(&bucket->way[i].key);
		uint64_t way_value = lb_read_once(&bucket->way[i].value);
		uint64_t score = lb_flow_rank(config, way_key, way_value, now);

		score = score << 32 | lb_flow_age(way_value, now);
		if (!way_key) /* the first cache line first */
			score = (uint64_t)LB_RANK_EMPTY << 32 | (uint32_t)(LB_WAYS - i);
		score = score << 3 | (uint32_t)i;
		if (way_key == LB_FLOW_BUSY)
			score = 0;
		best = lb_max(best, score);
	}
	return (int)((best >> 35) << 3 | (best & (LB_WAYS - 1)));
}

/*
 * Writes a new flow. 0, or -1 when another CPU took the entry meanwhile: the packet is then
 * dropped and sent again by its sender, never let through without a flow.
 */
lb_inline int lb_flow_insert(struct lb_env *env, struct lb_flow_bucket *bucket, uint64_t key,
			     uint64_t value)
{
	int victim = lb_flow_victim(env, key, lb_flow_ticks(value));
	struct lb_flow *way = &bucket->way[(uint32_t)victim & (LB_WAYS - 1)];
	uint64_t old = lb_read_once(&way->key);

	if (victim < (LB_RANK_ESTABLISHED << 3) || old == LB_FLOW_BUSY ||
	    __sync_val_compare_and_swap(&way->key, old, LB_FLOW_BUSY) != old)
		return -1;
	lb_write_once(&way->value, value);
	lb_barrier();
	lb_write_once(&way->key, key);
	if (victim >> 3 < LB_RANK_CLOSED)
		lb_env_count(env, LB_REASON_FLOW_EVICTED);
	return 0;
}
#endif
