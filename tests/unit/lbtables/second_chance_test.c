/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Second chance over several nodes: a ring has changed up to three times while connections were
 * open.
 *
 *   generation 3 (newest): 1.1    generation 2: 2.1    generation 1: 3.1    entry: node 0
 *
 * A packet goes from node to node until somebody delivers, drops or keeps it; tests compare the
 * way.
 */
#include "golden.h"

static struct node node[NODES];

static int start(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NODES; i++) {
		node_start(&node[i], i, 16);
		node_ring1(&node[i], 1, 0, BACKEND(3, 1));
		node_ring1(&node[i], 2, 1, BACKEND(2, 1));
		node_ring1(&node[i], 3, 2, BACKEND(1, 1));
		publish(&node[i], 3, 0);
	}
	return 0;
}
static int stop(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NODES; i++)
		node_stop(&node[i]);
	return 0;
}
static void rings(uint32_t newest, uint32_t prev, uint32_t backend)
{
	for (unsigned int i = 0; i < NODES; i++) {
		node_ring1(&node[i], newest, prev, backend);
		publish(&node[i], newest, 0);
	}
}

/* Who saw the packet, as in "0 1 2/32 3/321": after each node the generations that were asked
 * before it. */
struct way {
	char text[64];
	unsigned int last;
	struct lb_verdict verdict;
	struct packet packet;
};

/* The outer header must name the node that sends, the inner source MAC the one that took it in. */
static void check_hop(const struct packet *p, unsigned int from, unsigned int entry,
		      uint32_t inner_length)
{
	struct outer_expected e = {.saddr = NODE_VTEP(from), .inner_length = inner_length};
	const uint8_t *frame = p->bytes + p->head;

	e.daddr = get32(frame + 30);
	e.inner_tos = frame[65];
	assert_outer(p, &e);
	if (frame[56] == 0x0a)
		assert_int_equal(frame[57], LB_MAC_ENTRY);
	else
		assert_int_equal(frame[56], 0x0e);
	assert_int_equal(get32(frame + 58), NODE_VTEP(entry));
}

static char *print_asked(char *at, uint8_t asked)
{
	if (asked == 0xff)
		return at + sprintf(at, "/all");
	*at++ = '/';
	for (int generation = 7; generation >= 0; generation--)
		if (asked >> generation & 1)
			*at++ = (char)('0' + generation);
	*at = 0;
	return at;
}

static void travel(struct way *w, const struct packet_spec *s, unsigned int entry)
{
	char *at = w->text;
	unsigned int where = entry;
	uint32_t length;

	packet_build(&w->packet, s);
	length = w->packet.length;
	at += sprintf(at, "%u", where);
	for (int hops = 0;; hops++) {
		const uint8_t *frame;

		w->last = where;
		w->verdict = node_uplink(&node[where], &w->packet);
		if (w->verdict.action != LB_ENCAP && w->verdict.action != LB_REENCAP)
			return;
		assert_true(hops < 6);
		check_hop(&w->packet, where, entry, length);
		frame = w->packet.bytes + w->packet.head;
		where = frame[33] - 10U;
		assert_true(where < NODES);
		at += sprintf(at, " %u", where);
		if (frame[56] == 0x0e)
			at = print_asked(at, frame[57]);
	}
}

#define assert_way(w, wanted, action, reason)                                                      \
	do {                                                                                       \
		assert_string_equal((w).text, wanted);                                             \
		assert_verdict((w).verdict, action, reason);                                       \
	} while (0)

/* A connection that was opened when node's task owned the slot. */
static void open_at(unsigned int where, const struct packet_spec *s)
{
	struct packet_spec syn = *s;
	struct packet p;

	syn.tcp_flags = TCP_SYN;
	syn.fragment = 0;
	packet_build(&p, &syn);
	if (where)
		tunnelled(&p, 0, where, 1, 0);
	assert_int_equal(node_uplink(&node[where], &p).action, LB_DELIVER);
}

static void syn_goes_to_the_newest(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	struct way w;

	(void)state;
	travel(&w, &s, 0);
	assert_way(w, "0 1", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&w.packet, &s, 1, 1, WEB_TARGET);
}

static void older_owners(void **state)
{
	static const char *const ways[] = {"", "0 1", "0 1 2/32", "0 1 2/32 3/321"};
	struct packet_spec s, r;
	struct packet p;
	struct way w;

	(void)state;
	for (unsigned int owner = 1; owner < NODES; owner++) {
		s = request(NODE_ADDR(0), TCP_ACK);
		s.sport = (uint16_t)(CLIENT_PORT + owner);
		s.tos = ECN_ECT0;
		open_at(owner, &s);
		travel(&w, &s, 0);
		assert_way(w, ways[owner], LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
		assert_delivered(&w.packet, &s, owner, 1, WEB_TARGET);
		/* The reply goes to the node that the client used, not to who passed it on. */
		r = answer(owner, 1, false);
		r.dport = s.sport;
		packet_build(&p, &r);
		assert_verdict(node_from_task(&node[owner], &p, TASK_IFINDEX(owner, 1)),
			       LB_REPLY_TUNNEL, LB_REASON_REPLY_TUNNEL);
		assert_int_equal(get32(packet_at(&p, 30)), NODE_VTEP(0));
		assert_verdict(node_uplink(&node[0], &p), LB_RETURN, LB_REASON_TUNNEL_RETURN);
		assert_replied(&p, 0, &r, NODE_ADDR(0), WEB);
	}
}

/* No one knows it: the newest owner keeps it, and knows it next time. */
static void nobody_knows(void **state)
{
	struct packet_spec s = query(NODE_ADDR(0));
	struct way w;

	(void)state;
	for (int udp = 0; udp < 2; udp++) {
		if (!udp)
			s = request(NODE_ADDR(0), TCP_ACK);
		else
			s = query(NODE_ADDR(0));
		travel(&w, &s, 0);
		assert_way(w, "0 1 2/32 3/321 1/all", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
		assert_delivered(&w.packet, &s, 1, 1, udp ? DNS_TARGET : WEB_TARGET);
		travel(&w, &s, 0);
		assert_way(w, "0 1", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	}
}

/* The round trip leaves a congestion mark in place: RFC 6040 at each tunnel end. */
static void marks_survive(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct way w;

	(void)state;
	for (s.tos = 0; s.tos < 4; s.tos++) {
		s.sport++;
		travel(&w, &s, 0);
		assert_delivered(&w.packet, &s, 1, 1, WEB_TARGET);
	}
}

static void icmp_error_finds_the_flow(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK), reply;
	struct packet p, quoted;
	unsigned int where;
	struct lb_verdict v;

	(void)state;
	for (int known = 1; known >= 0; known--) {
		reply = (struct packet_spec){.saddr = NODE_ADDR(0),
					     .daddr = CLIENT,
					     .sport = WEB,
					     .dport = (uint16_t)(CLIENT_PORT - !known)};
		if (known)
			open_at(2, &s);
		packet_build(&quoted, &reply);
		packet_icmp(&p, CLIENT, NODE_ADDR(0), 3, 4, 1400, &quoted, 28);
		for (where = 0;;) {
			v = node_uplink(&node[where], &p);
			if (v.action != LB_ENCAP && v.action != LB_REENCAP)
				break;
			where = packet_at(&p, 33)[0] - 10U;
		}
		if (known) {
			assert_int_equal(where, 2);
			assert_true(icmp_check_valid(packet_at(&p, 14)));
			assert_int_equal(get32(packet_at(&p, 30)), TASK_ADDR(2, 1));
		}
	}
	assert_int_equal(node[1].env.reasons.packets[LB_REASON_DROP_ICMP_NO_FLOW], 1);
}

/* Entry node, newest owner and older owners in one place or another. */
static void owners_at_the_entry(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK), r = answer(0, 1, false);
	struct packet p;
	struct way w;

	(void)state;
	rings(4, 3, BACKEND(0, 1)); /* newest: here */
	open_at(2, &s);
	travel(&w, &s, 0);
	assert_way(w, "0 1/43 2/432", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	s.sport++;
	travel(&w, &s, 0);
	assert_way(w, "0 1/43 2/432 3/4321 0/all", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&w.packet, &s, 0, 1, WEB_TARGET);
	travel(&w, &s, 0);
	assert_way(w, "0", LB_DELIVER, LB_REASON_ENTRY_LOCAL);
	rings(5, 4, BACKEND(1, 1)); /* and now the older one is here */
	travel(&w, &s, 0);
	assert_way(w, "0 1 0/54", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&w.packet, &s, 0, 1, WEB_TARGET);
	r.dport = s.sport;
	packet_build(&p, &r);
	assert_verdict(node_from_task(&node[0], &p, TASK_IFINDEX(0, 1)), LB_REPLY,
		       LB_REASON_REPLY_DIRECT);
}

/* Another task of the same node owned it: no packet on the wire. */
static void older_owner_next_door(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct way w;

	(void)state;
	open_at(1, &s);
	rings(4, 3, BACKEND(1, 2));
	travel(&w, &s, 0);
	assert_way(w, "0 1", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&w.packet, &s, 1, 1, WEB_TARGET);
	assert_int_equal(w.verdict.ifindex, TASK_IFINDEX(1, 1));
	s.sport++;
	s.tcp_flags = TCP_SYN;
	travel(&w, &s, 0);
	assert_delivered(&w.packet, &s, 1, 2, WEB_TARGET);
}

/* LB_GENERATIONS_MAX live generations and no more. */
static void no_deeper(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct way w;

	(void)state;
	rings(4, 3, BACKEND(1, 2));
	rings(5, 4, BACKEND(2, 2));
	open_at(3, &s); /* in the fifth generation from above */
	travel(&w, &s, 0);
	assert_way(w, "0 2 1/54 2/5432", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&w.packet, &s, 2, 2, WEB_TARGET);
}

static void owners_down_or_unresolved(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct packet p;
	struct way w;

	(void)state;
	open_at(3, &s);
	node_backend_kind(&node[1], BACKEND(2, 1), LB_BACKEND_DOWN); /* passed over */
	travel(&w, &s, 0);
	assert_way(w, "0 1 3/321", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	/* Not passed over, or it would lose its connections; tc finds the way. */
	node_backend_kind(&node[1], BACKEND(2, 1), LB_BACKEND_UNRESOLVED);
	s.sport++;
	packet_build(&p, &s);
	tunnelled(&p, 0, 1, 1, 0);
	assert_verdict(node_uplink(&node[1], &p), LB_PASS, LB_REASON_ENTRY_UNRESOLVED);
}

/* The entry node has a newer generation than the others: there the newest owner is another, who is
 * asked first, and keeps what nobody knows until the news arrives. */
static void entry_knows_more(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct way w;

	(void)state;
	for (unsigned int i = 1; i < NODES; i++)
		publish(&node[i], 2, 0);
	open_at(2, &s);
	travel(&w, &s, 0);
	assert_way(w, "0 1 2/2", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&w.packet, &s, 2, 1, WEB_TARGET);
	s.sport++;
	travel(&w, &s, 0);
	assert_way(w, "0 1 2/2 3/21 2/all", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	travel(&w, &s, 0);
	assert_way(w, "0 1 2/2", LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
}

enum { VIEWS = 3 }; /* generations 1 to 3 */

/* What each node knows, one digit of code for each node, and the furthest that two are apart. */
static uint32_t views(unsigned int code)
{
	uint32_t least = VIEWS, most = 1;

	for (unsigned int i = 0; i < NODES; i++, code /= VIEWS) {
		uint32_t view = 1 + code % VIEWS;

		publish(&node[i], view, 0);
		least = view < least ? view : least;
		most = view > most ? view : most;
	}
	return most - least;
}

/* A connection that was opened in that generation, by a packet in the middle of it. */
static bool finds_its_task(uint32_t generation, const unsigned int *owner, unsigned int code)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct way w;

	for (unsigned int i = 0; i < NODES; i++)
		memset(node[i].tables.flows, 0,
		       node[i].tables.flow_buckets * sizeof(*node[i].tables.flows));
	publish(&node[0], generation, 0);
	open_at(owner[generation], &s);
	views(code);
	travel(&w, &s, 0);
	return w.verdict.action == LB_DELIVER && w.last == owner[generation];
}

/*
 * Every way in which four nodes can own three generations of a slot, each node knowing any of them
 * as its newest. While none is more than one change ahead of another, no connection is lost. Two
 * changes: one can be lost whose owner only the entry node knows of. */
static void whatever_nodes_know(void **state)
{
	uint32_t found[VIEWS] = {0}, tried[VIEWS] = {0};
	unsigned int owner[VIEWS + 1] = {0};

	(void)state;
	for (unsigned int code = 0; code < NODES * NODES * NODES; code++) {
		for (unsigned int g = 1, rest = code; g <= VIEWS; g++, rest /= NODES) {
			owner[g] = rest % NODES;
			for (unsigned int i = 0; i < NODES; i++)
				node_ring1(&node[i], g, g - 1, BACKEND(owner[g], 1));
		}
		for (unsigned int known = 0; known < VIEWS * VIEWS * VIEWS * VIEWS; known++)
			for (uint32_t g = 1; g <= 1 + known % VIEWS; g++) {
				uint32_t apart = views(known);
				bool ok = finds_its_task(g, owner, known);

				assert_true(ok || apart > 1);
				found[apart] += ok;
				tried[apart]++;
			}
	}
	for (unsigned int apart = 0; apart < VIEWS; apart++)
		printf("nodes %u changes apart: %u of %u connections go on\n", apart, found[apart],
		       tried[apart]);
	assert_true(tried[2] && found[2] > tried[2] / 10 * 9);
}

/* All that may stand in a MAC, known or not: nothing travels for ever. */
static void any_set_ends(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct packet p;

	(void)state;
	for (unsigned int at = 1; at < NODES; at++)
		for (uint32_t asked = 0; asked < 256; asked++) {
			unsigned int where = at, hops = 0;

			s.sport++;
			packet_build(&p, &s);
			tunnelled(&p, 0, where, 1, 0);
			asked_mac(packet_at(&p, 56), (uint8_t)asked, NODE_VTEP(0));
			while (node_uplink(&node[where], &p).action == LB_REENCAP) {
				where = packet_at(&p, 33)[0] - 10U;
				assert_true(++hops < 8);
			}
		}
}

int main(void)
{
#define GOLDEN(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    GOLDEN(syn_goes_to_the_newest),
	    GOLDEN(older_owners),
	    GOLDEN(nobody_knows),
	    GOLDEN(marks_survive),
	    GOLDEN(icmp_error_finds_the_flow),
	    GOLDEN(owners_at_the_entry),
	    GOLDEN(older_owner_next_door),
	    GOLDEN(no_deeper),
	    GOLDEN(owners_down_or_unresolved),
	    GOLDEN(entry_knows_more),
	    GOLDEN(whatever_nodes_know),
	    GOLDEN(any_set_ends),
	};

	return cmocka_run_group_tests_name("second chance", tests, NULL, NULL);
}
