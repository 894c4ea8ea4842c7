/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPF against the host build: the same packets and tables give the same verdicts and bytes
 * (pair.h), and none that the slow model forbids (oracle.h). Needs root for bpf() and a network
 * namespace of its own; skipped elsewhere.
 *
 *   FL_SEED=<seed> replays a random run, FL_MUTATIONS=<count> sets its length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <time.h>

#include "mutate.h"
#include "pair.h"

enum { MUTATIONS_DEFAULT = 100000 };

static void show(const char *what, const struct packet *p)
{
	fprintf(stderr, "%s, %u bytes:", what, p->length);
	for (uint32_t i = 0; i < p->length && i < 200; i++)
		fprintf(stderr, "%s%02x", i % 2 ? "" : " ", p->bytes[p->head + i]);
	fprintf(stderr, "\n");
}

static void must_run(struct pair *p, enum hook hook, uint32_t ifindex, const struct packet *in,
		     const struct corpus_choice *c)
{
	if (pair_run(p, hook, ifindex, in))
		return;
	show("frame", in);
	if (c)
		fprintf(stderr,
			"wrap %u shape %u port %u task %u asked %x entry %u addr %u tos %u/%u\n",
			c->wrap, c->shape, CORPUS_PORT + c->port, c->task, c->asked, c->entry,
			c->addr, c->outer_tos, c->tos);
	fail_msg("hook %u: %s", hook, p->problem);
}

static void must_run_choice(struct pair *p, const struct corpus_choice *c)
{
	struct packet in;

	corpus_build(&in, c);
	must_run(p, c->wrap == WRAP_TASK ? HOOK_TASK : HOOK_UPLINK, p->bpf.task[c->task & 3], &in,
		 c);
}

static void set_redirect(struct pair *p, bool on)
{
	p->host.tables.config->flags = on ? LB_CONFIG_TX_REDIRECT : 0;
	pair_tables_changed(p);
}

/* Every kind of packet to every kind of service, whole. */
static void run_kinds(struct pair *p)
{
	static const uint32_t tasks[] = {1, 2, 9}, asked[] = {256, 0, 2, 4, 14, 255},
			      entries[] = {0, 1, NODES, NODES + 1};
	struct corpus_choice c = {.client_port = 40000};

	for (c.shape = 0; c.shape < SHAPES; c.shape++)
		for (c.port = 0; c.port < CORPUS_PORTS; c.port++) {
			c.id++;
			c.wrap = WRAP_NONE;
			for (c.addr = 0; c.addr < 3; c.addr++)
				for (c.client = 0; c.client < 4; c.client++)
					must_run_choice(p, &c);
			c.client = 0;
			c.wrap = WRAP_RETURN;
			for (c.addr = 0; c.addr < 3; c.addr++)
				must_run_choice(p, &c);
			c.wrap = WRAP_TUNNEL;
			c.addr = 2;
			for (uint32_t i = 0; i < 3 * 6 * 4; i++) {
				c.task = tasks[i % 3];
				c.asked = asked[i / 3 % 6];
				c.entry = entries[i / 18];
				must_run_choice(p, &c);
			}
			c.wrap = WRAP_TASK;
			for (c.task = 1; c.task < 4; c.task++)
				must_run_choice(p, &c);
		}
}

static void test_kinds(void **state)
{
	struct pair *p = *state;

	pair_restart(p);
	run_kinds(p);
	set_redirect(p, true);
	run_kinds(p);
	assert_true(p->known_routes > 100);
}

/* RFC 6040: all outer and inner marks, for a task and on the way back. */
static void test_ecn(void **state)
{
	struct corpus_choice c = {
	    .shape = SHAPE_DATA, .port = 7, .client_port = 40000, .task = 1, .addr = 2, .entry = 1};
	struct pair *p = *state;

	pair_restart(p);
	for (uint8_t i = 0; i < 32; i++) {
		c.wrap = i & 16 ? WRAP_RETURN : WRAP_TUNNEL;
		c.addr = i & 16 ? 0 : 2;
		c.outer_tos = i & 3;
		c.tos = (i >> 2 & 3) | 0x48;
		must_run_choice(p, &c);
	}
}

static const uint32_t service_kinds[] = {0, 2, 3, 6, 7, 8, 10, 12};

/* One packet of each kind, through f. */
static void each_kind(struct pair *p, void (*f)(struct pair *p, const struct corpus_choice *c))
{
	struct corpus_choice c = {.client_port = 40000, .task = 1, .entry = 1};

	for (c.wrap = 0; c.wrap < WRAPS; c.wrap++)
		for (c.shape = 0; c.shape < SHAPES; c.shape++)
			for (uint32_t i = 0; i < 8; i++) {
				c.port = service_kinds[i];
				c.addr = c.wrap == WRAP_TUNNEL ? 2 : 0;
				c.id++;
				f(p, &c);
			}
}

static void run_truncated(struct pair *p, const struct corpus_choice *c)
{
	struct packet in;
	uint32_t length;

	if (c->shape == SHAPE_BIG || c->shape == SHAPE_OVERSIZE || c->shape == SHAPE_TRAILER)
		return;
	corpus_build(&in, c);
	length = in.length;
	for (in.length = 14; in.length < length; in.length++)
		must_run(p, c->wrap == WRAP_TASK ? HOOK_TASK : HOOK_UPLINK, p->bpf.task[1], &in, c);
}
static void test_truncated(void **state)
{
	struct pair *p = *state;

	pair_restart(p);
	each_kind(p, run_truncated);
}

static void run_value(struct pair *p, const struct corpus_choice *c, struct packet *in,
		      uint32_t offset, uint32_t width, uint32_t value)
{
	uint8_t *at = packet_at(in, offset), old[2] = {at[0], at[1]};

	if (offset + width > in->length)
		return;
	if (width == 1)
		at[0] = (uint8_t)value;
	else
		put16(at, value);
	must_run(p, c->wrap == WRAP_TASK ? HOOK_TASK : HOOK_UPLINK, p->bpf.task[1], in, c);
	memcpy(at, old, 2);
}

/* All wrong lengths of one layer, whose IP header is at ip. */
static void run_layer(struct pair *p, const struct corpus_choice *c, struct packet *in, uint32_t ip)
{
	uint32_t total = get16(packet_at(in, ip + 2)),
		 l4 = ip + ip_header_length(packet_at(in, ip));

	for (uint32_t i = 0; i < 256; i++) {
		if (i >> 4 == 4 || i % 16 == 5)
			run_value(p, c, in, ip, 1, i); /* version, IHL */
		if (i < 16)
			run_value(p, c, in, l4 + 12, 1, i << 4); /* TCP offset */
		if (i < 64)
			run_value(p, c, in, ip + 2, 2, i);
		if (i < 32) {
			run_value(p, c, in, ip + 2, 2, total - 16 + i);
			run_value(p, c, in, l4 + 4, 2, i);
			run_value(p, c, in, l4 + 4, 2, total - 36 + i);
		}
		if (i < 8) {
			run_value(p, c, in, ip + 6, 2, i << 13);
			run_value(p, c, in, ip + 6, 2, i << 13 | 1);
			run_value(p, c, in, ip + 2, 2, 0xffff - i);
			run_value(p, c, in, l4 + 4, 2, 0xffff - i);
		}
		if (i % 4 == 0)
			run_value(p, c, in, ip + 9, 1, i / 4); /* protocol */
		if (i % 8 == 0)
			run_value(p, c, in, ip + 8, 1, i / 8); /* TTL */
	}
}
static void run_lengths(struct pair *p, const struct corpus_choice *c)
{
	struct packet in;

	if (c->port == 2 || c->port >= 8)
		return;
	corpus_build(&in, c);
	run_layer(p, c, &in, 14);
	if (c->wrap != WRAP_TUNNEL && c->wrap != WRAP_RETURN)
		return;
	run_layer(p, c, &in, 64);
	for (uint32_t i = 0; i < 256; i++) {
		run_value(p, c, &in, 42, 1, i); /* VXLAN flags */
		if (i < 32)
			run_value(p, c, &in, 46 + i / 8, 1, 1U << i % 8); /* VNI */
		run_value(p, c, &in, 57, 1, i); /* kind, or whom it asked */
	}
}
static void test_lengths(void **state)
{
	struct pair *p = *state;

	pair_restart(p);
	each_kind(p, run_lengths);
}

/* tc on the uplink decides as XDP does, but for what is XDP's alone. */
static void run_skb(struct pair *p, const struct corpus_choice *c)
{
	struct packet in;

	if (c->wrap == WRAP_TASK)
		return;
	corpus_build(&in, c);
	must_run(p, HOOK_UPLINK_SKB, p->bpf.uplink, &in, c);
}
static void test_uplink_skb(void **state)
{
	struct pair *p = *state;

	pair_restart(p);
	each_kind(p, run_skb);
	each_kind(p, run_skb);
}

/* Random packets of random kinds, damaged, while tables change. */
static void test_mutations(void **state)
{
	const char *seed = getenv("FL_SEED"), *count = getenv("FL_MUTATIONS");
	uint64_t n = count ? strtoull(count, NULL, 0) : MUTATIONS_DEFAULT;
	struct pair *p = *state;
	struct corpus_choice c;
	struct timespec start, end;
	struct packet in;
	struct mutator m = {.state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL)};

	print_message("FL_SEED=%" PRIu64 " FL_MUTATIONS=%" PRIu64 "\n", m.state, n);
	clock_gettime(CLOCK_MONOTONIC, &start);
	pair_restart(p);
	for (uint64_t i = 0; i < n; i++) {
		if (i % 1024 == 1023)
			pair_restart(p);
		if (!mutator_below(&m, 24)) {
			mutate_tables(&m, &p->host);
			pair_tables_changed(p);
		}
		if (!mutator_below(&m, 8))
			p->host.env.ticks += mutator_below(&m, 3);
		mutate_choice(&m, &p->host, &c);
		corpus_build(&in, &c);
		mutate_packet(&m, &in, c.wrap == WRAP_TUNNEL || c.wrap == WRAP_RETURN);
		must_run(p, c.wrap == WRAP_TASK ? HOOK_TASK : HOOK_UPLINK, p->bpf.task[c.task & 3],
			 &in, &c);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	print_message("%" PRIu64 " mutations in %.1f s\n", n,
		      (double)(end.tv_sec - start.tv_sec) +
			  (double)(end.tv_nsec - start.tv_nsec) / 1e9);
}

/* Every way of every bucket is being written by another CPU: the packet is dropped, not lost track
 * of. */
static void test_busy(void **state)
{
	struct corpus_choice c = {.shape = SHAPE_SYN, .port = 7, .client_port = 40000};
	struct pair *p = *state;
	uint64_t before = p->seen[HOOK_UPLINK][LB_REASON_DROP_FLOW_RACE];

	pair_restart(p);
	for (uint32_t i = 0; i < CORPUS_FLOW_BUCKETS * LB_WAYS; i++) {
		p->host.tables.flows[i / LB_WAYS].way[i % LB_WAYS].key = LB_FLOW_BUSY;
		p->bpf.maps.flows[i / LB_WAYS].way[i % LB_WAYS].key = LB_FLOW_BUSY;
	}
	must_run_choice(p, &c);
	assert_int_equal(p->seen[HOOK_UPLINK][LB_REASON_DROP_FLOW_RACE], before + 1);
}

/* It takes more collisions than these packets have; flow_test.c has a test of it. */
static bool unreachable(uint32_t reason)
{
	return reason == LB_REASON_DROP_FLOW_CONFLICT;
}

static void test_coverage(void **state)
{
	const struct pair *p = *state;
	uint32_t missing = 0;

	print_message("%-22s %10s %10s %10s\n", "reason", "uplink", "task", "uplink skb");
	for (uint32_t i = 0; i < LB_REASON_COUNT; i++) {
		uint64_t sum = p->host.env.reasons.packets[i];

		for (int hook = 0; hook < HOOKS; hook++)
			sum += p->seen[hook][i];
		print_message("%-22s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "%s\n",
			      pair_reason_name[i], p->seen[0][i], p->seen[1][i], p->seen[2][i],
			      sum ? "" : " never");
		if (!sum && !unreachable(i))
			missing++;
	}
	print_message("flow_evicted %" PRIu64 ", flow_aliased %" PRIu64 ", %" PRIu64 " runs\n",
		      p->host.env.reasons.packets[LB_REASON_FLOW_EVICTED],
		      p->host.env.reasons.packets[LB_REASON_FLOW_ALIASED], p->runs);
	assert_int_equal(missing, 0);
}

static int setup(void **state)
{
	static struct pair pair;
	struct pair *p = &pair;
	cpu_set_t one;
	int err;

	/* Per-CPU counters and the LRU maps' local lists: one CPU. */
	CPU_ZERO(&one);
	CPU_SET((unsigned int)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	err = bpf_node_load(&p->bpf);
	if (err) {
		fprintf(stderr, "# the BPF objects do not load: %s\n", strerror(-err));
		return err;
	}
	corpus_node(&p->host);
	bpf_node_fill(&p->bpf, &p->host.tables);
	*state = p;
	return pair_learn_clock(p) ? 0 : -1;
}
static int teardown(void **state)
{
	struct pair *p = *state;

	if (!p)
		return 0;
	node_stop(&p->host);
	bpf_node_stop(&p->bpf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),      cmocka_unit_test(test_ecn),
	    cmocka_unit_test(test_truncated),  cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_uplink_skb), cmocka_unit_test(test_busy),
	    cmocka_unit_test(test_mutations),  cmocka_unit_test(test_coverage),
	};

	if (!bpf_node_namespace()) {
		printf("1..0 # SKIP bpf() and network namespaces need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
