// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Asks the kernel two things before anything is attached: whether it lets programs replace others'
 * functions (what libxdp's dispatcher needs), and how fast its jiffies go.
 */
#include <stdint.h>
/* order matters */
#include <linux/bpf.h>
/* order matters */
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int fl_probe_slot(struct xdp_md *ctx)
{
	volatile int pass = XDP_PASS;

	return ctx ? pass : XDP_DROP;
}

SEC("xdp")
int fl_probe_target(struct xdp_md *ctx)
{
	return fl_probe_slot(ctx);
}

SEC("freplace/fl_probe_slot")
int fl_probe_ext(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

/* Writes jiffies into the packet. */
SEC("xdp")
int fl_probe_jiffies(struct xdp_md *ctx)
{
	uint64_t *p = (uint64_t *)(long)ctx->data;

	if (p + 1 > (uint64_t *)(long)ctx->data_end)
		return XDP_DROP;
	*p = bpf_jiffies64();
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
