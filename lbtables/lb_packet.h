/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_PACKET_H
#define FL_LB_PACKET_H
/*
 * Parsing: bytes in, fields out, nothing trusted. Sources: RFC 791 (IPv4), RFC 9293 (TCP), RFC 768
 * (UDP), RFC 792 (ICMP), RFC 8200 (IPv6, looked at only to count it), RFC 7348 (VXLAN).
 */
#include "lb_bytes.h"
#include "lb_limits.h"

enum {
	LB_ETHERTYPE_IPV4_BE = LB_BE16(0x0800),
	LB_ETHERTYPE_IPV6_BE = LB_BE16(0x86dd),
	LB_ETHERTYPE_ARP_BE = LB_BE16(0x0806),
	LB_PROTO_ICMP = 1,
	LB_PROTO_TCP = 6,
	LB_PROTO_UDP = 17,
	LB_TCP_FIN = 0x01,
	LB_TCP_SYN = 0x02,
	LB_TCP_RST = 0x04,
	LB_TCP_ACK = 0x10,
	LB_IP_MIN = 20,
	LB_TCP_MIN = 20,
	LB_UDP_LEN = 8,
	LB_ICMP_LEN = 8,
};
#define LB_VXLAN_FLAGS_BE LB_BE32(0x08000000U) /* I: the VNI is valid */

/* A frame. length may exceed end - data (fragments of a multi-buffer frame, GSO). */
struct lb_frame {
	uint8_t *data, *end;
	uint32_t length;
};

enum lb_parsed {
	LB_PARSED_OK,
	LB_PARSED_OTHER,     /* a well-formed header of something that the mesh does not balance */
	LB_PARSED_MALFORMED, /* lengths contradict each other or the frame */
};

/* An IPv4 packet. Pointers into it, NULL where it has no such thing. */
struct lb_ip {
	uint8_t *ip;
	uint8_t *l4;    /* TCP or UDP header; 8 bytes are there */
	uint8_t *check; /* its checksum */
	uint8_t *icmp;  /* ICMP error's header; 8 bytes, the quoted IP header and 8 more are there */
	union {
		struct {
			uint32_t saddr_be, daddr_be;
		};
		uint64_t addrs; /* both, as they lie in the packet: written in one, read in either way */
	};
	uint16_t sport_be, dport_be; /* for an ICMP error: of the flow it is about, as the client sends */
	uint16_t total;              /* IP total length */
	uint16_t id_be;
	uint8_t proto; /* for an ICMP error: of the flow it is about */
	uint8_t ttl, tos;
	uint8_t tcp_flags;
	bool fragment_first, fragment_later;
};

/* The fixed header. room is how many bytes of the frame follow ip, linear or not. */
lb_inline enum lb_parsed lb_parse_ip(struct lb_ip *out, uint8_t *ip, const uint8_t *end,
				     uint32_t room)
{
	uint32_t header;
	uint16_t fragment;

	if (ip + LB_IP_MIN > end)
		return LB_PARSED_MALFORMED;
	header = (uint32_t)(ip[0] & 0xf) * 4;
	out->total = lb_swap16(lb_load16(ip + 2));
	if ((ip[0] >> 4) != 4 || header < LB_IP_MIN || out->total < header || out->total > room)
		return LB_PARSED_MALFORMED;
	fragment = lb_load16(ip + 6);
	out->ip = ip;
	out->l4 = out->check = out->icmp = (uint8_t *)0;
	out->tos = ip[1];
	out->id_be = lb_load16(ip + 4);
	out->ttl = ip[8];
	out->proto = ip[9];
	out->addrs = ((const struct lb_u64 *)(ip + 12))->v;
	out->sport_be = 0;
	out->dport_be = 0;
	out->tcp_flags = 0;
	out->fragment_later = (fragment & LB_BE16(0x1fff)) != 0;
	out->fragment_first = !out->fragment_later && (fragment & LB_BE16(0x2000)) != 0;
	return LB_PARSED_OK;
}

/* Does an ICMP message of this type quote the packet that caused it? */
lb_inline bool lb_icmp_is_error(uint8_t type)
{
	return type == 3 || type == 11 || type == 12;
}

/*
 * An ICMP error about a packet that this mesh sent to a client: it quotes our reply, so its
 * source is the published address and its destination the client. The fields become those of
 * the client's own packets, so that it takes the same way. Quoted options: not balanced.
 */
lb_inline enum lb_parsed lb_parse_icmp(struct lb_ip *out, uint8_t *l4, const uint8_t *end,
				       uint32_t room)
{
	uint8_t *quote = l4 + LB_ICMP_LEN;

	if (room < LB_ICMP_LEN + LB_IP_MIN + 8 || quote + LB_IP_MIN + 8 > end)
		return LB_PARSED_OTHER;
	if (!lb_icmp_is_error(l4[0]))
		return LB_PARSED_OTHER;
	if (quote[0] != 0x45 || (lb_load16(quote + 6) & LB_BE16(0x1fff)))
		return LB_PARSED_OTHER;
	if (quote[9] != LB_PROTO_TCP && quote[9] != LB_PROTO_UDP)
		return LB_PARSED_OTHER;
	if (lb_load32(quote + 12) != out->daddr_be)
		return LB_PARSED_OTHER;
	out->proto = quote[9];
	out->saddr_be = lb_load32(quote + 16);
	out->dport_be = lb_load16(quote + 20);
	out->sport_be = lb_load16(quote + 22);
	out->icmp = l4;
	return LB_PARSED_OK;
}

/* The transport header of a parsed IPv4 header. */
lb_inline enum lb_parsed lb_parse_l4(struct lb_ip *out, const uint8_t *end)
{
	uint32_t header = (uint32_t)(out->ip[0] & 0xf) * 4;
	uint32_t room;
	uint8_t *l4;

	if (out->fragment_later)
		return out->proto == LB_PROTO_TCP || out->proto == LB_PROTO_UDP ? LB_PARSED_OK
										 : LB_PARSED_OTHER;
	if (header < LB_IP_MIN) /* known; said again for the verifier */
		return LB_PARSED_MALFORMED;
	room = (uint32_t)out->total - header;
	l4 = out->ip + header;
	if (out->proto == LB_PROTO_TCP) {
		uint32_t offset;

		if (room < LB_TCP_MIN || l4 + LB_TCP_MIN > end)
			return LB_PARSED_MALFORMED;
		offset = (uint32_t)(l4[12] >> 4) * 4;
		if (offset < LB_TCP_MIN || (offset > room && !out->fragment_first))
			return LB_PARSED_MALFORMED;
		out->tcp_flags = l4[13];
		out->check = l4 + 16;
	} else if (out->proto == LB_PROTO_UDP) {
		uint32_t length;

		if (room < LB_UDP_LEN || l4 + LB_UDP_LEN > end)
			return LB_PARSED_MALFORMED;
		length = lb_swap16(lb_load16(l4 + 4));
		if (length < LB_UDP_LEN || (length > room && !out->fragment_first))
			return LB_PARSED_MALFORMED;
		out->check = l4 + 6;
	} else if (out->proto == LB_PROTO_ICMP) {
		return out->fragment_first ? LB_PARSED_OTHER : lb_parse_icmp(out, l4, end, room);
	} else {
		return LB_PARSED_OTHER;
	}
	out->sport_be = lb_load16(l4);
	out->dport_be = lb_load16(l4 + 2);
	out->l4 = l4;
	return LB_PARSED_OK;
}

/* TCP that opens a connection: SYN alone. */
lb_inline bool lb_is_opening(const struct lb_ip *p)
{
	return p->proto == LB_PROTO_TCP && !p->icmp &&
	       (p->tcp_flags & (LB_TCP_SYN | LB_TCP_ACK | LB_TCP_RST)) == LB_TCP_SYN;
}
#endif
