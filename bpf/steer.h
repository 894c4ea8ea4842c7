/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_STEER_H
#define FL_BPF_STEER_H
/*
 * Beside fairlead-dpdk: what that forwarder takes goes to its AF_XDP sockets, all else is decided here.
 * When it dies its sockets leave the map, and the next frame is decided here too.
 *
 * net_af_xdp attaches a program of its own (afxdp.bpf.c), which jumps to this one.
 */

/* Net_af_xdp fills it; it insists on the name. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, FL_STEER_QUEUES);
	__type(key, uint32_t);
	__type(value, uint32_t);
} xsks_map SEC(".maps");

/*
 * TCP and UDP for a published port none of whose tasks is here, and replies on their way back. Not
 * fragments (the later ones say no port), not what a socket's buffers have no room for.
 */
static __always_inline bool fl_steered(struct xdp_md *ctx)
{
	const struct lb_config *config = FL_LOOKUP(fl_config, 0);
	const uint8_t *data = (const uint8_t *)(long)ctx->data;
	const uint8_t *end = (const uint8_t *)(long)ctx->data_end, *ip = data + LB_ETH_LEN;
	struct lb_env env = {0};
	uint16_t dport_be;
	bool udp;

	if (!config || data + 58 > end || data + FL_STEER_LENGTH < end ||
	    lb_load16(data + 12) != LB_ETHERTYPE_IPV4_BE || ip[0] != 0x45 ||
	    lb_load16(ip + 6) & LB_BE16(0x3fff) || !lb_is_own(config, lb_load32(ip + 16)))
		return false;
	udp = ip[9] == LB_PROTO_UDP;
	if (!udp && ip[9] != LB_PROTO_TCP)
		return false;
	dport_be = lb_load16(ip + LB_IP_MIN + 2);
	if (udp && dport_be == config->vxlan_port_be && lb_load32(ip + 16) == config->vtep_be)
		return lb_is_mesh_mac(data + LB_OUTER_LEN, LB_MAC_RETURN);
	return lb_port_read(&env, lb_port_index(dport_be, udp)).flags & LB_PORT_STEER;
}

SEC("xdp.frags")
int fl_uplink_steer(struct xdp_md *ctx)
{
	uint32_t queue = ctx->rx_queue_index;

	if (fl_steered(ctx) && bpf_map_lookup_elem(&xsks_map, &queue))
		return (int)bpf_redirect_map(&xsks_map, queue, 0);
	return fl_decide(ctx);
}
#endif
