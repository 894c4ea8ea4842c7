// SPDX-License-Identifier: BSD-2-Clause
#include "worker.h"

#include <rte_ethdev.h>

_Static_assert((int)SPREAD_BURST >= (int)FORWARD_BURST, "a burst is handed over whole");

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

static uint16_t send_locked(rte_spinlock_t *lock, uint16_t port, uint16_t queue,
			    struct rte_mbuf **frames, uint16_t count)
{
	uint16_t sent;

	rte_spinlock_lock(lock);
	sent = rte_eth_tx_burst(port, queue, frames, count);
	rte_spinlock_unlock(lock);
	return sent;
}

void worker_send(struct worker *w, uint16_t port, uint16_t queue, struct rte_mbuf **frames,
		 uint16_t count)
{
	struct dpdk_counters *c = w->forwarder.env.counters;
	rte_spinlock_t *lock = port == w->uplink ? w->tx_lock : w->kernel_lock;
	uint16_t sent = unlikely(lock != NULL) ? send_locked(lock, port, queue, frames, count)
					       : rte_eth_tx_burst(port, queue, frames, count);

	if (port == w->uplink)
		c->sent += sent;
	else
		c->to_kernel += sent;
	c->not_sent += (uint64_t)count - sent;
	rte_pktmbuf_free_bulk(frames + sent, (unsigned int)count - sent);
}

static void leave_to_kernel(struct worker *w, struct rte_mbuf **frames, uint16_t count)
{
	if (w->kernel != WORKER_NO_PORT) {
		worker_send(w, w->kernel, w->kernel_queue, frames, count);
		return;
	}
	w->forwarder.env.counters->not_sent += count;
	rte_pktmbuf_free_bulk(frames, count);
}

/*
 * A wrong IP checksum is the kernel's to drop and to count (InHdrErrors), and where it does not get
 * it, the task's own kernel would: here it is only not carried further. How many frames are left.
 */
static uint16_t sort_out(struct worker *w, struct rte_mbuf **in, uint16_t count)
{
	struct rte_mbuf *bad[FORWARD_BURST];
	uint16_t good = 0, bad_count = 0;

	for (uint16_t i = 0; i < count; i++) {
		if (likely((in[i]->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) !=
			   RTE_MBUF_F_RX_IP_CKSUM_BAD))
			in[good++] = in[i];
		else
			bad[bad_count++] = in[i];
	}
	if (unlikely(bad_count)) {
		w->forwarder.env.counters->bad_checksum += bad_count;
		leave_to_kernel(w, bad, bad_count);
	}
	return good;
}

static void decide(struct worker *w, uint16_t queue, struct rte_mbuf **in, uint16_t count)
{
	struct forwarded done;

	forward_burst(&w->forwarder, in, count, &done);
	w->forwarder.env.counters->received += count;
	if (done.out_count)
		worker_send(w, w->uplink, queue, done.out, done.out_count);
	if (done.kernel_count)
		leave_to_kernel(w, done.kernel, done.kernel_count);
}

static void hand_over(struct worker *w, struct rte_mbuf **in, uint16_t count)
{
	struct dpdk_counters *c = w->forwarder.env.counters;
	uint16_t put = spread_put(w->spread, in, count);

	c->handed_over += put;
	c->ring_full += (uint64_t)count - put;
}

static uint32_t poll_queue(struct worker *w, uint16_t queue, uint16_t most)
{
	struct rte_mbuf *in[FORWARD_BURST];
	uint16_t came = rte_eth_rx_burst(w->uplink, queue, in, most), count = came;

	if (!count)
		return 0;
	if (w->sums)
		count = sort_out(w, in, count);
	if (w->spread)
		hand_over(w, in, count);
	else
		decide(w, queue, in, count);
	return came;
}

uint32_t worker_poll(struct worker *w, uint16_t most)
{
	struct rte_mbuf *in[FORWARD_BURST];
	uint32_t total = 0;

	for (uint32_t q = w->queue; q < w->queues; q += w->stride)
		total += poll_queue(w, (uint16_t)q, most);
	if (w->share) {
		uint16_t count =
		    (uint16_t)rte_ring_dequeue_burst(w->share, (void **)in, most, NULL);

		if (count)
			decide(w, w->tx_queue, in, count);
		total += count;
	}
	if (w->from_kernel) { /* the kernel's own, as it is */
		uint16_t count = rte_eth_rx_burst(w->kernel, w->kernel_queue, in, most);

		if (count)
			worker_send(w, w->uplink, w->tx_queue, in, count);
		total += count;
	}
	next_hops_quiescent(w->forwarder.next_hops, w->lcore);
	return total;
}
