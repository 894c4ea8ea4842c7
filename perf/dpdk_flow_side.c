// SPDX-License-Identifier: BSD-2-Clause
#include "dpdk_flow_side.h"

#include <rte_prefetch.h>
#include <stdlib.h>

#include "lb_host.h"

struct flow_side {
	struct lb_env env;
	uint32_t task;
};

struct flow_side *flow_side_open(struct lb_tables *tables, uint32_t task)
{
	struct flow_side *s = calloc(1, sizeof(*s));

	if (s) {
		s->env.tables = tables;
		s->task = task;
	}
	return s;
}

/* Both lines of the bucket that the frame's flow is in, if it is TCP. */
static inline void ask_ahead(struct flow_side *s, const uint8_t *data)
{
	uint64_t key = lb_flow_key(lb_load32(data + 26), lb_load16(data + 34), s->task, false);
	const uint8_t *bucket = (uint8_t *)lb_flow_bucket_of(&s->env, s->env.tables->config, key);

	rte_prefetch0(bucket);
	rte_prefetch0(bucket + 64);
}

bool flow_side_burst(struct flow_side *s, struct rte_mbuf **frames, uint32_t count)
{
	uint32_t delivered = 0;

	for (uint32_t i = 0; i < count; i++)
		ask_ahead(s, rte_pktmbuf_mtod(frames[i], const uint8_t *));
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *data = rte_pktmbuf_mtod(frames[i], uint8_t *);
		struct lb_frame frame = {data, data + frames[i]->data_len, frames[i]->pkt_len};
		struct lb_verdict v;

		lb_uplink(&s->env, &frame, &v);
		lb_env_count(&s->env, v.reason);
		delivered += v.action == LB_DELIVER;
	}
	return delivered == count;
}
