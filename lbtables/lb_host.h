/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LB_HOST_H
#define FL_LB_HOST_H
/*
 * The forwarding decision on the host: the same code as in BPF, over a struct lb_tables. Used by
 * `fairlead trace`, the sim driver, tests and benchmarks. lb_host_uplink and lb_host_task take a frame
 * in a buffer with room before and after it and leave there the bytes that would go out.
 *
 * One struct lb_env per thread; threads may share tables (see lb_flow.h for the rules).
 */
#define LB_ENV_SKB 0
#ifndef LB_ENV_TASKS
#define LB_ENV_TASKS 1
#define LB_ENV_RESOLVES 0
#endif
#define LB_ENV_SEGMENTED(env) 0
#include <string.h>

#include "lb_env.h"
#include "lb_tables.h"

enum { LB_HOST_FRAGMENTS = 64, LB_HOST_ALIASES = 64 };

struct lb_env {
	struct lb_tables *tables;
	uint32_t ticks;
	struct lb_reason_counters reasons;
	/* Small stand-ins for the LRU maps: the oldest gives way. */
	struct {
		struct lb_fragment_key key;
		struct lb_fragment value;
	} fragments[LB_HOST_FRAGMENTS];
	struct {
		struct lb_alias_key key;
		struct lb_alias value;
	} aliases[LB_HOST_ALIASES];
	uint32_t fragment_next, alias_next;
	/* Optional per-entry counters, as long as the tables; NULL: not counted. */
	struct lb_backend_counters *backend_counters;
	struct lb_task_counters *task_counters;
};

#define LB_ENV_TABLES(env) ((env)->tables)
#include "lb_env_tables.h"

lb_inline uint32_t lb_env_ticks(struct lb_env *env)
{
	return env->ticks;
}

lb_inline int lb_env_fragment_get(struct lb_env *env, const struct lb_fragment_key *key,
				  struct lb_fragment *fragment)
{
	for (int i = 0; i < LB_HOST_FRAGMENTS; i++)
		if (!memcmp(&env->fragments[i].key, key, sizeof(*key))) {
			*fragment = env->fragments[i].value;
			return 0;
		}
	return -1;
}
lb_inline void lb_env_fragment_put(struct lb_env *env, const struct lb_fragment_key *key,
				   const struct lb_fragment *fragment)
{
	int at = -1;

	for (int i = 0; i < LB_HOST_FRAGMENTS; i++)
		if (!memcmp(&env->fragments[i].key, key, sizeof(*key)))
			at = i;
	if (at < 0)
		at = (int)(env->fragment_next++ % LB_HOST_FRAGMENTS);
	env->fragments[at].key = *key;
	env->fragments[at].value = *fragment;
}
lb_inline int lb_env_alias_get(struct lb_env *env, const struct lb_alias_key *key,
			       struct lb_alias *alias)
{
	for (int i = 0; i < LB_HOST_ALIASES; i++)
		if (!memcmp(&env->aliases[i].key, key, sizeof(*key))) {
			*alias = env->aliases[i].value;
			return 0;
		}
	return -1;
}
lb_inline void lb_env_alias_put(struct lb_env *env, const struct lb_alias_key *key,
				const struct lb_alias *alias)
{
	int at = -1;

	for (int i = 0; i < LB_HOST_ALIASES; i++)
		if (!memcmp(&env->aliases[i].key, key, sizeof(*key)))
			at = i;
	if (at < 0)
		at = (int)(env->alias_next++ % LB_HOST_ALIASES);
	env->aliases[at].key = *key;
	env->aliases[at].value = *alias;
}

lb_inline void lb_env_count(struct lb_env *env, enum lb_reason reason)
{
	env->reasons.packets[reason]++;
}
lb_inline void lb_env_count_backend(struct lb_env *env, uint32_t backend, uint32_t bytes,
				    bool new_flow)
{
	struct lb_backend_counters *c = env->backend_counters;

	if (!c)
		return;
	c[backend].packets++;
	c[backend].bytes += bytes;
	c[backend].flows += new_flow;
}
lb_inline void lb_env_count_task(struct lb_env *env, uint32_t task, uint32_t bytes, bool from_task,
				 bool new_flow)
{
	struct lb_task_counters *c = env->task_counters;

	if (!c)
		return;
	if (from_task) {
		c[task].tx_packets++;
		c[task].tx_bytes += bytes;
	} else {
		c[task].rx_packets++;
		c[task].rx_bytes += bytes;
		c[task].flows += new_flow;
	}
}

#include "lb_reply.h"
#include "lb_uplink.h"

/* A frame in a buffer: bytes[head .. head + length). */
struct lb_host_frame {
	uint8_t *bytes;
	uint32_t head, length, size;
};

/* Makes the bytes that the verdict asks for. False: no room, the frame is dropped. */
static inline bool lb_host_apply(struct lb_env *env, struct lb_host_frame *f,
				 const struct lb_verdict *v)
{
	uint32_t inner = f->length;
	union lb_backend outer;

	switch (v->action) {
	case LB_ENCAP:
	case LB_REPLY_TUNNEL:
		if (f->head < LB_OUTER_LEN)
			return false;
		f->head -= LB_OUTER_LEN;
		f->length += LB_OUTER_LEN;
		break;
	case LB_REENCAP:
		inner -= LB_OUTER_LEN;
		break;
	case LB_DELIVER:
	case LB_RETURN:
		f->head += v->strip;
		f->length -= v->strip;
		return true;
	case LB_ICMP:
		if (f->head < LB_ICMP_ROOM)
			return false;
		f->head -= LB_ICMP_ROOM;
		f->length = LB_ICMP_FRAME;
		lb_write_icmp(f->bytes + f->head, v);
		return true;
	default:
		return true;
	}
	if (v->action == LB_REPLY_TUNNEL) {
		lb_make_return(&outer, env->tables->config, v, inner);
		/* Ethernet addresses are the kernel's to fill in: the task's frame keeps its own. */
		memmove(f->bytes + f->head, f->bytes + f->head + LB_OUTER_LEN, LB_ETH_LEN);
		memcpy(f->bytes + f->head + LB_ETH_LEN, (uint8_t *)&outer + LB_ETH_LEN, LB_OUTER_LEN);
	} else {
		lb_write_outer(f->bytes + f->head, v, inner);
	}
	return true;
}

static inline void lb_host_uplink(struct lb_env *env, struct lb_host_frame *f, struct lb_verdict *v)
{
	struct lb_frame frame = {.data = f->bytes + f->head,
				 .end = f->bytes + f->head + f->length,
				 .length = f->length};

	lb_uplink(env, &frame, v);
	if (v->reason != LB_REASON_NOT_OURS)
		lb_env_count(env, v->reason);
	if (!lb_host_apply(env, f, v))
		v->action = LB_DROP;
}

static inline void lb_host_task(struct lb_env *env, struct lb_host_frame *f, uint32_t ifindex,
				struct lb_verdict *v)
{
	struct lb_frame frame = {.data = f->bytes + f->head,
				 .end = f->bytes + f->head + f->length,
				 .length = f->length};

	lb_reply(env, &frame, ifindex, v);
	if (v->reason != LB_REASON_NOT_OURS)
		lb_env_count(env, v->reason);
	if (!lb_host_apply(env, f, v))
		v->action = LB_DROP;
}
#endif
