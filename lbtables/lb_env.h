/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_ENV_H
#define FL_LB_ENV_H
/*
 * What each target (BPF, host, DPDK) supplies to the forwarding decision: look-ups in its tables,
 * coarse time, counters. The target defines struct lb_env and these functions, then includes
 * lb_uplink.h or lb_reply.h. A look-up returns NULL for an index past the table's end; the decision
 * then drops the packet (LB_REASON_DROP_INTERNAL), it never guesses.
 *
 * LB_ENV_SKB: 1 for tc, which sees what XDP passed on. Its packets may carry CHECKSUM_PARTIAL, so
 * the target updates transport checksums after the decision, from lb_verdict.addr_diff and
 * .port_diff.
 * LB_ENV_RESOLVES: 1 for a target that finds next hops itself (tc, DPDK): for it unresolved backends are
 * encapsulated too. Others leave such packets to the kernel.
 * LB_ENV_TASKS: 0 for a target that cannot deliver to tasks (DPDK). What is for a task of this node it
 * then leaves to the kernel, untouched and uncounted, where the decision is made again.
 * LB_ENV_SEGMENTED(env): true for a GSO packet, which is cut to size when it leaves.
 */
#include "lb_types.h"
#include "lb_bytes.h"

struct lb_env;

lb_inline const struct lb_config *lb_env_config(struct lb_env *env);
lb_inline const struct lb_port *lb_env_port(struct lb_env *env, uint32_t index);
lb_inline const struct lb_ring *lb_env_ring(struct lb_env *env, uint32_t index);
/* The ordinal in slot index; 0xffff for none. */
lb_inline uint32_t lb_env_slot(struct lb_env *env, uint32_t index);
lb_inline const union lb_backend *lb_env_backend(struct lb_env *env, uint32_t index);
lb_inline const struct lb_task *lb_env_task(struct lb_env *env, uint32_t index);
lb_inline const struct lb_via *lb_env_via(struct lb_env *env, uint32_t index);
lb_inline const struct lb_index_bucket *lb_env_index(struct lb_env *env, uint32_t bucket);
lb_inline struct lb_flow_bucket *lb_env_flows(struct lb_env *env, uint32_t bucket);

/* Coarse time: 256 jiffies. Wraps after LB_FLOW_TICKS_MASK; only differences matter. */
lb_inline uint32_t lb_env_ticks(struct lb_env *env);

lb_inline int lb_env_fragment_get(struct lb_env *env, const struct lb_fragment_key *key,
				  struct lb_fragment *fragment);
lb_inline void lb_env_fragment_put(struct lb_env *env, const struct lb_fragment_key *key,
				   const struct lb_fragment *fragment);
lb_inline int lb_env_alias_get(struct lb_env *env, const struct lb_alias_key *key,
			       struct lb_alias *alias);
lb_inline void lb_env_alias_put(struct lb_env *env, const struct lb_alias_key *key,
				const struct lb_alias *alias);

lb_inline void lb_env_count(struct lb_env *env, enum lb_reason reason);
lb_inline void lb_env_count_backend(struct lb_env *env, uint32_t backend, uint32_t bytes,
				    bool new_flow);
lb_inline void lb_env_count_task(struct lb_env *env, uint32_t task, uint32_t bytes, bool from_task,
				 bool new_flow);
#endif
