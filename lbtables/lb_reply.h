/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_REPLY_H
#define FL_LB_REPLY_H
/*
 * The forwarding decision for frames that a task sends (host side of its veth): replies to clients
 * of published ports get their published source back and go to the client, straight or through the
 * node it used. ARP for the task's gateway is answered here. All else is the kernel's.
 */
#include "lb_flow.h"
#include "lb_index.h"
#include "lb_ring.h"
#include "lb_rewrite.h"

enum { LB_ARP_LEN = 28 };

/* RFC 826: who has the gateway? Ethernet and IPv4 only; the request becomes its reply. */
lb_inline void lb_answer_arp(const struct lb_frame *frame, const struct lb_task *task,
			     struct lb_verdict *v)
{
	uint8_t *eth = frame->data, *arp = eth + LB_ETH_LEN;

	if (arp + LB_ARP_LEN > frame->end || lb_load32(arp) != LB_BE32(0x00010800U) ||
	    lb_load32(arp + 4) != LB_BE32(0x06040001U) || !task->gateway_be ||
	    lb_load32(arp + 24) != task->gateway_be)
		return;
	lb_copy_mac(eth, eth + 6);
	lb_copy_mac(eth + 6, task->gateway_mac);
	arp[7] = 2;
	lb_copy_mac(arp + 18, arp + 8);
	lb_store32(arp + 24, lb_load32(arp + 14));
	lb_copy_mac(arp + 8, task->gateway_mac);
	lb_store32(arp + 14, task->gateway_be);
	v->action = LB_ARP;
	v->reason = LB_REASON_ARP_REPLY;
}

/* An ICMP error that a task sends quotes a client's packet: the fields become those of the task's
 * own replies. */
lb_inline enum lb_parsed lb_parse_task_icmp(struct lb_ip *p, const uint8_t *end)
{
	uint8_t *l4 = p->ip + LB_IP_MIN, *quote = l4 + LB_ICMP_LEN;

	if (p->ip[0] != 0x45 || p->fragment_first ||
	    p->total < LB_IP_MIN + LB_ICMP_LEN + LB_IP_MIN + 8 || quote + LB_IP_MIN + 8 > end ||
	    !lb_icmp_is_error(l4[0]) || quote[0] != 0x45 ||
	    (lb_load16(quote + 6) & LB_BE16(0x1fff)) || lb_load32(quote + 16) != p->saddr_be ||
	    lb_load32(quote + 12) != p->daddr_be ||
	    (quote[9] != LB_PROTO_TCP && quote[9] != LB_PROTO_UDP))
		return LB_PARSED_OTHER;
	p->proto = quote[9];
	p->sport_be = lb_load16(quote + 22);
	p->dport_be = lb_load16(quote + 20);
	p->icmp = l4;
	return LB_PARSED_OK;
}

/* A task's flow with a client, whichever published port it came through. */
lb_inline struct lb_flow *lb_reply_flow(struct lb_env *env, const struct lb_config *config,
					uint64_t key, uint16_t target_port_be, uint64_t *value,
					struct lb_port *port)
{
	struct lb_flow_bucket *bucket = lb_flow_bucket_of(env, config, key);

	if (!bucket)
		return (struct lb_flow *)0;
#pragma GCC unroll 8
	for (int i = 0; i < LB_WAYS; i++) {
		*value = lb_flow_peek(&bucket->way[i], key);
		if (!*value)
			continue;
		*port = lb_port_read(env, lb_port_index(lb_flow_port(*value), lb_flow_is_udp(key)));
		if (port->ring && port->target_port_be == target_port_be)
			return &bucket->way[i];
	}
	return (struct lb_flow *)0;
}

/* Sends a rewritten reply on. */
lb_inline void lb_reply_send(const struct lb_config *config, const struct lb_ip *p,
			     const struct lb_via *via, bool dsr, struct lb_verdict *v)
{
	v->daddr_be = p->daddr_be;
	v->tos = p->tos;
	v->vtep_be = via->vtep_be;
	if (dsr || via->vtep_be == config->vtep_be) {
		v->action = LB_REPLY;
		v->reason = LB_REASON_REPLY_DIRECT;
		return;
	}
	v->action = LB_REPLY_TUNNEL;
	v->reason = LB_REASON_REPLY_TUNNEL;
	v->hash = (uint32_t)lb_flow_hash(config->key, p->saddr_be, p->daddr_be, p->sport_be,
					 p->dport_be, p->proto);
}

/* Later fragments of a reply follow the first. */
lb_inline void lb_reply_fragment(struct lb_env *env, const struct lb_ip *p, struct lb_verdict *v)
{
	const struct lb_config *config = lb_env_config(env);
	struct lb_fragment_key key;
	struct lb_fragment fragment = {0};
	const struct lb_via *via;
	struct lb_rewrite to = {0};
	struct lb_port port;

	key.saddr_be = p->saddr_be;
	key.daddr_be = p->daddr_be;
	key.id_be = p->id_be;
	key.proto = p->proto;
	key.side = 1;
	if (!config || lb_env_fragment_get(env, &key, &fragment))
		return;
	via = lb_env_via(env, fragment.via);
	if (!via)
		return;
	port = lb_port_read(env, lb_port_index(fragment.port_be, p->proto == LB_PROTO_UDP));
	to.addr_be = via->addr_be;
	lb_rewrite_reply(p, &to, v);
	lb_reply_send(config, p, via, port.flags & LB_PORT_DSR, v);
}

/* The client's real port of an aliased flow; 0 where the alias is gone. */
lb_cold uint16_t lb_reply_client_port(struct lb_env *env, uint64_t key, uint16_t target_port_be)
{
	struct lb_alias_key alias_key;
	struct lb_alias alias = {0};

	if (!env)
		return 0;
	alias_key.flow = key;
	alias_key.addr_be = 0;
	alias_key.port_be = target_port_be;
	alias_key.side = 1;
	return lb_env_alias_get(env, &alias_key, &alias) ? 0 : alias.port_be;
}

/* A reply of a task. */
lb_inline void lb_reply_packet(struct lb_env *env, const struct lb_config *config,
			       const struct lb_ip *p, uint32_t task_id, struct lb_verdict *v)
{
	bool udp = p->proto == LB_PROTO_UDP;
	uint64_t key = lb_flow_key(p->daddr_be, p->dport_be, task_id, udp), value = 0;
	const struct lb_via *via;
	struct lb_port port = {0};
	struct lb_flow *flow;
	struct lb_rewrite to;
	uint32_t state;

	v->reason = LB_REASON_REPLY_NO_FLOW;
	flow = lb_reply_flow(env, config, key, p->sport_be, &value, &port);
	if (!flow)
		return;
	via = lb_env_via(env, lb_flow_via(value));
	if (!via) {
		lb_refuse(v, LB_REASON_DROP_INTERNAL);
		return;
	}
	if (p->ttl <= 1) {
		lb_refuse(v, LB_REASON_DROP_TTL);
		return;
	}
	state = lb_flow_state(value);
	to.addr_be = via->addr_be;
	to.port_be = lb_flow_port(value);
	to.client_port_be = p->dport_be;
	if (state & LB_FLOW_ALIASED)
		to.client_port_be = lb_reply_client_port(env, key, p->sport_be);
	if (!to.client_port_be && p->dport_be) {
		lb_refuse(v, LB_REASON_DROP_INTERNAL);
		return;
	}
	if (!p->icmp)
		state = lb_flow_next_state(state, udp, p->tcp_flags, true);
	lb_flow_update(flow, value, lb_flow_value(lb_flow_via(value), lb_flow_port(value),
						  lb_env_ticks(env), state));
	if (p->fragment_first) {
		struct lb_fragment_key fragment_key;
		struct lb_fragment fragment = {.port_be = to.port_be,
					       .via = (uint16_t)lb_flow_via(value)};

		fragment_key.saddr_be = p->saddr_be;
		fragment_key.daddr_be = p->daddr_be;
		fragment_key.id_be = p->id_be;
		fragment_key.proto = p->proto;
		fragment_key.side = 1;
		lb_env_fragment_put(env, &fragment_key, &fragment);
	}
	lb_rewrite_reply(p, &to, v);
	lb_env_count_task(env, task_id, p->total, true, false);
	lb_reply_send(config, p, via, port.flags & LB_PORT_DSR, v);
}

/* The decision. ifindex: the interface that the frame came in on. */
lb_inline void lb_reply(struct lb_env *env, const struct lb_frame *frame, uint32_t ifindex,
			struct lb_verdict *v)
{
	const struct lb_config *config = lb_env_config(env);
	uint8_t *ip = frame->data + LB_ETH_LEN;
	const struct lb_task *task;
	enum lb_parsed parsed;
	uint32_t task_id;
	uint16_t type;
	struct lb_ip p;

	*v = (struct lb_verdict){.action = LB_PASS, .reason = LB_REASON_NOT_OURS};
	if (!config || ip + LB_IP_MIN > frame->end)
		return;
	type = lb_load16(frame->data + 12);
	if (type != LB_ETHERTYPE_IPV4_BE && type != LB_ETHERTYPE_ARP_BE)
		return;
	task_id = lb_index_find(env, config,
				lb_load32(ip + (type == LB_ETHERTYPE_ARP_BE ? 14 : 12)),
				LB_INDEX_TASK_ADDR);
	task = task_id ? lb_env_task(env, task_id) : (const struct lb_task *)0;
	if (!task || task->ifindex != ifindex)
		return;
	if (type == LB_ETHERTYPE_ARP_BE) {
		lb_answer_arp(frame, task, v);
		return;
	}
	if (lb_parse_ip(&p, ip, frame->end, frame->length - LB_ETH_LEN) != LB_PARSED_OK)
		return;
	if (p.proto == LB_PROTO_ICMP && !p.fragment_later)
		parsed = lb_parse_task_icmp(&p, frame->end);
	else
		parsed = lb_parse_l4(&p, frame->end);
	if (parsed != LB_PARSED_OK)
		return;
	if (p.fragment_later)
		lb_reply_fragment(env, &p, v);
	else
		lb_reply_packet(env, config, &p, task_id, v);
}
#endif
