/* SPDX-License-Identifier: BSD-2-Clause */
#include "orchestrator_write.h"

#include <errno.h>

#include "object.h"
#include "restart.h"
#include "task.h"

void write_clear(struct write *write)
{
	for (size_t i = 0; i < write->count; i++)
		transaction_free(write->transactions[i]);
	write->count = 0;
}

void write_take(struct write *write, struct orchestrator_run *run)
{
	for (size_t i = 0; i < write->count; i++)
		run->transactions[i] = write->transactions[i];
	run->count = write->count;
}

enum action { CREATE, UPDATE, DELETE };

static int append(struct transaction *transaction, enum action action,
		  const ProtobufCMessage *object)
{
	const struct object_message *head = (const void *)object;

	switch (action) {
	case CREATE:
		return transaction_create(transaction, object);
	case UPDATE:
		return transaction_update(transaction, object);
	case DELETE:
	default:
		return transaction_delete(transaction, store_table_of(object->descriptor), head->id,
					  head->version);
	}
}

static int add(struct write *write, enum action action, const ProtobufCMessage *object)
{
	int rc = -ENOSPC;

	if (write->count)
		rc = append(write->transactions[write->count - 1], action, object);
	if (rc == -ENOSPC && write->count < ORCHESTRATOR_TRANSACTIONS_MAX) {
		struct transaction *transaction = transaction_new(write->now, false);

		if (!transaction)
			return -ENOMEM;
		write->transactions[write->count++] = transaction;
		rc = append(transaction, action, object);
	}
	write->changes += !rc;
	return rc;
}

/* --- Tasks --- */

static void write_off(const struct roster_task *entry, Fl__TaskStatus *status, int64_t now)
{
	if (entry->task->status)
		*status = *entry->task->status;
	else
		fl__task_status__init(status);
	status->has_state = status->has_timestamp = status->has_applied_at = true;
	status->state = FL__TASK_STATE__ORPHANED;
	status->timestamp = status->applied_at = now;
	status->has_healthy = status->healthy = false;
	if (!entry->node)
		status->message =
		    (char *)(uintptr_t) "Task belonged to a node that has been deleted";
}

static int write_task(struct write *write, const struct roster_task *entry)
{
	Fl__Task task = *entry->task;
	Fl__TaskStatus status;

	if (entry->delete)
		return add(write, DELETE, &task.base);
	if (entry->desired == task_desired(&task) && !entry->orphan)
		return 0;
	task.has_desired_state = true;
	task.desired_state = entry->desired;
	if (entry->orphan) {
		write_off(entry, &status, write->now);
		task.status = &status;
	}
	return add(write, UPDATE, &task.base);
}

static int create_task(struct write *write, struct roster *roster, const struct instance *instance)
{
	const struct roster_task *newest = roster_newest(roster, instance);
	int64_t times[RESTART_TIMES_MAX];
	struct task_draft draft;
	char id[ID_SIZE];
	const int rc = id_generate(write->config->random, write->config->random_context, id);

	if (rc)
		return rc;
	task_draft(&draft, &(struct task_recipe){
			       .id = id,
			       .service = roster->service,
			       .cluster = roster->cluster,
			       .as = instance->as_before ? newest->task : NULL,
			       .slot = instance->slot,
			       .node_id = instance->slot ? NULL : instance->node_id,
			       .is_job = roster->is_job,
			       .job_iteration = roster->iteration,
			       .now = write->now,
			   });
	restart_count(&draft.task, newest ? newest->task : NULL, write->now, times);
	draft.task.desired_state = restart_first_state(roster, instance, &draft.task);
	return add(write, CREATE, &draft.task.base);
}

static int write_instance(struct write *write, struct roster *roster,
			  const struct instance *instance)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < instance->count; i++)
		rc = write_task(write, roster_task(roster, instance, i));
	if (!rc && instance->create)
		rc = create_task(write, roster, instance);
	return rc;
}

/* --- Services --- */

static int write_service(struct write *write, const struct roster *roster)
{
	Fl__Service service = *roster->service;
	Fl__UpdateStatus status = roster->update_status;

	service.update_status = &status;
	if (roster->roll_back) {
		service.spec = service.previous_spec;
		service.previous_spec = NULL;
		service.has_previous_spec_version = false;
	}
	return add(write, UPDATE, &service.base);
}

int write_roster(struct write *write, struct roster *roster, const char *service_id)
{
	int rc = 0;

	if (roster->delete_service) {
		const Fl__Service *service = store_get(write->view, STORE_SERVICE, service_id);

		return add(write, DELETE, &service->base);
	}
	if (roster->has_update_status)
		rc = write_service(write, roster);
	if (roster->roll_back)
		return rc; /* what is decided was decided for the spec that goes */
	for (size_t i = 0; !rc && i < roster->instance_count; i++)
		rc = write_instance(write, roster, &roster->instances[i]);
	return rc == -EMSGSIZE ? 0 : rc;
}
