/* SPDX-License-Identifier: BSD-2-Clause */
#include "task.h"

#include <string.h>

#include "message.h"

Fl__TaskState task_state(const Fl__Task *task)
{
	return task->status ? task->status->state : FL__TASK_STATE__NEW;
}

Fl__TaskState task_desired(const Fl__Task *task)
{
	return task->desired_state;
}

const char *task_node_id(const Fl__Task *task)
{
	return task->node_id ? task->node_id : "";
}

int64_t task_changed_at(const Fl__Task *task)
{
	const Fl__TaskStatus *status = task->status;

	if (!status)
		return task->created_at;
	return status->has_applied_at ? status->applied_at : status->timestamp;
}

int64_t task_running_at(const Fl__Task *task)
{
	if (task->status && task->status->has_running_at)
		return task->status->running_at;
	return task_state(task) == FL__TASK_STATE__RUNNING ? task_changed_at(task) : 0;
}

bool task_ended_by_itself(const Fl__Task *task)
{
	const Fl__TaskState state = task_state(task);

	return state == FL__TASK_STATE__COMPLETE || state == FL__TASK_STATE__FAILED ||
	       state == FL__TASK_STATE__REJECTED;
}

bool task_serves(const Fl__Task *task)
{
	return task_state(task) == FL__TASK_STATE__RUNNING &&
	       (!task->status->has_healthy || task->status->healthy);
}

static Fl__Driver *log_driver(const struct task_recipe *recipe, const Fl__TaskSpec *spec)
{
	const Fl__ClusterSpec *cluster = recipe->cluster ? recipe->cluster->spec : NULL;

	if (spec && spec->log_driver)
		return spec->log_driver;
	return cluster && cluster->task_defaults ? cluster->task_defaults->log_driver : NULL;
}

/* What depends on the version of the service. */
static void take_spec(struct task_draft *draft, const struct task_recipe *recipe)
{
	const Fl__Service *service = recipe->service;
	Fl__Task *task = &draft->task;

	if (recipe->as) {
		task->spec = recipe->as->spec;
		task->spec_version = recipe->as->spec_version;
		task->n_service_labels = recipe->as->n_service_labels;
		task->service_labels = recipe->as->service_labels;
		draft->endpoint.spec = recipe->as->endpoint ? recipe->as->endpoint->spec : NULL;
	} else {
		task->spec = service->spec->task_template;
		task->spec_version = service->spec_version;
		task->n_service_labels = service->spec->n_labels;
		task->service_labels = service->spec->labels;
		draft->endpoint.spec = service->spec->endpoint_spec;
	}
	task->has_spec_version = true;
	task->log_driver = log_driver(recipe, task->spec);
}

void task_draft(struct task_draft *draft, const struct task_recipe *recipe)
{
	Fl__Task *task = &draft->task;

	fl__task__init(task);
	fl__task_status__init(&draft->status);
	fl__endpoint__init(&draft->endpoint);
	take_spec(draft, recipe);
	task->id = (char *)(uintptr_t)recipe->id;
	task->service_id = recipe->service->id;
	task->service_name = recipe->service->spec->name;
	task->has_slot = recipe->slot != 0;
	task->slot = recipe->slot;
	task->node_id = (char *)(uintptr_t)recipe->node_id;
	task->has_job_iteration = recipe->is_job;
	task->job_iteration = recipe->job_iteration;
	task->has_desired_state = true;
	task->desired_state = recipe->desired;
	task->endpoint = &draft->endpoint;
	task->status = &draft->status;
	draft->status.has_state = draft->status.has_timestamp = true;
	draft->status.state = FL__TASK_STATE__NEW;
	draft->status.timestamp = recipe->now;
	draft->status.message = (char *)(uintptr_t) "created";
}

/* Shallow copies without what is compared apart. */
static int rest_equals(const Fl__TaskSpec *a, const Fl__TaskSpec *b)
{
	Fl__TaskSpec specs[2] = {*a, *b};
	Fl__ContainerSpec containers[2];

	for (int i = 0; i < 2; i++) {
		specs[i].placement = NULL;
		if (!specs[i].container_spec)
			continue;
		containers[i] = *specs[i].container_spec;
		containers[i].pull_options = NULL;
		specs[i].container_spec = &containers[i];
	}
	return message_equal(&specs[0].base, &specs[1].base);
}

static bool pull_equals(const Fl__ContainerSpec *a, const Fl__ContainerSpec *b)
{
	const char *of_a = a && a->pull_options ? a->pull_options : "";
	const char *of_b = b && b->pull_options ? b->pull_options : "";

	return !strcmp(of_a, of_b);
}

static int parts_differ(const Fl__TaskSpec *a, const Fl__TaskSpec *b)
{
	const int rest = rest_equals(a, b);
	const int placement = message_equal(a->placement ? &a->placement->base : NULL,
					    b->placement ? &b->placement->base : NULL);

	if (rest < 0 || placement < 0)
		return rest < 0 ? rest : placement;
	return (rest ? 0 : TASK_DIFFERS) | (placement ? 0 : TASK_DIFFERS_IN_PLACEMENT) |
	       (pull_equals(a->container_spec, b->container_spec) ? 0 : TASK_DIFFERS_IN_PULL);
}

int task_differences(const Fl__Task *task, const Fl__Service *service)
{
	const Fl__TaskSpec *wanted = service->spec->task_template;
	const Fl__EndpointSpec *endpoint = task->endpoint ? task->endpoint->spec : NULL;
	const Fl__EndpointSpec *wanted_endpoint = service->spec->endpoint_spec;
	int same;

	if (!task->spec || !wanted)
		return task->spec || wanted ? TASK_DIFFERS : 0;
	same = message_equal(endpoint ? &endpoint->base : NULL,
			     wanted_endpoint ? &wanted_endpoint->base : NULL);
	if (same <= 0)
		return same ? same : TASK_DIFFERS;
	return task->spec == wanted ? 0 : parts_differ(task->spec, wanted);
}
