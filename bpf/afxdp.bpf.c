// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What DPDK's net_af_xdp attaches to the uplink. The poll mode driver loads it itself, finds the sockets'
 * map in it by name, and pins by libbpf's default path; fairlead-dpdk therefore mounts a folder of its own
 * there. The map of sockets is the one that fl_uplink_steer looks into.
 */
#include <linux/bpf.h>
/* order matters */
#include <bpf/bpf_helpers.h>

#include "steer_limits.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, FL_STEER_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} fl_jump SEC(".maps");

SEC("xdp.frags")
int fl_afxdp(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &fl_jump, 0);
	return XDP_PASS; /* the driver has not come so far, or is gone: tc decides */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
