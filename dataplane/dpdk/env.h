/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_ENV_H
#define FL_DPDK_ENV_H
/*
 * The forwarding decision's accessors over tables in shared memory. This forwarder takes traffic in: it
 * has no tasks, so what is for a task of this node is left to the kernel (LB_ENV_TASKS).
 *
 * One struct lb_env per lcore.
 */
#define LB_ENV_SKB 0
#define LB_ENV_TASKS 0
#define LB_ENV_RESOLVES 1
#define LB_ENV_SEGMENTED(env) 0
#include "lb_env.h"
#include "lb_tables.h"

#include "fragments.h"
#include "state.h"

struct lb_env {
	const struct lb_tables *tables;
	struct dpdk_counters *counters;
	struct fragments *fragments; /* shared by lcores */
};

#define LB_ENV_TABLES(env) ((env)->tables)
#include "lb_env_tables.h"

lb_inline int lb_env_fragment_get(struct lb_env *env, const struct lb_fragment_key *key,
				  struct lb_fragment *fragment)
{
	return fragments_get(env->fragments, key, fragment);
}
lb_inline void lb_env_fragment_put(struct lb_env *env, const struct lb_fragment_key *key,
				   const struct lb_fragment *fragment)
{
	fragments_put(env->fragments, key, fragment);
}

lb_inline void lb_env_count(struct lb_env *env, enum lb_reason reason)
{
	env->counters->reasons.packets[reason]++;
}
lb_inline void lb_env_count_backend(struct lb_env *env, uint32_t backend, uint32_t bytes,
				    bool new_flow)
{
	struct lb_backend_counters *c = &env->counters->backends[backend];

	c->packets++;
	c->bytes += bytes;
	c->flows += new_flow;
}

/* The task side asks for these; without tasks nothing calls it. */
lb_inline uint32_t lb_env_ticks(struct lb_env *env)
{
	(void)env;
	return 0;
}
lb_inline int lb_env_alias_get(struct lb_env *env, const struct lb_alias_key *key,
			       struct lb_alias *alias)
{
	(void)env, (void)key, (void)alias;
	return -1;
}
lb_inline void lb_env_alias_put(struct lb_env *env, const struct lb_alias_key *key,
				const struct lb_alias *alias)
{
	(void)env, (void)key, (void)alias;
}
lb_inline void lb_env_count_task(struct lb_env *env, uint32_t task, uint32_t bytes, bool from_task,
				 bool new_flow)
{
	(void)env, (void)task, (void)bytes, (void)from_task, (void)new_flow;
}
#endif
