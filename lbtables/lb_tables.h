/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LB_TABLES_H
#define FL_LB_TABLES_H
/*
 * Where a set of tables lies in this process: mmapped BPF maps (xdp), shared memory (dpdk) or the
 * heap (sim, tests). Plain pointers and bounds, owned by whoever filled them in.
 */
#include "lb_types.h"

struct lb_tables {
	struct lb_config *config; /* one */
	struct lb_port *ports;    /* LB_PORTS_MAX */
	struct lb_ring *rings;
	uint16_t *slots;
	union lb_backend *backends;
	struct lb_task *tasks; /* LB_TASKS_MAX */
	struct lb_via *vias;   /* LB_VIAS_MAX */
	struct lb_index_bucket *index;
	struct lb_flow_bucket *flows;
	uint32_t ring_count, slot_count, backend_count, index_buckets, flow_buckets;
};

/* Zeroed tables on the heap; counts of the argument are kept, 0 means the default. 0 or -ENOMEM. */
int lb_tables_alloc(struct lb_tables *tables);
void lb_tables_free(struct lb_tables *tables);
#endif
