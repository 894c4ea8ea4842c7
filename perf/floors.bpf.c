// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The benchmark's driver and its floors. The program under test is reached by a tail call, which
 * leaves it as it is. The index is a constant, so the call is a direct jump; what is in the map's
 * only place decides what is measured. The driver does the same work for each of them: it asks for
 * the head to be moved even where it is in its place.
 */
#include <linux/bpf.h>
/* order matters */
#include <bpf/bpf_helpers.h>

#include "lb_bytes.h"

#include "floors.h"

struct floors_plan floors_plan;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint32_t);
} floors_target SEC(".maps");

lb_inline uint64_t floors_load64(const uint8_t *p)
{
	return ((const struct lb_u64 *)p)->v;
}
lb_inline void floors_store64(uint8_t *p, uint64_t v)
{
	((struct lb_u64 *)p)->v = v;
}

SEC("xdp.frags")
int floors_drive(struct xdp_md *ctx)
{
	const uint8_t *block = floors_plan.block;
	uint32_t length = (uint32_t)(ctx->data_end - ctx->data), mixed;
	uint8_t *p;

	/* As it stands: the verifier takes a sum of pointers and numbers amiss. */
	__asm__ __volatile__("" : "+r"(length));
	if (bpf_xdp_adjust_head(ctx, (int)(length - floors_plan.length)))
		return XDP_ABORTED;
	p = (uint8_t *)(long)ctx->data + (floors_plan.at & 63);
	if (p + FLOORS_BLOCK > (uint8_t *)(long)ctx->data_end)
		return XDP_ABORTED;
	mixed = floors_mix(
	    floors_flow(floors_plan.next++, floors_plan.mask, floors_plan.draw));
	/* As wide as no reader's load straddles two stores, which would stall it. */
	floors_store64(p, floors_load64(block));
	lb_store32(p + 8, lb_load32(block + 8));
	lb_store16(p + 12, lb_load16(block + 12));
	lb_store32(p + 14, lb_load32(block + 14));
	floors_store64(p + 18, floors_load64(block + 18));
	floors_store64(p + 26, (uint64_t)lb_load32(block + 30) << 32 | floors_client_be(mixed));
	floors_store64(p + 34, (floors_load64(block + 34) & ~0xffffULL) | floors_port_be(mixed));
	floors_store64(p + 42, floors_load64(block + 42));
	lb_store32(p + 50, lb_load32(block + 50));
	bpf_tail_call(ctx, &floors_target, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int floors_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("xdp.frags")
int floors_swap(struct xdp_md *ctx)
{
	uint8_t *p = (uint8_t *)(long)ctx->data;
	uint32_t dst, src;
	uint16_t dst_high, src_low;

	if (p + 14 > (uint8_t *)(long)ctx->data_end)
		return XDP_ABORTED;
	dst = lb_load32(p);
	dst_high = lb_load16(p + 4);
	src_low = lb_load16(p + 6);
	src = lb_load32(p + 8);
	lb_store16(p, src_low);
	lb_store32(p + 2, src);
	lb_store32(p + 6, dst);
	lb_store16(p + 10, dst_high);
	return XDP_TX;
}

SEC("xdp.frags")
int floors_encapsulate(struct xdp_md *ctx)
{
	uint32_t length = (uint32_t)(ctx->data_end - ctx->data);
	uint16_t total_be;
	uint8_t *p;

	if (bpf_xdp_adjust_head(ctx, -FLOORS_ROOM))
		return XDP_ABORTED;
	p = (uint8_t *)(long)ctx->data;
	if (p + FLOORS_OUTER > (uint8_t *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma GCC unroll 8
	for (int i = 0; i < FLOORS_OUTER / 8; i++)
		floors_store64(p + 8 * i, floors_load64(floors_plan.outer + 8 * i));
	total_be = lb_swap16((uint16_t)(length + FLOORS_ROOM - 14));
	lb_store16(p + 16, total_be);
	lb_store16(p + 24,
		   (uint16_t)~lb_fold((uint64_t)lb_load16(floors_plan.outer + 24) + total_be));
	lb_store16(p + 38, lb_swap16((uint16_t)(length + 16)));
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
