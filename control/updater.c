/* SPDX-License-Identifier: BSD-2-Clause */
#include "updater.h"

#include <stdio.h>
#include <string.h>

#include "restart.h"
#include "task.h"

enum { MONITOR_DEFAULT_S = 5 };

static const Fl__UpdateConfig *config_of(const struct roster *roster)
{
	static const Fl__UpdateConfig defaults = {
	    .base = PROTOBUF_C_MESSAGE_INIT(&fl__update_config__descriptor),
	    .has_parallelism = true,
	    .parallelism = 1,
	};
	const Fl__ServiceSpec *spec = roster->service->spec;
	const Fl__UpdateConfig *config =
	    roster_update_state(roster) == FL__UPDATE_STATUS__STATE__ROLLBACK_STARTED
		? spec->rollback_config
		: spec->update_config;

	return config ? config : &defaults;
}

static int64_t monitor_of(const Fl__UpdateConfig *config)
{
	return config->monitor > 0 ? config->monitor : MONITOR_DEFAULT_S * TASK_SECOND;
}

/* --- How far it is --- */

/* An instance, as far as this update is concerned. */
struct progress {
	bool is_touched;  /* it has a task of this version in place of another */
	bool is_tried;    /* and one of these has run, or has failed to, or it may have no more */
	int64_t tried_at; /* when the first did */
	bool is_due;      /* it is to be given one */
	bool serves;      /* ... and has one that serves until then */
	const Fl__Task *failed; /* one of this version that ended early, the newest */
};

static void note_try(struct progress *progress, int64_t at)
{
	if (!progress->is_tried || at < progress->tried_at)
		progress->tried_at = at;
	progress->is_tried = true;
}

/* next: the one made after it; NULL: none. */
static void look_at_current(const struct roster *roster, struct progress *progress,
			    const Fl__Task *task, const Fl__Task *next, int64_t monitor)
{
	const Fl__UpdateStatus *status = roster->service->update_status;
	const int64_t running_at = task_running_at(task);
	const bool ended = restart_was_needed(task, next ? next->created_at : INT64_MAX);

	if (running_at || ended)
		note_try(progress, running_at ? running_at : task_changed_at(task));
	/* What ended before an update was resumed does not pause it again. */
	if (ended && status && task->created_at >= status->started_at &&
	    (!running_at || task_changed_at(task) - running_at <= monitor))
		progress->failed = task;
}

static struct progress look_at(const struct roster *roster, const struct instance *instance,
			       int64_t monitor)
{
	const struct roster_task *newest = roster_newest(roster, instance);
	struct progress progress = {0};
	const uint64_t current = roster->service->spec_version;
	bool live_clean = false, live_dirty = false, after_dirty = false;

	for (size_t i = 0; i < instance->count; i++) {
		const struct roster_task *entry = roster_task(roster, instance, i);
		const bool live = roster_is_live(roster, entry);

		if (entry->desired == FL__TASK_STATE__REMOVE)
			continue;
		if (entry->task->spec_version == current)
			progress.is_touched |= after_dirty;
		if (progress.is_touched)
			look_at_current(roster, &progress, entry->task,
					i + 1 < instance->count ? entry[1].task : NULL, monitor);
		after_dirty = entry->dirty;
		live_clean |= live && !entry->dirty;
		live_dirty |= live && entry->dirty;
		progress.serves |= live && task_serves(entry->task);
	}
	if (progress.is_touched && !live_clean && !live_dirty && !instance->create)
		note_try(&progress, task_changed_at(newest->task));
	progress.is_due = instance->fate == INSTANCE_KEEP && !instance->create &&
			  !progress.is_touched && !live_clean &&
			  (live_dirty || (newest && newest->dirty));
	return progress;
}

/* All instances together. */
struct tally {
	uint64_t due, touched, failed;
	uint64_t untried;        /* of the touched */
	uint64_t resting;        /* tried, but for less than the delay */
	int64_t tried_at;        /* the last */
	const Fl__Task *failure; /* the last */
};

static void count_touched(struct roster *roster, struct tally *tally,
			  const struct progress *progress, int64_t delay)
{
	tally->touched++;
	tally->untried += !progress->is_tried;
	if (progress->is_tried && progress->tried_at + delay > roster->now) {
		tally->resting++;
		roster_wake(roster, progress->tried_at + delay);
	}
	if (progress->is_tried && progress->tried_at > tally->tried_at)
		tally->tried_at = progress->tried_at;
	if (progress->failed) {
		tally->failed++;
		if (!tally->failure ||
		    task_changed_at(progress->failed) > task_changed_at(tally->failure))
			tally->failure = progress->failed;
	}
}

static struct tally count(struct roster *roster, const Fl__UpdateConfig *config)
{
	struct tally tally = {.tried_at = INT64_MIN};

	for (size_t i = 0; i < roster->instance_count; i++) {
		const struct instance *instance = &roster->instances[i];
		const struct progress progress = look_at(roster, instance, monitor_of(config));

		if (instance->fate != INSTANCE_KEEP)
			continue;
		tally.due += progress.is_due;
		if (progress.is_touched)
			count_touched(roster, &tally, &progress, config->delay);
		else if (instance->create && roster_newest(roster, instance) &&
			 roster_newest(roster, instance)->dirty && !instance->as_before)
			tally.touched++, tally.untried++; /* restarted as what it is to become */
	}
	return tally;
}

/* --- What the user is told --- */

static void set_status(struct roster *roster, Fl__UpdateStatus__State state, const char *message)
{
	const Fl__UpdateStatus *old = roster->service->update_status;
	Fl__UpdateStatus *status = &roster->update_status;

	if (old)
		*status = *old;
	else
		fl__update_status__init(status);
	snprintf(roster->update_message, sizeof(roster->update_message), "%s", message);
	status->has_state = true;
	status->state = state;
	status->message = roster->update_message;
	roster->has_update_status = true;
}

static void start(struct roster *roster)
{
	set_status(roster, FL__UPDATE_STATUS__STATE__UPDATING, "update in progress");
	roster->update_status.has_started_at = true;
	roster->update_status.started_at = roster->now;
	roster->update_status.has_completed_at = false;
}

static void complete(struct roster *roster)
{
	if (roster_update_state(roster) == FL__UPDATE_STATUS__STATE__ROLLBACK_STARTED)
		set_status(roster, FL__UPDATE_STATUS__STATE__ROLLBACK_COMPLETED,
			   "rollback completed");
	else
		set_status(roster, FL__UPDATE_STATUS__STATE__COMPLETED, "update completed");
	roster->update_status.has_completed_at = true;
	roster->update_status.completed_at = roster->now;
}

/* Swarm's words, of which "update paused" is also said of a rollback. */
static void fail(struct roster *roster, const Fl__UpdateConfig *config, const char *task_id)
{
	const bool rolls_back =
	    config->failure_action == FL__UPDATE_CONFIG__FAILURE_ACTION__ROLLBACK;
	const bool in_rollback =
	    roster_update_state(roster) == FL__UPDATE_STATUS__STATE__ROLLBACK_STARTED;
	const char *what = "update paused";
	char message[sizeof(roster->update_message)];

	roster->roll_back = rolls_back && !in_rollback && roster->service->previous_spec;
	if (roster->roll_back)
		what = "update rolled back";
	else if (rolls_back && in_rollback)
		what = "rollback paused";
	snprintf(message, sizeof(message), "%s due to failure or early termination of task %s",
		 what, task_id);
	if (roster->roll_back)
		set_status(roster, FL__UPDATE_STATUS__STATE__ROLLBACK_STARTED, message);
	else
		set_status(roster,
			   in_rollback ? FL__UPDATE_STATUS__STATE__ROLLBACK_PAUSED
				       : FL__UPDATE_STATUS__STATE__PAUSED,
			   message);
}

static bool has_failed(const struct tally *tally, const Fl__UpdateConfig *config)
{
	const uint64_t all = tally->touched + tally->due;

	return config->failure_action != FL__UPDATE_CONFIG__FAILURE_ACTION__CONTINUE &&
	       tally->failed &&
	       (double)tally->failed / (double)all > (double)config->max_failure_ratio;
}

/* --- What is done --- */

/* What the instance had goes first, or, of start-first, when the new one serves. */
static void stop_old(struct roster *roster, const struct instance *instance, bool start_first)
{
	for (size_t i = 0; i < instance->count; i++) {
		struct roster_task *entry = roster_task(roster, instance, i);

		if (roster_is_live(roster, entry) && entry->dirty &&
		    !(start_first && task_serves(entry->task)))
			entry->desired = FL__TASK_STATE__SHUTDOWN;
	}
}

static uint64_t replace(struct roster *roster, bool serving, uint64_t room, bool start_first)
{
	for (size_t i = 0; room && i < roster->instance_count; i++) {
		struct instance *instance = &roster->instances[i];
		const struct progress progress = look_at(roster, instance, 0);

		if (!progress.is_due || progress.serves != serving)
			continue;
		instance->create = true;
		stop_old(roster, instance, start_first);
		room--;
	}
	return room;
}

/* Of stop-first, a change that was lost on its way to the log. */
static void stop_what_is_replaced(struct roster *roster)
{
	for (size_t i = 0; i < roster->instance_count; i++) {
		const struct instance *instance = &roster->instances[i];
		bool live_clean = false;

		for (size_t k = 0; k < instance->count; k++) {
			const struct roster_task *entry = roster_task(roster, instance, k);

			live_clean |= roster_is_live(roster, entry) && !entry->dirty;
		}
		if (live_clean)
			stop_old(roster, instance, false);
	}
}

void updater_plan(struct roster *roster)
{
	const Fl__UpdateConfig *config;
	struct tally tally;

	if (roster_is_paused(roster))
		return;
	config = config_of(roster);
	tally = count(roster, config);
	if (!roster_update_state(roster) && (tally.due || tally.untried))
		start(roster);
	if (roster_is_updating(roster) && has_failed(&tally, config)) {
		fail(roster, config, tally.failure->id);
		return;
	}
	if (tally.due) {
		const bool start_first = config->order == FL__UPDATE_CONFIG__ORDER__START_FIRST;
		const uint64_t busy = tally.untried + tally.resting;
		uint64_t room = config->parallelism ? config->parallelism : UINT64_MAX;

		room = room > busy ? room - busy : 0;
		room = replace(roster, false, room, start_first);
		replace(roster, true, room, start_first);
	} else if (roster_is_updating(roster) && !tally.untried) {
		const int64_t at =
		    tally.touched ? tally.tried_at + monitor_of(config) : roster->now;

		if (at <= roster->now)
			complete(roster);
		else
			roster_wake(roster, at);
	}
	if (config->order != FL__UPDATE_CONFIG__ORDER__START_FIRST)
		stop_what_is_replaced(roster);
}
