/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_H
#define FL_SCHEDULER_H
/*
 * Gives each pending task a node (pending -> assigned), or says on the task why it cannot.
 *
 * Pure: it is told of the store's events and of the time, and gives back transactions. Its leader's
 * loop runs
 *
 *   scheduler_reset(view)                   once, and whenever it may have missed something
 *   for each entry that is applied:
 *           scheduler_handle(events)
 *           scheduler_settle(view)          when it was, or was instead of, what run gave
 *   scheduler_run(now, &transaction, &next) after that, and at `next`
 *
 * One transaction is on its way at a time. Placements in it count on their nodes at once; settle
 * compares them with what has become of them, be it that the entry was lost.
 *
 * **Order.** Tasks of global services, whose node their orchestrator has chosen, come first and are
 * only checked. Then groups (tasks of one spec of one service) in the order in which they came.
 * Within a group: scheduler_spread.h. The same store and the same events give the same placements.
 *
 * **What cannot be placed** waits until a node changes or a task leaves one, and is then tried
 * again, at most every SCHEDULER_RETRY_NS.
 *
 * Times are nanoseconds since 1970 UTC; they become tasks' timestamps.
 *
 * **-ENOMEM** from any of these: nothing was proposed, but the index may be wrong. Call
 * scheduler_reset before anything else.
 */
#include "store.h"
#include "transaction.h"

#define SCHEDULER_RETRY_NS 100000000LL

enum {
	/* Whether a task fits on a node, asked in one run; then it gives way to the rest of its
	   loop. */
	SCHEDULER_CHECKS_MAX = 1 << 20,
};

struct scheduler;

struct scheduler *scheduler_new(void);            /* empty; NULL: no memory */
void scheduler_free(struct scheduler *scheduler); /* NULL is fine */

/* Forgets all, and begins from the store as it is. */
int scheduler_reset(struct scheduler *scheduler, const struct store_view *view, int64_t now);
/* Events of one entry, in order; view: as it was after it, or later. */
int scheduler_handle(struct scheduler *scheduler, const struct store_view *view,
		     const struct store_event *events, size_t count, int64_t now);
/* The transaction is in the view, or never will be. */
int scheduler_settle(struct scheduler *scheduler, const struct store_view *view, int64_t now);

/*
 * *transaction: what is to be proposed, now the caller's; NULL: nothing, or one is still on its
 * way. *next: when to call again though nothing has happened; now: at once; INT64_MAX: no need.
 */
int scheduler_run(struct scheduler *scheduler, int64_t now, struct transaction **transaction,
		  int64_t *next);

struct scheduler_status {
	size_t nodes, tasks; /* tasks: between pending and running */
	size_t waiting;      /* tasks that are to be tried */
	size_t parked;       /* tasks that found no node */
	size_t in_flight;
};
void scheduler_get_status(const struct scheduler *scheduler, struct scheduler_status *status);
#endif
