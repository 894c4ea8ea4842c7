/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LB_ENV_TABLES_H
#define FL_LB_ENV_TABLES_H
/* The look-ups of lb_env.h over a struct lb_tables, for targets that have one: the host build and DPDK. A
 * target defines LB_ENV_TABLES(env) first. */
#include <stddef.h>

lb_inline const struct lb_config *lb_env_config(struct lb_env *env)
{
	return LB_ENV_TABLES(env)->config;
}
lb_inline const struct lb_port *lb_env_port(struct lb_env *env, uint32_t index)
{
	return index < LB_PORTS_MAX ? &LB_ENV_TABLES(env)->ports[index] : NULL;
}
lb_inline const struct lb_ring *lb_env_ring(struct lb_env *env, uint32_t index)
{
	return index < LB_ENV_TABLES(env)->ring_count ? &LB_ENV_TABLES(env)->rings[index] : NULL;
}
lb_inline uint32_t lb_env_slot(struct lb_env *env, uint32_t index)
{
	return index < LB_ENV_TABLES(env)->slot_count ? LB_ENV_TABLES(env)->slots[index] : 0xffff;
}
lb_inline const union lb_backend *lb_env_backend(struct lb_env *env, uint32_t index)
{
	return index < LB_ENV_TABLES(env)->backend_count ? &LB_ENV_TABLES(env)->backends[index] : NULL;
}
lb_inline const struct lb_task *lb_env_task(struct lb_env *env, uint32_t index)
{
	return index < LB_TASKS_MAX ? &LB_ENV_TABLES(env)->tasks[index] : NULL;
}
lb_inline const struct lb_via *lb_env_via(struct lb_env *env, uint32_t index)
{
	return index < LB_VIAS_MAX ? &LB_ENV_TABLES(env)->vias[index] : NULL;
}
lb_inline const struct lb_index_bucket *lb_env_index(struct lb_env *env, uint32_t bucket)
{
	return bucket < LB_ENV_TABLES(env)->index_buckets ? &LB_ENV_TABLES(env)->index[bucket] : NULL;
}
lb_inline struct lb_flow_bucket *lb_env_flows(struct lb_env *env, uint32_t bucket)
{
	return bucket < LB_ENV_TABLES(env)->flow_buckets ? &LB_ENV_TABLES(env)->flows[bucket] : NULL;
}
#endif
