/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_PACKETS_H
#define FL_TEST_PACKETS_H
/*
 * Frames by hand, and their checksums from scratch. Written from the RFCs alone: nothing of the
 * decision's own code is used here, so that the two can disagree. Addresses and ports are in host
 * order in this file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IP4(a, b, c, d)                                                                            \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

enum {
	PACKET_HEAD = 128, /* room in front: outer header, ICMP header */
	PACKET_MAX = 4096,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	FRAG_DF = 0x4000,
	FRAG_MF = 0x2000,
	ECN_NOT = 0,
	ECN_ECT1 = 1,
	ECN_ECT0 = 2,
	ECN_CE = 3,
};

struct packet {
	uint8_t bytes[PACKET_HEAD + PACKET_MAX];
	uint32_t head, length;
};

/* What to build. Zeroes are the common case: TTL 64, TCP, no options. */
struct packet_spec {
	uint32_t saddr, daddr;
	uint16_t sport, dport;
	uint16_t id, fragment; /* FRAG_*, offset in units of 8 */
	uint16_t payload;      /* bytes after the transport header */
	uint8_t proto, ttl, tos, tcp_flags;
	uint8_t options; /* 32-bit words of IP options */
	uint8_t tcp_options;
	bool no_check;
	const uint8_t *eth_dst, *eth_src;
};

static const uint8_t packet_mac_router[6] = {0x02, 0, 0, 0, 0, 0xfe};
static const uint8_t packet_mac_node[6] = {0x02, 0, 0, 0, 0, 0x10};

static inline uint8_t *packet_at(struct packet *p, uint32_t offset)
{
	return p->bytes + p->head + offset;
}
static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}
static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 1071: the folded sum of length bytes, continued from sum. */
static inline uint32_t sum16(const uint8_t *p, uint32_t length, uint32_t sum)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += get16(p + i);
	if (length & 1)
		sum += (uint32_t)p[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}
static inline uint32_t ip_header_length(const uint8_t *ip)
{
	return (uint32_t)(ip[0] & 0xf) * 4;
}
static inline bool ip_check_valid(const uint8_t *ip)
{
	return sum16(ip, ip_header_length(ip), 0) == 0xffff;
}
static inline void ip_check_set(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, ~sum16(ip, ip_header_length(ip), 0) & 0xffff);
}
/* Sum over pseudo-header (RFC 9293, RFC 768) and transport, checksum field included. */
static inline uint32_t l4_sum(const uint8_t *ip, uint32_t length)
{
	uint32_t sum = sum16(ip + 12, 8, ip[9]);

	return sum16(ip + ip_header_length(ip), length, sum + length);
}
static inline uint32_t l4_length(const uint8_t *ip)
{
	return get16(ip + 2) - ip_header_length(ip);
}
static inline uint8_t *l4_check(uint8_t *ip)
{
	return ip + ip_header_length(ip) + (ip[9] == PROTO_TCP ? 16 : 6);
}
static inline bool l4_check_valid(const uint8_t *ip)
{
	return l4_sum(ip, l4_length(ip)) == 0xffff;
}
static inline void l4_check_set(uint8_t *ip, uint32_t length)
{
	uint32_t sum;

	put16(l4_check(ip), 0);
	sum = ~l4_sum(ip, length) & 0xffff;
	put16(l4_check(ip), ip[9] == PROTO_UDP && !sum ? 0xffff : sum);
}
static inline bool icmp_check_valid(const uint8_t *ip)
{
	return sum16(ip + ip_header_length(ip), l4_length(ip), 0) == 0xffff;
}

static inline void packet_ethernet(struct packet *p, const uint8_t *dst, const uint8_t *src,
				   uint16_t type)
{
	memcpy(packet_at(p, 0), dst ? dst : packet_mac_node, 6);
	memcpy(packet_at(p, 6), src ? src : packet_mac_router, 6);
	put16(packet_at(p, 12), type);
}
static inline void ip_header(uint8_t *ip, const struct packet_spec *s, uint32_t payload)
{
	uint32_t header = 20 + s->options * 4U;

	memset(ip, 1, header); /* options: NOP */
	ip[0] = (uint8_t)(0x40 | header / 4);
	ip[1] = s->tos;
	put16(ip + 2, header + payload);
	put16(ip + 4, s->id);
	put16(ip + 6, s->fragment);
	ip[8] = s->ttl ? s->ttl : 64;
	ip[9] = s->proto ? s->proto : PROTO_TCP;
	put32(ip + 12, s->saddr);
	put32(ip + 16, s->daddr);
	ip_check_set(ip);
}

/* The transport header of a whole packet; payload bytes count up. */
static inline uint32_t packet_transport(uint8_t *l4, const struct packet_spec *s)
{
	uint32_t header = s->proto == PROTO_UDP ? 8 : 20 + s->tcp_options * 4U;

	memset(l4, 1, header);
	put16(l4, s->sport);
	put16(l4 + 2, s->dport);
	if (s->proto == PROTO_UDP) {
		put16(l4 + 4, header + s->payload);
		put16(l4 + 6, 0);
	} else {
		put32(l4 + 4, 0x01020304);
		put32(l4 + 8, 0x05060708);
		l4[12] = (uint8_t)(header / 4 << 4);
		l4[13] = s->tcp_flags ? s->tcp_flags : TCP_ACK;
		put16(l4 + 14, 0x7fff);
		put16(l4 + 16, 0);
		put16(l4 + 18, 0);
	}
	for (uint32_t i = 0; i < s->payload; i++)
		l4[header + i] = (uint8_t)i;
	return header + s->payload;
}

/* A TCP or UDP packet. A later fragment (offset in s->fragment) is payload alone. */
static inline void packet_build(struct packet *p, const struct packet_spec *s)
{
	uint32_t length = s->payload;
	uint8_t *ip;

	p->head = PACKET_HEAD;
	ip = packet_at(p, 14);
	packet_ethernet(p, s->eth_dst, s->eth_src, 0x0800);
	if (s->fragment & 0x1fff)
		memset(ip + 20 + s->options * 4U, 0xab, length);
	else
		length = packet_transport(ip + 20 + s->options * 4U, s);
	ip_header(ip, s, length);
	if (!(s->fragment & 0x1fff) && !s->no_check)
		l4_check_set(ip, length);
	p->length = 14 + get16(ip + 2);
}

/* RFC 792: an error of router from to s->... about the start of quoted (RFC 1812: here 28 bytes, or
 * more). mtu: RFC 1191. */
static inline void packet_icmp(struct packet *p, uint32_t from, uint32_t to, uint8_t type,
			       uint8_t code, uint16_t mtu, const struct packet *quoted,
			       uint32_t quote_length)
{
	struct packet_spec s = {.saddr = from, .daddr = to, .proto = PROTO_ICMP};
	uint8_t *icmp;

	p->head = PACKET_HEAD;
	packet_ethernet(p, NULL, NULL, 0x0800);
	ip_header(packet_at(p, 14), &s, 8 + quote_length);
	icmp = packet_at(p, 34);
	memset(icmp, 0, 8);
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 6, mtu);
	memcpy(icmp + 8, quoted->bytes + quoted->head + 14, quote_length);
	put16(icmp + 2, ~sum16(icmp, 8 + quote_length, 0) & 0xffff);
	p->length = 14 + 20 + 8 + quote_length;
}

/* RFC 7348 figure 1. */
struct tunnel_spec {
	uint32_t saddr, daddr;
	uint32_t vni;
	uint8_t tos;
	const uint8_t *inner_dst, *inner_src;
};
static inline void packet_tunnel(struct packet *p, const struct tunnel_spec *t)
{
	struct packet_spec s = {.saddr = t->saddr,
				.daddr = t->daddr,
				.proto = PROTO_UDP,
				.fragment = FRAG_DF,
				.tos = t->tos};
	uint32_t inner = p->length;
	uint8_t *udp;

	memcpy(packet_at(p, 0), t->inner_dst, 6);
	memcpy(packet_at(p, 6), t->inner_src, 6);
	p->head -= 50;
	p->length += 50;
	packet_ethernet(p, NULL, NULL, 0x0800);
	ip_header(packet_at(p, 14), &s, 8 + 8 + inner);
	udp = packet_at(p, 34);
	put16(udp, 50000);
	put16(udp + 2, 4789);
	put16(udp + 4, 8 + 8 + inner);
	put16(udp + 6, 0);
	put32(udp + 8, 0x08000000);
	put32(udp + 12, t->vni << 8);
}

/* RFC 826: a request, broadcast. */
static inline void packet_arp(struct packet *p, const uint8_t *mac, uint32_t from, uint32_t wanted)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *arp;

	p->head = PACKET_HEAD;
	p->length = 42;
	packet_ethernet(p, broadcast, mac, 0x0806);
	arp = packet_at(p, 14);
	put32(arp, 0x00010800);
	put32(arp + 4, 0x06040001);
	memcpy(arp + 8, mac, 6);
	put32(arp + 14, from);
	memset(arp + 18, 0, 6);
	put32(arp + 24, wanted);
}
#endif
