/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_WAITERS_H
#define FL_RAFT_WAITERS_H
/* Who waits for an index to be applied, in the order of indexes: proposals for their own entry,
 * reads for the one that they were told. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void waiter_done(void *context, int err, uint64_t index, uint64_t result);

struct waiter {
	uint64_t index, term; /* term 0: any */
	waiter_done *done;
	void *context;
};

/* A queue in a ring that grows, and shrinks when it is empty. */
struct waiters {
	struct waiter *ring;
	size_t first, count, capacity; /* capacity: 0 or a power of two */
};

/* Room for one more. 0 or -ENOMEM. */
int waiters_reserve(struct waiters *waiters);
/* After waiters_reserve. Indexes never fall. */
void waiters_add(struct waiters *waiters, const struct waiter *waiter);
/* The first one, if it waits for this index or one below. */
bool waiters_take(struct waiters *waiters, uint64_t index, struct waiter *waiter);
void waiters_free(struct waiters *waiters);
#endif
