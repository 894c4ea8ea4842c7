/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_ENV_H
#define FL_BPF_ENV_H
/* The forwarding decision's accessors over BPF maps. */
#include <linux/bpf.h>
/* order matters */
#include <bpf/bpf_helpers.h>

#include "lb_env.h"

#include "maps.h"

enum {
	/* No driver's linear part is shorter when a frame has further buffers. */
	FL_LINEAR_MAX = 1024,
	/* Ethernet, IP with options, UDP, VXLAN, Ethernet, IP with options, ICMP, quoted IP, ports. */
	FL_HEADERS_MAX = 14 + 60 + 8 + 8 + 14 + 60 + 8 + 28,
};

/* What XDP tells tc about a frame that it made ready for a task (fl_xdp_deliver). */
struct fl_meta {
	uint32_t magic;
	uint32_t ifindex;
};
enum { FL_META_DELIVER = 0x666c6430 };

struct lb_env {
	bool segmented; /* GSO: what leaves is cut to size later */
};
#define LB_ENV_SEGMENTED(env) ((env)->segmented)

#define FL_LOOKUP(map, index)                                                                      \
	({                                                                                         \
		uint32_t key_ = (index);                                                           \
		bpf_map_lookup_elem(&(map), &key_);                                                \
	})

lb_inline const struct lb_config *lb_env_config(struct lb_env *env)
{
	(void)env;
	return FL_LOOKUP(fl_config, 0);
}
lb_inline const struct lb_port *lb_env_port(struct lb_env *env, uint32_t index)
{
	(void)env;
	return FL_LOOKUP(fl_ports, index);
}
lb_inline const struct lb_ring *lb_env_ring(struct lb_env *env, uint32_t index)
{
	(void)env;
	return FL_LOOKUP(fl_rings, index);
}
lb_inline uint32_t lb_env_slot(struct lb_env *env, uint32_t index)
{
	const struct fl_slots *slots = FL_LOOKUP(fl_slots, index / 4);

	(void)env;
	return slots ? slots->slot[index & 3] : 0xffff;
}
lb_inline const union lb_backend *lb_env_backend(struct lb_env *env, uint32_t index)
{
	(void)env;
	return FL_LOOKUP(fl_backends, index);
}
lb_inline const struct lb_task *lb_env_task(struct lb_env *env, uint32_t index)
{
	(void)env;
	return FL_LOOKUP(fl_tasks, index);
}
lb_inline const struct lb_via *lb_env_via(struct lb_env *env, uint32_t index)
{
	(void)env;
	return FL_LOOKUP(fl_vias, index);
}
lb_inline const struct lb_index_bucket *lb_env_index(struct lb_env *env, uint32_t bucket)
{
	(void)env;
	return FL_LOOKUP(fl_index, bucket);
}
lb_inline struct lb_flow_bucket *lb_env_flows(struct lb_env *env, uint32_t bucket)
{
	(void)env;
	return FL_LOOKUP(fl_flows, bucket);
}
lb_inline uint32_t lb_env_ticks(struct lb_env *env)
{
	(void)env;
	return (uint32_t)(bpf_jiffies64() >> 8);
}

lb_inline int lb_env_fragment_get(struct lb_env *env, const struct lb_fragment_key *key,
				  struct lb_fragment *fragment)
{
	const struct lb_fragment *found = bpf_map_lookup_elem(&fl_fragments, key);

	(void)env;
	if (!found)
		return -1;
	*fragment = *found;
	return 0;
}
lb_inline void lb_env_fragment_put(struct lb_env *env, const struct lb_fragment_key *key,
				   const struct lb_fragment *fragment)
{
	(void)env;
	bpf_map_update_elem(&fl_fragments, key, fragment, BPF_ANY);
}
lb_inline int lb_env_alias_get(struct lb_env *env, const struct lb_alias_key *key,
			       struct lb_alias *alias)
{
	const struct lb_alias *found = bpf_map_lookup_elem(&fl_aliases, key);

	(void)env;
	if (!found)
		return -1;
	*alias = *found;
	return 0;
}
lb_inline void lb_env_alias_put(struct lb_env *env, const struct lb_alias_key *key,
				const struct lb_alias *alias)
{
	(void)env;
	bpf_map_update_elem(&fl_aliases, key, alias, BPF_ANY);
}

/* Per-CPU, and the hooks run with preemption off: plain additions. */
lb_inline void lb_env_count(struct lb_env *env, enum lb_reason reason)
{
	struct lb_reason_counters *c = FL_LOOKUP(fl_reasons, 0);

	(void)env;
	if (c)
		c->packets[reason & (LB_REASONS_MAX - 1)]++;
}
lb_inline void lb_env_count_backend(struct lb_env *env, uint32_t backend, uint32_t bytes,
				    bool new_flow)
{
	struct lb_backend_counters *c = FL_LOOKUP(fl_backend_stats, backend);

	(void)env;
	if (!c)
		return;
	c->packets++;
	c->bytes += bytes;
	c->flows += new_flow;
}
lb_inline void lb_env_count_task(struct lb_env *env, uint32_t task, uint32_t bytes, bool from_task,
				 bool new_flow)
{
	struct lb_task_counters *c = FL_LOOKUP(fl_task_stats, task);

	(void)env;
	if (!c)
		return;
	if (from_task) {
		c->tx_packets++;
		c->tx_bytes += bytes;
	} else {
		c->rx_packets++;
		c->rx_bytes += bytes;
		c->flows += new_flow;
	}
}
#endif
