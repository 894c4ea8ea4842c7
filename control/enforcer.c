/* SPDX-License-Identifier: BSD-2-Clause */
#include "enforcer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "id_map.h"
#include "list.h"
#include "scheduler_constraint.h"
#include "scheduler_node.h"

/* A node that is to be looked at. */
struct suspect {
	const char *id;
	struct list link;
	char id_text[];
};

struct enforcer {
	struct id_map suspects;
	struct list queue;     /* to be looked at */
	struct list in_flight; /* looked at; what came of it is on its way */
	bool busy;
};

struct enforcer *enforcer_new(void)
{
	struct enforcer *enforcer = calloc(1, sizeof(*enforcer));

	if (!enforcer)
		return NULL;
	list_init(&enforcer->queue);
	list_init(&enforcer->in_flight);
	return enforcer;
}

static void forget(struct enforcer *enforcer, struct suspect *suspect)
{
	list_remove(&suspect->link);
	id_map_remove(&enforcer->suspects, suspect->id);
	free(suspect);
}

static void forget_all(struct enforcer *enforcer)
{
	list_splice(&enforcer->queue, &enforcer->in_flight);
	while (!list_is_empty(&enforcer->queue))
		forget(enforcer, LIST_ENTRY(enforcer->queue.next, struct suspect, link));
	enforcer->busy = false;
}

void enforcer_free(struct enforcer *enforcer)
{
	if (!enforcer)
		return;
	forget_all(enforcer);
	id_map_clear(&enforcer->suspects);
	free(enforcer);
}

static int suspect_node(struct enforcer *enforcer, const char *id)
{
	struct suspect *suspect = id_map_get(&enforcer->suspects, id);

	if (!suspect) {
		suspect = calloc(1, sizeof(*suspect) + strlen(id) + 1);
		if (!suspect)
			return -ENOMEM;
		strcpy(suspect->id_text, id);
		suspect->id = suspect->id_text;
		list_init(&suspect->link);
		if (id_map_add(&enforcer->suspects, suspect)) {
			free(suspect);
			return -ENOMEM;
		}
	}
	list_remove(&suspect->link);
	list_append(&enforcer->queue, &suspect->link);
	return 0;
}

int enforcer_reset(struct enforcer *enforcer, const struct store_view *view)
{
	struct store_iterator nodes;
	const Fl__Node *node;
	int rc = 0;

	forget_all(enforcer);
	store_iterate(view, STORE_NODE, &nodes);
	while (!rc && (node = store_next(&nodes)))
		rc = suspect_node(enforcer, node->id);
	return rc;
}

/* A node may have changed while a task was on its way to it. */
static bool is_placed_now(const Fl__Task *before, const Fl__Task *after)
{
	return after && after->node_id && after->status &&
	       after->status->state >= FL__TASK_STATE__ASSIGNED &&
	       (!before || !before->status || before->status->state < FL__TASK_STATE__ASSIGNED);
}

int enforcer_handle(struct enforcer *enforcer, const struct store_event *events, size_t count)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		if (events[i].table == STORE_NODE && events[i].after)
			rc = suspect_node(enforcer, ((const Fl__Node *)events[i].after)->id);
		else if (events[i].table == STORE_TASK &&
			 is_placed_now(events[i].before, events[i].after))
			rc = suspect_node(enforcer, ((const Fl__Task *)events[i].after)->node_id);
	}
	return rc;
}

void enforcer_settle(struct enforcer *enforcer)
{
	list_splice(&enforcer->queue, &enforcer->in_flight); /* once more: it may have been lost */
	enforcer->busy = false;
}

/* What the tasks looked at so far leave of a node. */
struct rest {
	int64_t cpus, memory;
};

static bool is_subject(const Fl__Task *task)
{
	return task->status && task->status->state >= FL__TASK_STATE__ASSIGNED &&
	       task->status->state <= FL__TASK_STATE__RUNNING &&
	       task->desired_state >= FL__TASK_STATE__ASSIGNED && task_is_active(task);
}

static bool offers(const Fl__Node *node, const Fl__GenericResource *resource)
{
	const Fl__NamedGenericResource *named = resource->named_resource_spec;
	const Fl__Resources *offer = node->description ? node->description->resources : NULL;

	/* Amounts may shrink; who of them were to go, nobody says. A name that is gone is gone. */
	if (!named)
		return true;
	for (size_t i = 0; offer && i < offer->n_generic_resources; i++) {
		const Fl__NamedGenericResource *other =
		    offer->generic_resources[i]->named_resource_spec;

		if (other && other->kind && named->kind && other->value && named->value &&
		    !strcmp(other->kind, named->kind) && !strcmp(other->value, named->value))
			return true;
	}
	return false;
}

static bool is_compliant(const Fl__Task *task, const Fl__Node *node, struct rest *rest)
{
	const Fl__Placement *placement = task->spec ? task->spec->placement : NULL;
	const Fl__Resources *reserved = task_reservations(task);

	if (placement && !constraints_match(placement->constraints, placement->n_constraints, node))
		return false;
	for (size_t i = 0; i < task->n_generic_resources; i++) {
		if (!offers(node, task->generic_resources[i]))
			return false;
	}
	if (!reserved)
		return true;
	if ((reserved->nano_cpus > 0 && reserved->nano_cpus > rest->cpus) ||
	    (reserved->memory_bytes > 0 && reserved->memory_bytes > rest->memory))
		return false;
	rest->cpus -= reserved->nano_cpus > 0 ? reserved->nano_cpus : 0;
	rest->memory -= reserved->memory_bytes > 0 ? reserved->memory_bytes : 0;
	return true;
}

static int reject(struct transaction *transaction, const Fl__Task *task, int64_t now)
{
	Fl__TaskStatus status = *task->status;
	Fl__Task update = *task;

	status.state = FL__TASK_STATE__REJECTED;
	status.message = (char *)(uintptr_t) "task rejected by constraint enforcer";
	status.err = (char *)(uintptr_t) "assigned node no longer meets constraints";
	status.has_timestamp = true;
	status.timestamp = now;
	update.status = &status;
	return transaction_update(transaction, &update.base);
}

static int look_at(const struct store_view *view, const Fl__Node *node, int64_t now,
		   struct transaction *transaction)
{
	const Fl__Resources *resources = node->description ? node->description->resources : NULL;
	struct rest rest = {resources ? resources->nano_cpus : 0,
			    resources ? resources->memory_bytes : 0};
	struct store_iterator tasks;
	const Fl__Task *task;
	int rc = 0;

	if (node->spec && node->spec->availability != FL__NODE_SPEC__AVAILABILITY__ACTIVE)
		return 0;
	store_iterate_index(view, STORE_TASKS_BY_NODE, node->id, &tasks);
	while (!rc && (task = store_next(&tasks))) {
		if (is_subject(task) && !is_compliant(task, node, &rest))
			rc = reject(transaction, task, now);
		if (rc == -EMSGSIZE)
			rc = 0; /* no room for the words: left alone */
	}
	return rc;
}

int enforcer_run(struct enforcer *enforcer, const struct store_view *view, int64_t now,
		 struct transaction **result)
{
	struct transaction *transaction;
	int rc = 0;

	*result = NULL;
	if (enforcer->busy || list_is_empty(&enforcer->queue))
		return 0;
	transaction = transaction_new(now, false);
	if (!transaction)
		return -ENOMEM;
	while (!rc && !list_is_empty(&enforcer->queue)) {
		struct suspect *suspect = LIST_ENTRY(enforcer->queue.next, struct suspect, link);
		const Fl__Node *node = store_get(view, STORE_NODE, suspect->id);
		const size_t before = transaction_count(transaction);

		if (node)
			rc = look_at(view, node, now, transaction);
		if (transaction_count(transaction) == before && !rc) {
			forget(enforcer, suspect);
			continue;
		}
		list_remove(&suspect->link);
		list_append(&enforcer->in_flight, &suspect->link);
	}
	if ((rc && rc != -ENOSPC) || !transaction_count(transaction)) {
		transaction_free(transaction);
		return rc == -ENOSPC ? 0 : rc;
	}
	enforcer->busy = true;
	*result = transaction;
	return 0;
}
