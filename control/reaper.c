/* SPDX-License-Identifier: BSD-2-Clause */
#include "reaper.h"

#include "task.h"

enum { HISTORY_DEFAULT = 5 };

/* A node that is down changes only by the hand of a user, which then buys its tasks another day. */
void reaper_write_off(struct roster *roster)
{
	for (size_t i = 0; i < roster->task_count; i++) {
		struct roster_task *entry = &roster->tasks[i];

		if (!entry->unreachable || task_is_over(entry->task))
			continue;
		if (!entry->node ||
		    entry->node->updated_at <= roster->now - REAPER_NODE_DOWN_PERIOD)
			entry->orphan = true;
		else
			roster_wake(roster, entry->node->updated_at + REAPER_NODE_DOWN_PERIOD);
	}
}

static int64_t history_limit(const struct roster *roster)
{
	const Fl__ClusterSpec *spec = roster->cluster ? roster->cluster->spec : NULL;
	const Fl__OrchestrationConfig *config = spec ? spec->orchestration : NULL;

	return config && config->has_task_history_retention_limit
		   ? config->task_history_retention_limit
		   : HISTORY_DEFAULT;
}

/* The newest that is over, of either version; NULL: none. */
static const struct roster_task *newest_over(const struct roster *roster,
					     const struct instance *instance, bool dirty)
{
	for (size_t i = instance->count; i-- > 0;) {
		const struct roster_task *entry = roster_task(roster, instance, i);

		if (!roster_is_live(roster, entry) && entry->dirty == dirty &&
		    !entry->delete &&entry->desired != FL__TASK_STATE__REMOVE)
			return entry;
	}
	return NULL;
}

/* What further decisions rest on. The newest where nothing runs: that it failed for good, or
 * completed its job, or that the next has to wait. */
static bool is_evidence(const struct roster *roster, const struct instance *instance,
			const struct roster_task *entry)
{
	const struct roster_task *clean = newest_over(roster, instance, false);
	const struct roster_task *dirty = newest_over(roster, instance, true);
	bool runs = false;

	for (size_t i = 0; i < instance->count; i++) {
		const struct roster_task *other = roster_task(roster, instance, i);

		runs |= roster_is_live(roster, other) &&
			task_state(other->task) == FL__TASK_STATE__RUNNING;
	}
	if (roster_is_updating(roster) || !runs)
		return entry == clean || entry == dirty;
	return false;
}

static void keep_to_limit(struct roster *roster, struct instance *instance, int64_t limit)
{
	int64_t count = instance->create;

	for (size_t i = 0; i < instance->count; i++)
		count += !roster_task(roster, instance, i)->delete;
	for (size_t i = 0; i < instance->count && count > limit; i++) {
		struct roster_task *entry = roster_task(roster, instance, i);

		if (entry->delete || entry->orphan || roster_is_live(roster, entry) ||
		    !roster_is_dead(roster, entry) || is_evidence(roster, instance, entry))
			continue;
		entry->delete = true;
		count--;
	}
}

void reaper_plan(struct roster *roster)
{
	const int64_t limit = history_limit(roster);

	for (size_t i = 0; i < roster->task_count; i++) {
		struct roster_task *entry = &roster->tasks[i];

		/* An orphan is written down first: its node may be back, and say otherwise. */
		if (entry->desired == FL__TASK_STATE__REMOVE && !entry->orphan &&
		    roster_is_dead(roster, entry))
			entry->delete = true;
	}
	for (size_t i = 0; limit >= 0 && i < roster->instance_count; i++) {
		if (roster->instances[i].fate != INSTANCE_DROP)
			keep_to_limit(roster, &roster->instances[i], limit);
	}
}
