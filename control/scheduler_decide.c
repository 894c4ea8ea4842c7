/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler_filter.h"
#include "scheduler_generic.h"
#include "scheduler_spread.h"
#include "scheduler_state.h"

struct run {
	struct scheduler *scheduler;
	struct transaction *transaction;
	int64_t now;
	size_t checks; /* left */
	bool full;     /* of the transaction, or no checks left */
};

/* Moves the task from its group among those in flight when the change has found room. */
static int propose(struct run *run, struct scheduler_task *task, const char *node_id,
		   Fl__TaskState state, const char *message, const char *err)
{
	Fl__TaskStatus status = *task->task->status;
	Fl__Task update = *task->task;
	int rc;

	status.has_state = status.has_timestamp = true;
	status.state = state;
	status.timestamp = run->now;
	status.message = (char *)(uintptr_t)message;
	status.err = (char *)(uintptr_t)err;
	update.status = &status;
	update.node_id = (char *)(uintptr_t)node_id;
	if (task->claim) {
		update.n_generic_resources = task->claim->n_generic_resources;
		update.generic_resources = task->claim->generic_resources;
	}
	rc = transaction_update(run->transaction, &update.base);
	if (rc && rc != -EMSGSIZE) {
		run->full = rc == -ENOSPC;
		return rc;
	}
	list_remove(&task->queued);
	task->group = NULL;
	/* Too large for the store with what would be written on it: left alone until it changes. */
	if (!rc)
		list_append(&run->scheduler->in_flight, &task->queued);
	return rc;
}

/* The task counts on the node, and a change of the transaction says so. */
static int place(struct run *run, struct scheduler_task *task, struct scheduler_node *node,
		 const char *message)
{
	int rc = scheduler_generic_claim(node, task_reservations(task->task), &task->claim);

	if (!rc)
		rc = scheduler_node_add(node, task);
	if (!rc) {
		rc = propose(run, task, node->id, FL__TASK_STATE__ASSIGNED, message, NULL);
		if (rc)
			scheduler_node_remove(task);
	}
	if (rc) {
		free(task->claim);
		task->claim = NULL;
	}
	return rc == -EMSGSIZE ? 0 : rc;
}

static int explain(struct run *run, struct scheduler_task *task, const char *text)
{
	const char *old = task->task->status->err ? task->task->status->err : "";
	int rc;

	if (!strcmp(old, text))
		return 0; /* it says so already */
	rc = propose(run, task, task->task->node_id, FL__TASK_STATE__PENDING,
		     task->task->status->message, text);
	return rc == -EMSGSIZE ? 0 : rc;
}

/* What every node has against the task, as things stand. */
static int explain_group(struct run *run, struct scheduler_group *group)
{
	char reasons[EXPLANATION_SIZE], text[EXPLANATION_SIZE + 32];
	size_t counts[REFUSALS + 1] = {0}, slot = 0;
	const struct scheduler_node *node;
	struct list *next;
	int rc = 0;

	while ((node = id_map_next(&run->scheduler->nodes, &slot)))
		counts[scheduler_filter(
		    LIST_ENTRY(group->tasks.next, struct scheduler_task, queued)->task, node)]++;
	scheduler_explain(counts, reasons);
	snprintf(text, sizeof(text), *reasons ? "no suitable node (%s)" : "no suitable node",
		 reasons);
	for (struct list *at = group->tasks.next; !rc && at != &group->tasks; at = next) {
		next = at->next;
		rc = explain(run, LIST_ENTRY(at, struct scheduler_task, queued), text);
	}
	return rc;
}

/* Asks that a group is going to cost; false: not in this run. */
static bool may_check(struct run *run, size_t checks)
{
	if (run->checks < checks && run->checks < SCHEDULER_CHECKS_MAX) {
		run->full = true;
		return false;
	}
	run->checks -= checks < run->checks ? checks : run->checks;
	return true;
}

static int place_group(struct run *run, struct scheduler_group *group)
{
	const struct scheduler_task *sample =
	    LIST_ENTRY(group->tasks.next, struct scheduler_task, queued);
	struct scheduler_node *node = NULL;
	struct scheduler_spread *spread;
	int rc;

	if (!may_check(run, run->scheduler->nodes.count))
		return 0;
	rc = scheduler_spread_new(&run->scheduler->nodes, sample->task, run->now, &spread);
	if (rc)
		return rc;
	while (!rc && !list_is_empty(&group->tasks)) {
		node = scheduler_spread_next(spread);
		if (!node)
			break;
		rc = place(run, LIST_ENTRY(group->tasks.next, struct scheduler_task, queued), node,
			   "scheduler assigned task to node");
	}
	scheduler_spread_free(spread);
	if (!rc && !node && !list_is_empty(&group->tasks))
		rc = explain_group(run, group);
	return rc;
}

/* Each has its node; whether it fits there is all that is asked. */
static int confirm(struct run *run, struct scheduler_task *task)
{
	struct scheduler_node *node = id_map_get(&run->scheduler->nodes, task->task->node_id);
	size_t counts[REFUSALS + 1] = {0};
	char text[EXPLANATION_SIZE];
	enum scheduler_refusal refusal;

	if (!node)
		return 0;
	refusal = scheduler_filter(task->task, node);
	if (refusal == NOT_REFUSED)
		return place(run, task, node,
			     "scheduler confirmed task can run on preassigned node");
	counts[refusal]++;
	scheduler_explain(counts, text);
	return explain(run, task, text);
}

static int confirm_group(struct run *run, struct scheduler_group *group)
{
	struct list *next;
	int rc = 0;

	for (struct list *at = group->tasks.next; !rc && at != &group->tasks; at = next) {
		next = at->next;
		if (!may_check(run, 1))
			return 0;
		rc = confirm(run, LIST_ENTRY(at, struct scheduler_task, queued));
	}
	return rc;
}

static int run_groups(struct run *run, struct list *groups,
		      int (*decide)(struct run *run, struct scheduler_group *group))
{
	while (!run->full && !list_is_empty(groups)) {
		struct scheduler_group *group =
		    LIST_ENTRY(groups->next, struct scheduler_group, link);
		const int rc = decide(run, group);

		if (rc && !run->full)
			return rc;
		if (list_is_empty(&group->tasks)) {
			scheduler_group_free(run->scheduler, group);
		} else if (!run->full) {
			list_remove(&group->link);
			list_append(&run->scheduler->parked, &group->link);
		}
	}
	return 0;
}

static void retry(struct scheduler *scheduler, int64_t now)
{
	if (now < scheduler->retry_at)
		return;
	scheduler->retry_at = INT64_MAX;
	scheduler->retried_at = now;
	while (!list_is_empty(&scheduler->parked)) {
		struct list *link = scheduler->parked.next;
		const struct scheduler_group *group =
		    LIST_ENTRY(link, struct scheduler_group, link);

		list_remove(link);
		list_append(*group->id == 'c' ? &scheduler->chosen : &scheduler->ready, link);
	}
}

int scheduler_run(struct scheduler *scheduler, int64_t now, struct transaction **transaction,
		  int64_t *next)
{
	struct run run = {.scheduler = scheduler, .now = now, .checks = SCHEDULER_CHECKS_MAX};
	int rc;

	*transaction = NULL;
	*next = INT64_MAX;
	if (scheduler->busy)
		return 0;
	retry(scheduler, now);
	run.transaction = transaction_new(now, false);
	if (!run.transaction)
		return -ENOMEM;
	rc = run_groups(&run, &scheduler->chosen, confirm_group);
	if (!rc)
		rc = run_groups(&run, &scheduler->ready, place_group);
	if (!rc && transaction_count(run.transaction)) {
		scheduler->busy = true;
		*transaction = run.transaction;
		return 0;
	}
	transaction_free(run.transaction);
	*next = run.full ? now : scheduler->retry_at;
	return rc;
}
