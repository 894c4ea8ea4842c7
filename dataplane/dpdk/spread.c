// SPDX-License-Identifier: BSD-2-Clause
#include "spread.h"

#include <errno.h>
#include <rte_prefetch.h>
#include <rte_random.h>
#include <string.h>

#include "lb_hash.h"
#include "lb_packet.h"

struct spread_plan spread_plan(uint32_t queues, uint32_t lcores)
{
	uint32_t receivers;

	if (queues >= lcores)
		return (struct spread_plan){(uint16_t)lcores, 0};
	receivers = RTE_MAX(RTE_MIN(queues, lcores / 2), 1U);
	return (struct spread_plan){(uint16_t)receivers, (uint16_t)(lcores - receivers)};
}

static struct rte_ring *make_ring(uint32_t number, int node, unsigned int flags)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "spread_%u", number);
	ring = rte_ring_create(name, SPREAD_RING, node, flags | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	return ring ? ring
		    : rte_ring_create(name, SPREAD_RING, SOCKET_ID_ANY,
				      flags | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

int spread_open(struct spread *s, struct spread_plan plan, const int *nodes)
{
	*s = (struct spread){.key = {rte_rand(), rte_rand()}};
	for (uint32_t i = 0; i < plan.workers; i++) {
		s->rings[i] = make_ring(i, nodes[i], plan.receivers == 1 ? RING_F_SP_ENQ : 0);
		if (!s->rings[i]) {
			spread_close(s);
			return -ENOMEM;
		}
		s->workers = i + 1;
	}
	return 0;
}

void spread_close(struct spread *s)
{
	void *frame;

	for (uint32_t i = 0; i < s->workers; i++) {
		while (!rte_ring_dequeue(s->rings[i], &frame))
			rte_pktmbuf_free(frame);
		rte_ring_free(s->rings[i]);
	}
	s->workers = 0;
}

uint32_t spread_hash(const uint64_t key[2], const uint8_t *frame, uint32_t length)
{
	const uint8_t *ip = frame + LB_ETH_LEN;
	uint16_t sport = 0, dport = 0;
	uint8_t proto = 0;

	if (length < LB_ETH_LEN + LB_IP_MIN || lb_load16(frame + 12) != LB_ETHERTYPE_IPV4_BE)
		return 0;
	if (length >= LB_ETH_LEN + LB_IP_MIN + 4 && ip[0] == 0x45 &&
	    !(lb_load16(ip + 6) & LB_BE16(0x3fff)) && /* neither more fragments nor an offset */
	    (ip[9] == LB_PROTO_TCP || ip[9] == LB_PROTO_UDP)) {
		proto = ip[9];
		sport = lb_load16(ip + LB_IP_MIN);
		dport = lb_load16(ip + LB_IP_MIN + 2);
	}
	return (uint32_t)(lb_flow_hash(key, lb_load32(ip + 12), lb_load32(ip + 16), sport, dport,
				       proto) >>
			  32);
}

uint16_t spread_put(struct spread *s, struct rte_mbuf **frames, uint16_t count)
{
	struct rte_mbuf *share[DPDK_LCORES_MAX][SPREAD_BURST];
	uint16_t counts[DPDK_LCORES_MAX] = {0}, put = 0;

	for (uint16_t i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		uint32_t hash = spread_hash(s->key, rte_pktmbuf_mtod(frames[i], const uint8_t *),
					    frames[i]->data_len);
		uint32_t to = (uint32_t)((uint64_t)hash * s->workers >> 32);

		share[to][counts[to]++] = frames[i];
	}
	for (uint32_t w = 0; w < s->workers; w++) {
		unsigned int had;

		if (!counts[w])
			continue;
		had = rte_ring_enqueue_burst(s->rings[w], (void **)share[w], counts[w], NULL);
		rte_pktmbuf_free_bulk(share[w] + had, counts[w] - had);
		put = (uint16_t)(put + had);
	}
	return put;
}
