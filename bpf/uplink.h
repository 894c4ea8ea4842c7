/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_UPLINK_H
#define FL_BPF_UPLINK_H
/* XDP on the uplink: asks for a verdict, moves the front of the frame, lets lbtables write. */

/* Out of the uplink. XDP_TX on a virtual interface reaches nobody unless its peer runs XDP too. */
static __always_inline int fl_xmit(const struct lb_config *config, uint32_t ifindex)
{
	if (config->flags & LB_CONFIG_TX_REDIRECT)
		return (int)bpf_redirect(ifindex, 0);
	return XDP_TX;
}

static __always_inline int fl_xdp_outer(struct xdp_md *ctx, const struct lb_config *config,
					const struct lb_verdict *v, uint32_t inner_length)
{
	uint8_t *data;

	if (v->action == LB_ENCAP && bpf_xdp_adjust_head(ctx, -LB_OUTER_LEN))
		return XDP_DROP;
	data = (uint8_t *)(long)ctx->data;
	if (!v->template || data + sizeof(*v->template) > (uint8_t *)(long)ctx->data_end)
		return XDP_DROP;
	lb_write_outer(data, v, inner_length);
	return fl_xmit(config, ctx->ingress_ifindex);
}

/* The next hop towards a client. What the kernel does not know yet it learns in tc (uplink_skb.h). */
static __always_inline int fl_xdp_return(struct xdp_md *ctx, const struct lb_config *config,
					 const struct lb_verdict *v)
{
	struct bpf_fib_lookup fib = {
	    .family = 2, /* AF_INET */
	    .ipv4_dst = v->daddr_be,
	    .ifindex = ctx->ingress_ifindex,
	};
	uint8_t *data;

	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;
	if (bpf_xdp_adjust_head(ctx, LB_OUTER_LEN))
		return XDP_DROP;
	data = (uint8_t *)(long)ctx->data;
	if (data + LB_ETH_LEN > (uint8_t *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(data, fib.dmac, 6);
	__builtin_memcpy(data + 6, fib.smac, 6);
	return fl_xmit(config, fib.ifindex);
}

static __always_inline int fl_xdp_icmp(struct xdp_md *ctx, const struct lb_config *config,
				       const struct lb_verdict *v, uint32_t length)
{
	uint8_t *data;

	if (bpf_xdp_adjust_head(ctx, -LB_ICMP_ROOM) ||
	    bpf_xdp_adjust_tail(ctx, LB_ICMP_FRAME - (int)length - LB_ICMP_ROOM))
		return XDP_DROP;
	data = (uint8_t *)(long)ctx->data;
	if (data + LB_ICMP_FRAME > (uint8_t *)(long)ctx->data_end)
		return XDP_DROP;
	lb_write_icmp(data, v);
	return fl_xmit(config, ctx->ingress_ifindex);
}

/*
 * To a task: on through GRO, which merges what TCP sends in bulk now that the frame has neither tunnel
 * nor published address; tc then hands it to the task's side of the veth at once. Where the driver has
 * no room for metadata straight to the host's side of the veth.
 */
static __always_inline int fl_xdp_deliver(struct xdp_md *ctx, const struct lb_config *config,
					  const struct lb_verdict *v)
{
	struct fl_meta *meta;

	if (v->strip && bpf_xdp_adjust_head(ctx, LB_OUTER_LEN))
		return XDP_DROP;
	if (!(config->flags & LB_CONFIG_DELIVER_GRO) ||
	    bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return (int)bpf_redirect(v->ifindex, 0);
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_DROP;
	meta->magic = FL_META_DELIVER;
	meta->ifindex = v->ifindex;
	return XDP_PASS;
}

static __always_inline int fl_decide(struct xdp_md *ctx)
{
	struct lb_frame frame = {
	    .data = (uint8_t *)(long)ctx->data,
	    .end = (uint8_t *)(long)ctx->data_end,
	    .length = (uint32_t)(ctx->data_end - ctx->data),
	};
	const struct lb_config *config = FL_LOOKUP(fl_config, 0);
	struct lb_env env = {0};
	struct lb_verdict v;

	if (!config)
		return XDP_PASS;
	/* Only frames near the linear part's end can have more in further buffers. */
	if (frame.length > FL_LINEAR_MAX)
		frame.length = (uint32_t)bpf_xdp_get_buff_len(ctx);
	lb_uplink(&env, &frame, &v);
	if (v.reason == LB_REASON_NOT_OURS)
		return XDP_PASS;
	lb_env_count(&env, v.reason);
	if (config->sample_mask)
		fl_sample(config, &frame, &v, 0);
	switch (v.action) {
	case LB_ENCAP:
		return fl_xdp_outer(ctx, config, &v, frame.length);
	case LB_REENCAP:
		return fl_xdp_outer(ctx, config, &v, frame.length - LB_OUTER_LEN);
	case LB_DELIVER:
		return fl_xdp_deliver(ctx, config, &v);
	case LB_RETURN:
		return fl_xdp_return(ctx, config, &v);
	case LB_ICMP:
		return fl_xdp_icmp(ctx, config, &v, frame.length);
	case LB_DROP:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

SEC("xdp.frags")
int fl_uplink(struct xdp_md *ctx)
{
	return fl_decide(ctx);
}
#endif
