/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_CORPUS_H
#define FL_TEST_CORPUS_H
/*
 * One node with services of every kind, and packets of every kind for it: what the differential
 * test enumerates, mutates and truncates, and what the fuzzer's seeds are made of.
 *
 *   port   ring, newest generation first (n.t: task t of node n; the node itself is 0)
 *   8000   seven slots: 1.1 0.1 2.1 0.2 1.2 3.1 (unresolved) 3.2 (down)
 *   8001   the same, DSR
 *   8002   no slot                      8003   0.1 <- 1.1 <- 0.2 <- 2.1
 *   8004   an ordinal past the end      8005   a ring past the table's end
 *   8006   1.1                          8007   0.1
 *   8008   3.1 (unresolved)             8009   3.2 (down)
 *   8010   1.1 <- 0.1 <- 2.2            8011   0.1 <- 0.3
 *   8012   0.2 <- 3.1 <- 3.2            8013   not published
 *   TCP goes to port 80 of a task, UDP to 53.
 */
#include "nodes.h"

enum {
	CORPUS_PORT = 8000,
	CORPUS_PORTS = 14,
	CORPUS_VXLAN_PORT = 4789,
	CORPUS_FLOW_BUCKETS = 16,
	CORPUS_TCP_TARGET = 80,
	CORPUS_UDP_TARGET = 53,
};

enum corpus_shape {
	SHAPE_SYN,
	SHAPE_ACK,
	SHAPE_DATA,
	SHAPE_FIN,
	SHAPE_RST,
	SHAPE_SYN_ACK,
	SHAPE_UDP,
	SHAPE_UDP_NO_CHECK,
	SHAPE_UDP_FIRST,
	SHAPE_UDP_LATER,
	SHAPE_TCP_FIRST,
	SHAPE_TCP_LATER,
	SHAPE_ICMP_TOO_BIG,
	SHAPE_ICMP_PORT,
	SHAPE_ICMP_TTL,
	SHAPE_ICMP_ECHO,
	SHAPE_OPTIONS,
	SHAPE_TTL1,
	SHAPE_BIG,
	SHAPE_OVERSIZE,
	SHAPE_TRAILER,
	SHAPE_OTHER_PROTO,
	SHAPE_CHECK0, /* a TCP checksum of 0, which is one like any other */
	SHAPE_ARP,
	SHAPE_IPV6,
	SHAPES,
};
enum corpus_wrap {
	WRAP_NONE,
	WRAP_TUNNEL,
	WRAP_RETURN,
	WRAP_TASK, /* sent by a task */
	WRAPS,
};

struct corpus_choice {
	enum corpus_wrap wrap;
	enum corpus_shape shape;
	uint32_t port;   /* below CORPUS_PORTS */
	uint32_t client; /* any: 4 addresses */
	uint32_t client_port;
	uint32_t addr;  /* address used: 0 the node's, 1 the virtual IP, 2.. node 1.. */
	uint32_t task;  /* 1 to 3, else unknown */
	uint32_t asked; /* below 256; 256: as it left the entry node */
	uint32_t entry; /* node; NODES: unknown; more: no mesh MAC */
	uint8_t outer_tos, tos;
	uint16_t id;
};

static inline void corpus_service(struct node *n, uint32_t port, uint32_t ring, uint8_t flags)
{
	node_port(n, (uint16_t)(CORPUS_PORT + port), false, ring, CORPUS_TCP_TARGET, flags);
	node_port(n, (uint16_t)(CORPUS_PORT + port), true, ring, CORPUS_UDP_TARGET, flags);
}

static inline void corpus_node(struct node *n)
{
	const uint32_t mixed[] = {BACKEND(1, 1), BACKEND(0, 1), BACKEND(2, 1), BACKEND(0, 2),
				  BACKEND(1, 2), BACKEND(3, 1), BACKEND(3, 2)};

	node_start(n, 0, CORPUS_FLOW_BUCKETS);
	node_backend_kind(n, BACKEND(3, 1), LB_BACKEND_UNRESOLVED);
	node_backend_kind(n, BACKEND(3, 2), LB_BACKEND_DOWN);
	node_ring(n, 1, 0, mixed, 7);
	node_ring1(n, 2, 0, BACKEND(0, 1));
	node_ring1(n, 3, 0, BACKEND(1, 1));
	node_ring(n, 4, 0, NULL, 0);
	node_ring1(n, 5, 0, BACKEND(3, 1));
	node_ring1(n, 6, 0, BACKEND(3, 2));
	node_ring1(n, 7, 0, 0xfff0);
	node_ring1(n, 11, 0, BACKEND(2, 1));
	node_ring1(n, 10, 11, BACKEND(0, 2));
	node_ring1(n, 9, 10, BACKEND(1, 1));
	node_ring1(n, 8, 9, BACKEND(0, 1));
	node_ring1(n, 14, 0, BACKEND(2, 2));
	node_ring1(n, 13, 14, BACKEND(0, 1));
	node_ring1(n, 12, 13, BACKEND(1, 1));
	node_ring1(n, 16, 0, BACKEND(0, 3));
	node_ring1(n, 15, 16, BACKEND(0, 1));
	node_ring1(n, 19, 0, BACKEND(3, 2));
	node_ring1(n, 18, 19, BACKEND(3, 1));
	node_ring1(n, 17, 18, BACKEND(0, 2));
	corpus_service(n, 0, 1, 0);
	corpus_service(n, 1, 1, LB_PORT_DSR);
	corpus_service(n, 2, 4, 0);
	corpus_service(n, 3, 8, 0);
	corpus_service(n, 4, 7, 0);
	corpus_service(n, 5, 9999, 0);
	corpus_service(n, 6, 3, 0);
	corpus_service(n, 7, 2, 0);
	corpus_service(n, 8, 5, 0);
	corpus_service(n, 9, 6, 0);
	corpus_service(n, 10, 12, 0);
	corpus_service(n, 11, 15, 0);
	corpus_service(n, 12, 17, 0);
	/* At the VTEP the tunnel comes first, elsewhere the service. */
	node_port(n, CORPUS_VXLAN_PORT, true, 1, CORPUS_UDP_TARGET, 0);
}

static inline uint32_t corpus_client(const struct corpus_choice *c)
{
	return CLIENT + c->client % 4;
}
static inline uint32_t corpus_addr(const struct corpus_choice *c)
{
	return c->addr == 1 ? VIP : NODE_ADDR(c->addr ? c->addr - 1 : 0);
}
static inline bool corpus_is_udp(enum corpus_shape shape)
{
	return shape == SHAPE_UDP || shape == SHAPE_UDP_NO_CHECK || shape == SHAPE_UDP_FIRST ||
	       shape == SHAPE_UDP_LATER;
}

/* Makes the TCP checksum of a packet with payload come out as 0. */
static inline void corpus_check0(struct packet *p)
{
	uint8_t *ip = packet_at(p, 14), *word = ip + 20 + 20;

	put16(word, 0);
	l4_check_set(ip, l4_length(ip));
	put16(word, get16(l4_check(ip)));
	put16(l4_check(ip), 0);
}

/* The header fields by shape; the caller has set addresses and ports. */
static inline void corpus_shape(struct packet_spec *s, enum corpus_shape shape)
{
	static const uint8_t flags[SHAPES] = {
	    [SHAPE_SYN] = TCP_SYN,
	    [SHAPE_ACK] = TCP_ACK,
	    [SHAPE_DATA] = TCP_ACK | TCP_PSH,
	    [SHAPE_FIN] = TCP_FIN | TCP_ACK,
	    [SHAPE_RST] = TCP_RST,
	    [SHAPE_SYN_ACK] = TCP_SYN | TCP_ACK,
	};

	s->proto = corpus_is_udp(shape) ? PROTO_UDP : PROTO_TCP;
	s->tcp_flags = flags[shape];
	s->tcp_options = shape == SHAPE_SYN ? 5 : 0;
	s->payload = shape == SHAPE_ACK || shape == SHAPE_SYN ? 0 : 37;
	s->no_check = shape == SHAPE_UDP_NO_CHECK;
	s->fragment = shape == SHAPE_DATA ? FRAG_DF : 0;
	if (shape == SHAPE_UDP_FIRST || shape == SHAPE_TCP_FIRST) {
		s->fragment = FRAG_MF;
		s->payload = 40;
	} else if (shape == SHAPE_UDP_LATER || shape == SHAPE_TCP_LATER) {
		s->fragment = 6;
	} else if (shape == SHAPE_OPTIONS) {
		s->options = 3;
	} else if (shape == SHAPE_TTL1) {
		s->ttl = 1;
	} else if (shape == SHAPE_BIG) {
		s->payload = 1440;
	} else if (shape == SHAPE_OVERSIZE) {
		s->payload = 1900;
	} else if (shape == SHAPE_CHECK0) {
		s->payload = 20;
	}
}

static inline void corpus_plain(struct packet *p, struct packet_spec *s, enum corpus_shape shape)
{
	struct packet quoted;
	uint16_t port = s->sport;
	uint32_t addr = s->saddr;

	corpus_shape(s, shape);
	switch (shape) {
	case SHAPE_ICMP_TOO_BIG:
	case SHAPE_ICMP_PORT:
	case SHAPE_ICMP_TTL:
		/* About a packet the other way. */
		s->saddr = s->daddr;
		s->sport = s->dport;
		s->daddr = addr;
		s->dport = port;
		s->proto = s->id & 1 ? PROTO_UDP : PROTO_TCP;
		packet_build(&quoted, s);
		packet_icmp(p, addr, s->saddr, shape == SHAPE_ICMP_TTL ? 11 : 3,
			    shape == SHAPE_ICMP_PORT ? 3 : 4, 1400, &quoted, s->id & 2 ? 28 : 57);
		break;
	case SHAPE_ICMP_ECHO:
		packet_build(&quoted, s);
		packet_icmp(p, s->saddr, s->daddr, 8, 0, 1, &quoted, 32);
		break;
	case SHAPE_OTHER_PROTO:
		packet_build(p, s);
		packet_at(p, 14)[9] = 47;
		ip_check_set(packet_at(p, 14));
		break;
	case SHAPE_ARP:
		packet_arp(p, packet_mac_router, s->saddr, s->daddr);
		break;
	case SHAPE_IPV6:
		packet_build(p, s);
		put16(packet_at(p, 12), 0x86dd);
		packet_at(p, 14)[0] = 0x60;
		break;
	default:
		packet_build(p, s);
		if (shape == SHAPE_CHECK0)
			corpus_check0(p);
		if (shape == SHAPE_TRAILER) {
			memset(packet_at(p, p->length), 0x5a, 1400);
			p->length += s->id & 1 ? 6 : 1400;
		}
	}
}

static inline void corpus_wrap(struct packet *p, const struct corpus_choice *c)
{
	uint8_t dst[6], src[6];
	uint32_t entry = c->entry < NODES ? NODE_VTEP(c->entry) : IP4(10, 9, 0, 99);
	struct tunnel_spec t = {.saddr = entry,
				.daddr = NODE_VTEP(0),
				.vni = NODE_VNI,
				.tos = c->outer_tos,
				.inner_dst = dst,
				.inner_src = src};

	if (c->wrap == WRAP_RETURN)
		mesh_mac(dst, LB_MAC_RETURN, NODE_VTEP(0));
	else
		task_mac(dst, 0, c->task);
	if (c->entry <= NODES && c->asked < 256)
		asked_mac(src, (uint8_t)c->asked, entry);
	else if (c->entry <= NODES)
		mesh_mac(src, LB_MAC_ENTRY, entry);
	else
		memcpy(src, packet_mac_router, 6);
	packet_tunnel(p, &t);
}

/* The frame of a choice, as it arrives on the uplink or (WRAP_TASK) from a task's veth. */
static inline void corpus_build(struct packet *p, const struct corpus_choice *c)
{
	uint16_t port = (uint16_t)(CORPUS_PORT + c->port);
	struct packet_spec s = {.saddr = corpus_client(c),
				.daddr = corpus_addr(c),
				.sport = (uint16_t)c->client_port,
				.dport = port,
				.tos = c->tos,
				.id = c->id};
	uint8_t mac[6];

	if (c->wrap == WRAP_TASK || c->wrap == WRAP_RETURN) {
		s.daddr = s.saddr;
		s.dport = s.sport;
		s.saddr = c->wrap == WRAP_TASK ? TASK_ADDR(0, c->task) : corpus_addr(c);
		s.sport = c->wrap == WRAP_RETURN    ? port
			  : corpus_is_udp(c->shape) ? CORPUS_UDP_TARGET
						    : CORPUS_TCP_TARGET;
	}
	if (c->wrap == WRAP_TASK && c->shape == SHAPE_ARP) {
		packet_arp(p, task_mac(mac, 0, c->task), s.saddr,
			   c->id & 1 ? TASK_GATEWAY(0) : s.saddr);
		return;
	}
	corpus_plain(p, &s, c->shape);
	if (c->wrap == WRAP_TUNNEL || c->wrap == WRAP_RETURN)
		corpus_wrap(p, c);
}
#endif
