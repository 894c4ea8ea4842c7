/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator_mode.h"
#include "task.h"

/* A slot in the order in which they stay. */
struct place {
	struct instance *instance;
	const char *node_id; /* "": several tasks, or not placed */
	bool runs;
	uint64_t nth; /* of the service's on its node */
};

static struct place place_of(const struct roster *roster, struct instance *instance)
{
	struct place place = {.instance = instance, .node_id = "", .nth = UINT64_MAX};
	size_t live = 0;

	for (size_t i = 0; i < instance->count; i++) {
		const struct roster_task *entry = roster_task(roster, instance, i);

		if (!roster_is_live(roster, entry))
			continue;
		place.node_id = live++ ? "" : task_node_id(entry->task);
		place.runs |= !entry->lost && task_state(entry->task) == FL__TASK_STATE__RUNNING;
	}
	return place;
}

static int compare_by_node(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	const int by_node = strcmp(a->node_id, b->node_id);

	if (by_node)
		return by_node;
	if (a->runs != b->runs)
		return a->runs ? -1 : 1;
	return a->instance->slot < b->instance->slot ? -1 : 1;
}

static int compare_by_worth(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->runs != b->runs)
		return a->runs ? -1 : 1;
	if (a->nth != b->nth)
		return a->nth < b->nth ? -1 : 1;
	return a->instance->slot < b->instance->slot ? -1 : 1;
}

static void sort_by_worth(struct place *places, size_t count)
{
	qsort(places, count, sizeof(*places), compare_by_node);
	for (size_t i = 0; i < count; i++) {
		if (*places[i].node_id)
			places[i].nth = i && !strcmp(places[i - 1].node_id, places[i].node_id)
					    ? places[i - 1].nth + 1
					    : 1;
	}
	qsort(places, count, sizeof(*places), compare_by_worth);
}

/* INSTANCE_DROP is what they have. */
static int keep(struct roster *roster, uint64_t wanted, uint64_t *kept)
{
	struct place *places = calloc(roster->instance_count + 1, sizeof(*places));
	size_t count = 0;

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < roster->instance_count; i++) {
		struct instance *instance = &roster->instances[i];

		if (instance->slot && roster_newest(roster, instance))
			places[count++] = place_of(roster, instance);
	}
	if (count > wanted)
		sort_by_worth(places, count);
	for (*kept = 0; *kept < count && *kept < wanted; ++*kept)
		places[*kept].instance->fate = INSTANCE_KEEP;
	free(places);
	return 0;
}

static int add(struct roster *roster, uint64_t missing)
{
	if (missing > ROSTER_CREATIONS_MAX)
		missing = ROSTER_CREATIONS_MAX;
	for (uint64_t slot = 1; missing; slot++) {
		struct instance *instance = roster_find(roster, slot, "");

		if (instance && instance->fate == INSTANCE_KEEP)
			continue;
		if (!instance)
			instance = roster_add(roster, slot, NULL);
		if (!instance)
			return -ENOMEM;
		instance->fate = INSTANCE_KEEP; /* its tasks, if any, are on their way out */
		missing--;
	}
	return 0;
}

int orchestrator_replicated(struct roster *roster)
{
	const uint64_t wanted = roster->service->spec->mode->replicated->replicas;
	uint64_t kept;
	const int rc = keep(roster, wanted, &kept);

	return rc ? rc : add(roster, wanted - kept);
}
