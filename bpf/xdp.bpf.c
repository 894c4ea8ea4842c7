// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* XDP programs. The decision is compiled with checksums done at once. */
#define LB_ENV_SKB 0
#define LB_ENV_TASKS 1
#define LB_ENV_RESOLVES 0
#include "env.h"
#include "steer_limits.h"

#include "lb_uplink.h"

#include "sample.h"
#include "uplink.h"
/* after the decision */
#include "steer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
