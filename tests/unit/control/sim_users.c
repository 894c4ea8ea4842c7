/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "message.h"
#include "task.h"

static char *t(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void new_id(struct sim *sim, char id[ID_SIZE])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

	for (size_t i = 0; i < ID_LENGTH; i++)
		id[i] = digits[sim_random(sim) % 36];
	id[ID_LENGTH] = '\0';
}

static void update(struct sim *sim, const ProtobufCMessage *object)
{
	struct transaction *transaction = sim_begin(sim);

	assert_int_equal(transaction_update(transaction, object), 0);
	assert_int_equal(sim_apply(sim, transaction), STORE_DONE);
}

static void create(struct sim *sim, const ProtobufCMessage *object)
{
	struct transaction *transaction = sim_begin(sim);

	assert_int_equal(transaction_create(transaction, object), 0);
	assert_int_equal(sim_apply(sim, transaction), STORE_DONE);
}

static void delete (struct sim *sim, enum store_table table, const char *id)
{
	struct transaction *transaction = sim_begin(sim);

	assert_int_equal(transaction_delete(transaction, table, id, 0), 0);
	assert_int_equal(sim_apply(sim, transaction), STORE_DONE);
}

/* --- Nodes --- */

struct sim_node *sim_node_named(struct sim *sim, const char *name)
{
	for (size_t i = sim->node_count; i-- > 0;) {
		if (sim->nodes[i].exists && !strcmp(sim->nodes[i].name, name))
			return &sim->nodes[i];
	}
	fail_msg("no node \"%s\"", name);
	return NULL;
}

static const Fl__Node *stored(struct sim *sim, const char *name)
{
	const Fl__Node *node = store_get(sim_view(sim), STORE_NODE, sim_node_named(sim, name)->id);

	assert_non_null(node);
	return node;
}

void sim_add_node(struct sim *sim, const char *name, Fl__Node__Membership membership)
{
	struct sim_node *node = &sim->nodes[sim->node_count];
	Fl__NodeSpec spec = FL__NODE_SPEC__INIT;
	Fl__NodeStatus status = FL__NODE_STATUS__INIT;
	Fl__Node object = FL__NODE__INIT;

	assert_true(sim->node_count < SIM_NODES_MAX);
	*node = (struct sim_node){.exists = true};
	snprintf(node->name, sizeof(node->name), "%s", name);
	new_id(sim, node->id);
	sim->node_count++;
	status.has_state = true;
	status.state = FL__NODE_STATUS__STATE__READY;
	object.id = node->id;
	object.spec = &spec;
	object.status = &status;
	object.has_membership = true;
	object.membership = membership;
	create(sim, &object.base);
}

void sim_set_availability(struct sim *sim, const char *name,
			  Fl__NodeSpec__Availability availability)
{
	Fl__Node node = *stored(sim, name);
	Fl__NodeSpec spec = *node.spec;

	node.spec = &spec;
	spec.has_availability = true;
	spec.availability = availability;
	update(sim, &node.base);
}

void sim_set_label(struct sim *sim, const char *name, const char *key, const char *value)
{
	Fl__Node node = *stored(sim, name);
	Fl__NodeSpec spec = *node.spec;
	Fl__KeyValue label = FL__KEY_VALUE__INIT;
	Fl__KeyValue *labels[] = {&label};

	label.key = t(key);
	label.value = t(value);
	node.spec = &spec;
	spec.n_labels = 1;
	spec.labels = labels;
	update(sim, &node.base);
}

static void set_state(struct sim *sim, const char *name, Fl__NodeStatus__State state)
{
	Fl__Node node = *stored(sim, name);
	Fl__NodeStatus status = *node.status;

	node.status = &status;
	status.state = state;
	update(sim, &node.base);
}

/* What its tasks may say, from now on. */
static void revisit_tasks(struct sim *sim, const char *name, bool crash)
{
	const char *node_id = sim_node_named(sim, name)->id;
	struct store_iterator i;
	const Fl__Task *task;

	store_iterate_index(sim_view(sim), STORE_TASKS_BY_NODE, node_id, &i);
	while ((task = store_next(&i))) {
		if (crash && !task_is_over(task))
			sim_task_of(sim, task->id)->crashed = true;
		sim_agent_heeds(sim, task);
	}
}

void sim_node_cut(struct sim *sim, const char *name)
{
	sim_node_named(sim, name)->cut = true;
	revisit_tasks(sim, name, false);
	set_state(sim, name, FL__NODE_STATUS__STATE__DOWN);
}

void sim_node_mend(struct sim *sim, const char *name)
{
	sim_node_named(sim, name)->cut = false;
	set_state(sim, name, FL__NODE_STATUS__STATE__READY);
	revisit_tasks(sim, name, false);
}

void sim_node_down(struct sim *sim, const char *name)
{
	sim_node_named(sim, name)->cut = true;
	revisit_tasks(sim, name, true);
	set_state(sim, name, FL__NODE_STATUS__STATE__DOWN);
}

void sim_node_up(struct sim *sim, const char *name)
{
	sim_node_mend(sim, name);
}

void sim_node_leave(struct sim *sim, const char *name)
{
	struct sim_node *node = sim_node_named(sim, name);

	node->cut = true;
	revisit_tasks(sim, name, true);
	node->exists = false;
	delete (sim, STORE_NODE, node->id);
}

void sim_set_history(struct sim *sim, int64_t limit)
{
	Fl__OrchestrationConfig config = FL__ORCHESTRATION_CONFIG__INIT;
	Fl__ClusterSpec spec = FL__CLUSTER_SPEC__INIT;
	Fl__Cluster cluster = FL__CLUSTER__INIT;
	const Fl__Cluster *old = store_get(sim_view(sim), STORE_CLUSTER, "cluster");

	config.has_task_history_retention_limit = true;
	config.task_history_retention_limit = limit;
	spec.name = t("default");
	spec.orchestration = &config;
	cluster.id = t("cluster");
	cluster.spec = &spec;
	if (old)
		cluster.version = old->version;
	if (old)
		update(sim, &cluster.base);
	else
		create(sim, &cluster.base);
}

/* --- Services --- */

const Fl__Service *sim_service_named(const struct sim *sim, const char *name)
{
	struct store_iterator i;

	store_iterate_index(sim_view(sim), STORE_SERVICES_BY_NAME, name, &i);
	return store_next(&i);
}

/* A service's spec as a message, and what it is made of. */
struct built {
	Fl__ServiceSpec spec;
	Fl__TaskSpec task;
	Fl__ContainerSpec container;
	Fl__RestartPolicy policy;
	Fl__Placement placement;
	char *constraints[1];
	Fl__UpdateConfig update, rollback;
	Fl__ServiceMode mode;
	Fl__ReplicatedService replicated;
	Fl__GlobalService global;
	Fl__ReplicatedJob replicated_job;
	Fl__GlobalJob global_job;
	Fl__KeyValue label;
	Fl__KeyValue *labels[1];
};

static void build_mode(struct built *b, const struct sim_spec *from)
{
	fl__service_mode__init(&b->mode);
	fl__replicated_service__init(&b->replicated);
	fl__global_service__init(&b->global);
	fl__replicated_job__init(&b->replicated_job);
	fl__global_job__init(&b->global_job);
	b->replicated.has_replicas = true;
	b->replicated.replicas = from->replicas;
	b->replicated_job.has_max_concurrent = b->replicated_job.has_total_completions = true;
	b->replicated_job.max_concurrent = from->concurrent;
	b->replicated_job.total_completions = from->completions;
	if (!strcmp(from->mode, "global"))
		b->mode.global = &b->global;
	else if (!strcmp(from->mode, "replicated-job"))
		b->mode.replicated_job = &b->replicated_job;
	else if (!strcmp(from->mode, "global-job"))
		b->mode.global_job = &b->global_job;
	else
		b->mode.replicated = &b->replicated;
}

static void build_task(struct built *b, const struct sim_spec *from)
{
	fl__task_spec__init(&b->task);
	fl__container_spec__init(&b->container);
	fl__placement__init(&b->placement);
	b->container.image = t(from->image);
	b->container.pull_options = t(from->pull);
	b->container.has_stop_grace_period = from->grace != 0;
	b->container.stop_grace_period = from->grace;
	b->task.container_spec = &b->container;
	b->task.has_force_update = true;
	b->task.force_update = from->force;
	b->policy = from->policy;
	b->task.restart_policy = from->has_policy ? &b->policy : NULL;
	b->constraints[0] = t(from->constraint);
	b->placement.n_constraints = from->constraint != NULL;
	b->placement.constraints = b->constraints;
	b->task.placement = &b->placement;
}

static Fl__ServiceSpec *build(struct built *b, const struct sim_spec *from)
{
	fl__service_spec__init(&b->spec);
	fl__key_value__init(&b->label);
	build_mode(b, from);
	build_task(b, from);
	b->spec.name = t(from->name);
	b->spec.mode = &b->mode;
	b->spec.task_template = &b->task;
	b->update = from->update;
	b->rollback = from->rollback;
	b->spec.update_config = from->has_update ? &b->update : NULL;
	b->spec.rollback_config = from->has_rollback ? &b->rollback : NULL;
	b->label.key = b->label.value = t("label");
	b->labels[0] = &b->label;
	b->spec.n_labels = from->has_label;
	b->spec.labels = b->labels;
	return &b->spec;
}

static const char *mode_of(const Fl__ServiceMode *mode)
{
	if (mode->global)
		return "global";
	if (mode->replicated_job)
		return "replicated-job";
	return mode->global_job ? "global-job" : "replicated";
}

struct sim_spec sim_spec_of(const Fl__Service *service)
{
	const Fl__ServiceSpec *spec = service->spec;
	const Fl__TaskSpec *task = spec->task_template;
	const Fl__ServiceMode *mode = spec->mode;
	struct sim_spec found = {
	    .name = spec->name,
	    .mode = mode_of(mode),
	    .replicas = mode->replicated ? mode->replicated->replicas : 0,
	    .completions = mode->replicated_job ? mode->replicated_job->total_completions : 0,
	    .concurrent = mode->replicated_job ? mode->replicated_job->max_concurrent : 0,
	    .image = task->container_spec->image,
	    .pull = task->container_spec->pull_options,
	    .force = task->force_update,
	    .constraint = task->placement->n_constraints ? task->placement->constraints[0] : NULL,
	    .has_policy = task->restart_policy != NULL,
	    .has_update = spec->update_config != NULL,
	    .has_rollback = spec->rollback_config != NULL,
	    .grace = task->container_spec->stop_grace_period,
	    .has_label = spec->n_labels != 0,
	};

	fl__restart_policy__init(&found.policy);
	fl__update_config__init(&found.update);
	fl__update_config__init(&found.rollback);
	if (found.has_policy)
		found.policy = *task->restart_policy;
	if (found.has_update)
		found.update = *spec->update_config;
	if (found.has_rollback)
		found.rollback = *spec->rollback_config;
	return found;
}

void sim_create_service(struct sim *sim, const struct sim_spec *spec)
{
	struct sim_service *service = &sim->services[sim->service_count % SIM_SERVICES_MAX];
	Fl__Service object = FL__SERVICE__INIT;
	struct built built;

	/* Places are used again, oldest first. */
	if (sim->service_count == SIM_SERVICES_MAX)
		memmove(&sim->services[0], &sim->services[1],
			(SIM_SERVICES_MAX - 1) * sizeof(*service));
	else
		sim->service_count++;
	service = &sim->services[sim->service_count - 1];
	*service = (struct sim_service){.least = SIZE_MAX};
	snprintf(service->name, sizeof(service->name), "%s", spec->name);
	new_id(sim, service->id);
	object.id = service->id;
	object.spec = build(&built, spec);
	create(sim, &object.base);
}

/* As the API: the spec before is kept, an update that was under way is none any more, and a job
 * whose task changes is to run again. */
void sim_update(struct sim *sim, const struct sim_spec *spec)
{
	const Fl__Service *old = sim_service_named(sim, spec->name);
	Fl__JobStatus job = FL__JOB_STATUS__INIT;
	Fl__Service service;
	struct built built;

	assert_non_null(old);
	service = *old;
	service.spec = build(&built, spec);
	service.previous_spec = old->spec;
	service.update_status = NULL;
	if ((built.mode.replicated_job || built.mode.global_job) &&
	    !message_equal(&built.task.base, &old->spec->task_template->base)) {
		job.has_job_iteration = true;
		job.job_iteration = (old->job_status ? old->job_status->job_iteration : 0) + 1;
		service.job_status = &job;
	}
	update(sim, &service.base);
}

void sim_rollback(struct sim *sim, const char *name)
{
	const Fl__Service *old = sim_service_named(sim, name);
	Fl__UpdateStatus status = FL__UPDATE_STATUS__INIT;
	Fl__Service service;

	assert_non_null(old);
	assert_non_null(old->previous_spec);
	service = *old;
	service.spec = old->previous_spec;
	service.previous_spec = old->spec;
	service.update_status = &status;
	status.has_state = status.has_started_at = true;
	status.state = FL__UPDATE_STATUS__STATE__ROLLBACK_STARTED;
	status.started_at = sim->now;
	status.message = t("manually requested rollback");
	update(sim, &service.base);
}

void sim_remove(struct sim *sim, const char *name)
{
	const Fl__Service *service = sim_service_named(sim, name);

	assert_non_null(service);
	delete (sim, STORE_SERVICE, service->id);
}

void sim_retire(struct sim *sim, const char *name)
{
	const Fl__Service *old = sim_service_named(sim, name);
	Fl__Service service;

	assert_non_null(old);
	service = *old;
	service.has_pending_delete = service.pending_delete = true;
	update(sim, &service.base);
}
