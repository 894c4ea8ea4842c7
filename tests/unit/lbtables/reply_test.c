/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding decision for what tasks send, packet in and packet out: replies direct, by DSR and
 * through the tunnel, ARP, ICMP errors of tasks, what is not the mesh's.
 */
#include "golden.h"

static struct node a;

/* Task 1 of node 0 serves; node 1 is another entry node. */
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

/* The client's first packet, through entry (0: straight to this node). */
static void open_flow(unsigned int entry, const struct packet_spec *s)
{
	struct packet p;

	packet_build(&p, s);
	if (entry)
		tunnelled(&p, entry, 0, 1, 0);
	assert_int_equal(node_uplink(&a, &p).action, LB_DELIVER);
}

static void reply_direct(void **state)
{
	struct packet_spec r;
	struct lb_verdict v;
	struct packet p;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		bool udp = i & 1;
		struct packet_spec s = udp ? query(NODE_ADDR(0)) : request(NODE_ADDR(0), TCP_SYN);

		r = answer(0, 1, udp);
		r.dport = s.sport = (uint16_t)(1024 + i * 13);
		r.payload = (uint16_t)(i % 77);
		r.tos = (uint8_t)i;
		open_flow(0, &s);
		packet_build(&p, &r);
		v = node_from_task(&a, &p, TASK_IFINDEX(0, 1));
		assert_verdict(v, LB_REPLY, LB_REASON_REPLY_DIRECT);
		assert_int_equal(v.daddr_be, BE32(CLIENT));
		assert_replied(&p, 0, &r, NODE_ADDR(0), udp ? DNS : WEB);
	}
}

/* RFC 7348 outer header to the entry node; the inner destination MAC says "on its way back". */
static void reply_tunnel(void **state)
{
	uint8_t dst[6], src[6];
	struct outer_expected e = {.saddr = NODE_VTEP(0),
				   .daddr = NODE_VTEP(1),
				   .inner_dst = mesh_mac(dst, LB_MAC_RETURN, NODE_VTEP(1)),
				   .inner_src = mesh_mac(src, LB_MAC_ENTRY, NODE_VTEP(0))};
	struct packet_spec r;
	struct lb_verdict v;
	struct packet p;

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		bool udp = i & 1, vip = i & 2;
		uint32_t addr = vip ? VIP : NODE_ADDR(1);
		struct packet_spec s = udp ? query(addr) : request(addr, TCP_SYN);

		r = answer(0, 1, udp);
		r.dport = s.sport = (uint16_t)(3000 + i);
		r.tos = (uint8_t)(0x88 | i >> 2);
		open_flow(1, &s);
		packet_build(&p, &r);
		e.inner_length = p.length;
		e.inner_tos = r.tos;
		v = node_from_task(&a, &p, TASK_IFINDEX(0, 1));
		assert_verdict(v, LB_REPLY_TUNNEL, LB_REASON_REPLY_TUNNEL);
		assert_int_equal(v.vtep_be, BE32(NODE_VTEP(1)));
		assert_outer(&p, &e);
		assert_replied(&p, 50, &r, addr, udp ? DNS : WEB);
	}
}

static void reply_dsr(void **state)
{
	struct packet_spec s = request(VIP, TCP_SYN), r = answer(0, 1, false);
	struct packet p;

	(void)state;
	publish(&a, 1, LB_PORT_DSR);
	open_flow(1, &s);
	packet_build(&p, &r);
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_REPLY,
		       LB_REASON_REPLY_DIRECT);
	assert_replied(&p, 0, &r, VIP, WEB);
}

/* The entry node changed (ECMP): replies follow the client's last packet. */
static void reply_follows_entry(void **state)
{
	struct packet_spec s = request(VIP, TCP_SYN), r = answer(0, 1, false);
	struct lb_verdict v;
	struct packet p;

	(void)state;
	open_flow(1, &s);
	s.tcp_flags = TCP_ACK;
	open_flow(2, &s);
	packet_build(&p, &r);
	v = node_from_task(&a, &p, TASK_IFINDEX(0, 1));
	assert_verdict(v, LB_REPLY_TUNNEL, LB_REASON_REPLY_TUNNEL);
	assert_int_equal(v.vtep_be, BE32(NODE_VTEP(2)));
	assert_int_equal(a.env.reasons.packets[LB_REASON_FLOW_ALIASED], 0);
}

static void reply_of_no_flow(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN), r;
	struct packet p, before;

	(void)state;
	open_flow(0, &s);
	for (int i = 0; i < 6; i++) {
		r = answer(0, i == 0 ? 2 : 1, i == 1);
		r.dport = (uint16_t)(CLIENT_PORT + (i == 2));
		r.daddr = CLIENT + (i == 3);
		r.sport = (uint16_t)(r.sport + (i == 4)); /* another port of the task */
		if (i == 5)                               /* spoofs the task next door */
			r.saddr = TASK_ADDR(0, 2);
		packet_build(&p, &r);
		before = p;
		assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, i == 0 ? 2 : 1)), LB_PASS,
			       i == 5 ? LB_REASON_NOT_OURS : LB_REASON_REPLY_NO_FLOW);
		assert_unchanged(&p, &before);
	}
}

static void reply_ttl(void **state)
{
	struct packet_spec s = request(NODE_ADDR(0), TCP_SYN), r = answer(0, 1, false);
	struct packet p;

	(void)state;
	open_flow(0, &s);
	r.ttl = 1;
	packet_build(&p, &r);
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_DROP, LB_REASON_DROP_TTL);
	r.ttl = 2;
	packet_build(&p, &r);
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_REPLY,
		       LB_REASON_REPLY_DIRECT);
	assert_replied(&p, 0, &r, NODE_ADDR(0), WEB);
}

static void reply_udp_checksum_zero(void **state)
{
	struct packet_spec s = query(NODE_ADDR(0)), r = answer(0, 1, true);
	struct packet p;

	(void)state;
	open_flow(0, &s);
	r.no_check = true;
	packet_build(&p, &r);
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_REPLY,
		       LB_REASON_REPLY_DIRECT);
	assert_replied(&p, 0, &r, NODE_ADDR(0), DNS);
}

/* RFC 826. */
static void arp(void **state)
{
	uint8_t mac[6], gateway[6];
	struct packet p, before;
	const uint8_t *reply;

	(void)state;
	task_mac(mac, 0, 1);
	gateway_mac(gateway, 0);
	packet_arp(&p, mac, TASK_ADDR(0, 1), TASK_GATEWAY(0));
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_ARP, LB_REASON_ARP_REPLY);
	assert_int_equal(p.length, 42);
	assert_memory_equal(packet_at(&p, 0), mac, 6);
	assert_memory_equal(packet_at(&p, 6), gateway, 6);
	assert_int_equal(get16(packet_at(&p, 12)), 0x0806);
	reply = packet_at(&p, 14);
	assert_int_equal(get32(reply), 0x00010800);     /* Ethernet, IPv4 */
	assert_int_equal(get32(reply + 4), 0x06040002); /* reply */
	assert_memory_equal(reply + 8, gateway, 6);
	assert_int_equal(get32(reply + 14), TASK_GATEWAY(0));
	assert_memory_equal(reply + 18, mac, 6);
	assert_int_equal(get32(reply + 24), TASK_ADDR(0, 1));
	for (int i = 0; i < 5; i++) {
		packet_arp(&p, mac, TASK_ADDR(0, i == 0 ? 2 : 1), TASK_GATEWAY(0) - (i == 1));
		if (i == 2)
			packet_at(&p, 14)[7] = 2; /* a reply */
		if (i == 3)
			packet_at(&p, 14)[5] = 8; /* protocol length */
		if (i == 4)
			p.length--;
		before = p;
		assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_PASS,
			       LB_REASON_NOT_OURS);
		assert_unchanged(&p, &before);
	}
}

/* RFC 792: a task's port unreachable quotes what it got; the client must see what it sent. */
static void icmp_of_task(void **state)
{
	struct packet_spec s = query(NODE_ADDR(0)), seen;
	struct packet p, quoted, sent;
	const uint8_t *ip;

	(void)state;
	open_flow(0, &s);
	packet_build(&sent, &s);
	seen = s;
	seen.daddr = TASK_ADDR(0, 1);
	seen.dport = DNS_TARGET;
	seen.ttl = 63;
	packet_build(&quoted, &seen);
	packet_icmp(&p, TASK_ADDR(0, 1), CLIENT, 3, 3, 0, &quoted, 28);
	assert_verdict(node_from_task(&a, &p, TASK_IFINDEX(0, 1)), LB_REPLY,
		       LB_REASON_REPLY_DIRECT);
	ip = packet_at(&p, 14);
	assert_int_equal(get32(ip + 12), NODE_ADDR(0));
	assert_int_equal(get32(ip + 16), CLIENT);
	assert_int_equal(ip[8], 63);
	assert_true(ip_check_valid(ip));
	assert_true(icmp_check_valid(ip));
	ip += 28; /* quoted: as sent, but for TTL and with it the checksum */
	assert_int_equal(get32(ip + 12), CLIENT);
	assert_int_equal(get32(ip + 16), NODE_ADDR(0));
	assert_int_equal(get16(ip + 20), CLIENT_PORT);
	assert_int_equal(get16(ip + 22), DNS);
	assert_true(ip_check_valid(ip));
}

int main(void)
{
#define GOLDEN(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    GOLDEN(reply_direct),
	    GOLDEN(reply_tunnel),
	    GOLDEN(reply_dsr),
	    GOLDEN(reply_follows_entry),
	    GOLDEN(reply_of_no_flow),
	    GOLDEN(reply_ttl),
	    GOLDEN(reply_udp_checksum_zero),
	    GOLDEN(arp),
	    GOLDEN(icmp_of_task),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
