/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_STEER_LIMITS_H
#define FL_BPF_STEER_LIMITS_H
/* What the BPF programs beside fairlead-dpdk and user space agree on. */
enum {
	FL_STEER_QUEUES = 64,   /* of the uplink, at most */
	FL_STEER_LENGTH = 1600, /* longer frames stay with the kernel */
};
#endif
