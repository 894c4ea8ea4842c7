// SPDX-License-Identifier: BSD-2-Clause
#include "worker.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

int worker_start(struct worker *w, const struct lb_tables *tables, struct next_hops *next_hops,
		 struct fragments *fragments)
{
	struct dpdk_counters *counters =
	    rte_zmalloc("counters",
			sizeof(*counters) + tables->backend_count * sizeof(counters->backends[0]),
			RTE_CACHE_LINE_SIZE);

	if (!counters)
		return -ENOMEM;
	w->forwarder.env =
	    (struct lb_env){.tables = tables, .counters = counters, .fragments = fragments};
	w->forwarder.next_hops = next_hops;
	next_hops_reader(next_hops, w->lcore);
	return 0;
}

void worker_stop(struct worker *w)
{
	next_hops_reader_gone(w->forwarder.next_hops, w->lcore);
	rte_free(w->forwarder.env.counters);
}

/* What the queue has no room for is lost, as it would be in a card's own queue. */
static void transmit(struct worker *w, uint16_t port, struct rte_mbuf **frames, uint16_t count)
{
	uint16_t sent = rte_eth_tx_burst(port, w->queue, frames, count);

	w->forwarder.env.counters->not_sent += (uint64_t)count - sent;
	rte_pktmbuf_free_bulk(frames + sent, (unsigned int)count - sent);
}

uint16_t worker_poll(struct worker *w, uint16_t most)
{
	struct dpdk_counters *c = w->forwarder.env.counters;
	struct rte_mbuf *in[FORWARD_BURST];
	struct forwarded done;
	uint16_t count = rte_eth_rx_burst(w->uplink, w->queue, in, most);

	if (count) {
		forward_burst(&w->forwarder, in, count, &done);
		c->received += count;
		c->sent += done.out_count;
		c->to_kernel += done.kernel_count;
		if (done.out_count)
			transmit(w, w->uplink, done.out, done.out_count);
		if (done.kernel_count && w->kernel != WORKER_NO_PORT)
			transmit(w, w->kernel, done.kernel, done.kernel_count);
		else
			rte_pktmbuf_free_bulk(done.kernel, done.kernel_count);
	}
	next_hops_quiescent(w->forwarder.next_hops, w->lcore);
	return count;
}
