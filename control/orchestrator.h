/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ORCHESTRATOR_H
#define FL_ORCHESTRATOR_H
/*
 * The leader's loop that makes, ends and deletes tasks: the four orchestrators, the restart and
 * update supervisors and the reaper. Pure: a function of the store and the time.
 *
 *   orchestrator_restart(o, view)             it has become leader, or a snapshot was restored
 *   for each entry that is applied:
 *           orchestrator_note(o, view, &result)
 *   when all transactions of the last run are applied (or lost), and something was noted or *wake
 * has come: orchestrator_run(o, view, now, &run) propose run.transactions in their order
 *
 * It remembers which services to look at, and nothing else: all that it decides on is in the store.
 * So a change may be lost, or fail because an agent's report came first; the service is looked at
 * again and the rest is done. Running it too early, before its own transactions are applied, would
 * make tasks twice; the surplus would be stopped.
 *
 * What it writes: tasks (creates, desired_state, deletes, and status when it is ORPHANED);
 * services (update_status, and of a rollback spec and previous_spec; deletes those that are
 * pending_delete, and have no tasks left).
 *
 * Belongs to one thread. A pass over a service costs time in the number of its tasks.
 */
#include "id.h"
#include "roster.h"
#include "transaction.h"

enum {
	ORCHESTRATOR_TRANSACTIONS_MAX = 4, /* of a run; the next goes on */
};

/* A service whose changes did not lead to an event is looked at again after this. */
#define ORCHESTRATOR_RETRY (100 * INT64_C(1000000))

struct orchestrator_config {
	id_random *random; /* for the ids of tasks */
	void *random_context;
	roster_fits *fits; /* the scheduler's opinion of constraints and platforms */
};

struct orchestrator_run {
	struct transaction *transactions[ORCHESTRATOR_TRANSACTIONS_MAX]; /* the caller's to free */
	size_t count;
	int64_t wake; /* run again then at the latest; INT64_MAX: when something is noted */
};

struct orchestrator;

struct orchestrator *
orchestrator_new(const struct orchestrator_config *config); /* NULL: no memory */
void orchestrator_free(struct orchestrator *orchestrator);  /* NULL is fine */

/* Forgets what it knows and looks at all services of the view. -ENOMEM: call again. */
int orchestrator_restart(struct orchestrator *orchestrator, const struct store_view *view);
/* What an entry has changed; the view is the store after it. -ENOMEM: restart it. */
int orchestrator_note(struct orchestrator *orchestrator, const struct store_view *view,
		      const struct store_result *result);
/* now: nanoseconds since 1970. -ENOMEM, or what the source of ids says: *run is untouched; call
 * again. */
int orchestrator_run(struct orchestrator *orchestrator, const struct store_view *view, int64_t now,
		     struct orchestrator_run *run);
#endif
