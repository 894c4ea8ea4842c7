/* SPDX-License-Identifier: BSD-2-Clause */
#include "scheduler.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler_state.h"

struct scheduler *scheduler_new(void)
{
	struct scheduler *scheduler = calloc(1, sizeof(*scheduler));

	if (!scheduler)
		return NULL;
	list_init(&scheduler->chosen);
	list_init(&scheduler->ready);
	list_init(&scheduler->parked);
	list_init(&scheduler->in_flight);
	scheduler->retry_at = INT64_MAX;
	scheduler->retried_at = INT64_MIN;
	return scheduler;
}

/* --- Groups --- */

static bool is_chosen(const Fl__Task *task)
{
	return task->node_id && *task->node_id;
}

/* A task that carries no version of its spec stands for itself. */
static char *group_id(const Fl__Task *task, char *text, size_t size)
{
	if (task->service_id && task->has_spec_version)
		snprintf(text, size, "%c%s/%" PRIu64, is_chosen(task) ? 'c' : 'f', task->service_id,
			 task->spec_version);
	else
		snprintf(text, size, "%c%s", is_chosen(task) ? 'c' : 'f', task->id);
	return text;
}

static struct scheduler_group *group_of(struct scheduler *scheduler, const Fl__Task *task)
{
	char id[64];
	struct scheduler_group *group =
	    id_map_get(&scheduler->groups, group_id(task, id, sizeof(id)));

	if (group)
		return group;
	group = calloc(1, sizeof(*group) + strlen(id) + 1);
	if (!group)
		return NULL;
	strcpy(group->id_text, id);
	group->id = group->id_text;
	list_init(&group->tasks);
	list_init(&group->link);
	if (id_map_add(&scheduler->groups, group)) {
		free(group);
		return NULL;
	}
	return group;
}

static int enqueue(struct scheduler *scheduler, struct scheduler_task *task)
{
	struct scheduler_group *group = group_of(scheduler, task->task);

	if (!group)
		return -ENOMEM;
	task->group = group;
	list_append(&group->tasks, &task->queued);
	list_remove(&group->link);
	list_append(is_chosen(task->task) ? &scheduler->chosen : &scheduler->ready, &group->link);
	return 0;
}

void scheduler_group_free(struct scheduler *scheduler, struct scheduler_group *group)
{
	assert(list_is_empty(&group->tasks));
	list_remove(&group->link);
	id_map_remove(&scheduler->groups, group->id);
	free(group);
}

static void dequeue(struct scheduler *scheduler, struct scheduler_task *task)
{
	struct scheduler_group *group = task->group;

	list_remove(&task->queued); /* or from in_flight */
	task->group = NULL;
	if (!group || !list_is_empty(&group->tasks))
		return;
	scheduler_group_free(scheduler, group);
}

static void retry_soon(struct scheduler *scheduler, int64_t now)
{
	int64_t at = now;

	if (scheduler->retried_at > now - SCHEDULER_RETRY_NS && scheduler->retried_at <= now)
		at = scheduler->retried_at + SCHEDULER_RETRY_NS;
	if (at < scheduler->retry_at)
		scheduler->retry_at = at;
}

/* --- The index --- */

static bool is_ours(const Fl__Task *task)
{
	return task && task->status && task->status->state >= FL__TASK_STATE__PENDING &&
	       task->status->state <= FL__TASK_STATE__RUNNING;
}

static void detach(struct scheduler *scheduler, struct scheduler_task *task)
{
	dequeue(scheduler, task);
	if (task->node)
		scheduler_node_remove(task);
	free(task->claim);
	task->claim = NULL;
}

static void free_task(struct scheduler *scheduler, struct scheduler_task *task)
{
	detach(scheduler, task);
	store_object_release(task->task);
	free(task);
}

static int attach(struct scheduler *scheduler, struct scheduler_task *task)
{
	struct scheduler_node *node;

	if (task->task->status->state == FL__TASK_STATE__PENDING)
		return task_is_active(task->task) ? enqueue(scheduler, task) : 0;
	node = is_chosen(task->task) ? id_map_get(&scheduler->nodes, task->task->node_id) : NULL;
	return node ? scheduler_node_add(node, task) : 0;
}

static struct scheduler_task *new_task(struct scheduler *scheduler, const Fl__Task *now)
{
	struct scheduler_task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	list_init(&task->on_node);
	list_init(&task->queued);
	task->id = now->id;
	if (id_map_add(&scheduler->tasks, task)) {
		free(task);
		return NULL;
	}
	return task;
}

/* Makes the index agree with the task as it is now; NULL: it is gone. */
static int sync_task(struct scheduler *scheduler, const char *id, const Fl__Task *now, int64_t time)
{
	struct scheduler_task *task = id_map_get(&scheduler->tasks, id);
	const struct scheduler_node *left = task ? task->node : NULL;
	const bool was_active = task && task->active;
	int rc;

	if (!is_ours(now)) {
		if (task) {
			id_map_remove(&scheduler->tasks, id);
			free_task(scheduler, task);
		}
		if (left)
			retry_soon(scheduler, time);
		return 0;
	}
	if (task)
		detach(scheduler, task);
	else
		task = new_task(scheduler, now);
	if (!task)
		return -ENOMEM;
	store_object_hold(now);
	store_object_release(task->task);
	task->task = now;
	task->id = now->id;
	rc = attach(scheduler, task);
	if (!rc && left && (task->node != left || (was_active && !task->active)))
		retry_soon(scheduler, time);
	return rc;
}

static void drop_node(struct scheduler *scheduler, struct scheduler_node *node)
{
	while (!list_is_empty(&node->tasks))
		scheduler_node_remove(LIST_ENTRY(node->tasks.next, struct scheduler_task, on_node));
	id_map_remove(&scheduler->nodes, node->id);
	scheduler_node_free(node);
}

static int sync_node(struct scheduler *scheduler, const struct store_view *view, const char *id,
		     const Fl__Node *now, int64_t time)
{
	struct scheduler_node *node = id_map_get(&scheduler->nodes, id);
	struct store_iterator tasks;
	const Fl__Task *task;
	int rc = 0;

	retry_soon(scheduler, time);
	if (!now) {
		if (node)
			drop_node(scheduler, node);
		return 0;
	}
	if (node) {
		scheduler_node_update(node, now);
		return 0;
	}
	node = scheduler_node_new(now);
	if (!node)
		return -ENOMEM;
	rc = id_map_add(&scheduler->nodes, node);
	if (rc) {
		scheduler_node_free(node);
		return rc;
	}
	/* Tasks may have come before it. */
	store_iterate_index(view, STORE_TASKS_BY_NODE, id, &tasks);
	while (!rc && (task = store_next(&tasks)))
		rc = sync_task(scheduler, task->id, task, time);
	return rc;
}

static void forget_all(struct scheduler *scheduler)
{
	struct scheduler_task *task;
	struct scheduler_node *node;

	for (size_t slot = 0; (task = id_map_next(&scheduler->tasks, &slot));)
		free_task(scheduler, task);
	id_map_clear(&scheduler->tasks);
	for (size_t slot = 0; (node = id_map_next(&scheduler->nodes, &slot));)
		scheduler_node_free(node);
	id_map_clear(&scheduler->nodes);
	assert(!scheduler->groups.count && list_is_empty(&scheduler->in_flight));
	scheduler->busy = false;
	scheduler->retry_at = INT64_MAX;
}

void scheduler_free(struct scheduler *scheduler)
{
	if (!scheduler)
		return;
	forget_all(scheduler);
	id_map_clear(&scheduler->groups);
	free(scheduler);
}

static bool has_failed(const Fl__Task *task)
{
	return task->status && (task->status->state == FL__TASK_STATE__FAILED ||
				task->status->state == FL__TASK_STATE__REJECTED);
}

/* Times are the leader's, of the entry that said so: agents' clocks may be anything. */
static int note_failure(struct scheduler *scheduler, const Fl__Task *task, int64_t now)
{
	struct scheduler_node *node =
	    is_chosen(task) ? id_map_get(&scheduler->nodes, task->node_id) : NULL;

	if (!node || task->updated_at <= now - FAILURES_WINDOW_NS)
		return 0;
	return scheduler_node_failed(node, task, task->updated_at);
}

int scheduler_reset(struct scheduler *scheduler, const struct store_view *view, int64_t now)
{
	struct store_iterator iterator;
	const Fl__Node *node;
	const Fl__Task *task;
	int rc = 0;

	forget_all(scheduler);
	store_iterate(view, STORE_NODE, &iterator);
	while (!rc && (node = store_next(&iterator)))
		rc = sync_node(scheduler, view, node->id, node, now);
	/* By their creation would be fairer than by id, but it is of tasks that all waited alike.
	 */
	store_iterate(view, STORE_TASK, &iterator);
	while (!rc && (task = store_next(&iterator))) {
		if (has_failed(task))
			rc = note_failure(scheduler, task, now);
		else if (!id_map_get(&scheduler->tasks, task->id))
			rc = sync_task(scheduler, task->id, task, now);
	}
	return rc;
}

static int handle_task(struct scheduler *scheduler, const Fl__Task *before, const Fl__Task *after,
		       int64_t now)
{
	int rc = sync_task(scheduler, after ? after->id : before->id, after, now);

	if (!rc && after && before && has_failed(after) && !has_failed(before))
		rc = note_failure(scheduler, after, now);
	return rc;
}

int scheduler_handle(struct scheduler *scheduler, const struct store_view *view,
		     const struct store_event *events, size_t count, int64_t now)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		const Fl__Node *node = events[i].after ? events[i].after : events[i].before;

		if (events[i].table == STORE_TASK)
			rc = handle_task(scheduler, events[i].before, events[i].after, now);
		else if (events[i].table == STORE_NODE)
			rc = sync_node(scheduler, view, node->id, events[i].after, now);
	}
	return rc;
}

int scheduler_settle(struct scheduler *scheduler, const struct store_view *view, int64_t now)
{
	int rc = 0;

	scheduler->busy = false;
	while (!rc && !list_is_empty(&scheduler->in_flight)) {
		struct scheduler_task *task =
		    LIST_ENTRY(scheduler->in_flight.next, struct scheduler_task, queued);
		char id[64];

		snprintf(id, sizeof(id), "%s", task->id);
		rc = sync_task(scheduler, id, store_get(view, STORE_TASK, id), now);
	}
	return rc;
}

void scheduler_get_status(const struct scheduler *scheduler, struct scheduler_status *status)
{
	const struct list *const lists[] = {&scheduler->chosen, &scheduler->ready,
					    &scheduler->parked};
	size_t counts[3] = {0};

	for (size_t i = 0; i < 3; i++) {
		for (const struct list *at = lists[i]->next; at != lists[i]; at = at->next) {
			const struct list *tasks =
			    &LIST_ENTRY(at, struct scheduler_group, link)->tasks;

			for (const struct list *task = tasks->next; task != tasks;
			     task = task->next)
				counts[i]++;
		}
	}
	*status = (struct scheduler_status){.nodes = scheduler->nodes.count,
					    .tasks = scheduler->tasks.count,
					    .waiting = counts[0] + counts[1],
					    .parked = counts[2]};
	for (const struct list *at = scheduler->in_flight.next; at != &scheduler->in_flight;
	     at = at->next)
		status->in_flight++;
}
