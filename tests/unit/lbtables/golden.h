/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_GOLDEN_H
#define FL_TEST_GOLDEN_H
/* Packet in, packet out: what the golden tests of the decision share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "outer.h"

/* Ports of a golden node: what a test publishes it says itself. */
enum { WEB = 8000, WEB_TARGET = 80, DNS = 5353, DNS_TARGET = 53, CLIENT_PORT = 40000 };

#define assert_verdict(v, wanted_action, wanted_reason)                                            \
	do {                                                                                       \
		const struct lb_verdict verdict_ = (v);                                            \
		assert_int_equal(verdict_.reason, wanted_reason);                                  \
		assert_int_equal(verdict_.action, wanted_action);                                  \
	} while (0)

/* Client to a published port of node, via its address or the virtual IP. */
static inline struct packet_spec request(uint32_t daddr, uint8_t tcp_flags)
{
	return (struct packet_spec){.saddr = CLIENT,
				    .daddr = daddr,
				    .sport = CLIENT_PORT,
				    .dport = WEB,
				    .proto = PROTO_TCP,
				    .tcp_flags = tcp_flags,
				    .payload = 11};
}
static inline struct packet_spec query(uint32_t daddr)
{
	return (struct packet_spec){.saddr = CLIENT,
				    .daddr = daddr,
				    .sport = CLIENT_PORT,
				    .dport = DNS,
				    .proto = PROTO_UDP,
				    .payload = 23};
}
/* The answer of a node's task to the client, as the task sends it. */
static inline struct packet_spec answer(unsigned int node, uint32_t task, bool udp)
{
	return (struct packet_spec){.saddr = TASK_ADDR(node, task),
				    .daddr = CLIENT,
				    .sport = udp ? DNS_TARGET : WEB_TARGET,
				    .dport = CLIENT_PORT,
				    .proto = udp ? PROTO_UDP : PROTO_TCP,
				    .tcp_flags = TCP_SYN | TCP_ACK,
				    .payload = 5};
}

/* Publishes WEB and DNS on ring. */
static inline void publish(struct node *n, uint32_t ring, uint8_t flags)
{
	node_port(n, WEB, false, ring, WEB_TARGET, flags);
	node_port(n, DNS, true, ring, DNS_TARGET, flags);
}

/* From another node's entry to a task here, as that node would send it. */
static inline void tunnelled(struct packet *p, unsigned int entry, unsigned int node, uint32_t task,
			     uint8_t outer_tos)
{
	uint8_t dst[6], src[6];
	struct tunnel_spec t = {
	    .saddr = NODE_VTEP(entry),
	    .daddr = NODE_VTEP(node),
	    .vni = NODE_VNI,
	    .tos = outer_tos,
	    .inner_dst = task_mac(dst, node, task),
	    .inner_src = mesh_mac(src, LB_MAC_ENTRY, NODE_VTEP(entry)),
	};

	packet_tunnel(p, &t);
}

/* What a task has to see: spec as the client sent it, but for the address and port of the task. */
static inline void assert_delivered(const struct packet *p, const struct packet_spec *sent,
				    unsigned int node, uint32_t task, uint16_t target_port)
{
	struct packet_spec seen = *sent;
	struct packet want;
	uint8_t dst[6], src[6];

	seen.daddr = TASK_ADDR(node, task);
	seen.dport = target_port;
	seen.ttl = (uint8_t)((sent->ttl ? sent->ttl : 64) - 1);
	seen.eth_dst = task_mac(dst, node, task);
	seen.eth_src = gateway_mac(src, node);
	packet_build(&want, &seen); /* all checksums from scratch */
	assert_int_equal(p->length, want.length);
	assert_memory_equal(p->bytes + p->head, want.bytes + want.head, want.length);
}

/* What the client has to see, in front of it inner offset bytes of tunnel. */
static inline void assert_replied(const struct packet *p, uint32_t offset,
				  const struct packet_spec *sent, uint32_t addr, uint16_t port)
{
	struct packet_spec seen = *sent;
	struct packet want;

	seen.saddr = addr;
	seen.sport = port;
	seen.ttl = (uint8_t)((sent->ttl ? sent->ttl : 64) - 1);
	packet_build(&want, &seen);
	assert_int_equal(p->length - offset, want.length);
	assert_memory_equal(p->bytes + p->head + offset + 14, want.bytes + want.head + 14,
			    want.length - 14);
}
static inline void assert_outer(const struct packet *p, const struct outer_expected *e)
{
	const char *problem = outer_problem(p->bytes + p->head, p->length, e);

	if (problem)
		fail_msg("outer header: %s", problem);
}
static inline void assert_unchanged(const struct packet *p, const struct packet *before)
{
	assert_int_equal(p->length, before->length);
	assert_memory_equal(p->bytes + p->head, before->bytes + before->head, before->length);
}
#endif
