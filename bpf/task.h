/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_TASK_H
#define FL_BPF_TASK_H
/*
 * tc: on the host side of a task's veth (what the task sends) and on the uplink (what XDP left: GSO
 * frames of virtual uplinks, next hops that only the kernel can find).
 */
#define FL_ENCAP_FLAGS                                                                             \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |    \
	 BPF_F_ADJ_ROOM_ENCAP_L2(LB_ETH_LEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH)

/* Transport checksum by the kernel's helper, which knows CHECKSUM_PARTIAL. */
static __always_inline void fl_skb_checksum(struct __sk_buff *skb, const struct lb_verdict *v)
{
	uint32_t at = LB_ETH_LEN + v->l4_check;
	/* With this flag the helper leaves 0 alone, which in TCP is a checksum like any other. */
	uint64_t udp = v->udp ? BPF_F_MARK_MANGLED_0 : 0;

	if (!v->l4_check)
		return;
	bpf_l4_csum_replace(skb, at, 0, v->addr_diff, BPF_F_PSEUDO_HDR | udp);
	bpf_l4_csum_replace(skb, at, 0, v->port_diff, udp);
}

/* Outer header between the Ethernet header and what follows it; the kernel then finds the next hop
 * of the outer destination. outer: 64 bytes, complete but for Ethernet addresses. */
static __always_inline int fl_skb_tunnel(struct __sk_buff *skb, const struct lb_config *config,
					 const union lb_backend *outer)
{
	if (bpf_skb_adjust_room(skb, LB_OUTER_LEN, BPF_ADJ_ROOM_MAC, FL_ENCAP_FLAGS) ||
	    bpf_skb_store_bytes(skb, LB_ETH_LEN, (const uint8_t *)outer + LB_ETH_LEN, LB_OUTER_LEN, 0))
		return TC_ACT_SHOT;
	return (int)bpf_redirect_neigh(config->uplink_ifindex, (void *)0, 0, 0);
}

static __always_inline void fl_skb_frame(struct __sk_buff *skb, struct lb_frame *frame)
{
	/* Room for the longest headers that the decision reads. */
	if (skb->data_end - skb->data < FL_HEADERS_MAX && skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < FL_HEADERS_MAX ? skb->len : FL_HEADERS_MAX);
	frame->data = (uint8_t *)(long)skb->data;
	frame->end = (uint8_t *)(long)skb->data_end;
	frame->length = skb->len;
}

SEC("tc")
int fl_task(struct __sk_buff *skb)
{
	const struct lb_config *config = FL_LOOKUP(fl_config, 0);
	struct lb_env env = {.segmented = skb->gso_size != 0};
	union lb_backend *outer = FL_LOOKUP(fl_scratch, 0);
	struct lb_frame frame;
	struct lb_verdict v;

	if (!config || !outer)
		return TC_ACT_OK;
	fl_skb_frame(skb, &frame);
	lb_reply(&env, &frame, skb->ifindex, &v);
	if (v.reason == LB_REASON_NOT_OURS)
		return TC_ACT_OK;
	lb_env_count(&env, v.reason);
	if (config->sample_mask)
		fl_sample(config, &frame, &v, 1);
	switch (v.action) {
	case LB_ARP:
		return (int)bpf_redirect(skb->ifindex, 0);
	case LB_REPLY:
		fl_skb_checksum(skb, &v);
		return (int)bpf_redirect_neigh(config->uplink_ifindex, (void *)0, 0, 0);
	case LB_REPLY_TUNNEL:
		fl_skb_checksum(skb, &v);
		lb_make_return(outer, config, &v, skb->len);
		return fl_skb_tunnel(skb, config, outer);
	case LB_DROP:
		return TC_ACT_SHOT;
	default:
		return TC_ACT_OK;
	}
}

/* To a task: its own side of the veth at once, GRO's work kept. */
static __always_inline int fl_skb_deliver(struct __sk_buff *skb, const struct lb_verdict *v,
					  uint8_t *mac)
{
	const struct lb_task *task = FL_LOOKUP(fl_tasks, v->task);

	if (!task)
		return TC_ACT_SHOT;
	if (v->strip) {
		lb_copy_mac(mac, task->mac);
		lb_copy_mac(mac + 6, task->gateway_mac);
		if (bpf_skb_adjust_room(skb, -LB_OUTER_LEN, BPF_ADJ_ROOM_MAC,
					BPF_F_ADJ_ROOM_FIXED_GSO) ||
		    bpf_skb_store_bytes(skb, 0, mac, 12, 0))
			return TC_ACT_SHOT;
	}
	fl_skb_checksum(skb, v);
	return (int)bpf_redirect_peer(v->ifindex, 0);
}

/* What XDP left undecided. */
static __always_inline int fl_uplink_left(struct __sk_buff *skb)
{
	const struct lb_config *config = FL_LOOKUP(fl_config, 0);
	struct lb_env env = {.segmented = skb->gso_size != 0};
	union lb_backend *outer = FL_LOOKUP(fl_scratch, 0);
	struct lb_frame frame;
	struct lb_verdict v;

	if (!config || !outer)
		return TC_ACT_OK;
	fl_skb_frame(skb, &frame);
	lb_uplink(&env, &frame, &v);
	switch (v.action) {
	case LB_ENCAP:
		if (!v.template)
			return TC_ACT_SHOT;
		*outer = *v.template;
		lb_patch_outer((uint8_t *)outer, skb->len, v.tos, v.hash);
		if (v.vtep_be)
			lb_write_asked_mac(outer->t.inner_src, v.asked, v.vtep_be);
		lb_env_count(&env, v.reason);
		return fl_skb_tunnel(skb, config, outer);
	case LB_REENCAP:
		if (!v.template)
			return TC_ACT_SHOT;
		*outer = *v.template;
		lb_patch_outer((uint8_t *)outer, skb->len - LB_OUTER_LEN, v.tos, v.hash);
		lb_write_asked_mac(outer->t.inner_src, v.asked, v.vtep_be);
		lb_env_count(&env, v.reason);
		if (bpf_skb_store_bytes(skb, LB_ETH_LEN, (const uint8_t *)outer + LB_ETH_LEN,
					LB_OUTER_LEN, 0))
			return TC_ACT_SHOT;
		return (int)bpf_redirect_neigh(config->uplink_ifindex, (void *)0, 0, 0);
	case LB_DELIVER:
		lb_env_count(&env, v.reason);
		return fl_skb_deliver(skb, &v, (uint8_t *)outer);
	case LB_RETURN:
		if (bpf_skb_adjust_room(skb, -LB_OUTER_LEN, BPF_ADJ_ROOM_MAC,
					BPF_F_ADJ_ROOM_FIXED_GSO))
			return TC_ACT_SHOT;
		return (int)bpf_redirect_neigh(config->uplink_ifindex, (void *)0, 0, 0);
	case LB_DROP:
		lb_env_count(&env, v.reason);
		return TC_ACT_SHOT;
	default:
		return TC_ACT_OK;
	}
}

SEC("tc")
int fl_uplink_skb(struct __sk_buff *skb)
{
	const struct fl_meta *meta = (const void *)(long)skb->data_meta;

	if ((const void *)(meta + 1) <= (const void *)(long)skb->data &&
	    meta->magic == FL_META_DELIVER)
		return (int)bpf_redirect_peer(meta->ifindex, 0);
	return fl_uplink_left(skb);
}
#endif
