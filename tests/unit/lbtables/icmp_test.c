/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP: errors from the network steered to the task they are about, and errors that the mesh sends
 * itself. RFC 792, RFC 1191, RFC 1812 section 4.3.2, RFC 1122 section 3.2.2.
 */
#include "golden.h"

static struct node a;

static int start(void **state)
{
	(void)state;
	node_start(&a, 0, 16);
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

/* Router tells the published address that the reply to the client was too big. */
static void too_big_from_router(struct packet *p, struct packet_spec *reply, uint32_t addr,
				uint32_t quote)
{
	struct packet quoted;

	*reply = (struct packet_spec){.saddr = addr,
				      .daddr = CLIENT,
				      .sport = WEB,
				      .dport = CLIENT_PORT,
				      .proto = PROTO_TCP,
				      .ttl = 61,
				      .fragment = FRAG_DF,
				      .payload = 1000,
				      .id = 77};
	packet_build(&quoted, reply);
	packet_icmp(p, IP4(203, 0, 113, 1), addr, 3, 4, 1280, &quoted, quote);
}

/* What the task has to see: the error about the packet that it sent itself. */
static void assert_steered(const struct packet *p, uint32_t quote)
{
	const uint8_t *ip = p->bytes + p->head + 14, *inner = ip + 28;

	assert_int_equal(get32(ip + 12), IP4(203, 0, 113, 1)); /* the router stays the source */
	assert_int_equal(get32(ip + 16), TASK_ADDR(0, 1));
	assert_int_equal(get16(ip + 2), 28 + quote);
	assert_int_equal(ip[8], 63);
	assert_true(ip_check_valid(ip));
	assert_int_equal(get16(ip + 20), 0x0304);
	assert_int_equal(get16(ip + 26), 1280);
	assert_true(icmp_check_valid(ip));
	assert_int_equal(get32(inner + 12), TASK_ADDR(0, 1));
	assert_int_equal(get32(inner + 16), CLIENT);
	assert_int_equal(get16(inner + 20), WEB_TARGET);
	assert_int_equal(get16(inner + 22), CLIENT_PORT);
	assert_int_equal(get32(inner + 24),
			 0x01020304); /* TCP's sequence number: Linux checks it */
	assert_true(ip_check_valid(inner));
}

static void too_big_steered(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN), reply;
	struct lb_verdict v;
	struct packet p;

	(void)state;
	packet_build(&p, &s);
	node_uplink(&a, &p);
	for (uint32_t quote = 28; quote < 600; quote += 31) {
		too_big_from_router(&p, &reply, NODE_ADDR(0), quote);
		v = node_uplink(&a, &p);
		assert_verdict(v, LB_DELIVER, LB_REASON_ENTRY_LOCAL);
		assert_int_equal(v.ifindex, TASK_IFINDEX(0, 1));
		assert_steered(&p, quote);
	}
}

/* At an entry node: the same slot as the flow's own packets, untouched inside. */
static void too_big_through_tunnel(void **state)
{
	struct packet_spec s = request(NODE_ADDR(1), TCP_SYN), reply;
	struct outer_expected e = {.saddr = NODE_VTEP(1), .daddr = NODE_VTEP(0)};
	struct packet p, before;
	struct node b;

	(void)state;
	node_start(&b, 1, 16);
	node_ring(&b, 1, 0, (const uint32_t[]){BACKEND(0, 1), BACKEND(2, 1), BACKEND(3, 1)}, 3);
	publish(&b, 1, 0);
	/* Find a client port whose flow is node 0's. */
	for (s.sport = CLIENT_PORT;; s.sport++) {
		packet_build(&p, &s);
		assert_verdict(node_uplink(&b, &p), LB_ENCAP, LB_REASON_ENTRY_REMOTE);
		if (get32(packet_at(&p, 30)) == NODE_VTEP(0))
			break;
	}
	node_uplink(&a, &p);
	too_big_from_router(&p, &reply, NODE_ADDR(1), 28);
	put16(packet_at(&p, 14 + 28 + 22), s.sport);
	put16(packet_at(&p, 36), 0);
	put16(packet_at(&p, 36), ~sum16(packet_at(&p, 34), 36, 0) & 0xffff);
	before = p;
	e.inner_length = p.length;
	assert_verdict(node_uplink(&b, &p), LB_ENCAP, LB_REASON_ENTRY_REMOTE);
	assert_outer(&p, &e);
	assert_memory_equal(packet_at(&p, 64), packet_at(&before, 14), before.length - 14);
	assert_verdict(node_uplink(&a, &p), LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_int_equal(get16(packet_at(&p, 14 + 28 + 22)), s.sport);
	assert_true(icmp_check_valid(packet_at(&p, 14)));
	node_stop(&b);
}

static void error_without_flow(void **state)
{
	struct packet_spec reply;
	struct packet p;

	(void)state;
	too_big_from_router(&p, &reply, NODE_ADDR(0), 28);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_ICMP_NO_FLOW);
	/* A forged one, quoting someone else's packet, is the kernel's. */
	too_big_from_router(&p, &reply, NODE_ADDR(0), 28);
	put32(packet_at(&p, 14 + 28 + 12), NODE_ADDR(3));
	assert_verdict(node_uplink(&a, &p), LB_PASS, LB_REASON_NOT_OURS);
}

/* The error that the mesh sends about s: 28 bytes quoted, from the published address. */
static void assert_error(const struct packet *p, const struct packet *about, uint8_t type,
			 uint8_t code, uint16_t mtu)
{
	const uint8_t *ip = p->bytes + p->head + 14;

	assert_int_equal(p->length, 14 + 20 + 8 + 28);
	assert_memory_equal(p->bytes + p->head, packet_mac_router, 6); /* back where it came from */
	assert_memory_equal(p->bytes + p->head + 6, packet_mac_node, 6);
	assert_int_equal(get16(ip - 2), 0x0800);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(ip[1], 0xc0); /* RFC 1812 section 4.3.2.5: precedence 6 */
	assert_int_equal(get16(ip + 2), 56);
	assert_int_equal(get16(ip + 6) & 0x3fff, 0);
	assert_int_equal(ip[8], 64);
	assert_int_equal(ip[9], PROTO_ICMP);
	assert_int_equal(get32(ip + 12), NODE_ADDR(0));
	assert_int_equal(get32(ip + 16), CLIENT);
	assert_true(ip_check_valid(ip));
	assert_int_equal(ip[20], type);
	assert_int_equal(ip[21], code);
	assert_int_equal(get16(ip + 24), 0);
	assert_int_equal(get16(ip + 26), mtu);
	assert_true(icmp_check_valid(ip));
	assert_memory_equal(ip + 28, about->bytes + about->head + 14, 28);
}

static void too_big_sent(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct packet p, before;

	(void)state;
	s.fragment = FRAG_DF;
	for (uint32_t remote = 0; remote < 2; remote++) {
		node_ring1(&a, 1, 0, remote ? BACKEND(1, 1) : BACKEND(0, 1));
		s.payload = NODE_INNER_MTU - 40;
		packet_build(&p, &s);
		assert_int_equal(node_uplink(&a, &p).action, remote ? LB_ENCAP : LB_DELIVER);
		for (s.payload++; s.payload <= NODE_MTU - 40; s.payload += 7) {
			packet_build(&p, &s);
			before = p;
			assert_verdict(node_uplink(&a, &p), LB_ICMP, LB_REASON_ICMP_TOO_BIG);
			assert_error(&p, &before, 3, 4, NODE_INNER_MTU);
		}
	}
	s.payload = 2000; /* GSO of a virtual uplink */
	packet_build(&p, &s);
	assert_verdict(node_uplink(&a, &p), LB_PASS, LB_REASON_ENTRY_OVERSIZE);
}

/* A small packet in a big frame would burst the tunnel all the same. */
static void trailer(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(1, 1));
	packet_build(&p, &s);
	p.length = 14 + NODE_MTU;
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_TOO_BIG);
}

static void time_exceeded(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	struct packet p, before;

	(void)state;
	s.ttl = 1;
	packet_build(&p, &s);
	before = p;
	assert_verdict(node_uplink(&a, &p), LB_ICMP, LB_REASON_ICMP_TIME_EXCEEDED);
	assert_error(&p, &before, 11, 0, 0);
}

static void port_unreachable(void **state)
{
	struct packet_spec s = query(NODE_ADDR(0));
	struct packet p, before;

	(void)state;
	node_ring(&a, 2, 0, NULL, 0);
	publish(&a, 2, 0);
	s.payload = 0; /* the smallest: 28 bytes */
	packet_build(&p, &s);
	before = p;
	assert_verdict(node_uplink(&a, &p), LB_ICMP, LB_REASON_ICMP_UNREACHABLE);
	assert_error(&p, &before, 3, 3, 0);
	memset(packet_at(&before, before.length), 0, 18); /* padded by Ethernet */
	before.length = 60;
	p = before;
	assert_verdict(node_uplink(&a, &p), LB_ICMP, LB_REASON_ICMP_UNREACHABLE);
	assert_error(&p, &before, 3, 3, 0);
}

/* RFC 1812 section 4.3.2.7: none about an ICMP error, to no host, or (here) with options. */
static void none_sent(void **state)
{
	static const uint32_t bad[] = {0, IP4(127, 0, 0, 1), IP4(224, 0, 0, 1), 0xffffffff};
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN), reply;
	struct packet p;

	(void)state;
	s.ttl = 1;
	for (size_t i = 0; i < 4; i++) {
		s.saddr = bad[i];
		packet_build(&p, &s);
		assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_TTL);
	}
	s.saddr = CLIENT;
	s.options = 1;
	packet_build(&p, &s);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_TTL);
	too_big_from_router(&p, &reply, NODE_ADDR(0), 28);
	packet_at(&p, 14)[8] = 1;
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_TTL);
}

int main(void)
{
#define GOLDEN(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    GOLDEN(too_big_steered),
	    GOLDEN(too_big_through_tunnel),
	    GOLDEN(error_without_flow),
	    GOLDEN(too_big_sent),
	    GOLDEN(trailer),
	    GOLDEN(time_exceeded),
	    GOLDEN(port_unreachable),
	    GOLDEN(none_sent),
	};

	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
