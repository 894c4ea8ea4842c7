// SPDX-License-Identifier: BSD-2-Clause
#include "worker.h"

#include <rte_ethdev.h>

void worker_start(struct worker *w, const struct lb_tables *tables, struct dpdk_counters *counters,
		  struct next_hops *next_hops, struct fragments *fragments)
{
	w->forwarder.env =
	    (struct lb_env){.tables = tables, .counters = counters, .fragments = fragments};
	w->forwarder.next_hops = next_hops;
	next_hops_reader(next_hops, w->lcore);
}

void worker_stop(struct worker *w)
{
	next_hops_reader_gone(w->forwarder.next_hops, w->lcore);
}

void worker_send(struct worker *w, uint16_t port, uint16_t queue, struct rte_mbuf **frames,
		 uint16_t count)
{
	struct dpdk_counters *c = w->forwarder.env.counters;
	uint16_t sent = rte_eth_tx_burst(port, queue, frames, count);

	if (port == w->uplink)
		c->sent += sent;
	else
		c->to_kernel += sent;
	c->not_sent += (uint64_t)count - sent;
	rte_pktmbuf_free_bulk(frames + sent, (unsigned int)count - sent);
}

static void poll_queue(struct worker *w, uint16_t queue, struct rte_mbuf **in, uint16_t count)
{
	struct dpdk_counters *c = w->forwarder.env.counters;
	struct forwarded done;

	forward_burst(&w->forwarder, in, count, &done);
	c->received += count;
	if (done.out_count)
		worker_send(w, w->uplink, queue, done.out, done.out_count);
	if (!done.kernel_count)
		return;
	if (w->kernel != WORKER_NO_PORT) {
		worker_send(w, w->kernel, w->kernel_queue, done.kernel, done.kernel_count);
		return;
	}
	c->not_sent += done.kernel_count;
	rte_pktmbuf_free_bulk(done.kernel, done.kernel_count);
}

uint32_t worker_poll(struct worker *w, uint16_t most)
{
	struct rte_mbuf *in[FORWARD_BURST];
	uint32_t total = 0;

	for (uint32_t q = w->queue; q < w->queues; q += w->stride) {
		uint16_t count = rte_eth_rx_burst(w->uplink, (uint16_t)q, in, most);

		if (count)
			poll_queue(w, (uint16_t)q, in, count);
		total += count;
	}
	if (w->from_kernel) { /* the kernel's own, as it is */
		uint16_t count = rte_eth_rx_burst(w->kernel, 0, in, most);

		if (count)
			worker_send(w, w->uplink, w->queue, in, count);
		total += count;
	}
	next_hops_quiescent(w->forwarder.next_hops, w->lcore);
	return total;
}
