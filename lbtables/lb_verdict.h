/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_VERDICT_H
#define FL_LB_VERDICT_H
/*
 * What the decision says, and the writes that turn it into bytes. A target asks for a verdict, makes
 * room or takes it away at the front of the frame (only it knows how), then calls the matching write.
 */
#include "lb_hash.h"
#include "lb_packet.h"
#include "lb_types.h"

enum lb_action {
	LB_PASS,    /* leave the frame to the kernel, untouched */
	LB_DROP,
	LB_ENCAP,   /* 50 bytes more, lb_write_outer, out of the uplink */
	LB_REENCAP, /* lb_write_outer over the outer header that is there, out of the uplink */
	LB_DELIVER, /* strip bytes less (already rewritten), to the task's interface */
	LB_RETURN,  /* strip bytes less, MACs by route to daddr_be, out of the uplink */
	LB_ICMP,    /* 28 bytes more, lb_write_icmp, cut to LB_ICMP_FRAME, back where it came from */
	LB_REPLY,   /* already rewritten: by route to daddr_be, out of the uplink */
	LB_REPLY_TUNNEL, /* already rewritten: 50 bytes more, lb_write_return to vtep_be */
	LB_ARP,     /* already rewritten: back where it came from */
};

struct lb_verdict {
	const union lb_backend *template; /* ENCAP, REENCAP */
	uint32_t backend;
	uint32_t task;     /* DELIVER */
	uint32_t ifindex;  /* DELIVER */
	uint32_t daddr_be; /* RETURN, REPLY */
	uint32_t vtep_be;  /* REPLY_TUNNEL: where to; ENCAP, REENCAP: entry node to name, 0: template's */
	uint32_t hash;     /* tunnel's entropy */
	uint8_t action;    /* enum lb_action */
	uint8_t reason;    /* enum lb_reason */
	uint8_t strip;
	uint8_t tos;   /* of the inner packet */
	uint8_t asked; /* ENCAP, REENCAP with vtep_be: whom already (lb_types.h) */
	uint8_t icmp_type, icmp_code;
	bool unresolved; /* ENCAP with LB_ENV_RESOLVES: without Ethernet addresses, which are to be found */
	bool udp; /* with l4_check: 0 there means "none" */
	uint16_t icmp_mtu;
	/* Where LB_ENV_SKB: what the transport checksum must take in. */
	uint16_t l4_check;             /* offset from the IP header, 0: nothing */
	uint16_t addr_diff, port_diff; /* folded sums */
};

lb_inline void lb_refuse(struct lb_verdict *v, uint8_t reason)
{
	v->action = LB_DROP;
	v->reason = reason;
}

enum {
	LB_ICMP_QUOTE = LB_IP_MIN + 8,
	LB_ICMP_ROOM = 28, /* more at the front: the quoted header then already is in its place */
	LB_ICMP_FRAME = LB_ETH_LEN + LB_IP_MIN + LB_ICMP_LEN + LB_ICMP_QUOTE,
	/* RFC 7348 section 5: a range for entropy, here the dynamic ports of RFC 6335. */
	LB_ENTROPY_FIRST = 49152,
	LB_ENTROPY_MASK = 0x3fff,
};

lb_inline uint16_t lb_entropy_port_be(uint32_t hash)
{
	return lb_swap16((uint16_t)(LB_ENTROPY_FIRST + (hash & LB_ENTROPY_MASK)));
}

/* The mesh's own MAC addresses (lb_types.h). */
lb_inline void lb_write_mesh_mac(uint8_t *mac, uint8_t kind, uint32_t vtep_be)
{
	mac[0] = LB_MAC_PREFIX;
	mac[1] = kind;
	lb_store32(mac + 2, vtep_be);
}
lb_inline void lb_write_asked_mac(uint8_t *mac, uint8_t asked, uint32_t vtep_be)
{
	mac[0] = LB_MAC_PREFIX_ASKED;
	mac[1] = asked;
	lb_store32(mac + 2, vtep_be);
}
lb_inline bool lb_is_mesh_mac(const uint8_t *mac, uint8_t kind)
{
	return mac[0] == LB_MAC_PREFIX && mac[1] == kind;
}

/* Lengths, ECN (RFC 6040: the inner field is copied), entropy and checksum of an outer header
 * whose ip.check holds the partial sum. inner_length: inner frame with its Ethernet header. */
lb_inline void lb_patch_outer(uint8_t *p, uint32_t inner_length, uint8_t tos, uint32_t hash)
{
	uint8_t ecn = tos & 3;
	uint16_t total_be = lb_swap16((uint16_t)(inner_length + LB_OUTER_LEN - LB_ETH_LEN));
	uint32_t sum = (uint32_t)lb_load16(p + 24) + total_be + ((uint32_t)ecn << 8);

	p[15] = ecn;
	lb_store16(p + 16, total_be);
	lb_store16(p + 24, (uint16_t)~lb_fold32(sum));
	lb_store16(p + 34, lb_entropy_port_be(hash));
	lb_store16(p + 38, lb_swap16((uint16_t)(inner_length + 16)));
}

/* Word by word in BPF; elsewhere by what is widest, because the compiler may then load before it stores. */
lb_inline void lb_copy_template(uint8_t *p, const union lb_backend *template)
{
#ifdef __bpf__
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		((struct lb_u64 *)p)[i].v = template->word[i];
#else
	__builtin_memcpy(p, template, sizeof(*template));
#endif
}

/* The first 64 bytes of a frame with outer header; inner_length as above. */
lb_inline void lb_write_outer(uint8_t *p, const struct lb_verdict *v, uint32_t inner_length)
{
	lb_copy_template(p, v->template);
	/* The entry may have become something else since its kind was read; its addresses hold. */
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	if (v->vtep_be)
		lb_write_asked_mac(p + 56, v->asked, v->vtep_be);
	lb_patch_outer(p, inner_length, v->tos, v->hash);
}

/* A template towards a VTEP, without Ethernet addresses. Also what user space builds backends from.*/
lb_inline void lb_make_outer(union lb_backend *b, const struct lb_config *config, uint32_t vtep_be)
{
	uint64_t sum;

	for (int i = 0; i < 8; i++)
		b->word[i] = 0;
	b->t.outer_type_be = LB_ETHERTYPE_IPV4_BE;
	b->t.ip[0] = 0x45;
	b->t.ip[6] = 0x40; /* DF: what does not fit was answered before */
	b->t.ip[8] = 64;
	b->t.ip[9] = LB_PROTO_UDP;
	lb_store32(b->t.ip + 12, config->vtep_be);
	lb_store32(b->t.ip + 16, vtep_be);
	sum = 0x45 + 0x40 + (64 | LB_PROTO_UDP << 8) + lb_sum32(config->vtep_be) + lb_sum32(vtep_be);
	lb_store16(b->t.ip + 10, lb_fold(sum));
	b->t.udp_dst_be = config->vxlan_port_be;
	b->t.vxlan_flags_be = LB_VXLAN_FLAGS_BE;
	b->t.vxlan_vni_be = config->vni_be;
	b->t.inner_type_be = LB_ETHERTYPE_IPV4_BE;
}

/* The outer header of a reply to its entry node; outer Ethernet addresses are left 0. */
lb_inline void lb_make_return(union lb_backend *b, const struct lb_config *config,
			      const struct lb_verdict *v, uint32_t inner_length)
{
	lb_make_outer(b, config, v->vtep_be);
	lb_write_mesh_mac(b->t.inner_dst, LB_MAC_RETURN, v->vtep_be);
	lb_write_mesh_mac(b->t.inner_src, LB_MAC_ENTRY, config->vtep_be);
	lb_patch_outer((uint8_t *)b, inner_length, v->tos, v->hash);
}

/*
 * An ICMP error in front of the packet it is about. p has LB_ICMP_ROOM new bytes, then the frame:
 *
 *   0     14    28   34     42          70
 *   | Eth | IP       | ICMP | quoted IP |
 *               | old Eth   | old IP ...
 */
lb_inline void lb_write_icmp(uint8_t *p, const struct lb_verdict *v)
{
	uint8_t *ip = p + LB_ETH_LEN, *icmp = ip + LB_IP_MIN, *quote = icmp + LB_ICMP_LEN;
	uint8_t *old = p + LB_ICMP_ROOM;
	uint64_t sum;

	lb_copy_mac(p, old + 6);
	lb_copy_mac(p + 6, old);
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	lb_store32(ip, LB_BE32(0x45c00000U | (LB_ICMP_FRAME - LB_ETH_LEN)));
	lb_store32(ip + 4, LB_BE32(0x00004000U));
	lb_store32(ip + 8, LB_BE32(64U << 24 | LB_PROTO_ICMP << 16));
	lb_store32(ip + 12, lb_load32(quote + 16));
	lb_store32(ip + 16, lb_load32(quote + 12));
	sum = lb_sum32(LB_BE32(0x45c00000U | (LB_ICMP_FRAME - LB_ETH_LEN))) +
	      lb_sum32(LB_BE32(0x00004000U)) + lb_sum32(LB_BE32(64U << 24 | LB_PROTO_ICMP << 16)) +
	      lb_sum32(lb_load32(quote + 16)) + lb_sum32(lb_load32(quote + 12));
	lb_store16(ip + 10, (uint16_t)~lb_fold(sum));
	icmp[0] = v->icmp_type;
	icmp[1] = v->icmp_code;
	lb_store16(icmp + 2, 0);
	lb_store16(icmp + 4, 0);
	lb_store16(icmp + 6, lb_swap16(v->icmp_mtu));
	sum = 0;
#pragma GCC unroll 9
	for (int i = 0; i < (LB_ICMP_LEN + LB_ICMP_QUOTE) / 4; i++)
		sum += lb_sum32(lb_load32(icmp + 4 * i));
	lb_store16(icmp + 2, (uint16_t)~lb_fold(sum));
}
#endif
