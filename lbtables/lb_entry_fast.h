/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_ENTRY_FAST_H
#define FL_LB_ENTRY_FAST_H
/*
 * lb_uplink for the packet that there is most of: TCP or UDP, whole, without IP options, of a published
 * port, for a remote task whose next hop is known. Says what lb_uplink says, or nothing, with half of the
 * instructions, because what cannot be with such a packet is not carried along. A target that counts cycles
 * (DPDK) asks it first; the differential tests hold it to lb_uplink.
 */
#include "lb_uplink.h"

/* What lb_verdict would say of an LB_ENCAP with LB_REASON_ENTRY_REMOTE. */
struct lb_fast {
	const union lb_backend *template; /* NULL: not such a packet; the rest is undefined */
	uint32_t backend;
	uint32_t hash;
	uint16_t total;
	uint8_t tos;
	bool opening;
};

/* Nothing is counted or written. Locals are as wide as registers: narrow ones that are spilled and read
 * back wider wait until the store has left the core, some 15 cycles a packet. */
lb_inline void lb_entry_fast(struct lb_env *env, const struct lb_frame *frame, struct lb_fast *out)
{
	const struct lb_config *config = lb_env_config(env);
	const uint8_t *p = frame->data;
	uint32_t head, total, room, proto, ports, port_index;
	const union lb_backend *backend;
	const struct lb_port *port;
	const struct lb_ring *ring;
	uint64_t addrs, hash, word;

	out->template = (const union lb_backend *)0;
	if (!config || p + LB_ETH_LEN + LB_IP_MIN + LB_TCP_MIN > frame->end)
		return;
	head = lb_load32(p + 12); /* type; version and header length; TOS */
	if ((head & 0xffffff) != (LB_ETHERTYPE_IPV4_BE | 0x45 << 16) || (p[0] & 1))
		return;
	if ((lb_load16(p + 20) & LB_BE16(0x3fff)) || p[22] <= 1)
		return;
	total = lb_swap16(lb_load16(p + 16));
	if (total < LB_IP_MIN || total + LB_ETH_LEN > frame->length ||
	    frame->length > (uint32_t)config->inner_mtu + LB_ETH_LEN)
		return;
	room = total - LB_IP_MIN;
	addrs = ((const struct lb_u64 *)(p + 26))->v;
	if (!lb_is_own(config, (uint32_t)(addrs >> 32)))
		return;
	ports = lb_load32(p + 34);
	port_index = LB_BE32(ports) & 0xffff;
	proto = p[23];
	if (proto == LB_PROTO_TCP) {
		uint32_t offset = (uint32_t)(p[46] >> 4) * 4;

		if (offset < LB_TCP_MIN || offset > room)
			return;
		out->opening = (p[47] & (LB_TCP_SYN | LB_TCP_ACK | LB_TCP_RST)) == LB_TCP_SYN;
	} else if (proto == LB_PROTO_UDP) {
		uint32_t length = lb_swap16(lb_load16(p + 38));

		if (length < LB_UDP_LEN || length > room || ports >> 16 == config->vxlan_port_be)
			return;
		port_index |= 1U << 16;
		out->opening = false;
	} else {
		return;
	}
	port = lb_env_port(env, port_index);
	if (!port)
		return;
	word = lb_read_once((const uint64_t *)port);
	if (!(uint32_t)word)
		return;
	ring = lb_env_ring(env, (uint32_t)word);
	if (!ring)
		return;
	hash = lb_flow_hash_words(config->key, addrs << 32 | addrs >> 32,
				  (uint64_t)proto << 32 | (ports << 16 | ports >> 16));
	out->backend = lb_ring_pick(env, ring, hash);
	backend = lb_env_backend(env, out->backend); /* NULL for LB_NO_BACKEND: past the end */
	if (!backend || lb_backend_kind(backend) != LB_BACKEND_REMOTE)
		return;
	out->template = backend;
	out->hash = (uint32_t)hash;
	out->total = (uint16_t)total;
	out->tos = (uint8_t)(head >> 24);
}
#endif
