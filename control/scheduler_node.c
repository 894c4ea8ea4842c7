/* SPDX-License-Identifier: BSD-2-Clause */
#include "scheduler_node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

bool task_is_active(const Fl__Task *task)
{
	return task->desired_state <= FL__TASK_STATE__COMPLETE;
}

const Fl__Resources *task_reservations(const Fl__Task *task)
{
	return task->spec && task->spec->resources ? task->spec->resources->reservations : NULL;
}

Fl__GenericResource *const *task_generics(const struct scheduler_task *task, size_t *count)
{
	*count = task->claim ? task->claim->n_generic_resources : task->task->n_generic_resources;
	return task->claim ? task->claim->generic_resources : task->task->generic_resources;
}

static bool has_host_ports(const Fl__Task *task)
{
	for (size_t i = 0; task->endpoint && i < task->endpoint->n_ports; i++) {
		if (task->endpoint->ports[i]->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__HOST)
			return true;
	}
	return false;
}

static const char *service_of(const Fl__Task *task)
{
	return task->service_id ? task->service_id : "";
}

struct scheduler_node *scheduler_node_new(const Fl__Node *node)
{
	struct scheduler_node *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	list_init(&made->tasks);
	scheduler_node_update(made, node);
	return made;
}

void scheduler_node_free(struct scheduler_node *node)
{
	struct node_service *service;
	size_t slot = 0;

	assert(list_is_empty(&node->tasks) && !node->active && !node->with_host_ports);
	while ((service = id_map_next(&node->services, &slot)))
		free(service);
	id_map_clear(&node->services);
	store_object_release(node->node);
	free(node);
}

static void take(struct scheduler_node *node, const Fl__Task *task, int sign)
{
	const Fl__Resources *reserved = task_reservations(task);

	if (!reserved)
		return;
	/* Specs are checked to be sane, but a sum of many may still go over. */
	if (__builtin_sub_overflow(node->cpus_left, sign * reserved->nano_cpus, &node->cpus_left))
		node->cpus_left = 0;
	if (__builtin_sub_overflow(node->memory_left, sign * reserved->memory_bytes,
				   &node->memory_left))
		node->memory_left = 0;
}

void scheduler_node_update(struct scheduler_node *node, const Fl__Node *now)
{
	const Fl__Resources *resources = now->description ? now->description->resources : NULL;

	store_object_hold(now);
	store_object_release(node->node);
	node->node = now;
	node->id = now->id;
	node->cpus_left = resources ? resources->nano_cpus : 0;
	node->memory_left = resources ? resources->memory_bytes : 0;
	for (struct list *at = node->tasks.next; at != &node->tasks; at = at->next)
		take(node, LIST_ENTRY(at, struct scheduler_task, on_node)->task, 1);
}

static struct node_service *service_on(struct scheduler_node *node, const char *id)
{
	struct node_service *service = id_map_get(&node->services, id);

	if (service)
		return service;
	service = calloc(1, sizeof(*service) + strlen(id) + 1);
	if (!service)
		return NULL;
	strcpy(service->id_text, id);
	service->id = service->id_text;
	if (id_map_add(&node->services, service)) {
		free(service);
		return NULL;
	}
	return service;
}

int scheduler_node_add(struct scheduler_node *node, struct scheduler_task *task)
{
	assert(!task->node);
	if (task_is_active(task->task)) {
		struct node_service *service = service_on(node, service_of(task->task));

		if (!service)
			return -ENOMEM;
		service->active++;
		node->active++;
		task->active = true;
	}
	take(node, task->task, 1);
	node->with_host_ports += has_host_ports(task->task);
	list_append(&node->tasks, &task->on_node);
	task->node = node;
	return 0;
}

void scheduler_node_remove(struct scheduler_task *task)
{
	struct scheduler_node *node = task->node;

	if (task->active) {
		struct node_service *service = id_map_get(&node->services, service_of(task->task));

		service->active--;
		node->active--;
		if (!service->active && !service->failure_count) {
			id_map_remove(&node->services, service->id);
			free(service);
		}
	}
	task->active = false;
	take(node, task->task, -1);
	node->with_host_ports -= has_host_ports(task->task);
	list_remove(&task->on_node);
	task->node = NULL;
}

size_t scheduler_node_active(const struct scheduler_node *node, const char *service_id)
{
	const struct node_service *service =
	    id_map_get(&node->services, service_id ? service_id : "");

	return service ? service->active : 0;
}

static size_t recent_failures(const struct node_service *service, int64_t now)
{
	size_t recent = 0;

	for (size_t i = 0; i < service->failure_count && i < FAILURES_KEPT; i++)
		recent += service->failures[i] > now - FAILURES_WINDOW_NS;
	return recent;
}

/* Services that failed here and went are not worth a record for ever. */
static void forget_old_failures(struct scheduler_node *node, int64_t now)
{
	struct node_service *service;
	size_t slot = 0;

	while ((service = id_map_next(&node->services, &slot))) {
		if (!service->failure_count || recent_failures(service, now))
			continue;
		service->failure_count = 0;
		if (service->active)
			continue;
		id_map_remove(&node->services, service->id);
		free(service);
		slot = 0; /* the table has changed */
	}
}

int scheduler_node_failed(struct scheduler_node *node, const Fl__Task *task, int64_t at)
{
	struct node_service *service;

	forget_old_failures(node, at);
	service = service_on(node, service_of(task));
	if (!service)
		return -ENOMEM;
	if (task->spec_version < service->failed_version)
		return 0;
	if (task->spec_version > service->failed_version)
		service->failure_count = 0;
	service->failed_version = task->spec_version;
	service->failures[service->failure_count++ % FAILURES_KEPT] = at;
	return 0;
}

size_t scheduler_node_penalty(const struct scheduler_node *node, const Fl__Task *task, int64_t now)
{
	const struct node_service *service = id_map_get(&node->services, service_of(task));
	const size_t recent = service && service->failed_version == task->spec_version
				  ? recent_failures(service, now)
				  : 0;

	return recent >= FAILURES_MAX ? recent : 0;
}
