/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_OUTER_H
#define FL_TEST_OUTER_H
/* What an outer header has to look like, field by field. */
#include "nodes.h"

struct outer_expected {
	uint32_t saddr, daddr;
	uint8_t inner_tos;
	uint32_t inner_length; /* inner frame with its Ethernet header */
	const uint8_t *inner_dst, *inner_src;
};

/* The first field that is wrong, by name; NULL: all is right. Sources: RFC 7348 section 5, RFC 791,
 * RFC 6040 section 4.1, RFC 6864 (an atomic datagram's ID means nothing). */
static inline const char *outer_problem(const uint8_t *frame, uint32_t length,
					const struct outer_expected *e)
{
	const uint8_t *ip = frame + 14, *udp = ip + 20, *vxlan = udp + 8, *inner = vxlan + 8;

	if (length != e->inner_length + 50)
		return "frame length";
	if (get16(frame + 12) != 0x0800)
		return "outer EtherType";
	if (ip[0] != 0x45)
		return "version and header length";
	if (ip[1] != (e->inner_tos & 3))
		return "ECN";
	if (get16(ip + 2) != length - 14)
		return "total length";
	if (get16(ip + 6) != FRAG_DF)
		return "DF";
	if (ip[8] != 64)
		return "TTL";
	if (ip[9] != PROTO_UDP)
		return "protocol";
	if (!ip_check_valid(ip))
		return "IP checksum";
	if (get32(ip + 12) != e->saddr)
		return "source";
	if (get32(ip + 16) != e->daddr)
		return "destination";
	if (get16(udp) < 49152)
		return "entropy port";
	if (get16(udp + 2) != 4789)
		return "VXLAN port";
	if (get16(udp + 4) != length - 34)
		return "UDP length";
	if (get16(udp + 6) != 0)
		return "UDP checksum";
	if (get32(vxlan) != 0x08000000)
		return "VXLAN flags";
	if (get32(vxlan + 4) != (uint32_t)NODE_VNI << 8)
		return "VNI";
	if (e->inner_dst && memcmp(inner, e->inner_dst, 6))
		return "inner destination MAC";
	if (e->inner_src && memcmp(inner + 6, e->inner_src, 6))
		return "inner source MAC";
	if (get16(inner + 12) != 0x0800)
		return "inner EtherType";
	return NULL;
}
#endif
