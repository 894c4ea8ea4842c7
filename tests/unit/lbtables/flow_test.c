/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table through the decision: states, ageing, eviction, aliases of client ports. Time is
 * passed in. One node with one bucket, so that eight flows fill the table.
 */
#include "golden.h"

static struct node a;

static int start(void **state)
{
	(void)state;
	node_start(&a, 0, 1);
	node_ring1(&a, 1, 0, BACKEND(0, 1));
	publish(&a, 1, 0);
	return 0;
}
static int stop(void **state)
{
	(void)state;
	node_stop(&a);
	return 0;
}

/* From the client's port, through entry (0: straight here). */
static struct lb_verdict from_client(struct packet *p, uint16_t port, uint8_t flags,
				     unsigned int entry)
{
	struct packet_spec s = request(NODE_ADDR(entry), flags);

	s.sport = port;
	packet_build(p, &s);
	if (entry)
		tunnelled(p, entry, 0, 1, 0);
	return node_uplink(&a, p);
}
static void client(uint16_t port, uint8_t flags)
{
	struct packet p;

	assert_int_equal(from_client(&p, port, flags, 0).action, LB_DELIVER);
}
static void client_udp(uint16_t port)
{
	struct packet_spec s = query(NODE_ADDR(0));
	struct packet p;

	s.sport = port;
	packet_build(&p, &s);
	assert_int_equal(node_uplink(&a, &p).action, LB_DELIVER);
}
static struct lb_verdict from_task(struct packet *p, uint16_t port, uint8_t flags)
{
	struct packet_spec r = answer(0, 1, false);

	r.dport = port;
	r.tcp_flags = flags;
	packet_build(p, &r);
	return node_from_task(&a, p, TASK_IFINDEX(0, 1));
}
static void task(uint16_t port, uint8_t flags)
{
	struct packet p;

	assert_int_equal(from_task(&p, port, flags).action, LB_REPLY);
}

/* lb_types.h's layout, read by hand. NULL: no such flow. */
static const struct lb_flow *flow(uint16_t port, bool udp)
{
	for (int i = 0; i < LB_WAYS; i++) {
		const struct lb_flow *w = &a.tables.flows[0].way[i];

		if (w->key ==
		    (1ULL << 49 | (uint64_t)udp << 48 | (uint64_t)BE16(port) << 32 | BE32(CLIENT)))
			return w;
	}
	return NULL;
}
static uint32_t state_of(uint16_t port)
{
	assert_non_null(flow(port, false));
	return flow(port, false)->value & 31;
}
static void establish(uint16_t port)
{
	client(port, TCP_SYN);
	task(port, TCP_SYN | TCP_ACK);
	client(port, TCP_ACK);
}
static void closes(uint16_t port)
{
	establish(port);
	client(port, TCP_FIN | TCP_ACK);
	task(port, TCP_FIN | TCP_ACK);
}

static void sixteen_bytes(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct lb_flow), 16);
	assert_int_equal(sizeof(struct lb_flow_bucket), LB_WAYS * 16);
	for (uint16_t i = 0; i < LB_WAYS; i++)
		client((uint16_t)(100 + i), TCP_SYN);
	for (uint16_t i = 0; i < LB_WAYS; i++) /* all of them, exactly */
		assert_non_null(flow((uint16_t)(100 + i), false));
}

/* RFC 9293 figure 5, as far as the mesh follows it. */
static void states(void **state)
{
	(void)state;
	client(1, TCP_SYN);
	assert_int_equal(state_of(1), 0);
	assert_int_equal(BE16(flow(1, false)->value >> 32), WEB);
	assert_int_equal(flow(1, false)->value >> 48, 1); /* via of the node's own address */
	task(1, TCP_SYN | TCP_ACK);
	assert_int_equal(state_of(1), LB_FLOW_REPLIED);
	client(1, TCP_ACK);
	assert_int_equal(state_of(1), LB_FLOW_REPLIED | LB_FLOW_ESTABLISHED);
	client(1, TCP_FIN | TCP_ACK);
	assert_int_equal(state_of(1) & LB_FLOW_CLOSED, LB_FLOW_FIN_CLIENT);
	task(1, TCP_FIN | TCP_ACK);
	assert_int_equal(state_of(1) & LB_FLOW_CLOSED, LB_FLOW_CLOSED);
	client(1, TCP_SYN); /* the same name, a new connection */
	assert_int_equal(state_of(1), 0);
	client(2, TCP_SYN);
	task(2, TCP_RST | TCP_ACK);
	assert_int_equal(state_of(2) & LB_FLOW_CLOSED, LB_FLOW_CLOSED);
	establish(3);
	client(3, TCP_RST);
	assert_int_equal(state_of(3) & LB_FLOW_CLOSED, LB_FLOW_CLOSED);
	establish(4);
	client(4, TCP_SYN); /* twice on the way: no second flow */
	client(4, TCP_SYN);
	assert_int_equal(state_of(4), 0);
	client_udp(5);
	assert_int_equal(flow(5, true)->value & 31, 0);
	for (int i = 0, seen = 0; i < LB_WAYS; i++) {
		seen += (uint16_t)(a.tables.flows[0].way[i].key >> 32) == BE16(4);
		assert_true(seen <= 1);
	}
}

/* Stamps move with packets of either side. */
static void stamps(void **state)
{
	(void)state;
	client(1, TCP_SYN);
	assert_int_equal((uint32_t)flow(1, false)->value >> 5, 1000);
	a.env.ticks = 1003;
	task(1, TCP_SYN | TCP_ACK);
	assert_int_equal((uint32_t)flow(1, false)->value >> 5, 1003);
	a.env.ticks = LB_FLOW_TICKS_MASK;
	client(1, TCP_ACK);
	assert_int_equal((uint32_t)flow(1, false)->value >> 5, LB_FLOW_TICKS_MASK);
	a.env.ticks++; /* wraps */
	client(1, TCP_ACK);
	assert_int_equal((uint32_t)flow(1, false)->value >> 5, 0);
}

/* A full bucket: who gives way, in the order of lb_flow.h. Each round adds one flow and names the
 * one that has to be gone. */
static void eviction_order(void **state)
{
	static const struct {
		uint16_t gone;
		bool udp, counted;
	} order[] = {
	    {1, false, false}, /* expired: half-open for longer than ticks_new */
	    {2, false, false}, /* closed, older than the other */
	    {3, false, false}, /* closed */
	    {4, false, true},  /* half-open */
	    {5, true, true},   /* UDP, older */
	    {6, true, true},   /* UDP */
	    {7, false, true},  /* established, older */
	};

	(void)state;
	client(1, TCP_SYN);
	a.env.ticks += 95;
	establish(7);
	a.env.ticks++;
	establish(8);
	client_udp(5);
	a.env.ticks++;
	client_udp(6);
	closes(2);
	a.env.ticks++;
	closes(3);
	client(4, TCP_SYN);
	a.env.ticks += 2;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		uint64_t before = a.env.reasons.packets[LB_REASON_FLOW_EVICTED];

		assert_non_null(flow(order[i].gone, order[i].udp));
		establish((uint16_t)(100 + i)); /* ranks behind all that are older */
		assert_null(flow(order[i].gone, order[i].udp));
		for (size_t j = i + 1; j < sizeof(order) / sizeof(*order); j++)
			assert_non_null(flow(order[j].gone, order[j].udp));
		assert_int_equal(a.env.reasons.packets[LB_REASON_FLOW_EVICTED] - before,
				 order[i].counted);
	}
	assert_non_null(flow(8, false));
}

/* When a flow may be forgotten: closed after 10, UDP after 50, half-open after 100 ticks,
 * established never. Until then it is counted as lost. */
static void ageing(void **state)
{
	static const uint32_t limits[] = {100, 50, 10};

	for (int kind = 0; kind < 3; kind++)
		for (uint32_t late = 0; late < 2; late++) {
			uint64_t before;

			stop(state);
			start(state);
			for (uint16_t i = 1; i < LB_WAYS; i++)
				establish((uint16_t)(100 + i));
			if (kind == 0)
				client(1, TCP_SYN);
			else if (kind == 1)
				client_udp(1);
			else
				closes(1);
			a.env.ticks += limits[kind] - 1 + late;
			before = a.env.reasons.packets[LB_REASON_FLOW_EVICTED];
			client(50, TCP_SYN);
			assert_null(flow(1, kind == 1));
			/* A closed one is no loss at any age. */
			assert_int_equal(a.env.reasons.packets[LB_REASON_FLOW_EVICTED] - before,
					 !late && kind != 2);
		}
}

/* No idle timeout: half the clock's range later the connection is as it was. */
static void idle_for_long(void **state)
{
	struct packet p;

	(void)state;
	establish(1);
	a.env.ticks += 1U << 26;
	for (uint16_t i = 0; i < 100; i++)
		client((uint16_t)(200 + i), TCP_SYN);
	assert_int_equal(state_of(1), LB_FLOW_REPLIED | LB_FLOW_ESTABLISHED);
	assert_verdict(from_task(&p, 1, TCP_ACK), LB_REPLY, LB_REASON_REPLY_DIRECT);
}

/* A flow that gave way comes back with the client's next packet. */
static void comes_back(void **state)
{
	struct packet p;

	(void)state;
	for (uint16_t i = 1; i <= LB_WAYS + 1; i++) {
		establish(i);
		a.env.ticks++;
	}
	assert_null(flow(1, false));
	assert_verdict(from_task(&p, 1, TCP_ACK), LB_PASS, LB_REASON_REPLY_NO_FLOW);
	client(1, TCP_ACK);
	assert_verdict(from_task(&p, 1, TCP_ACK), LB_REPLY, LB_REASON_REPLY_DIRECT);
}

static void race(void **state)
{
	struct packet p;

	(void)state;
	for (int i = 0; i < LB_WAYS; i++)
		a.tables.flows[0].way[i].key = LB_FLOW_BUSY;
	assert_verdict(from_client(&p, 1, TCP_SYN, 0), LB_DROP, LB_REASON_DROP_FLOW_RACE);
	a.tables.flows[0].way[3].key = 0;
	assert_verdict(from_client(&p, 1, TCP_SYN, 0), LB_DELIVER, LB_REASON_ENTRY_LOCAL);
}

/* The client's port as the task saw it in a delivered packet. */
static uint16_t seen_port(const struct packet *p)
{
	return get16(p->bytes + p->head + 34);
}

/* One client port, two addresses, one task: two connections, kept apart in both directions. */
static void alias(void **state)
{
	struct packet_spec s = request(NODE_ADDR(1), TCP_SYN), r = answer(0, 1, false);
	struct packet p;
	uint16_t other;

	(void)state;
	establish(CLIENT_PORT);
	assert_verdict(from_client(&p, CLIENT_PORT, TCP_SYN, 1), LB_DELIVER,
		       LB_REASON_TUNNEL_DELIVER);
	other = seen_port(&p);
	assert_int_not_equal(other, CLIENT_PORT);
	assert_true(other >= 1024);
	s.sport = other; /* all else is as ever, checksums right */
	assert_delivered(&p, &s, 0, 1, WEB_TARGET);
	assert_int_equal(a.env.reasons.packets[LB_REASON_FLOW_ALIASED], 1);

	assert_verdict(from_task(&p, CLIENT_PORT, TCP_ACK), LB_REPLY, LB_REASON_REPLY_DIRECT);
	assert_int_equal(get32(packet_at(&p, 26)), NODE_ADDR(0));
	assert_int_equal(get16(packet_at(&p, 36)), CLIENT_PORT);
	assert_verdict(from_task(&p, other, TCP_SYN | TCP_ACK), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_replied(&p, 50, &r, NODE_ADDR(1), WEB); /* with the client's own port */
	assert_int_equal(get32(packet_at(&p, 30)), NODE_VTEP(1));

	for (int i = 0; i < 3; i++) { /* each keeps its own */
		from_client(&p, CLIENT_PORT, TCP_ACK, 1);
		assert_int_equal(seen_port(&p), other);
		from_client(&p, CLIENT_PORT, TCP_ACK, 0);
		assert_int_equal(seen_port(&p), CLIENT_PORT);
	}
	assert_int_equal(a.env.reasons.packets[LB_REASON_FLOW_ALIASED], 1);
	assert_int_equal(state_of(other), LB_FLOW_REPLIED | LB_FLOW_ESTABLISHED | LB_FLOW_ALIASED);
}

/* A client uses its port again, through another published port of the task, while the first one is not
 * published. When that is again, the task's replies to both must still be told apart. */
static void unpublished_and_back(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	struct lb_port web = a.tables.ports[WEB];
	struct packet p;

	(void)state;
	establish(CLIENT_PORT);
	a.tables.ports[WEB] = (struct lb_port){0};
	a.tables.ports[WEB + 1] = web;
	s.dport = WEB + 1;
	packet_build(&p, &s);
	assert_int_equal(node_uplink(&a, &p).action, LB_DELIVER);
	assert_int_not_equal(seen_port(&p), CLIENT_PORT);
	a.tables.ports[WEB] = web;
	from_task(&p, CLIENT_PORT, TCP_ACK);
	assert_int_equal(get16(packet_at(&p, 34)), WEB);
}

/* ICMP errors about an aliased connection name the alias to the task, the real port to the client.
 */
static void alias_and_icmp(void **state)
{
	struct packet_spec reply = {
	    .saddr = NODE_ADDR(1), .daddr = CLIENT, .sport = WEB, .dport = CLIENT_PORT};
	struct packet_spec seen = request(TASK_ADDR(0, 1), TCP_ACK);
	struct packet p, quoted;
	uint16_t other;

	(void)state;
	establish(CLIENT_PORT);
	from_client(&p, CLIENT_PORT, TCP_SYN, 1);
	other = seen_port(&p);
	packet_build(&quoted, &reply);
	packet_icmp(&p, CLIENT, NODE_ADDR(1), 3, 4, 1300, &quoted, 28);
	tunnelled(&p, 1, 0, 1, 0);
	assert_verdict(node_uplink(&a, &p), LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_int_equal(get16(packet_at(&p, 14 + 28 + 20)), WEB_TARGET);
	assert_int_equal(get16(packet_at(&p, 14 + 28 + 22)), other);
	assert_true(icmp_check_valid(packet_at(&p, 14)));
	seen.sport = other;
	seen.dport = WEB_TARGET;
	packet_build(&quoted, &seen);
	packet_icmp(&p, TASK_ADDR(0, 1), CLIENT, 3, 3, 0, &quoted, 28);
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_int_equal(get16(packet_at(&p, 64 + 28 + 20)), CLIENT_PORT);
	assert_int_equal(get16(packet_at(&p, 64 + 28 + 22)), WEB);
	assert_int_equal(get32(packet_at(&p, 64 + 28 + 16)), NODE_ADDR(1));
	assert_true(icmp_check_valid(packet_at(&p, 64)));
}

/* The client itself comes to use the port that was given away as an alias. */
static void alias_is_not_the_clients_port(void **state)
{
	struct packet p;
	uint16_t other, third;

	(void)state;
	establish(CLIENT_PORT);
	from_client(&p, CLIENT_PORT, TCP_SYN, 1);
	other = seen_port(&p);
	assert_verdict(from_client(&p, other, TCP_SYN, 1), LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	third = seen_port(&p);
	assert_int_not_equal(third, other);
	assert_int_not_equal(third, CLIENT_PORT);
	assert_verdict(from_task(&p, other, TCP_SYN | TCP_ACK), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_int_equal(get16(packet_at(&p, 50 + 36)), CLIENT_PORT);
	assert_verdict(from_task(&p, third, TCP_SYN | TCP_ACK), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_int_equal(get16(packet_at(&p, 50 + 36)), other);
}

/* Aliases live in an LRU map and may be gone while their flow is not. */
static void alias_forgotten(void **state)
{
	struct packet p;
	uint16_t other;

	(void)state;
	establish(CLIENT_PORT);
	from_client(&p, CLIENT_PORT, TCP_SYN, 1);
	other = seen_port(&p);
	for (int i = 0; i < 10; i++) {
		memset(a.env.aliases, 0, sizeof(a.env.aliases));
		/* To port 0 of the client? Rather not at all. */
		assert_verdict(from_task(&p, other, TCP_ACK), LB_DROP, LB_REASON_DROP_INTERNAL);
		from_client(&p, CLIENT_PORT, TCP_ACK, 1);
		assert_int_equal(seen_port(&p), other);
		assert_verdict(from_task(&p, other, TCP_ACK), LB_REPLY_TUNNEL,
			       LB_REASON_REPLY_TUNNEL);
	}
}

/* All four tries are other connections' ports. */
static void alias_conflict(void **state)
{
	struct packet p;

	(void)state;
	establish(CLIENT_PORT);
	for (uint16_t tries = 0; tries < 4; tries++) {
		assert_int_equal(from_client(&p, CLIENT_PORT, TCP_SYN, 1).action, LB_DELIVER);
		for (int i = 0; i < LB_HOST_ALIASES; i++) {
			if (a.env.aliases[i].key.side == 0) /* forget whose it was */
				memset(&a.env.aliases[i], 0, sizeof(a.env.aliases[i]));
			else if (a.env.aliases[i].value.port_be == BE16(CLIENT_PORT))
				a.env.aliases[i].value.port_be = BE16(1 + tries);
		}
	}
	assert_verdict(from_client(&p, CLIENT_PORT, TCP_SYN, 1), LB_DROP,
		       LB_REASON_DROP_FLOW_CONFLICT);
}

int main(void)
{
#define GOLDEN(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    GOLDEN(sixteen_bytes),
	    GOLDEN(states),
	    GOLDEN(stamps),
	    GOLDEN(eviction_order),
	    GOLDEN(ageing),
	    GOLDEN(idle_for_long),
	    GOLDEN(comes_back),
	    GOLDEN(race),
	    GOLDEN(alias),
	    GOLDEN(unpublished_and_back),
	    GOLDEN(alias_and_icmp),
	    GOLDEN(alias_is_not_the_clients_port),
	    GOLDEN(alias_forgotten),
	    GOLDEN(alias_conflict),
	};

	return cmocka_run_group_tests_name("flows", tests, NULL, NULL);
}
