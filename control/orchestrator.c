/* SPDX-License-Identifier: BSD-2-Clause */
#include "orchestrator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator_mode.h"
#include "orchestrator_write.h"
#include "reaper.h"
#include "restart.h"
#include "task.h"
#include "updater.h"

/* A service that is to be looked at, now or later. */
struct watch {
	char service_id[ID_SIZE];
	int64_t at; /* INT64_MIN: now */
};

struct orchestrator {
	struct orchestrator_config config;
	struct watch *watches; /* by service_id */
	size_t count, capacity;
	struct roster roster; /* between passes: its memory */
};

struct orchestrator *orchestrator_new(const struct orchestrator_config *config)
{
	struct orchestrator *orchestrator = calloc(1, sizeof(*orchestrator));

	if (orchestrator)
		orchestrator->config = *config;
	return orchestrator;
}

void orchestrator_free(struct orchestrator *orchestrator)
{
	if (!orchestrator)
		return;
	roster_free(&orchestrator->roster);
	free(orchestrator->watches);
	free(orchestrator);
}

/* --- What to look at --- */

/* The first that is not before it. */
static size_t place_of(const struct orchestrator *o, const char *service_id)
{
	size_t low = 0, high = o->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (strcmp(o->watches[middle].service_id, service_id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int watch(struct orchestrator *o, const char *service_id, int64_t at)
{
	const size_t place = place_of(o, service_id);
	struct watch *watches = o->watches;

	if (place < o->count && !strcmp(watches[place].service_id, service_id)) {
		if (at < watches[place].at)
			watches[place].at = at;
		return 0;
	}
	if (o->count == o->capacity) {
		const size_t capacity = o->capacity ? 2 * o->capacity : 64;

		watches = reallocarray(watches, capacity, sizeof(*watches));
		if (!watches)
			return -ENOMEM;
		o->watches = watches;
		o->capacity = capacity;
	}
	memmove(&watches[place + 1], &watches[place], (o->count - place) * sizeof(*watches));
	watches[place] = (struct watch){.at = at};
	strncpy(watches[place].service_id, service_id, ID_LENGTH); /* valid ids are no longer */
	o->count++;
	return 0;
}

static int watch_now(struct orchestrator *o, const char *service_id)
{
	/* A network's attachment is nobody's task. */
	return service_id ? watch(o, service_id, INT64_MIN) : 0;
}

int orchestrator_restart(struct orchestrator *o, const struct store_view *view)
{
	struct store_iterator i;
	const Fl__Service *service;
	const Fl__Task *task;
	int rc = 0;

	o->count = 0;
	store_iterate(view, STORE_SERVICE, &i);
	while (!rc && (service = store_next(&i)))
		rc = watch_now(o, service->id);
	store_iterate(view, STORE_TASK, &i); /* also those whose service is no more */
	while (!rc && (task = store_next(&i)))
		rc = watch_now(o, task->service_id);
	return rc;
}

/* Reports on the way to RUNNING change nothing of what is to be decided. But where it was placed
 * may have ceased to be a place for it. */
static bool concerns(const Fl__Task *before, const Fl__Task *after)
{
	if (!before || !after || task_desired(before) != task_desired(after) ||
	    strcmp(task_node_id(before), task_node_id(after)) != 0)
		return true;
	return task_state(after) >= FL__TASK_STATE__RUNNING &&
	       (task_state(before) != task_state(after) ||
		task_serves(before) != task_serves(after));
}

static bool is_on_nodes(const Fl__Service *service)
{
	const Fl__ServiceMode *mode = service->spec ? service->spec->mode : NULL;

	return mode && (mode->global || mode->global_job);
}

/* Those that have tasks on it, and those that have one on each. */
static int note_node(struct orchestrator *o, const struct store_view *view, const char *id)
{
	struct store_iterator i;
	const Fl__Task *task;
	const Fl__Service *service;
	int rc = 0;

	store_iterate_index(view, STORE_TASKS_BY_NODE, id, &i);
	while (!rc && (task = store_next(&i)))
		rc = watch_now(o, task->service_id);
	store_iterate(view, STORE_SERVICE, &i);
	while (!rc && (service = store_next(&i)))
		rc = is_on_nodes(service) ? watch_now(o, service->id) : 0;
	return rc;
}

static int note_event(struct orchestrator *o, const struct store_view *view,
		      const struct store_event *event)
{
	const void *some = event->after ? event->after : event->before;
	const Fl__Task *task = some;
	const Fl__Service *service = some;
	const Fl__Node *node = some;

	switch (event->table) {
	case STORE_TASK:
		return concerns(event->before, event->after) ? watch_now(o, task->service_id) : 0;
	case STORE_SERVICE:
		return watch_now(o, service->id);
	case STORE_NODE:
		return note_node(o, view, node->id);
	case STORE_CLUSTER: /* the history limit */
		return orchestrator_restart(o, view);
	default:
		return 0;
	}
}

int orchestrator_note(struct orchestrator *o, const struct store_view *view,
		      const struct store_result *result)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < result->event_count; i++)
		rc = note_event(o, view, &result->events[i]);
	return rc;
}

/* --- A pass --- */

static int plan_instances(struct roster *roster)
{
	const Fl__Service *service = roster->service;
	const Fl__ServiceMode *mode = service ? service->spec->mode : NULL;

	if (!mode)
		return 0; /* all are dropped */
	if (mode->global)
		return orchestrator_global(roster);
	if (mode->replicated_job)
		return orchestrator_replicated_job(roster);
	if (mode->global_job)
		return orchestrator_global_job(roster);
	return mode->replicated ? orchestrator_replicated(roster) : 0;
}

static void drop(struct roster *roster, const struct instance *instance)
{
	for (size_t i = 0; i < instance->count; i++)
		roster_task(roster, instance, i)->desired = FL__TASK_STATE__REMOVE;
}

static int plan(struct roster *roster)
{
	int rc;

	reaper_write_off(roster);
	rc = plan_instances(roster);
	for (size_t i = 0; !rc && i < roster->instance_count; i++) {
		if (roster->instances[i].fate == INSTANCE_DROP)
			drop(roster, &roster->instances[i]);
		else
			restart_instance(roster, &roster->instances[i]);
	}
	if (rc)
		return rc;
	if (roster->service && !roster->is_job)
		updater_plan(roster);
	for (size_t i = 0; i < roster->instance_count; i++) {
		if (roster->instances[i].fate != INSTANCE_DROP)
			restart_hand_over(roster, &roster->instances[i]);
	}
	reaper_plan(roster);
	return 0;
}

static const Fl__Cluster *first_cluster(const struct store_view *view)
{
	struct store_iterator i;

	store_iterate(view, STORE_CLUSTER, &i);
	return store_next(&i);
}

static int look_at(struct orchestrator *o, const char *service_id, struct write *write)
{
	struct roster *roster = &o->roster;
	const Fl__Service *service = store_get(write->view, STORE_SERVICE, service_id);
	int rc;

	roster->view = write->view;
	roster->now = write->now;
	roster->fits = o->config.fits;
	roster->cluster = first_cluster(write->view);
	roster->service = service && service->spec && !service->pending_delete ? service : NULL;
	rc = roster_build(roster, service_id);
	if (rc)
		return rc;
	roster->delete_service = service && service->pending_delete && !roster->task_count;
	rc = plan(roster);
	return rc ? rc : write_roster(write, roster, service_id);
}

/* Those that need no further look but by events leave. */
static void forget_idle(struct orchestrator *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->count; i++) {
		if (o->watches[i].at != INT64_MAX)
			o->watches[kept++] = o->watches[i];
	}
	o->count = kept;
}

static int64_t first_wake(const struct orchestrator *o)
{
	int64_t wake = INT64_MAX;

	for (size_t i = 0; i < o->count; i++) {
		if (o->watches[i].at < wake)
			wake = o->watches[i].at;
	}
	return wake;
}

int orchestrator_run(struct orchestrator *o, const struct store_view *view, int64_t now,
		     struct orchestrator_run *run)
{
	struct write write = {.view = view, .now = now, .config = &o->config};
	int rc = 0;

	for (size_t i = 0; !rc && i < o->count; i++) {
		struct watch *watched = &o->watches[i];
		const size_t before = write.changes;

		if (watched->at > now)
			continue;
		rc = look_at(o, watched->service_id, &write);
		if (rc)
			continue;
		watched->at = o->roster.wake;
		if (write.changes != before && watched->at > now + ORCHESTRATOR_RETRY)
			watched->at = now + ORCHESTRATOR_RETRY;
	}
	/* -ENOSPC: the one that it was at, and those behind it, are looked at in the next run. */
	if (rc && rc != -ENOSPC) {
		for (size_t i = 0; i < o->count; i++)
			o->watches[i].at = INT64_MIN; /* what was decided is lost */
		write_clear(&write);
		return rc;
	}
	forget_idle(o);
	write_take(&write, run);
	run->wake = first_wake(o);
	return 0;
}
