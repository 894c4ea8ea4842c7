/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_WORKER_H
#define FL_DPDK_WORKER_H
/* One lcore and its queue of the uplink: receive, decide, send. */
#include "forward.h"

enum { WORKER_NO_PORT = 0xffff };

struct worker {
	uint16_t uplink, kernel; /* ports; kernel WORKER_NO_PORT: what is left to it is freed */
	uint16_t queue;          /* of both */
	unsigned int lcore;
	struct forwarder forwarder;
};

/* Tables are the caller's and have to outlive the worker, like next hops and fragments. 0; -ENOMEM. */
int worker_start(struct worker *w, const struct lb_tables *tables, struct next_hops *next_hops,
		 struct fragments *fragments);
void worker_stop(struct worker *w);

/* One burst of at most `most` frames (<= FORWARD_BURST); how many came. Holds nothing of the tables
 * afterwards. */
uint16_t worker_poll(struct worker *w, uint16_t most);
#endif
