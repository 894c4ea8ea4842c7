// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* tc programs. The decision is compiled with transport checksums left to the kernel's helper. */
#define LB_ENV_SKB 1
#define LB_ENV_TASKS 1
#define LB_ENV_RESOLVES 1
#include "env.h"

#include <linux/pkt_cls.h>

#include "lb_reply.h"
#include "lb_uplink.h"

#include "sample.h"
#include "task.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
