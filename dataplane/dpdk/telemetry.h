/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_TELEMETRY_H
#define FL_DPDK_TELEMETRY_H
/* DPDK's telemetry socket: what `fairlead dataplane show` and `fairlead counters` say, for its
 * tools. */
#include "resolve.h"
#include "state.h"

/* Both have to outlive the process's EAL. */
void telemetry_start(const struct dpdk_state *state, const struct resolver *resolver);
#endif
