// SPDX-License-Identifier: BSD-2-Clause
#include "pktgen_frames.h"

#include <arpa/inet.h>
#include <string.h>

#include "floors.h"
#include "lb_bytes.h"

enum { ETH = 14, IP = 20, TCP = 20, UDP = 8, STAMP = 16, VXLAN = 50 };

static uint32_t l4_length(const struct pktgen_plan *plan)
{
	return plan->kind == PKTGEN_UDP ? UDP : TCP;
}

static uint32_t check_at(const struct pktgen_plan *plan)
{
	return ETH + IP + (plan->kind == PKTGEN_UDP ? 6 : 16);
}

static uint64_t sum(const uint8_t *p, uint32_t length)
{
	uint64_t s = 0;

	for (; length > 1; length -= 2, p += 2)
		s += lb_load16(p);
	return length ? s + *p : s;
}

void pktgen_make(const struct pktgen_plan *plan, uint32_t i, uint8_t *p)
{
	uint32_t mixed = floors_mix(i), l4 = (uint32_t)plan->length - ETH - IP;
	uint8_t *ip = p + ETH, *h = ip + IP, *stamp = h + l4_length(plan);

	memset(p, 0, plan->length);
	memcpy(p, plan->dst_mac, 6);
	memcpy(p + 6, plan->src_mac, 6);
	lb_store16(p + 12, htons(0x0800));
	ip[0] = 0x45;
	lb_store16(ip + 2, htons((uint16_t)(plan->length - ETH)));
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = plan->kind == PKTGEN_UDP ? 17 : 6;
	/* Clients in turn, each with ports of its own: i and its flow are one to one. */
	lb_store32(ip + 12, htonl(plan->source + i % plan->sources));
	lb_store32(ip + 16, htonl(plan->target));
	lb_store16(ip + 10, (uint16_t)~lb_fold(sum(ip, IP)));
	lb_store16(h, htons((uint16_t)(1024 + i / plan->sources % 64000)));
	lb_store16(h + 2, htons(plan->port));
	if (plan->kind == PKTGEN_UDP) {
		lb_store16(h + 4, htons((uint16_t)l4));
	} else {
		lb_store32(h + 4, mixed);
		lb_store32(h + 8, plan->kind == PKTGEN_SYN ? 0 : ~mixed);
		h[12] = 0x50;
		h[13] = plan->kind == PKTGEN_SYN ? 0x02 : 0x10;
		lb_store16(h + 14, htons(65535));
	}
	memcpy(stamp, &plan->mark, sizeof(plan->mark));
	lb_store16(p + check_at(plan), (uint16_t)~lb_fold(sum(ip + 12, 8) + htons(ip[9]) +
							     htons((uint16_t)l4) + sum(h, l4)));
}

void pktgen_stamp(const struct pktgen_plan *plan, uint8_t *p, uint64_t time)
{
	uint8_t *check = p + check_at(plan), *stamp = p + ETH + IP + l4_length(plan) + 8;
	uint64_t before = sum(stamp, 8);
	uint16_t now;

	memcpy(stamp, &time, sizeof(time));
	/* RFC 1624, and for UDP a sum of 0 would say that there is none. */
	now = (uint16_t)~lb_fold((uint64_t)(uint16_t)~lb_load16(check) + sum(stamp, 8) +
				 (uint16_t)~lb_fold(before));
	lb_store16(check, plan->kind == PKTGEN_UDP && !now ? 0xffff : now);
}

bool pktgen_read(const struct pktgen_plan *plan, const uint8_t *p, uint32_t length, uint64_t *time)
{
	uint32_t at = ETH + IP + l4_length(plan);

	if (length >= at + STAMP + VXLAN && lb_load16(p + 12) == htons(0x0800) && p[ETH + 9] == 17 &&
	    lb_load16(p + ETH + IP + 2) == htons(4789))
		at += VXLAN;
	/* An echo may have put words of its own before it: the mark is looked for in the first of them. */
	for (uint32_t end = at + 64; at + STAMP <= length && at < end; at++)
		if (!memcmp(p + at, &plan->mark, sizeof(plan->mark))) {
			memcpy(time, p + at + 8, sizeof(*time));
			return true;
		}
	return false;
}

bool pktgen_answer_arp(const struct pktgen_plan *plan, uint8_t *p, uint32_t length)
{
	uint8_t *arp = p + ETH;
	uint32_t asked;

	if (length < ETH + 28 || lb_load16(p + 12) != htons(0x0806) || lb_load16(arp + 6) != htons(1))
		return false;
	asked = lb_load32(arp + 24);
	if (ntohl(asked) - plan->source >= plan->sources)
		return false;
	memcpy(p, p + 6, 6);
	memcpy(p + 6, plan->src_mac, 6);
	lb_store16(arp + 6, htons(2));
	memcpy(arp + 18, arp + 8, 10); /* the asker is the target now */
	memcpy(arp + 8, plan->src_mac, 6);
	lb_store32(arp + 14, asked);
	return true;
}
