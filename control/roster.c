/* SPDX-License-Identifier: BSD-2-Clause */
#include "roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "task.h"

void roster_free(struct roster *roster)
{
	free(roster->tasks);
	free(roster->instances);
	*roster = (struct roster){0};
}

static int reserve(void **array, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity ? *capacity : 64;
	void *grown;

	if (count <= *capacity)
		return 0;
	while (wanted < count)
		wanted *= 2;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = wanted;
	return 0;
}

/* --- Which tasks are what the service would make now --- */

/* Tasks of one spec_version have the same spec: each version is compared once in a pass. */
struct comparison {
	uint64_t version;
	int differences;
};

enum { COMPARISONS = 8 };

struct comparisons {
	struct comparison known[COMPARISONS];
	size_t count;
};

static int differences(struct comparisons *comparisons, const Fl__Task *task,
		       const Fl__Service *service)
{
	struct comparison *known = comparisons->known;
	int found;

	if (task->spec_version == service->spec_version)
		return 0;
	for (size_t i = 0; i < comparisons->count && i < COMPARISONS; i++) {
		if (known[i].version == task->spec_version)
			return known[i].differences;
	}
	found = task_differences(task, service);
	if (found >= 0)
		known[comparisons->count++ % COMPARISONS] =
		    (struct comparison){task->spec_version, found};
	return found;
}

static bool may_be_on(const struct roster *roster, const Fl__Node *node, const Fl__TaskSpec *spec)
{
	return !spec || !spec->placement || !spec->placement->n_constraints ||
	       roster->fits(node, spec);
}

static int is_dirty(const struct roster *roster, struct comparisons *comparisons,
		    const struct roster_task *entry)
{
	const Fl__Task *task = entry->task;
	const bool pulled = task_state(task) >= FL__TASK_STATE__READY && !task_is_over(task);
	int found;

	if (!roster->service || roster->is_job)
		return false;
	found = differences(comparisons, task, roster->service);
	if (found <= 0)
		return found;
	if (pulled)
		found &= ~TASK_DIFFERS_IN_PULL;
	if (entry->node && may_be_on(roster, entry->node, roster->service->spec->task_template))
		found &= ~TASK_DIFFERS_IN_PLACEMENT;
	return found != 0;
}

/* --- What has become of their nodes --- */

static bool is_down(const Fl__Node *node)
{
	return node->status && node->status->state == FL__NODE_STATUS__STATE__DOWN;
}

static void look_at_node(const struct roster *roster, struct roster_task *entry)
{
	const char *id = task_node_id(entry->task);
	const Fl__Node *node = *id ? store_get(roster->view, STORE_NODE, id) : NULL;

	entry->node = node;
	entry->unreachable = *id && (!node || is_down(node));
	entry->lost = entry->unreachable;
	if (node && node->spec && node->spec->availability == FL__NODE_SPEC__AVAILABILITY__DRAIN)
		entry->lost = true;
	if (node && !may_be_on(roster, node, entry->task->spec))
		entry->lost = true;
}

/* --- Gathering --- */

static int add_task(struct roster *roster, struct comparisons *comparisons, const Fl__Task *task)
{
	void *tasks = roster->tasks;
	struct roster_task *entry;
	int dirty;

	if (reserve(&tasks, &roster->task_capacity, roster->task_count + 1, sizeof(*roster->tasks)))
		return -ENOMEM;
	roster->tasks = tasks;
	entry = &roster->tasks[roster->task_count];
	*entry = (struct roster_task){.task = task, .desired = task_desired(task)};
	look_at_node(roster, entry);
	dirty = is_dirty(roster, comparisons, entry);
	if (dirty < 0)
		return dirty;
	entry->dirty = dirty;
	roster->task_count++;
	return 0;
}

static int compare_instances(const Fl__Task *a, const Fl__Task *b)
{
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	return a->slot ? 0 : strcmp(task_node_id(a), task_node_id(b));
}

/* Oldest first. By the log as far as it says, since the clocks of leaders may differ. */
static int compare_tasks(const void *left, const void *right)
{
	const Fl__Task *a = ((const struct roster_task *)left)->task;
	const Fl__Task *b = ((const struct roster_task *)right)->task;
	const int by_instance = compare_instances(a, b);

	if (by_instance)
		return by_instance;
	if (a->spec_version != b->spec_version)
		return a->spec_version < b->spec_version ? -1 : 1;
	if (a->created_at != b->created_at)
		return a->created_at < b->created_at ? -1 : 1;
	return strcmp(a->id, b->id);
}

struct instance *roster_add(struct roster *roster, uint64_t slot, const Fl__Node *node)
{
	void *instances = roster->instances;
	struct instance *instance;

	if (reserve(&instances, &roster->instance_capacity, roster->instance_count + 1,
		    sizeof(*roster->instances)))
		return NULL;
	roster->instances = instances;
	instance = &roster->instances[roster->instance_count++];
	*instance =
	    (struct instance){.slot = slot, .node_id = node ? node->id : NULL, .node = node};
	return instance;
}

static int group(struct roster *roster)
{
	struct instance *instance = NULL;

	if (roster->task_count) /* no array may be given otherwise */
		qsort(roster->tasks, roster->task_count, sizeof(*roster->tasks), compare_tasks);
	for (size_t i = 0; i < roster->task_count; i++) {
		const struct roster_task *entry = &roster->tasks[i];

		if (!i || compare_instances(entry[-1].task, entry->task)) {
			instance = roster_add(roster, entry->task->slot, entry->node);
			if (!instance)
				return -ENOMEM;
			instance->first = i;
			if (!instance->slot)
				instance->node_id = task_node_id(entry->task);
		}
		instance->count++;
	}
	roster->with_tasks = roster->instance_count;
	return 0;
}

static void describe(struct roster *roster)
{
	const Fl__ServiceMode *mode = roster->service ? roster->service->spec->mode : NULL;
	const Fl__JobStatus *status = roster->service ? roster->service->job_status : NULL;

	roster->is_job = mode && (mode->replicated_job || mode->global_job);
	roster->iteration = status ? status->job_iteration : 0;
	roster->goal = roster->is_job ? FL__TASK_STATE__COMPLETE : FL__TASK_STATE__RUNNING;
	roster->task_count = roster->instance_count = roster->with_tasks = 0;
	roster->wake = INT64_MAX;
	roster->delete_service = roster->has_update_status = roster->roll_back = false;
}

int roster_build(struct roster *roster, const char *service_id)
{
	struct comparisons comparisons = {.count = 0};
	struct store_iterator i;
	const Fl__Task *task;
	int rc = 0;

	describe(roster);
	store_iterate_index(roster->view, STORE_TASKS_BY_SERVICE, service_id, &i);
	while (!rc && (task = store_next(&i)))
		rc = add_task(roster, &comparisons, task);
	return rc ? rc : group(roster);
}

struct instance *roster_find(struct roster *roster, uint64_t slot, const char *node_id)
{
	const Fl__Task wanted = {.slot = slot, .node_id = (char *)(uintptr_t)node_id};
	size_t low = 0, high = roster->with_tasks;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		struct instance *instance = &roster->instances[middle];
		const Fl__Task of = {.slot = instance->slot,
				     .node_id = (char *)(uintptr_t)instance->node_id};
		const int order = compare_instances(&wanted, &of);

		if (!order)
			return instance;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* --- Looking at it --- */

bool roster_is_live(const struct roster *roster, const struct roster_task *entry)
{
	if (entry->desired > roster->goal || entry->delete)
		return false;
	return !roster->is_job || entry->task->job_iteration == roster->iteration ||
	       !task_is_over(entry->task);
}

bool roster_is_dead(const struct roster *roster, const struct roster_task *entry)
{
	if (entry->orphan || task_is_over(entry->task))
		return true;
	/* No agent has heard of it, and none will: the scheduler passes over what is not to run. */
	return entry->desired > roster->goal && task_state(entry->task) < FL__TASK_STATE__ASSIGNED;
}

bool roster_is_stopping(const struct roster *roster, const struct roster_task *entry)
{
	return entry->desired > roster->goal && !roster_is_dead(roster, entry);
}

struct roster_task *roster_newest(const struct roster *roster, const struct instance *instance)
{
	for (size_t i = instance->count; i-- > 0;) {
		struct roster_task *entry = roster_task(roster, instance, i);

		if (entry->desired != FL__TASK_STATE__REMOVE && !entry->delete)
			return entry;
	}
	return NULL;
}

bool roster_has_live(const struct roster *roster, const struct instance *instance)
{
	for (size_t i = 0; i < instance->count; i++) {
		if (roster_is_live(roster, roster_task(roster, instance, i)))
			return true;
	}
	return false;
}

bool roster_is_complete(const struct roster *roster, const struct instance *instance)
{
	for (size_t i = 0; roster->is_job && i < instance->count; i++) {
		const struct roster_task *entry = roster_task(roster, instance, i);

		if (task_state(entry->task) == FL__TASK_STATE__COMPLETE &&
		    entry->task->job_iteration == roster->iteration &&
		    entry->desired != FL__TASK_STATE__REMOVE)
			return true;
	}
	return false;
}

Fl__UpdateStatus__State roster_update_state(const struct roster *roster)
{
	if (roster->has_update_status)
		return roster->update_status.state;
	if (!roster->service || !roster->service->update_status)
		return (Fl__UpdateStatus__State)0;
	return roster->service->update_status->state;
}

bool roster_is_updating(const struct roster *roster)
{
	const Fl__UpdateStatus__State state = roster_update_state(roster);

	return state == FL__UPDATE_STATUS__STATE__UPDATING ||
	       state == FL__UPDATE_STATUS__STATE__ROLLBACK_STARTED;
}

bool roster_is_paused(const struct roster *roster)
{
	const Fl__UpdateStatus__State state = roster_update_state(roster);

	return state == FL__UPDATE_STATUS__STATE__PAUSED ||
	       state == FL__UPDATE_STATUS__STATE__ROLLBACK_PAUSED;
}
