/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RACE_PACKETS_H
#define FL_RACE_PACKETS_H
/* Packets of the race test, whose addresses say whose they are. */
#include "tables_bed.h"

#include "lb_host.h"

enum { INNER = LB_ETH_LEN + LB_IP_MIN + LB_TCP_MIN };

BED_INLINE uint32_t task_addr(uint32_t name)
{
	return LB_BE32(0x0b000000U + name);
}

BED_INLINE uint32_t name_of(const uint8_t *mac)
{
	return (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
}

BED_INLINE uint64_t sum_bytes(const uint8_t *p, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < length; i += 2)
		sum += lb_load16(p + i);
	return sum;
}

BED_INLINE uint64_t sum_tcp(const uint8_t *ip)
{
	return sum_bytes(ip + 12, 8 + LB_TCP_MIN) + LB_BE16(LB_PROTO_TCP) + LB_BE16(LB_TCP_MIN);
}

BED_INLINE void fill_tcp(uint8_t *eth, uint64_t random, uint16_t port, uint8_t flags)
{
	uint8_t *ip = eth + LB_ETH_LEN;

	memset(eth, 0, INNER);
	lb_store16(eth + 12, LB_ETHERTYPE_IPV4_BE);
	ip[0] = 0x45;
	lb_store16(ip + 2, LB_BE16(LB_IP_MIN + LB_TCP_MIN));
	ip[8] = 64;
	ip[9] = LB_PROTO_TCP;
	lb_store32(ip + 12, LB_BE32(0x0c000000U + (uint32_t)(random % 64)));
	lb_store32(ip + 16, bed_vtep(1));
	lb_store16(ip + 10, (uint16_t)~lb_fold(sum_bytes(ip, LB_IP_MIN)));
	lb_store16(ip + 20, lb_swap16((uint16_t)(1024 + random / 64 % 64)));
	lb_store16(ip + 22, lb_swap16(port));
	ip[32] = 5 << 4;
	ip[33] = flags;
	lb_store16(ip + 36, (uint16_t)~lb_fold(sum_tcp(ip)));
}

/* In front of a filled frame: from another node's tunnel, to the backend of that name. */
BED_INLINE void fill_outer(uint8_t *p, uint32_t name, uint32_t node)
{
	uint8_t *ip = p + LB_ETH_LEN, *eth = p + LB_OUTER_LEN;

	memset(p, 0, LB_OUTER_LEN);
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	ip[0] = 0x45;
	lb_store16(ip + 2, lb_swap16(INNER + 36));
	ip[8] = 64;
	ip[9] = LB_PROTO_UDP;
	lb_store32(ip + 12, bed_vtep(node));
	lb_store32(ip + 16, bed_vtep(1));
	lb_store16(ip + 10, (uint16_t)~lb_fold(sum_bytes(ip, LB_IP_MIN)));
	lb_store16(p + 36, LB_BE16(4789));
	lb_store16(p + 38, lb_swap16(INNER + 16));
	lb_store32(p + 42, LB_VXLAN_FLAGS_BE);
	lb_store32(p + 46, LB_BE32(4096U << 8));
	bed_mac(eth, name);
	lb_write_mesh_mac(eth + 6, LB_MAC_ENTRY, bed_vtep(node));
	/* What came in there was sent to that node. */
	ip = eth + LB_ETH_LEN;
	lb_store32(ip + 16, bed_vtep(node));
	lb_store16(ip + 10, 0);
	lb_store16(ip + 10, (uint16_t)~lb_fold(sum_bytes(ip, LB_IP_MIN)));
	lb_store16(ip + 36, 0);
	lb_store16(ip + 36, (uint16_t)~lb_fold(sum_tcp(ip)));
}
#endif
