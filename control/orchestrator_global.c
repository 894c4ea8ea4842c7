/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "orchestrator_mode.h"
#include "task.h"

static enum instance_fate fate_on(const struct roster *roster, const Fl__Node *node)
{
	const Fl__TaskSpec *spec = roster->service->spec->task_template;

	if (node->membership != FL__NODE__MEMBERSHIP__ACCEPTED ||
	    (node->status && node->status->state == FL__NODE_STATUS__STATE__DOWN))
		return INSTANCE_STOP;
	if (node->spec && node->spec->availability == FL__NODE_SPEC__AVAILABILITY__DRAIN)
		return INSTANCE_STOP;
	if (spec && spec->placement && spec->placement->n_constraints && !roster->fits(node, spec))
		return INSTANCE_STOP;
	if (node->spec && node->spec->availability == FL__NODE_SPEC__AVAILABILITY__PAUSE)
		return INSTANCE_HOLD;
	return INSTANCE_KEEP;
}

static void stop(struct roster *roster, const struct instance *instance)
{
	for (size_t i = 0; i < instance->count; i++) {
		struct roster_task *entry = roster_task(roster, instance, i);
		const bool done =
		    roster->is_job && task_state(entry->task) == FL__TASK_STATE__COMPLETE;

		if (roster_is_live(roster, entry) && !done)
			entry->desired = FL__TASK_STATE__SHUTDOWN;
	}
}

/* Of a node that is no more, nothing stays. */
int orchestrator_global(struct roster *roster)
{
	const size_t with_tasks = roster->instance_count;
	struct store_iterator i;
	const Fl__Node *node;
	size_t added = 0;

	for (size_t k = 0; k < with_tasks; k++) {
		struct instance *instance = &roster->instances[k];

		if (!instance->slot && instance->node)
			instance->fate = fate_on(roster, instance->node);
		if (instance->fate == INSTANCE_STOP)
			stop(roster, instance);
	}
	store_iterate(roster->view, STORE_NODE, &i);
	while (added < ROSTER_CREATIONS_MAX && (node = store_next(&i))) {
		struct instance *instance;

		if (fate_on(roster, node) != INSTANCE_KEEP || roster_find(roster, 0, node->id))
			continue;
		instance = roster_add(roster, 0, node);
		if (!instance)
			return -ENOMEM;
		instance->fate = INSTANCE_KEEP;
		added++;
	}
	return 0;
}
