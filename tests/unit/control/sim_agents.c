/* SPDX-License-Identifier: BSD-2-Clause */
/* The stub of a scheduler, and the agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "sim_cluster.h"
#include "task.h"

/* --- The scheduler: to the node with the fewest of the service, then the fewest, then the first
 * --- */

static bool takes_tasks(const Fl__Node *node)
{
	return node->status->state == FL__NODE_STATUS__STATE__READY &&
	       node->spec->availability == FL__NODE_SPEC__AVAILABILITY__ACTIVE;
}

static size_t weight_of(struct sim *sim, const char *node_id, const char *service_id)
{
	struct store_iterator i;
	const Fl__Task *task;
	size_t of_service = 0, all = 0;

	store_iterate_index(sim_view(sim), STORE_TASKS_BY_NODE, node_id, &i);
	while ((task = store_next(&i))) {
		if (task_is_over(task) || task_desired(task) > FL__TASK_STATE__COMPLETE)
			continue;
		all++;
		of_service += !strcmp(task->service_id, service_id);
	}
	return of_service * 1000 + all;
}

static const char *place_for(struct sim *sim, const Fl__Task *task)
{
	size_t least = SIZE_MAX;
	const char *best = NULL;

	for (size_t i = 0; i < sim->node_count; i++) {
		const Fl__Node *node = store_get(sim_view(sim), STORE_NODE, sim->nodes[i].id);
		size_t weight;

		if (!node || !takes_tasks(node) || !sim_fits(node, task->spec))
			continue;
		weight = weight_of(sim, node->id, task->service_id);
		if (weight < least) {
			least = weight;
			best = sim->nodes[i].id;
		}
	}
	return best;
}

static bool schedule_one(struct sim *sim)
{
	for (size_t i = 0; i < sim->task_count; i++) {
		const Fl__Task *task = store_get(sim_view(sim), STORE_TASK, sim->tasks[i].id);
		struct transaction *transaction;
		Fl__TaskStatus status;
		Fl__Task placed;
		const char *node_id;

		if (!task || task_state(task) != FL__TASK_STATE__NEW ||
		    task_desired(task) > FL__TASK_STATE__COMPLETE)
			continue;
		placed = *task;
		status = *task->status;
		node_id = task->node_id;
		if (!node_id)
			node_id = sim->misplace ? sim->misplace : place_for(sim, task);
		sim->misplace = NULL;
		if (!node_id)
			continue;
		placed.node_id = (char *)(uintptr_t)node_id;
		placed.status = &status;
		status.state = FL__TASK_STATE__ASSIGNED;
		status.timestamp = sim->now;
		transaction = sim_begin(sim);
		assert_int_equal(transaction_update(transaction, &placed.base), 0);
		assert_int_equal(sim_apply(sim, transaction), STORE_DONE);
		return true;
	}
	return false;
}

/* One at a time: each is to see those before it. */
void sim_schedule(struct sim *sim)
{
	while (schedule_one(sim))
		;
}

/* --- The agents --- */

static const struct sim_image *image_of(const struct sim *sim, const Fl__Task *task)
{
	static const struct sim_image plain = {
	    .prepare = 100 * SIM_MS, .start = 100 * SIM_MS, .stop = 100 * SIM_MS};
	const char *name = task->spec->container_spec->image;

	for (size_t i = 0; i < sim->image_count; i++) {
		if (!strcmp(sim->images[i].name, name))
			return &sim->images[i];
	}
	return &plain;
}

/* What its agent is to say next, and how long that takes from now on; NEW: nothing. */
static Fl__TaskState next_state(const struct sim *sim, const Fl__Task *task,
				const struct sim_task *record, int64_t *takes)
{
	const struct sim_image *image = image_of(sim, task);
	const Fl__TaskState state = task_state(task), desired = task_desired(task);

	*takes = 10 * SIM_MS;
	if (state < FL__TASK_STATE__ASSIGNED || task_is_over(task))
		return FL__TASK_STATE__NEW;
	if (record->crashed)
		return state == FL__TASK_STATE__RUNNING ? FL__TASK_STATE__FAILED
							: FL__TASK_STATE__REJECTED;
	if (desired > FL__TASK_STATE__COMPLETE) {
		*takes = image->stop;
		return FL__TASK_STATE__SHUTDOWN;
	}
	switch (state) {
	case FL__TASK_STATE__ASSIGNED:
		return FL__TASK_STATE__PREPARING;
	case FL__TASK_STATE__PREPARING:
		*takes = image->prepare;
		return image->rejected ? FL__TASK_STATE__REJECTED : FL__TASK_STATE__READY;
	case FL__TASK_STATE__READY:
		return desired >= FL__TASK_STATE__RUNNING ? FL__TASK_STATE__STARTING
							  : FL__TASK_STATE__NEW;
	case FL__TASK_STATE__STARTING:
		*takes = image->start;
		return FL__TASK_STATE__RUNNING;
	default:
		*takes = image->run;
		return image->run ? image->end : FL__TASK_STATE__NEW;
	}
}

void sim_agent_heeds(struct sim *sim, const Fl__Task *task)
{
	struct sim_task *record = sim_task_of(sim, task->id);
	const struct sim_node *node = sim_node_of(sim, task->node_id);
	const Fl__TaskState state = task_state(task);
	int64_t takes;

	if (!node || node->cut || next_state(sim, task, record, &takes) == FL__TASK_STATE__NEW) {
		record->at = INT64_MAX;
		return;
	}
	/* A run goes on whatever else is written on the task. */
	if (state == FL__TASK_STATE__RUNNING && !record->crashed &&
	    task_desired(task) <= FL__TASK_STATE__COMPLETE && record->at > sim->now &&
	    record->at != INT64_MAX)
		return;
	if (sim->jitter_percent)
		takes += takes * (int64_t)(sim_random(sim) % sim->jitter_percent) / 100;
	record->at = sim->now + takes;
}

int64_t sim_agents_next(const struct sim *sim)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < sim->task_count; i++) {
		if (!sim->tasks[i].gone && sim->tasks[i].at < at)
			at = sim->tasks[i].at;
	}
	return at;
}

static void say(struct sim *sim, const Fl__Task *task, Fl__TaskState state,
		struct transaction *transaction)
{
	Fl__Task said = *task;
	Fl__TaskStatus status = *task->status;

	said.status = &status;
	status.state = state;
	status.timestamp = status.applied_at = sim->now;
	status.has_applied_at = true;
	if (state == FL__TASK_STATE__RUNNING) {
		status.has_running_at = true;
		status.running_at = sim->now;
	}
	assert_int_equal(transaction_update(transaction, &said.base), 0);
}

void sim_agents_report(struct sim *sim)
{
	struct transaction *transaction = sim_begin(sim);

	for (size_t i = 0; i < sim->task_count; i++) {
		struct sim_task *record = &sim->tasks[i];
		const Fl__Task *task;
		Fl__TaskState state;
		int64_t takes;

		if (record->gone || record->at > sim->now)
			continue;
		record->at = INT64_MAX;
		task = store_get(sim_view(sim), STORE_TASK, record->id);
		state = next_state(sim, task, record, &takes);
		if (state != FL__TASK_STATE__NEW)
			say(sim, task, state, transaction);
	}
	if (transaction_count(transaction))
		sim_apply(sim, transaction);
	else
		transaction_free(transaction);
}
