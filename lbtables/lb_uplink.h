/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_UPLINK_H
#define FL_LB_UPLINK_H
/*
 * The forwarding decision for frames that arrive on the uplink: packet walks 1, 2 and 6.
 *
 *   for a published port --> ring --> remote task: ENCAP      (stateless)
 *                                 `-> local task: DELIVER     (flow)
 *   out of our tunnel --> for a task here: DELIVER, or REENCAP to an older owner
 *                     `-> a reply for a client: RETURN        (stateless)
 *   all else --> PASS
 */
#include "lb_task_side.h"

lb_inline bool lb_is_own(const struct lb_config *config, uint32_t addr_be)
{
#pragma GCC unroll 8
	for (int i = 0; i < LB_ADDRS_MAX; i++)
		if (config->addrs_be[i] == addr_be)
			return addr_be != 0; /* 0 marks an unused entry */
	return false;
}

lb_inline void lb_verdict_init(struct lb_verdict *v)
{
	*v = (struct lb_verdict){.action = LB_PASS, .reason = LB_REASON_NOT_OURS};
}

/* An answer by ICMP, unless none may be given (RFC 1812 section 4.3.2.7). */
lb_inline void lb_answer(const struct lb_ip *p, uint8_t type, uint8_t code, uint16_t mtu,
			 uint8_t reason, uint8_t else_reason, struct lb_verdict *v)
{
	uint8_t first = (uint8_t)p->saddr_be;

	if (p->ip[0] != 0x45 || p->fragment_later || p->icmp || !first || first == 127 ||
	    first >= 224) {
		lb_refuse(v, else_reason);
		return;
	}
	v->action = LB_ICMP;
	v->reason = reason;
	v->icmp_type = type;
	v->icmp_code = code;
	v->icmp_mtu = mtu;
}

/* To the backend that was picked. */
lb_inline void lb_entry_backend(struct lb_env *env, const struct lb_config *config,
				const struct lb_ip *p, struct lb_port port, uint32_t index,
				struct lb_verdict *v)
{
	const union lb_backend *backend = lb_env_backend(env, index);
	uint32_t kind;

	if (!backend) {
		lb_refuse(v, LB_REASON_DROP_INTERNAL);
		return;
	}
	kind = lb_backend_kind(backend);
	if (kind == LB_BACKEND_LOCAL && !LB_ENV_TASKS)
		return;
	if (kind == LB_BACKEND_UNRESOLVED) {
		v->reason = LB_REASON_ENTRY_UNRESOLVED;
		if (!LB_ENV_RESOLVES)
			return;
		v->unresolved = true;
		kind = LB_BACKEND_REMOTE;
	}
	lb_env_count_backend(env, index, p->total, lb_is_opening(p));
	v->backend = index;
	v->template = backend;
	v->tos = p->tos;
	if (kind == LB_BACKEND_REMOTE) {
		v->action = LB_ENCAP;
		v->reason = LB_REASON_ENTRY_REMOTE;
	} else if (kind == LB_BACKEND_LOCAL) {
		lb_to_task(env, config, p, port, backend->local.task, config->vtep_be, 0, false,
			   LB_REASON_ENTRY_LOCAL, v);
	} else {
		lb_refuse(v, LB_REASON_DROP_NO_BACKEND);
	}
}

/* Notes where the later fragments of a first one go. What is left to the kernel may go elsewhere from
 * there, and its later fragments with it. */
lb_inline void lb_entry_note(struct lb_env *env, const struct lb_ip *p, uint32_t index)
{
	struct lb_fragment_key key = {0};
	struct lb_fragment fragment = {.backend = index, .port_be = p->dport_be};

	if (!LB_ENV_TASKS) {
		const union lb_backend *backend = lb_env_backend(env, index);

		if (backend && lb_backend_kind(backend) == LB_BACKEND_LOCAL)
			fragment.backend = LB_NO_BACKEND;
	}
	lb_fragment_key_of(&key, p->saddr_be, p->daddr_be, p->id_be, p->proto, 0);
	lb_env_fragment_put(env, &key, &fragment);
}

/* A later fragment for one of this node's addresses: after its first, or the kernel's. */
lb_inline void lb_entry_fragment(struct lb_env *env, const struct lb_frame *frame,
				 const struct lb_ip *p, struct lb_verdict *v)
{
	const struct lb_config *config = lb_env_config(env);
	struct lb_fragment_key key = {0};
	struct lb_fragment fragment = {0};
	struct lb_port none = {0};

	lb_fragment_key_of(&key, p->saddr_be, p->daddr_be, p->id_be, p->proto, 0);
	if (!config || lb_env_fragment_get(env, &key, &fragment))
		return;
	if (!LB_ENV_TASKS && fragment.backend == LB_NO_BACKEND)
		return;
	if (frame->length > (uint32_t)config->inner_mtu + LB_ETH_LEN) {
		lb_refuse(v, LB_REASON_DROP_TOO_BIG);
		return;
	}
	v->hash = p->id_be;
	lb_entry_backend(env, config, p, none, fragment.backend, v);
}

/* A packet for one of this node's addresses. */
lb_inline void lb_entry(struct lb_env *env, const struct lb_config *config, const struct lb_frame *frame,
			const struct lb_ip *p, struct lb_verdict *v)
{
	struct lb_port port = lb_port_read(env, lb_port_index(p->dport_be, p->proto == LB_PROTO_UDP));
	const struct lb_ring *ring;
	uint64_t hash;
	uint32_t index;

	if (!port.ring)
		return;
	ring = lb_env_ring(env, port.ring);
	if (!ring) {
		lb_refuse(v, LB_REASON_DROP_INTERNAL);
		return;
	}
	if (p->ttl <= 1) {
		lb_answer(p, 11, 0, 0, LB_REASON_ICMP_TIME_EXCEEDED, LB_REASON_DROP_TTL, v);
		return;
	}
	hash = lb_flow_hash(config->key, p->saddr_be, p->daddr_be, p->sport_be, p->dport_be, p->proto);
	v->hash = (uint32_t)hash;
	index = lb_ring_pick(env, ring, hash);
	if (index == LB_NO_BACKEND) {
		lb_answer(p, 3, 3, 0, LB_REASON_ICMP_UNREACHABLE, LB_REASON_DROP_NO_BACKEND, v);
		return;
	}
	/* The frame, not the packet: bytes after it would travel along. */
	if (frame->length > (uint32_t)config->inner_mtu + LB_ETH_LEN && !LB_ENV_SEGMENTED(env)) {
		if (frame->length > (uint32_t)config->uplink_mtu + LB_ETH_LEN)
			v->reason = LB_REASON_ENTRY_OVERSIZE;
		else if (p->total <= config->inner_mtu)
			lb_refuse(v, LB_REASON_DROP_TOO_BIG);
		else
			lb_answer(p, 3, 4, config->inner_mtu, LB_REASON_ICMP_TOO_BIG,
				  LB_REASON_DROP_TOO_BIG, v);
		return;
	}
	if (p->fragment_first)
		lb_entry_note(env, p, index);
	lb_entry_backend(env, config, p, port, index, v);
}

/* A reply that comes back through the node that the client used. */
lb_inline void lb_tunnel_return(struct lb_env *env, const struct lb_config *config,
				struct lb_ip *p, const uint8_t *end, struct lb_verdict *v)
{
	if (!lb_is_own(config, p->saddr_be)) {
		lb_refuse(v, LB_REASON_DROP_UNKNOWN_ENTRY);
		return;
	}
	if (p->proto != LB_PROTO_ICMP && !p->fragment_later) {
		if (lb_parse_l4(p, end) != LB_PARSED_OK) {
			lb_refuse(v, LB_REASON_DROP_MALFORMED);
			return;
		}
		if (!lb_port_read(env, lb_port_index(p->sport_be, p->proto == LB_PROTO_UDP)).ring) {
			lb_refuse(v, LB_REASON_DROP_NO_SERVICE);
			return;
		}
	}
	v->action = LB_RETURN;
	v->reason = LB_REASON_TUNNEL_RETURN;
	v->daddr_be = p->daddr_be;
	v->strip = LB_OUTER_LEN;
}

/* RFC 6040 section 4.2, figure 4: false if the packet must be dropped. Only ECT(0) inside ECT(1)
 * and ECT inside CE change. */
lb_inline bool lb_decapsulate_ecn(struct lb_ip *p, uint8_t outer_tos)
{
	uint8_t inner = p->tos & 3, outer = outer_tos & 3, tos;

	if (!inner)
		return outer != 3;
	if (inner == 3 || !(outer & 1) || inner == outer)
		return true;
	tos = (uint8_t)((p->tos & ~3) | outer);
	p->ip[1] = tos;
	lb_store16(p->ip + 10, lb_csum_apply(lb_load16(p->ip + 10),
					     lb_diff16((uint16_t)(p->tos << 8), (uint16_t)(tos << 8))));
	p->tos = tos;
	return true;
}

/* A VXLAN packet for this node's VTEP. p: the outer header, without options and no fragment; then
 * the inner one (one struct for both: the stack is 512 bytes in all). */
lb_inline void lb_tunnel(struct lb_env *env, const struct lb_config *config,
			 const struct lb_frame *frame, struct lb_ip *p, struct lb_verdict *v)
{
	uint8_t *data = p->ip - LB_ETH_LEN, *eth = data + LB_OUTER_LEN;
	uint32_t udp_length, entry_vtep_be = p->saddr_be, task;
	struct lb_port port = {0};
	uint8_t outer_tos = p->tos, asked = 0;

	if (eth + LB_ETH_LEN + LB_IP_MIN > frame->end)
		return;
	if (!(lb_load32(data + 42) & LB_VXLAN_FLAGS_BE) ||
	    (lb_load32(data + 46) & LB_BE32(0xffffff00U)) != config->vni_be ||
	    lb_load16(eth + 12) != LB_ETHERTYPE_IPV4_BE) {
		v->reason = LB_REASON_TUNNEL_NOT_OURS;
		return;
	}
	if (!LB_ENV_TASKS && !lb_is_mesh_mac(eth, LB_MAC_RETURN))
		return;
	udp_length = lb_swap16(lb_load16(data + 38));
	if (udp_length != (uint32_t)p->total - LB_IP_MIN || udp_length < 8 + 8 + LB_ETH_LEN + LB_IP_MIN ||
	    lb_parse_ip(p, eth + LB_ETH_LEN, frame->end, udp_length - 16 - LB_ETH_LEN) !=
		LB_PARSED_OK) {
		lb_refuse(v, LB_REASON_DROP_MALFORMED);
		return;
	}
	if (!lb_decapsulate_ecn(p, outer_tos)) {
		lb_refuse(v, LB_REASON_DROP_ECN);
		return;
	}
	if (lb_is_mesh_mac(eth, LB_MAC_RETURN)) {
		lb_tunnel_return(env, config, p, frame->end, v);
		return;
	}
	task = lb_index_find(env, config, lb_load_mac(eth), LB_INDEX_TASK_MAC);
	if (!task) {
		lb_refuse(v, LB_REASON_DROP_UNKNOWN_TASK);
		return;
	}
	if (eth[6] == LB_MAC_PREFIX_ASKED) {
		entry_vtep_be = lb_load32(eth + 8);
		asked = eth[7];
	} else if (lb_is_mesh_mac(eth + 6, LB_MAC_ENTRY)) {
		entry_vtep_be = lb_load32(eth + 8);
	}
	switch (lb_parse_l4(p, frame->end)) {
	case LB_PARSED_OK:
		break;
	case LB_PARSED_OTHER:
		lb_refuse(v, LB_REASON_DROP_NO_SERVICE);
		return;
	default:
		lb_refuse(v, LB_REASON_DROP_MALFORMED);
		return;
	}
	v->strip = LB_OUTER_LEN;
	v->tos = p->tos;
	if (!p->fragment_later) {
		port = lb_port_read(env, lb_port_index(p->dport_be, p->proto == LB_PROTO_UDP));
		if (!port.ring) {
			lb_refuse(v, LB_REASON_DROP_NO_SERVICE);
			return;
		}
	}
	lb_to_task(env, config, p, port, task, entry_vtep_be, asked, true, LB_REASON_TUNNEL_DELIVER,
		   v);
}

/* The decision. frame->data is the outermost Ethernet header. */
lb_inline void lb_uplink(struct lb_env *env, const struct lb_frame *frame, struct lb_verdict *v)
{
	const struct lb_config *config = lb_env_config(env);
	uint8_t *ip = frame->data + LB_ETH_LEN;
	struct lb_ip p;

	lb_verdict_init(v);
	if (!config || ip + LB_IP_MIN > frame->end)
		return;
	if (frame->data[0] & 1) /* RFC 1122 section 3.2.2: no unicast for us by broadcast */
		return;
	if (lb_load16(frame->data + 12) != LB_ETHERTYPE_IPV4_BE) {
		if (lb_load16(frame->data + 12) == LB_ETHERTYPE_IPV6_BE && ip[0] >> 4 == 6)
			v->reason = LB_REASON_IPV6;
		return;
	}
	if (!lb_is_own(config, lb_load32(ip + 16)))
		return;
	/* What is malformed here is the kernel's to drop and count. */
	if (lb_parse_ip(&p, ip, frame->end, frame->length - LB_ETH_LEN) != LB_PARSED_OK ||
	    lb_parse_l4(&p, frame->end) != LB_PARSED_OK)
		return;
	if (p.fragment_later) {
		lb_entry_fragment(env, frame, &p, v);
		return;
	}
	if (p.dport_be == config->vxlan_port_be && p.proto == LB_PROTO_UDP && !p.icmp &&
	    p.daddr_be == config->vtep_be) {
		if (ip[0] == 0x45 && !p.fragment_first)
			lb_tunnel(env, config, frame, &p, v);
		return;
	}
	lb_entry(env, config, frame, &p, v);
}
#endif
