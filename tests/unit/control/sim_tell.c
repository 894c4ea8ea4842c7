/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens, in lines that can be compared. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "sim_cluster.h"
#include "task.h"

static const char *word(const ProtobufCEnumDescriptor *type, int value)
{
	static char small[4][32];
	static unsigned next;
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
	char *to = small[next++ % 4];
	size_t i = 0;

	for (const char *name = found ? found->name : "?"; *name && i < sizeof(small[0]) - 1;
	     name++)
		to[i++] = (char)tolower((unsigned char)*name);
	to[i] = '\0';
	return to;
}

const char *sim_state_name(Fl__TaskState state)
{
	return word(&fl__task_state__descriptor, (int)state);
}

static void tell_time(const struct sim *sim)
{
	const int64_t ms = (sim->now - SIM_EPOCH) / SIM_MS;

	fprintf(sim->out, "%4" PRId64 ".%03" PRId64 "  ", ms / 1000, ms % 1000);
}

static const char *node_name(struct sim *sim, const Fl__Task *task)
{
	const struct sim_node *node = sim_node_of(sim, task->node_id);

	return node ? node->name : "nowhere";
}

static void tell_task(struct sim *sim, const Fl__Task *before, const Fl__Task *after)
{
	const struct sim_task *record = sim_task_of(sim, after ? after->id : before->id);
	const Fl__TaskState was = before ? task_state(before) : FL__TASK_STATE__NEW;

	if (before && after && task_desired(before) == task_desired(after) &&
	    (task_state(after) == was || task_state(after) < FL__TASK_STATE__RUNNING))
		return;
	tell_time(sim);
	if (!after)
		fprintf(sim->out, "%s deleted\n", record->name);
	else if (!before)
		fprintf(sim->out, "%s made, desired %s\n", record->name,
			sim_state_name(task_desired(after)));
	else if (task_desired(before) != task_desired(after))
		fprintf(sim->out, "%s desired %s\n", record->name,
			sim_state_name(task_desired(after)));
	else
		fprintf(sim->out, "%s %s on %s\n", record->name, sim_state_name(task_state(after)),
			node_name(sim, after));
}

/* With names in place of tasks' ids. */
void sim_tell_update(struct sim *sim, const Fl__Service *service)
{
	const Fl__UpdateStatus *status = service->update_status;
	const char *id;
	struct sim_task *record;

	if (!status) {
		fprintf(sim->out, "%s: no update\n", service->spec->name);
		return;
	}
	fprintf(sim->out, "%s: %s, \"", service->spec->name,
		word(&fl__update_status__state__descriptor, (int)status->state));
	id = strstr(status->message, "task ");
	record = id ? sim_task_of(sim, id + 5) : NULL;
	if (record)
		fprintf(sim->out, "%.*s%s\"", (int)(id + 5 - status->message), status->message,
			record->name);
	else
		fprintf(sim->out, "%s\"", status->message);
	fprintf(sim->out, "%s\n", status->has_completed_at ? ", done" : "");
}

static void tell_service(struct sim *sim, const Fl__Service *before, const Fl__Service *after)
{
	const bool had = before && before->update_status;
	const bool has = after && after->update_status;

	if (!after) {
		tell_time(sim);
		fprintf(sim->out, "%s deleted\n", before->spec->name);
	} else if (has && (!had || before->update_status->state != after->update_status->state)) {
		tell_time(sim);
		sim_tell_update(sim, after);
	}
}

void sim_tell(struct sim *sim, const struct store_event *event)
{
	if (!sim->out)
		return;
	if (event->table == STORE_TASK)
		tell_task(sim, event->before, event->after);
	else if (event->table == STORE_SERVICE)
		tell_service(sim, event->before, event->after);
}

/* In the order in which they were made, by instance. */
void sim_tell_tasks(struct sim *sim, const char *service_id)
{
	bool told[1024] = {false};

	for (;;) {
		const Fl__Task *first = NULL;
		size_t place = 0;

		for (size_t i = 0; i < sim->task_count && i < 1024; i++) {
			const Fl__Task *task =
			    store_get(sim_view(sim), STORE_TASK, sim->tasks[i].id);

			if (told[i] || !task || strcmp(task->service_id, service_id))
				continue;
			if (!first || task->slot < first->slot ||
			    (task->slot == first->slot &&
			     strcmp(node_name(sim, task), node_name(sim, first)) < 0 &&
			     !task->slot)) {
				first = task;
				place = i;
			}
		}
		if (!first)
			return;
		told[place] = true;
		fprintf(sim->out, "%-9s %-8s %-8s %-9s %s\n", sim->tasks[place].name,
			first->spec->container_spec->image, node_name(sim, first),
			sim_state_name(task_desired(first)), sim_state_name(task_state(first)));
	}
}

size_t sim_running(const struct sim *sim, const char *service_id)
{
	struct store_iterator i;
	const Fl__Task *task;
	size_t count = 0;

	store_iterate_index(sim_view(sim), STORE_TASKS_BY_SERVICE, service_id, &i);
	while ((task = store_next(&i)))
		count += task_state(task) == FL__TASK_STATE__RUNNING;
	return count;
}
