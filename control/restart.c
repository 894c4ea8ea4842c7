/* SPDX-License-Identifier: BSD-2-Clause */
#include "restart.h"

#include "task.h"

enum {
	DELAY_DEFAULT_S = 5,
	GRACE_PERIOD_DEFAULT_S = 10,
};

/* --- The policy --- */

static const Fl__RestartPolicy *policy_of(const Fl__Task *task)
{
	return task->spec ? task->spec->restart_policy : NULL;
}

static Fl__RestartPolicy__Condition condition_of(const Fl__Task *task)
{
	const Fl__RestartPolicy *policy = policy_of(task);

	return policy && policy->has_condition ? policy->condition
					       : FL__RESTART_POLICY__CONDITION__ANY;
}

static int64_t delay_of(const Fl__Task *task)
{
	const Fl__RestartPolicy *policy = policy_of(task);

	return policy && policy->has_delay ? policy->delay : DELAY_DEFAULT_S * TASK_SECOND;
}

static uint64_t restarts_in_window(const Fl__Task *task, int64_t window)
{
	const int64_t from = task_changed_at(task) - window;
	uint64_t count = 0;

	for (size_t i = 0; i < task->n_restarted_at; i++)
		count += task->restarted_at[i] > from;
	return count;
}

bool restart_is_allowed(const Fl__Task *newest)
{
	const Fl__RestartPolicy *policy = policy_of(newest);
	const Fl__RestartPolicy__Condition condition = condition_of(newest);

	if (condition == FL__RESTART_POLICY__CONDITION__NONE ||
	    (condition == FL__RESTART_POLICY__CONDITION__ON_FAILURE &&
	     task_state(newest) == FL__TASK_STATE__COMPLETE))
		return false;
	if (!policy || !policy->max_attempts || !task_ended_by_itself(newest))
		return true;
	if (policy->window <= 0)
		return newest->restarts < policy->max_attempts;
	return restarts_in_window(newest, policy->window) <
	       (policy->max_attempts < RESTART_TIMES_MAX ? policy->max_attempts
							 : RESTART_TIMES_MAX);
}

bool restart_was_needed(const Fl__Task *task, int64_t successor_created_at)
{
	return task_ended_by_itself(task) && task_changed_at(task) <= successor_created_at;
}

static bool is_restart(const Fl__Task *successor, const Fl__Task *predecessor)
{
	return predecessor->spec_version == successor->spec_version &&
	       predecessor->job_iteration == successor->job_iteration;
}

void restart_count(Fl__Task *successor, const Fl__Task *predecessor, int64_t now, int64_t *times)
{
	const Fl__RestartPolicy *policy = policy_of(successor);
	const bool counts = predecessor && task_ended_by_itself(predecessor);
	size_t count = 0;

	if (!policy || !policy->max_attempts || !predecessor || !is_restart(successor, predecessor))
		return;
	successor->has_restarts = true;
	successor->restarts = predecessor->restarts + counts;
	if (policy->window <= 0)
		return;
	for (size_t i = 0; i < predecessor->n_restarted_at; i++) {
		const int64_t at = predecessor->restarted_at[i];

		if (at > now - policy->window && count < RESTART_TIMES_MAX - 1)
			times[count++] = at;
	}
	if (counts)
		times[count++] = now;
	successor->n_restarted_at = count;
	successor->restarted_at = times;
}

/* --- What ended, or cannot stay --- */

/* The one before it in its instance. NULL: it is the first. */
static const Fl__Task *predecessor_of(const struct roster *roster, const struct instance *instance,
				      const struct roster_task *entry)
{
	const size_t place = (size_t)(entry - roster->tasks) - instance->first;

	for (size_t i = place; i-- > 0;) {
		const struct roster_task *other = roster_task(roster, instance, i);

		if (other->desired != FL__TASK_STATE__REMOVE)
			return other->task;
	}
	return NULL;
}

/* When the policy lets it run. created_at: its own, or now. */
static int64_t due_at(const Fl__Task *task, const Fl__Task *predecessor, int64_t created_at)
{
	if (!predecessor || !restart_was_needed(predecessor, created_at) ||
	    !is_restart(task, predecessor))
		return created_at;
	return created_at + delay_of(task);
}

/* One that failed while it waited (no such image) is not followed by the next before its time. */
static bool waits_out_its_delay(struct roster *roster, const struct instance *instance,
				const struct roster_task *entry)
{
	int64_t due;

	if (entry->desired >= roster->goal || !task_ended_by_itself(entry->task))
		return false;
	due = due_at(entry->task, predecessor_of(roster, instance, entry), entry->task->created_at);
	if (due <= roster->now)
		return false;
	roster_wake(roster, due);
	return true;
}

static void end_what_is_over(struct roster *roster, struct instance *instance)
{
	for (size_t i = 0; i < instance->count; i++) {
		struct roster_task *entry = roster_task(roster, instance, i);
		const Fl__Task *task = entry->task;

		if (!roster_is_live(roster, entry))
			continue;
		if (roster->is_job && task_state(task) == FL__TASK_STATE__COMPLETE)
			continue; /* it has what it was to reach */
		if (task_is_over(task) ? !waits_out_its_delay(roster, instance, entry)
				       : entry->lost)
			entry->desired = FL__TASK_STATE__SHUTDOWN;
	}
}

/* A new version failed beside the old one, which still serves (start-first): it is tried again. */
static bool tries_again(const struct roster *roster, const struct instance *instance,
			const struct roster_task *newest)
{
	if (newest->dirty || roster_is_live(roster, newest) || roster_is_paused(roster))
		return false;
	for (size_t i = 0; i < instance->count; i++) {
		const struct roster_task *entry = roster_task(roster, instance, i);

		if (roster_is_live(roster, entry) && !entry->dirty)
			return false;
	}
	return true;
}

void restart_instance(struct roster *roster, struct instance *instance)
{
	const struct roster_task *newest;

	end_what_is_over(roster, instance);
	if (instance->fate != INSTANCE_KEEP || roster_is_complete(roster, instance))
		return;
	newest = roster_newest(roster, instance);
	if (roster_has_live(roster, instance) && !tries_again(roster, instance, newest))
		return;
	if (newest && newest->task->job_iteration == roster->iteration &&
	    !restart_is_allowed(newest->task))
		return;
	instance->create = true;
	/* A paused update changes nothing. */
	instance->as_before = newest && newest->dirty && roster_is_paused(roster);
}

/* --- Handing over --- */

static int64_t grace_period_of(const Fl__Task *task)
{
	const Fl__ContainerSpec *spec = task->spec ? task->spec->container_spec : NULL;

	return spec && spec->has_stop_grace_period ? spec->stop_grace_period
						   : GRACE_PERIOD_DEFAULT_S * TASK_SECOND;
}

/* Until when one that was created then has to wait for others to stop: now or earlier, not at all.
 */
static int64_t blocked_until(const struct roster *roster, const struct instance *instance,
			     int64_t created_at)
{
	int64_t until = INT64_MIN;

	for (size_t i = 0; i < instance->count; i++) {
		const struct roster_task *entry = roster_task(roster, instance, i);
		int64_t at;

		if (!roster_is_stopping(roster, entry) || entry->unreachable ||
		    entry->desired == FL__TASK_STATE__REMOVE)
			continue;
		at = created_at + RESTART_STOP_TIMEOUT + grace_period_of(entry->task);
		if (at > until)
			until = at;
	}
	return until;
}

static bool may_run(struct roster *roster, const struct instance *instance, const Fl__Task *task,
		    const Fl__Task *predecessor, int64_t created_at)
{
	const int64_t due = due_at(task, predecessor, created_at);
	const int64_t blocked = blocked_until(roster, instance, created_at);
	const int64_t at = due > blocked ? due : blocked;

	if (at <= roster->now)
		return true;
	roster_wake(roster, at);
	return false;
}

Fl__TaskState restart_first_state(struct roster *roster, const struct instance *instance,
				  const Fl__Task *successor)
{
	const struct roster_task *newest = roster_newest(roster, instance);

	return may_run(roster, instance, successor, newest ? newest->task : NULL, roster->now)
		   ? roster->goal
		   : FL__TASK_STATE__READY;
}

/* Whether a is to stay rather than b, of two that do the same. */
static bool is_better(const struct roster_task *a, const struct roster_task *b)
{
	if (task_is_over(a->task) != task_is_over(b->task))
		return task_is_over(b->task);
	if (task_state(a->task) != task_state(b->task))
		return task_state(a->task) > task_state(b->task);
	return a < b; /* the older */
}

static struct roster_task *keep_best(const struct roster *roster, const struct instance *instance,
				     bool dirty)
{
	struct roster_task *best = NULL;

	for (size_t i = 0; i < instance->count; i++) {
		struct roster_task *entry = roster_task(roster, instance, i);
		struct roster_task *worse = entry;

		if (!roster_is_live(roster, entry) || entry->dirty != dirty)
			continue;
		if (!best || is_better(entry, best)) {
			worse = best;
			best = entry;
		}
		if (worse)
			worse->desired = FL__TASK_STATE__SHUTDOWN;
	}
	return best;
}

void restart_hand_over(struct roster *roster, struct instance *instance)
{
	struct roster_task *clean = keep_best(roster, instance, false);
	struct roster_task *dirty = keep_best(roster, instance, true);

	if (clean && dirty && task_serves(clean->task) && clean->desired == roster->goal)
		dirty->desired = FL__TASK_STATE__SHUTDOWN;
	for (size_t i = 0; i < instance->count; i++) {
		struct roster_task *entry = roster_task(roster, instance, i);

		if (entry->desired < roster->goal && !task_is_over(entry->task) &&
		    may_run(roster, instance, entry->task, predecessor_of(roster, instance, entry),
			    entry->task->created_at))
			entry->desired = roster->goal;
	}
}
