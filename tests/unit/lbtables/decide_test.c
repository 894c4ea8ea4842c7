/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding decision of the uplink, packet in and packet out: entry, tunnel, return. What has
 * to come out is written from the RFCs. Node 0 decides unless a test says otherwise.
 */
#include "golden.h"

static struct node a;

static int start(void **state)
{
	(void)state;
	node_start(&a, 0, 16);
	return 0;
}
static int stop(void **state)
{
	(void)state;
	node_stop(&a);
	return 0;
}

/* RFC 7348 section 5: outer headers; section 4.1: the frame inside is the client's own packet. */
static void entry_remote(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	uint8_t dst[6], src[6];
	struct outer_expected e = {
	    .saddr = NODE_VTEP(0),
	    .daddr = NODE_VTEP(2),
	    .inner_dst = task_mac(dst, 2, 3),
	    .inner_src = mesh_mac(src, LB_MAC_ENTRY, NODE_VTEP(0)),
	};
	const uint8_t hop[6] = {0x02, 0, 0, 0, 1, 2};
	struct packet p, before;
	struct lb_verdict v;
	uint16_t entropy;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(2, 3));
	publish(&a, 1, 0);
	for (uint32_t i = 0; i < 2 * 4; i++) {
		s.daddr = i & 4 ? VIP : NODE_ADDR(0);
		s.tos = (uint8_t)(0x28 | (i & 3)); /* DSCP is not copied, ECN is */
		packet_build(&p, &s);
		before = p;
		e.inner_tos = s.tos;
		e.inner_length = p.length;
		v = node_uplink(&a, &p);
		assert_verdict(v, LB_ENCAP, LB_REASON_ENTRY_REMOTE);
		assert_outer(&p, &e);
		assert_memory_equal(packet_at(&p, 0), hop, 6);
		assert_memory_equal(packet_at(&p, 6), packet_mac_node, 6);
		assert_memory_equal(packet_at(&p, 64), packet_at(&before, 14), before.length - 14);
	}
	/* RFC 7348: one flow, one source port; the next packet of the flow has the same. */
	entropy = get16(packet_at(&p, 34));
	s.tcp_flags = TCP_ACK;
	s.payload = 700;
	packet_build(&p, &s);
	node_uplink(&a, &p);
	assert_int_equal(get16(packet_at(&p, 34)), entropy);
	s.sport++;
	packet_build(&p, &s);
	node_uplink(&a, &p);
	assert_int_not_equal(get16(packet_at(&p, 34)), entropy);
}

/* Ethernet's padding of short frames travels along and stays outside of the packet. */
static void entry_padded(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_ACK);
	struct outer_expected e = {
	    .saddr = NODE_VTEP(0), .daddr = NODE_VTEP(2), .inner_length = 60};
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(2, 3));
	publish(&a, 1, 0);
	s.payload = 0;
	packet_build(&p, &s);
	memset(packet_at(&p, p.length), 0, 6);
	p.length = 60;
	assert_verdict(node_uplink(&a, &p), LB_ENCAP, LB_REASON_ENTRY_REMOTE);
	assert_outer(&p, &e);
	assert_int_equal(get16(packet_at(&p, 64 + 2)), 40);
}

/* DNAT: RFC 1624's update has to give what RFC 1071 gives from scratch. */
static void entry_local(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN), q = query(VIP);
	struct lb_verdict v;
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	for (uint32_t i = 0; i < 3000; i++) {
		s.sport = (uint16_t)(i * 23 + 1);
		s.payload = (uint16_t)(i % 64);
		s.ttl = (uint8_t)(2 + i % 250);
		s.id = (uint16_t)(i * 7);
		packet_build(&p, &s);
		v = node_uplink(&a, &p);
		assert_verdict(v, LB_DELIVER, LB_REASON_ENTRY_LOCAL);
		assert_int_equal(v.ifindex, TASK_IFINDEX(0, 2));
		assert_delivered(&p, &s, 0, 2, WEB_TARGET);
		q.sport = s.sport;
		q.payload = s.payload;
		packet_build(&p, &q);
		v = node_uplink(&a, &p);
		assert_verdict(v, LB_DELIVER, LB_REASON_ENTRY_LOCAL);
		assert_delivered(&p, &q, 0, 2, DNS_TARGET);
	}
}

/* RFC 768: a checksum of 0 means none; one that comes out as 0 is sent as all ones. */
static void udp_checksum_zero(void **state)
{
	struct packet_spec q = query(NODE_ADDR(0));
	struct packet p;
	uint32_t ones = 0;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	q.no_check = true;
	packet_build(&p, &q);
	assert_verdict(node_uplink(&a, &p), LB_DELIVER, LB_REASON_ENTRY_LOCAL);
	assert_int_equal(get16(packet_at(&p, 14 + 20 + 6)), 0);
	assert_delivered(&p, &q, 0, 2, DNS_TARGET);
	q.no_check = false;
	q.payload = 2;
	for (uint32_t i = 0; i < 65536; i++) { /* every sum that there is */
		packet_build(&p, &q);
		put16(packet_at(&p, 14 + 28), i);
		l4_check_set(packet_at(&p, 14), 10);
		node_uplink(&a, &p);
		assert_true(l4_check_valid(packet_at(&p, 14)));
		assert_int_not_equal(get16(packet_at(&p, 14 + 20 + 6)), 0);
		ones += get16(packet_at(&p, 14 + 20 + 6)) == 0xffff;
	}
	assert_true(ones > 0);
}

static void ip_options(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	for (s.options = 1; s.options <= 10; s.options++) {
		packet_build(&p, &s);
		assert_verdict(node_uplink(&a, &p), LB_DELIVER, LB_REASON_ENTRY_LOCAL);
		assert_delivered(&p, &s, 0, 2, WEB_TARGET);
	}
}

/* What is not the mesh's stays as it is. */
static void passed(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	struct packet p, before;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	for (int i = 0; i < 9; i++) {
		uint8_t reason = LB_REASON_NOT_OURS;

		s = request(NODE_ADDR(0), TCP_SYN);
		s.dport = i == 0 ? 22 : s.dport;                              /* not published */
		s.daddr = i == 1 ? IP4(192, 0, 2, 99) : i == 2 ? 0 : s.daddr; /* not ours */
		packet_build(&p, &s);
		if (i == 3)
			packet_at(&p, 0)[0] = 0xff; /* RFC 1122: not by broadcast */
		if (i == 4) {
			put16(packet_at(&p, 12), 0x86dd);
			packet_at(&p, 14)[0] = 0x60;
			reason = LB_REASON_IPV6;
		}
		if (i == 5)
			packet_arp(&p, packet_mac_router, CLIENT, NODE_ADDR(0));
		if (i == 6)
			packet_at(&p, 14)[9] = 50; /* ESP */
		if (i == 7)
			put16(packet_at(&p, 16), 2000); /* longer than the frame */
		if (i == 8)
			p.length = 14 + 20 + 13; /* the kernel counts it */
		before = p;
		assert_verdict(node_uplink(&a, &p), LB_PASS, reason);
		assert_unchanged(&p, &before);
	}
}

static void backends_of_other_kinds(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN);
	struct packet p, before;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(1, 1));
	publish(&a, 1, 0);
	packet_build(&p, &s);
	before = p;
	node_backend_kind(&a, BACKEND(1, 1), LB_BACKEND_UNRESOLVED);
	assert_verdict(node_uplink(&a, &p), LB_PASS, LB_REASON_ENTRY_UNRESOLVED);
	assert_unchanged(&p, &before);
	node_backend_kind(&a, BACKEND(1, 1), LB_BACKEND_DOWN);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_NO_BACKEND);
	node_backend_kind(&a, BACKEND(1, 1), LB_BACKEND_NONE);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_NO_BACKEND);
}

/* Out of the tunnel: as entry_local, 50 bytes less; whichever node took it in. */
static void tunnel_deliver(void **state)
{
	struct packet_spec s;
	struct lb_verdict v;
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	for (unsigned int entry = 1; entry < NODES; entry++) {
		for (int udp = 0; udp < 2; udp++) {
			s = udp ? query(NODE_ADDR(entry)) : request(NODE_ADDR(entry), TCP_SYN);
			s.sport = (uint16_t)(CLIENT_PORT + entry);
			packet_build(&p, &s);
			tunnelled(&p, entry, 0, 3, 0);
			v = node_uplink(&a, &p);
			assert_verdict(v, LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
			assert_int_equal(v.ifindex, TASK_IFINDEX(0, 3));
			assert_delivered(&p, &s, 0, 3, udp ? DNS_TARGET : WEB_TARGET);
		}
	}
}

/* RFC 7348: the outer source names the entry node where the inner MAC does not (another vendor's).
 */
static void tunnel_from_plain_mac(void **state)
{
	struct packet_spec s = request(NODE_ADDR(1), TCP_SYN);
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	packet_build(&p, &s);
	tunnelled(&p, 1, 0, 3, 0);
	memcpy(packet_at(&p, 56), packet_mac_router, 6);
	assert_verdict(node_uplink(&a, &p), LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&p, &s, 0, 3, WEB_TARGET);
}

/* RFC 6040 figure 4, all of it: rows are the inner mark, columns the outer; -1 is "drop". */
static void tunnel_ecn(void **state)
{
	static const int figure4[4][4] = {
	    [ECN_NOT] =
		{[ECN_NOT] = ECN_NOT, [ECN_ECT0] = ECN_NOT, [ECN_ECT1] = ECN_NOT, [ECN_CE] = -1},
	    [ECN_ECT0] = {[ECN_NOT] = ECN_ECT0,
			  [ECN_ECT0] = ECN_ECT0,
			  [ECN_ECT1] = ECN_ECT1,
			  [ECN_CE] = ECN_CE},
	    [ECN_ECT1] = {[ECN_NOT] = ECN_ECT1,
			  [ECN_ECT0] = ECN_ECT1,
			  [ECN_ECT1] = ECN_ECT1,
			  [ECN_CE] = ECN_CE},
	    [ECN_CE] = {ECN_CE, ECN_CE, ECN_CE, ECN_CE},
	};
	struct packet_spec s = request(NODE_ADDR(1), TCP_SYN);
	struct lb_verdict v;
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	for (uint8_t inner = 0; inner < 4; inner++)
		for (uint8_t outer = 0; outer < 4; outer++) {
			s.tos = (uint8_t)(0xb8 | inner);
			packet_build(&p, &s);
			tunnelled(&p, 1, 0, 3, (uint8_t)(0x20 | outer));
			v = node_uplink(&a, &p);
			if (figure4[inner][outer] < 0) {
				assert_verdict(v, LB_DROP, LB_REASON_DROP_ECN);
				continue;
			}
			assert_verdict(v, LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
			s.tos = (uint8_t)(0xb8 | figure4[inner][outer]);
			assert_delivered(&p, &s, 0, 3, WEB_TARGET);
		}
}

static void tunnel_refused(void **state)
{
	static const struct {
		uint32_t offset, value;
		uint8_t action, reason;
	} cases[] = {
	    {48, 0x01, LB_PASS, LB_REASON_TUNNEL_NOT_OURS}, /* another VNI */
	    {42, 0x00, LB_PASS, LB_REASON_TUNNEL_NOT_OURS}, /* I flag not set */
	    {63, 0xdd, LB_PASS, LB_REASON_TUNNEL_NOT_OURS}, /* not IPv4 inside */
	    {55, 0x09, LB_DROP, LB_REASON_DROP_UNKNOWN_TASK},
	    {61, 0x63, LB_DROP, LB_REASON_DROP_UNKNOWN_ENTRY},
	    {64, 0x65, LB_DROP, LB_REASON_DROP_MALFORMED},  /* version 6 inside */
	    {64, 0x44, LB_DROP, LB_REASON_DROP_MALFORMED},  /* header of 16 bytes */
	    {66, 0x40, LB_DROP, LB_REASON_DROP_MALFORMED},  /* total past the frame */
	    {96, 0x40, LB_DROP, LB_REASON_DROP_MALFORMED},  /* TCP offset of 16 bytes */
	    {96, 0xf0, LB_DROP, LB_REASON_DROP_MALFORMED},  /* and of 60 */
	    {73, 0x2f, LB_DROP, LB_REASON_DROP_NO_SERVICE}, /* GRE inside */
	    {86, 0x22, LB_DROP, LB_REASON_DROP_NO_SERVICE}, /* port not published */
	    {39, 0x30, LB_DROP, LB_REASON_DROP_MALFORMED},  /* UDP length against IP's */
	};
	struct packet_spec s = request(NODE_ADDR(1), TCP_SYN);
	struct packet p;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(0, 2));
	publish(&a, 1, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		packet_build(&p, &s);
		tunnelled(&p, 1, 0, 3, 0);
		packet_at(&p, cases[i].offset)[0] = (uint8_t)cases[i].value;
		assert_verdict(node_uplink(&a, &p), cases[i].action, cases[i].reason);
	}
	a.tables.tasks[3].addr_be = 0; /* the task has gone, its MAC is still in the index */
	packet_build(&p, &s);
	tunnelled(&p, 1, 0, 3, 0);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_UNKNOWN_TASK);
}

/* Symmetric return: the task's node rewrote the reply; here the tunnel is taken off and no more. */
static void tunnel_return(void **state)
{
	struct packet_spec s = {.saddr = NODE_ADDR(0),
				.daddr = CLIENT,
				.sport = WEB,
				.dport = CLIENT_PORT,
				.tcp_flags = TCP_SYN | TCP_ACK};
	uint8_t dst[6], src[6];
	struct tunnel_spec t = {.saddr = NODE_VTEP(2),
				.daddr = NODE_VTEP(0),
				.vni = NODE_VNI,
				.inner_dst = mesh_mac(dst, LB_MAC_RETURN, NODE_VTEP(0)),
				.inner_src = mesh_mac(src, LB_MAC_ENTRY, NODE_VTEP(2))};
	struct packet p, before;
	struct lb_verdict v;

	(void)state;
	node_ring1(&a, 1, 0, BACKEND(2, 1));
	publish(&a, 1, 0);
	for (int i = 0; i < 4; i++) {
		s.proto = i & 1 ? PROTO_UDP : PROTO_TCP;
		s.sport = i & 1 ? DNS : WEB;
		s.saddr = i & 2 ? VIP : NODE_ADDR(0);
		packet_build(&p, &s);
		before = p;
		packet_tunnel(&p, &t);
		v = node_uplink(&a, &p);
		assert_verdict(v, LB_RETURN, LB_REASON_TUNNEL_RETURN);
		assert_int_equal(v.daddr_be, BE32(CLIENT));
		assert_int_equal(p.length, before.length);
		assert_memory_equal(packet_at(&p, 12), packet_at(&before, 12), before.length - 12);
	}
	s.saddr = NODE_ADDR(1); /* not this node's to say */
	packet_build(&p, &s);
	packet_tunnel(&p, &t);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_UNKNOWN_ENTRY);
	s.saddr = 0;
	packet_build(&p, &s);
	packet_tunnel(&p, &t);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_UNKNOWN_ENTRY);
	s.saddr = VIP;
	s.sport = 22; /* a mesh node may not speak for this node's SSH */
	packet_build(&p, &s);
	packet_tunnel(&p, &t);
	assert_verdict(node_uplink(&a, &p), LB_DROP, LB_REASON_DROP_NO_SERVICE);
}

/* What node 0 sends node 1 takes. */
static void entry_to_task_and_back(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN), r = answer(1, 2, false);
	struct node b;
	struct packet p;

	(void)state;
	node_start(&b, 1, 16);
	node_ring1(&a, 1, 0, BACKEND(1, 2));
	node_ring1(&b, 1, 0, BACKEND(1, 2));
	publish(&a, 1, 0);
	publish(&b, 1, 0);
	packet_build(&p, &s);
	assert_verdict(node_uplink(&a, &p), LB_ENCAP, LB_REASON_ENTRY_REMOTE);
	assert_verdict(node_uplink(&b, &p), LB_DELIVER, LB_REASON_TUNNEL_DELIVER);
	assert_delivered(&p, &s, 1, 2, WEB_TARGET);
	packet_build(&p, &r);
	assert_verdict(node_from_task(&b, &p, TASK_IFINDEX(1, 2)), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_verdict(node_uplink(&a, &p), LB_RETURN, LB_REASON_TUNNEL_RETURN);
	assert_replied(&p, 0, &r, NODE_ADDR(0), WEB);
	node_stop(&b);
}

int main(void)
{
#define GOLDEN(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    GOLDEN(entry_remote),
	    GOLDEN(entry_padded),
	    GOLDEN(entry_local),
	    GOLDEN(udp_checksum_zero),
	    GOLDEN(ip_options),
	    GOLDEN(passed),
	    GOLDEN(backends_of_other_kinds),
	    GOLDEN(tunnel_deliver),
	    GOLDEN(tunnel_from_plain_mac),
	    GOLDEN(tunnel_ecn),
	    GOLDEN(tunnel_refused),
	    GOLDEN(tunnel_return),
	    GOLDEN(entry_to_task_and_back),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
