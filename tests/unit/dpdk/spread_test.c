// SPDX-License-Identifier: BSD-2-Clause
/*
 * RSS in software: who gets which frame, in which order, and what is lost when a ring is full. And
 * a worker on both sides of it, between rings that stand for a card (net_ring).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* order matters */
#include <cmocka.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "lb_bytes.h"
#include "lb_packet.h"
#include "pool.h"
#include "spread.h"
#include "worker.h"

enum { POOL = 8191, WORKERS = 3, LENGTH = 64, TCP = 6, UDP = 17, ICMP = 1 };

static const int nodes[DPDK_LCORES_MAX] = {-1, -1, 7}; /* no memory on node 7 */
static const uint64_t key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
static struct rte_mempool *pool;

struct flow {
	uint32_t saddr, daddr;
	uint16_t sport, dport;
	uint8_t proto;
};

static void make_packet(uint8_t *p, struct flow f, uint16_t fragment_be)
{
	memset(p, 0, LENGTH);
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	p[14] = 0x45;
	lb_store16(p + 20, fragment_be);
	p[23] = f.proto;
	lb_store32(p + 26, LB_BE32(f.saddr));
	lb_store32(p + 30, LB_BE32(f.daddr));
	lb_store16(p + 34, LB_BE16(f.sport));
	lb_store16(p + 36, LB_BE16(f.dport));
}

static uint32_t hash_of(struct flow f, uint16_t fragment_be)
{
	uint8_t p[LENGTH];

	make_packet(p, f, fragment_be);
	return spread_hash(key, p, sizeof(p));
}

static struct flow flow_of(uint32_t i)
{
	return (struct flow){0x0a000001 + i / 16, 0x0a630003, (uint16_t)(1024 + i % 16 * 2), 8000,
			     TCP};
}

static void test_plan(void **state)
{
	static const struct {
		uint32_t queues, lcores;
		struct spread_plan want;
	} cases[] = {
	    {1, 1, {1, 0}}, {2, 2, {2, 0}}, {4, 2, {2, 0}}, {1, 2, {1, 1}},   {1, 4, {1, 3}},
	    {2, 3, {1, 2}}, {2, 4, {2, 2}}, {3, 4, {2, 2}}, {8, 64, {8, 56}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spread_plan got = spread_plan(cases[i].queues, cases[i].lcores);

		assert_int_equal(got.receivers, cases[i].want.receivers);
		assert_int_equal(got.workers, cases[i].want.workers);
	}
}

static void test_ports_count_in_whole_packets(void **state)
{
	struct flow f = flow_of(0), other = f, udp = f;

	(void)state;
	other.sport++;
	udp.proto = UDP;
	assert_int_not_equal(hash_of(f, 0), hash_of(other, 0));
	assert_int_not_equal(hash_of(f, 0), hash_of(udp, 0));
	assert_int_equal(hash_of(f, 0), hash_of(f, LB_BE16(0x4000))); /* DF is no fragment */
}

/* A first fragment has ports, the others have data in their place: all meet. */
static void test_fragments_meet(void **state)
{
	struct flow f = flow_of(0), later = f;
	uint32_t first = hash_of(f, LB_BE16(0x2000));

	(void)state;
	later.sport = 0x6162;
	later.dport = 0x6364;
	assert_int_equal(first, hash_of(later, LB_BE16(0x2000 | 185)));
	assert_int_equal(first, hash_of(later, LB_BE16(185)));
	later.proto = UDP;
	assert_int_equal(first, hash_of(later, LB_BE16(185)));
	later.saddr++;
	assert_int_not_equal(first, hash_of(later, LB_BE16(185)));
}

static void test_all_else_goes_by_addresses(void **state)
{
	struct flow f = flow_of(0), other = f;
	uint8_t a[LENGTH], b[LENGTH];

	(void)state;
	f.proto = other.proto = ICMP;
	other.sport++;
	assert_int_equal(hash_of(f, 0), hash_of(other, 0));
	f.proto = other.proto = TCP;
	make_packet(a, f, 0);
	make_packet(b, other, 0);
	a[14] = b[14] = 0x46; /* options */
	assert_int_equal(spread_hash(key, a, LENGTH), spread_hash(key, b, LENGTH));
	a[14] = b[14] = 0x45;
	for (uint32_t length = 0; length < 14 + 20 + 4;
	     length++) /* cut short: no byte behind it counts */
		assert_int_equal(spread_hash(key, a, length), spread_hash(key, b, length));
	lb_store16(a + 12, LB_ETHERTYPE_ARP_BE);
	assert_int_equal(spread_hash(key, a, LENGTH), 0);
}

/* Worst of flows that differ in little: no lcore gets twice what it should. */
static void test_flows_are_spread(void **state)
{
	uint32_t counts[WORKERS] = {0};

	(void)state;
	for (uint32_t i = 0; i < 3000; i++)
		counts[(uint64_t)hash_of(flow_of(i), 0) * WORKERS >> 32]++;
	for (int w = 0; w < WORKERS; w++)
		assert_in_range(counts[w], 800, 1200);
}

static struct rte_mbuf *make_frame(struct flow f, uint16_t fragment_be, uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *p;

	assert_non_null(m);
	p = (uint8_t *)rte_pktmbuf_append(m, LENGTH);
	make_packet(p, f, fragment_be);
	lb_store32(p + LENGTH - 4, number);
	return m;
}

static uint32_t number_of(const struct rte_mbuf *m)
{
	return lb_load32(rte_pktmbuf_mtod(m, const uint8_t *) + LENGTH - 4);
}

static void test_a_flow_stays_in_order(void **state)
{
	struct spread s;
	uint32_t last[64] = {0}, got = 0;
	int owner[64];

	(void)state;
	memset(owner, -1, sizeof(owner));
	assert_int_equal(spread_open(&s, spread_plan(1, 1 + WORKERS), nodes), 0);
	for (uint32_t n = 1; n <= 40; n++) {
		struct rte_mbuf *burst[SPREAD_BURST];

		for (uint32_t i = 0; i < SPREAD_BURST; i++)
			burst[i] =
			    make_frame(flow_of(i * n % 64), 0, (i * n % 64) << 16 | n << 5 | i);
		assert_int_equal(spread_put(&s, burst, SPREAD_BURST), SPREAD_BURST);
	}
	for (int w = 0; w < WORKERS; w++) {
		void *frame;

		while (!rte_ring_dequeue(s.rings[w], &frame)) {
			uint32_t number = number_of(frame), flow = number >> 16;

			assert_true(owner[flow] == -1 || owner[flow] == w);
			owner[flow] = w;
			assert_true((number & 0xffff) > last[flow]);
			last[flow] = number & 0xffff;
			rte_pktmbuf_free(frame);
			got++;
		}
	}
	assert_int_equal(got, 40 * SPREAD_BURST);
	spread_close(&s);
	assert_true(rte_mempool_full(pool));
}

/* One flow, and nobody takes: the ring's size is kept, the rest freed, and close frees what waits.
 */
static void test_a_full_ring_loses(void **state)
{
	struct spread s;
	uint32_t put = 0;

	(void)state;
	assert_int_equal(spread_open(&s, spread_plan(2, 4), nodes), 0);
	for (uint32_t n = 0; n < 2 * SPREAD_RING / SPREAD_BURST; n++) {
		struct rte_mbuf *burst[SPREAD_BURST];

		for (uint32_t i = 0; i < SPREAD_BURST; i++)
			burst[i] = make_frame(flow_of(0), 0, i);
		put += spread_put(&s, burst, SPREAD_BURST);
	}
	assert_int_equal(put, SPREAD_RING);
	assert_int_equal(rte_mempool_in_use_count(pool), SPREAD_RING);
	spread_close(&s);
	assert_true(rte_mempool_full(pool));
}

/* A port between two rings. */
static struct {
	struct rte_ring *in, *out;
	uint16_t port;
} card, kernel;

static bool open_port(const char *name, struct rte_ring **in, struct rte_ring **out, uint16_t *port)
{
	struct rte_eth_conf none = {0};
	char ring[RTE_RING_NAMESIZE];
	int made;

	snprintf(ring, sizeof(ring), "%s_in", name);
	*in = rte_ring_create(ring, 4096, SOCKET_ID_ANY, 0);
	snprintf(ring, sizeof(ring), "%s_out", name);
	*out = rte_ring_create(ring, 4096, SOCKET_ID_ANY, 0);
	if (!*in || !*out)
		return false;
	made = rte_eth_from_rings(name, in, 1, out, 1, 0);
	*port = (uint16_t)made;
	return made >= 0 && !rte_eth_dev_configure(*port, 1, 1, &none) &&
	       !rte_eth_rx_queue_setup(*port, 0, 64, (unsigned int)SOCKET_ID_ANY, NULL, pool) &&
	       !rte_eth_tx_queue_setup(*port, 0, 64, (unsigned int)SOCKET_ID_ANY, NULL) &&
	       !rte_eth_dev_start(*port);
}

/* A receiver and a worker on empty tables: nothing is published, and all goes to the kernel. */
static struct {
	struct worker workers[2];
	struct dpdk_counters *counters[2];
	struct spread spread;
	rte_spinlock_t lock;
	struct lb_tables tables;
	struct lb_config config;
	struct next_hops *next_hops;
	struct fragments *fragments;
} pair;

static void start_pair(void)
{
	memset(&pair, 0, sizeof(pair));
	pair.tables.config = &pair.config;
	pair.next_hops = next_hops_open(64);
	pair.fragments = fragments_open(64);
	assert_int_equal(spread_open(&pair.spread, spread_plan(1, 2), nodes), 0);
	for (unsigned int i = 0; i < 2; i++) {
		pair.counters[i] = calloc(1, sizeof(*pair.counters[i]));
		pair.workers[i] = (struct worker){.uplink = card.port,
						  .kernel = kernel.port,
						  .sums = true,
						  .stride = 1,
						  .queues = i == 0,
						  .from_kernel = i == 0,
						  .tx_lock = &pair.lock,
						  .kernel_lock = &pair.lock,
						  .lcore = i};
		worker_start(&pair.workers[i], &pair.tables, pair.counters[i], pair.next_hops,
			     pair.fragments);
	}
	pair.workers[0].spread = &pair.spread;
	pair.workers[1].share = pair.spread.rings[0];
}

static void stop_pair(void)
{
	for (int i = 0; i < 2; i++) {
		worker_stop(&pair.workers[i]);
		free(pair.counters[i]);
	}
	spread_close(&pair.spread);
	next_hops_close(pair.next_hops);
	fragments_close(pair.fragments);
	assert_true(rte_mempool_full(pool));
}

/* Numbers of the frames in a ring; freed. */
static uint32_t take_numbers(struct rte_ring *ring, uint32_t *numbers)
{
	uint32_t count = 0;
	void *frame;

	while (!rte_ring_dequeue(ring, &frame)) {
		numbers[count++] = number_of(frame);
		rte_pktmbuf_free(frame);
	}
	return count;
}

static void test_receiver_and_worker(void **state)
{
	uint32_t numbers[64];

	(void)state;
	start_pair();
	for (uint32_t i = 0; i < 40; i++)
		rte_ring_enqueue(card.in, make_frame(flow_of(i), 0, i));
	rte_ring_enqueue(kernel.in, make_frame(flow_of(0), 0, 99));
	assert_int_equal(worker_poll(&pair.workers[1], FORWARD_BURST), 0);
	assert_int_equal(worker_poll(&pair.workers[0], FORWARD_BURST), 32 + 1);
	assert_int_equal(worker_poll(&pair.workers[0], FORWARD_BURST), 8);
	assert_int_equal(rte_ring_count(kernel.out), 0); /* the receiver decides on nothing */
	assert_int_equal(take_numbers(card.out, numbers), 1);
	assert_int_equal(numbers[0], 99);
	assert_int_equal(worker_poll(&pair.workers[1], FORWARD_BURST), 32);
	assert_int_equal(worker_poll(&pair.workers[1], FORWARD_BURST), 8);
	assert_int_equal(take_numbers(kernel.out, numbers), 40);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(numbers[i], i);
	assert_int_equal(pair.counters[0]->handed_over, 40);
	assert_int_equal(pair.counters[0]->received, 0);
	assert_int_equal(pair.counters[0]->sent, 1);
	assert_int_equal(pair.counters[1]->received, 40);
	assert_int_equal(pair.counters[1]->to_kernel, 40);
	stop_pair();
}

static void test_lost_to_a_full_ring_is_counted(void **state)
{
	(void)state;
	start_pair();
	for (uint32_t i = 0; i < SPREAD_RING + 10; i++)
		rte_ring_enqueue(card.in, make_frame(flow_of(i), 0, i));
	while (worker_poll(&pair.workers[0], FORWARD_BURST))
		;
	assert_int_equal(pair.counters[0]->handed_over, SPREAD_RING);
	assert_int_equal(pair.counters[0]->ring_full, 10);
	stop_pair();
}

/* What the card says has a wrong IP checksum is the kernel's, at once and uncounted by any reason.
 */
static void test_bad_checksums_are_the_kernels(void **state)
{
	uint32_t numbers[64];

	(void)state;
	start_pair();
	for (uint32_t i = 0; i < 6; i++) {
		struct rte_mbuf *m = make_frame(flow_of(i), 0, i);

		m->ol_flags |= i % 2 ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		rte_ring_enqueue(card.in, m);
	}
	assert_int_equal(worker_poll(&pair.workers[0], FORWARD_BURST), 6);
	assert_int_equal(take_numbers(kernel.out, numbers), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(numbers[i], 2 * i + 1);
	assert_int_equal(pair.counters[0]->bad_checksum, 3);
	assert_int_equal(pair.counters[0]->handed_over, 3);
	stop_pair();
}

/* Nobody there who would count it as a kernel does; and a device that says nothing is not asked. */
static void test_bad_checksums_without_a_kernel(void **state)
{
	struct rte_mbuf *bad[2];

	(void)state;
	start_pair();
	for (int i = 0; i < 2; i++) {
		bad[i] = make_frame(flow_of(0), 0, 0);
		bad[i]->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
	}
	pair.workers[0].kernel = WORKER_NO_PORT;
	pair.workers[0].from_kernel = false;
	rte_ring_enqueue(card.in, bad[0]);
	assert_int_equal(worker_poll(&pair.workers[0], FORWARD_BURST), 1);
	assert_int_equal(pair.counters[0]->bad_checksum, 1);
	assert_int_equal(pair.counters[0]->not_sent, 1);
	pair.workers[0].sums = false;
	rte_ring_enqueue(card.in, bad[1]);
	assert_int_equal(worker_poll(&pair.workers[0], FORWARD_BURST), 1);
	assert_int_equal(pair.counters[0]->bad_checksum, 1);
	assert_int_equal(pair.counters[0]->handed_over, 1);
	stop_pair();
}

static void test_frame_sizes(void **state)
{
	struct rte_eth_dev_info card_info = {.max_mtu = 9710, .max_rx_pktlen = 9728};
	struct rte_eth_dev_info vague = {.max_mtu = UINT16_MAX, .max_rx_pktlen = 1518};
	struct rte_eth_dev_info boundless = {.max_mtu = UINT16_MAX, .max_rx_pktlen = UINT32_MAX};

	(void)state;
	assert_int_equal(device_mtu_max(&card_info), 9710);
	assert_int_equal(device_mtu_max(&vague), 1500);
	assert_int_equal(device_mtu_max(&boundless), UINT16_MAX);
	assert_int_equal(pool_buffer_size(1500, false), RTE_MBUF_DEFAULT_BUF_SIZE);
	assert_int_equal(pool_buffer_size(9000, false), 9 * 1024 + RTE_PKTMBUF_HEADROOM);
	assert_int_equal(pool_buffer_size(65500, false), 0);
	/* The pool's header, the mbuf and its buffer are one page. */
	assert_int_equal(pool_buffer_size(1500, true), 4096 - 64 - 128);
	assert_int_equal(pool_buffer_size(3506, true), 4096 - 64 - 128);
	assert_int_equal(pool_buffer_size(3507, true), 0);
}

struct layout {
	uintptr_t first, last;
	uint32_t stride_wrong;
};

static void look(struct rte_mempool *mp, void *context, void *object, unsigned int index)
{
	struct layout *l = context;
	uintptr_t at = (uintptr_t)object - mp->header_size;

	if (!index)
		l->first = at;
	else
		l->stride_wrong += at - l->last != 4096;
	l->last = at;
}

/* net_af_xdp registers populated_size elements, as if there were no gap between any two. */
static void test_umem_has_no_gaps(void **state)
{
	struct rte_mempool *umem;
	struct layout l = {0};

	(void)state;
	rte_mempool_free(pool); /* they have the same name */
	umem = pool_create(1000, pool_buffer_size(1500, true), 7);
	assert_non_null(umem);
	assert_int_equal(umem->header_size + umem->elt_size + umem->trailer_size, 4096);
	assert_int_equal(umem->nb_mem_chunks, 1);
	rte_mempool_obj_iter(umem, look, &l);
	assert_int_equal(l.stride_wrong, 0);
	assert_int_equal(l.first % 4096, 0);
	rte_mempool_free(umem);
	pool = pool_create(POOL, pool_buffer_size(1500, false), -1);
	assert_non_null(pool);
}

static int setup(void **state)
{
	char *arguments[] = {"test",
			     "--no-huge",
			     "-m",
			     "128",
			     "--no-pci",
			     "--no-shconf",
			     "-l",
			     "0",
			     "--no-telemetry",
			     "--log-level",
			     "lib.eal:error",
			     NULL};

	(void)state;
	if (rte_eal_init((int)(sizeof(arguments) / sizeof(*arguments)) - 1, arguments) < 0)
		return -1;
	pool =
	    rte_pktmbuf_pool_create("frames", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return pool && open_port("card", &card.in, &card.out, &card.port) &&
		       open_port("kernel", &kernel.in, &kernel.out, &kernel.port)
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	(void)state;
	rte_eal_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plan),
	    cmocka_unit_test(test_ports_count_in_whole_packets),
	    cmocka_unit_test(test_fragments_meet),
	    cmocka_unit_test(test_all_else_goes_by_addresses),
	    cmocka_unit_test(test_flows_are_spread),
	    cmocka_unit_test(test_a_flow_stays_in_order),
	    cmocka_unit_test(test_a_full_ring_loses),
	    cmocka_unit_test(test_receiver_and_worker),
	    cmocka_unit_test(test_lost_to_a_full_ring_is_counted),
	    cmocka_unit_test(test_bad_checksums_are_the_kernels),
	    cmocka_unit_test(test_bad_checksums_without_a_kernel),
	    cmocka_unit_test(test_frame_sizes),
	    cmocka_unit_test(test_umem_has_no_gaps),
	};

	return cmocka_run_group_tests_name("spread", tests, setup, teardown);
}
