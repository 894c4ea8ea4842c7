/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPF, the host build and DPDK: the same packets, the same tables, tables that change between packets.
 *
 *   packet --+--> BPF (BPF_PROG_TEST_RUN) == host build, tasks and all            (pair.h)
 *            +--> host build without tasks == the above, unless it leaves the packet to the kernel
 *            |      or, where it has to find the next hop, encapsulates what BPF leaves to tc
 *            `--> DPDK from capture to capture (net_pcap) == host build without tasks
 *
 * Needs root for bpf(); skipped elsewhere. FL_SEED=<seed> replays a run, FL_PACKETS=<count> sets its
 * length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <time.h>

#include "dpdk_side.h"
#include "entry_side.h"
#include "mutate.h"
#include "pair.h"

enum { PACKETS_DEFAULT = 1000000, RESTART = 8192, RUN_MAX = 1024, BURST = 32 };

/* A packet and what has to become of it. */
struct step {
	struct packet in, out; /* out: of the host build */
	struct lb_verdict verdict;
	bool changes; /* tables change before it: */
	struct mutator change;
	struct entry_side_result entry;
	struct packet entry_out;
};

static struct {
	struct pair pair;
	struct node node; /* DPDK's and the entry node's: changes when the pair's has */
	struct step steps[RUN_MAX];
	struct dpdk_side_frame frames[RUN_MAX];
	uint64_t actions[LB_ARP + 1], runs;
} bed;

static const uint8_t client_macs[12] = {2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 0x10};

static void show(const char *what, const uint8_t *bytes, uint32_t length)
{
	fprintf(stderr, "%s, %u bytes:", what, length);
	for (uint32_t i = 0; i < length && i < 160; i++)
		fprintf(stderr, "%s%02x", i % 2 ? "" : " ", bytes[i]);
	fprintf(stderr, "\n");
}
static void fail_step(const struct step *s, const char *problem)
{
	show("frame", s->in.bytes + s->in.head, s->in.length);
	show("host", s->out.bytes + s->out.head, s->out.length);
	show("entry", s->entry_out.bytes + s->entry_out.head, s->entry_out.length);
	fail_msg("%s (host: action %u, %s; without tasks: %u, %s)", problem, s->verdict.action,
		 pair_reason_name[s->verdict.reason], s->entry.action,
		 pair_reason_name[s->entry.reason]);
}

static bool same(const struct packet *a, const struct packet *b, uint32_t skip)
{
	return a->length == b->length &&
	       !memcmp(a->bytes + a->head + skip, b->bytes + b->head + skip, a->length - skip);
}

static void copy(struct packet *to, const struct packet *from)
{
	to->head = from->head;
	to->length = from->length;
	memcpy(to->bytes + to->head, from->bytes + from->head, from->length);
}

/* What a node without tasks decides is what any node does, or is left to the kernel untouched. */
static void check_entry(const struct step *s)
{
	if (s->entry.action == LB_PASS) {
		if (!same(&s->in, &s->entry_out, 0))
			fail_step(s, "the host without tasks changed what it passed");
		return;
	}
	/* Encapsulated here, to wait for its next hop; elsewhere tc does it. */
	if (s->entry.unresolved) {
		if (s->verdict.action != LB_PASS || s->verdict.reason != LB_REASON_ENTRY_UNRESOLVED)
			fail_step(s, "unresolved for one of them");
		return;
	}
	if (s->entry.action != s->verdict.action || s->entry.reason != s->verdict.reason)
		fail_step(s, "another verdict without tasks");
	if (s->entry.action != LB_DROP && !same(&s->out, &s->entry_out, 0))
		fail_step(s, "other bytes without tasks");
}

/* The next packets through BPF and host; returns how many. Ends early where notes were forgotten. */
static uint32_t make_steps(struct mutator *m, uint64_t left)
{
	struct pair *p = &bed.pair;
	uint64_t forgotten = p->forgotten;
	struct corpus_choice c;
	uint32_t n = 0;

	while (n < RUN_MAX && n < left && p->forgotten == forgotten) {
		struct step *s = &bed.steps[n++];

		s->changes = !mutator_below(m, 24);
		if (s->changes) {
			s->change = *m;
			mutate_tables(m, &p->host);
			pair_tables_changed(p);
		}
		mutate_choice(m, &p->host, &c);
		if (c.wrap == WRAP_TASK) { /* more of what this forwarder is for */
			c.wrap = WRAP_NONE;
			c.port = mutator_below(m, 2) ? 0 : 6;
		}
		corpus_build(&s->in, &c);
		mutate_packet(m, &s->in, c.wrap != WRAP_NONE);
		if (!pair_run(p, HOOK_UPLINK, 0, &s->in)) {
			show("frame", s->in.bytes + s->in.head, s->in.length);
			fail_msg("BPF and host: %s", p->problem);
		}
		s->verdict = p->verdict;
		copy(&s->out, &p->out);
	}
	return n;
}

/* Packets from first to the next change of tables, one burst at most. */
static uint32_t burst_from(uint32_t first, uint32_t count)
{
	uint32_t n = 1;

	while (n < BURST && first + n < count && !bed.steps[first + n].changes)
		n++;
	return n;
}

static void run_steps(uint32_t count)
{
	struct entry_side *entry = entry_side_open(&bed.node.tables);

	assert_non_null(entry);
	for (uint32_t i = 0; i < count; i++)
		bed.frames[i] = (struct dpdk_side_frame){
		    bed.steps[i].in.bytes + bed.steps[i].in.head, bed.steps[i].in.length};
	assert_true(dpdk_side_begin(&bed.node.tables, bed.frames, count));
	for (uint32_t i = 0; i < count;) {
		uint32_t n = burst_from(i, count);

		if (bed.steps[i].changes)
			mutate_tables(&bed.steps[i].change, &bed.node);
		assert_int_equal(dpdk_side_poll(n), n);
		for (; n; n--, i++) {
			struct step *s = &bed.steps[i];

			copy(&s->entry_out, &s->in);
			s->entry = entry_side_uplink(entry, s->entry_out.bytes,
						     sizeof(s->entry_out.bytes), &s->entry_out.head,
						     &s->entry_out.length);
			check_entry(s);
		}
	}
	assert_memory_equal(dpdk_side_backends(), entry_side_backends(entry),
			    bed.node.tables.backend_count * sizeof(struct lb_backend_counters));
	entry_side_close(entry);
}

static void check_frame(const struct step *s, bool kernel)
{
	const uint8_t *want = s->entry_out.bytes + s->entry_out.head;
	uint32_t skip = s->entry.action == LB_RETURN ? 12 : 0;
	struct dpdk_side_frame f;

	if (!dpdk_side_next(kernel, &f))
		fail_step(s, "DPDK sent less");
	if (skip && memcmp(f.bytes, client_macs, 12))
		fail_step(s, "DPDK: the next hop's Ethernet addresses");
	if (f.length != s->entry_out.length ||
	    memcmp(f.bytes + skip, want + skip, f.length - skip)) {
		show("DPDK", f.bytes, f.length);
		fail_step(s, "DPDK: bytes");
	}
}

static void check_dpdk(uint32_t count)
{
	uint64_t asked = 0, reasons[LB_REASONS_MAX] = {0};
	struct dpdk_side_counts counts;
	struct dpdk_side_frame f;

	assert_true(dpdk_side_end(&counts));
	for (uint32_t i = 0; i < count; i++) {
		const struct step *s = &bed.steps[i];

		bed.actions[s->entry.action]++;
		if (s->entry.action == LB_PASS) {
			check_frame(s, true);
			continue;
		}
		reasons[s->entry.reason]++;
		if (s->entry.unresolved ||
		    (s->entry.action == LB_RETURN && BE32(s->entry.daddr_be) - CLIENT > 3))
			asked++;
		else if (s->entry.action != LB_DROP)
			check_frame(s, false);
	}
	assert_false(dpdk_side_next(false, &f));
	assert_false(dpdk_side_next(true, &f));
	assert_int_equal(counts.asked, asked);
	assert_int_equal(counts.no_room + counts.not_sent, 0);
	assert_memory_equal(counts.reasons, reasons, sizeof(reasons));
}

static void restart(void)
{
	pair_restart(&bed.pair);
	node_stop(&bed.node);
	corpus_node(&bed.node);
}

static void test_three_builds(void **state)
{
	const char *seed = getenv("FL_SEED"), *packets = getenv("FL_PACKETS");
	uint64_t total = packets ? strtoull(packets, NULL, 0) : PACKETS_DEFAULT, since = 0;
	struct mutator m = {.state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL)};

	(void)state;
	print_message("FL_SEED=%" PRIu64 " FL_PACKETS=%" PRIu64 "\n", m.state, total);
	restart();
	for (uint64_t done = 0; done < total;) {
		uint32_t n;

		if (since > RESTART) {
			restart();
			since = 0;
		}
		n = make_steps(&m, total - done);
		run_steps(n);
		check_dpdk(n);
		done += n;
		since += n;
		bed.runs++;
	}
	print_message("%" PRIu64 " packets in %" PRIu64 " runs, 0 differences: to the kernel %" PRIu64
		      ", dropped %" PRIu64 ", encapsulated %" PRIu64 ", returned %" PRIu64
		      ", answered %" PRIu64 "\n",
		      total, bed.runs, bed.actions[LB_PASS], bed.actions[LB_DROP],
		      bed.actions[LB_ENCAP], bed.actions[LB_RETURN], bed.actions[LB_ICMP]);
	for (int a = LB_PASS; a <= LB_ICMP; a++)
		if (a != LB_REENCAP && a != LB_DELIVER)
			assert_true(bed.actions[a] || total < 10000);
}

static char folder[] = "/tmp/fairlead-dpdk.XXXXXX";

static int setup(void **state)
{
	cpu_set_t one;

	(void)state;
	CPU_ZERO(&one);
	CPU_SET((unsigned int)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (bpf_node_load(&bed.pair.bpf))
		return -1;
	corpus_node(&bed.pair.host);
	corpus_node(&bed.node);
	bpf_node_fill(&bed.pair.bpf, &bed.pair.host.tables);
	if (!pair_learn_clock(&bed.pair) || !mkdtemp(folder) || !dpdk_side_open(folder))
		return -1;
	for (uint32_t i = 0; i < 4; i++)
		if (!dpdk_side_next_hop(BE32(CLIENT + i), client_macs))
			return -1;
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	node_stop(&bed.pair.host);
	node_stop(&bed.node);
	bpf_node_stop(&bed.pair.bpf);
	dpdk_side_close();
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_builds)};

	if (!bpf_node_namespace()) {
		printf("1..0 # SKIP bpf() and network namespaces need root\n");
		return 77;
	}
	return cmocka_run_group_tests_name("three builds", tests, setup, teardown);
}
