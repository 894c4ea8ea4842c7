/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_FLOW_SIDE_H
#define FL_DPDK_FLOW_SIDE_H
/*
 * The decision with its flow table, which the DPDK forwarder has no use for: the host build, on a node that
 * runs the task itself. A burst's buckets are asked for ahead, which one packet at a time (BPF) cannot do.
 */
#include <rte_mbuf.h>
#include <stdbool.h>

#include "lb_tables.h"

struct flow_side;

/* task: whose flows these are. NULL: no memory. */
struct flow_side *flow_side_open(struct lb_tables *tables, uint32_t task);
/* True: each found or made its flow and is rewritten for the task. */
bool flow_side_burst(struct flow_side *s, struct rte_mbuf **frames, uint32_t count);
#endif
