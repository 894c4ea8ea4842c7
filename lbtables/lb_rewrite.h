/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_REWRITE_H
#define FL_LB_REWRITE_H
/* Address and port rewriting in place, with incremental checksums (RFC 1624). */
#include "lb_env.h"
#include "lb_packet.h"
#include "lb_verdict.h"

/* What changes. Addresses and ports in network order; a port that stays is given as it is. */
struct lb_rewrite {
	uint32_t addr_be;  /* destination towards a task, source of its replies */
	uint16_t port_be;  /* the mesh's side: target port, or published port */
	uint16_t client_port_be;
};

/* IP header: one address and the time to live, which a packet with 1 keeps. */
lb_inline void lb_rewrite_ip(const struct lb_ip *p, uint32_t offset, uint32_t old_be, uint32_t new_be)
{
	uint8_t ttl = (uint8_t)(p->ttl - (p->ttl > 1));
	uint64_t diff = lb_diff32(old_be, new_be) + lb_diff16(p->ttl, ttl);

	lb_store32(p->ip + offset, new_be);
	p->ip[8] = ttl;
	lb_store16(p->ip + 10, lb_csum_apply(lb_load16(p->ip + 10), diff));
}

/* Transport checksum: 0 in UDP means "none" and stays, and is never the outcome of a sum. */
lb_inline void lb_rewrite_check(const struct lb_ip *p, struct lb_verdict *v, uint64_t addr_diff,
				uint64_t port_diff)
{
	bool udp = p->proto == LB_PROTO_UDP;
	uint16_t check = lb_load16(p->check);

	if (udp && !check)
		return;
#if LB_ENV_SKB
	v->l4_check = (uint16_t)(p->check - p->ip);
	v->udp = udp;
	v->addr_diff = lb_fold(addr_diff);
	v->port_diff = lb_fold(port_diff);
#else
	(void)v;
	check = lb_csum_apply(check, addr_diff + port_diff);
	if (udp && !check)
		check = 0xffff;
	lb_store16(p->check, check);
#endif
}

/* A quoted packet inside an ICMP error: address and port of one side. The quoted IP checksum makes
 * up for the address, so that the ICMP checksum sees the ports alone. The quoted transport
 * checksum stays: nobody verifies it, and of TCP's it is not even quoted. */
lb_inline void lb_rewrite_quote(const struct lb_ip *p, uint32_t addr_offset, uint32_t port_offset,
				const struct lb_rewrite *to)
{
	uint8_t *quote = p->icmp + LB_ICMP_LEN;
	uint32_t old_addr = lb_load32(quote + addr_offset);
	uint8_t *port = quote + LB_IP_MIN + port_offset;
	uint8_t *client = quote + LB_IP_MIN + (port_offset ^ 2);
	uint64_t diff = lb_diff16(lb_load16(port), to->port_be) +
			lb_diff16(lb_load16(client), to->client_port_be);

	lb_store32(quote + addr_offset, to->addr_be);
	lb_store16(quote + 10,
		   lb_csum_apply(lb_load16(quote + 10), lb_diff32(old_addr, to->addr_be)));
	lb_store16(port, to->port_be);
	lb_store16(client, to->client_port_be);
	lb_store16(p->icmp + 2, lb_csum_apply(lb_load16(p->icmp + 2), diff));
}

/* Client to task. */
lb_inline void lb_rewrite_request(const struct lb_ip *p, const struct lb_rewrite *to,
				  struct lb_verdict *v)
{
	lb_rewrite_ip(p, 16, p->daddr_be, to->addr_be);
	if (p->icmp) /* quotes a reply: the task is its source */
		lb_rewrite_quote(p, 12, 0, to);
	if (!p->l4 || !p->check)
		return;
	lb_rewrite_check(p, v, lb_diff32(p->daddr_be, to->addr_be),
			 lb_diff16(p->dport_be, to->port_be) +
			     lb_diff16(p->sport_be, to->client_port_be));
	lb_store16(p->l4, to->client_port_be);
	lb_store16(p->l4 + 2, to->port_be);
}

/* Task to client. p of an ICMP error quotes a request: the task is its destination. */
lb_inline void lb_rewrite_reply(const struct lb_ip *p, const struct lb_rewrite *to,
				struct lb_verdict *v)
{
	uint32_t saddr_be = lb_load32(p->ip + 12);

	lb_rewrite_ip(p, 12, saddr_be, to->addr_be);
	if (p->icmp)
		lb_rewrite_quote(p, 16, 2, to);
	if (!p->l4 || !p->check)
		return;
	lb_rewrite_check(p, v, lb_diff32(saddr_be, to->addr_be),
			 lb_diff16(p->sport_be, to->port_be) +
			     lb_diff16(p->dport_be, to->client_port_be));
	lb_store16(p->l4, to->port_be);
	lb_store16(p->l4 + 2, to->client_port_be);
}
#endif
