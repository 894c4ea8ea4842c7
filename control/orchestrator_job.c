/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "orchestrator_mode.h"
#include "restart.h"
#include "task.h"

/* A new iteration does not wait for the end of the one before. */
static void end_earlier_iterations(struct roster *roster)
{
	for (size_t i = 0; i < roster->task_count; i++) {
		struct roster_task *entry = &roster->tasks[i];

		if (entry->task->job_iteration != roster->iteration && !task_is_over(entry->task))
			entry->desired = FL__TASK_STATE__REMOVE;
	}
}

static bool is_begun(const struct roster *roster, const struct instance *instance)
{
	const struct roster_task *newest = roster_newest(roster, instance);

	return newest && newest->task->job_iteration == roster->iteration;
}

/* It has a task that works, or is to have another. */
static bool is_at_work(const struct roster *roster, const struct instance *instance)
{
	const struct roster_task *newest = roster_newest(roster, instance);

	if (!is_begun(roster, instance) || roster_is_complete(roster, instance))
		return false;
	if (roster_is_live(roster, newest) && !task_is_over(newest->task) && !newest->lost)
		return true;
	return restart_is_allowed(newest->task);
}

static uint64_t keep_begun(struct roster *roster, uint64_t total)
{
	uint64_t at_work = 0;

	for (size_t i = 0; i < roster->instance_count; i++) {
		struct instance *instance = &roster->instances[i];

		if (!instance->slot || instance->slot > total)
			continue;
		instance->fate = is_begun(roster, instance) ? INSTANCE_KEEP : INSTANCE_HOLD;
		at_work += is_at_work(roster, instance);
	}
	return at_work;
}

static int begin(struct roster *roster, uint64_t total, uint64_t room)
{
	if (room > ROSTER_CREATIONS_MAX)
		room = ROSTER_CREATIONS_MAX;
	for (uint64_t slot = 1; room && slot <= total; slot++) {
		struct instance *instance = roster_find(roster, slot, "");

		if (instance && instance->fate == INSTANCE_KEEP)
			continue;
		if (!instance)
			instance = roster_add(roster, slot, NULL);
		if (!instance)
			return -ENOMEM;
		instance->fate = INSTANCE_KEEP;
		room--;
	}
	return 0;
}

int orchestrator_replicated_job(struct roster *roster)
{
	const Fl__ReplicatedJob *job = roster->service->spec->mode->replicated_job;
	const uint64_t concurrent = job->has_max_concurrent ? job->max_concurrent : 1;
	const uint64_t total = job->has_total_completions ? job->total_completions : concurrent;
	const uint64_t most = concurrent ? concurrent : total; /* 0: all at once */
	uint64_t at_work;

	end_earlier_iterations(roster);
	at_work = keep_begun(roster, total);
	return begin(roster, total, most > at_work ? most - at_work : 0);
}

int orchestrator_global_job(struct roster *roster)
{
	end_earlier_iterations(roster);
	return orchestrator_global(roster);
}
