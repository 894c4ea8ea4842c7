/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_PLACEMENT_H
#define FL_TEST_PLACEMENT_H
/* Nodes and tasks in a line each, for tests of placement. Lists are "a=1,b=2" or "a,b". */
#include "cluster.h"

enum { LIST_MAX = 16 };

struct test_node {
	const char *id;
	const char *labels, *engine_labels; /* "zone=a,rack=1" */
	int64_t cpus, memory;               /* 0: plenty; negative: none */
	const char *generic;                /* "ssd=4,gpu:0,gpu:1" */
	Fl__NodeSpec__Availability availability;
	bool down, worker;
	const char *platform; /* "linux/x86_64"; NULL: that */
};

struct test_task {
	const char *id, *service;
	uint64_t spec_version; /* 0: 1 */
	uint64_t slot;
	const char *node;
	Fl__TaskState state;   /* 0: pending */
	Fl__TaskState desired; /* 0: running */
	const char *constraints, *preferences;
	int64_t cpus, memory;
	const char *generic; /* "ssd=2" */
	uint64_t max_replicas;
	uint32_t host_port;
	const char *platforms; /* "linux/amd64,linux/arm64" */
};

struct words {
	char text[256];
	char *items[LIST_MAX];
	size_t count;
};

static inline void split_words(struct words *words, const char *list)
{
	char *rest = words->text;

	*words = (struct words){0};
	snprintf(words->text, sizeof(words->text), "%s", list ? list : "");
	while (*words->text && rest && words->count < LIST_MAX)
		words->items[words->count++] = strsep(&rest, ",");
}

struct labels {
	struct words words;
	Fl__KeyValue items[LIST_MAX], *list[LIST_MAX];
};

static inline void make_labels(struct labels *labels, const char *text)
{
	split_words(&labels->words, text);
	for (size_t i = 0; i < labels->words.count; i++) {
		fl__key_value__init(&labels->items[i]);
		labels->items[i].key = labels->words.items[i];
		labels->items[i].value = strchr(labels->words.items[i], '=');
		*labels->items[i].value++ = '\0';
		labels->list[i] = &labels->items[i];
	}
}

struct generics {
	struct words words;
	Fl__NamedGenericResource named[LIST_MAX];
	Fl__DiscreteGenericResource discrete[LIST_MAX];
	Fl__GenericResource items[LIST_MAX], *list[LIST_MAX];
};

static inline void make_generics(struct generics *g, const char *text)
{
	split_words(&g->words, text);
	for (size_t i = 0; i < g->words.count; i++) {
		char *value = strpbrk(g->words.items[i], "=:");

		fl__generic_resource__init(&g->items[i]);
		if (*value == ':') {
			fl__named_generic_resource__init(&g->named[i]);
			g->named[i].kind = g->words.items[i];
			g->named[i].value = value + 1;
			g->items[i].named_resource_spec = &g->named[i];
		} else {
			fl__discrete_generic_resource__init(&g->discrete[i]);
			g->discrete[i].kind = g->words.items[i];
			g->discrete[i].has_value = true;
			g->discrete[i].value = atoi(value + 1);
			g->items[i].discrete_resource_spec = &g->discrete[i];
		}
		*value = '\0';
		g->list[i] = &g->items[i];
	}
}

static inline void put_node(struct cluster *c, struct test_node from)
{
	Fl__Node node = FL__NODE__INIT;
	Fl__NodeSpec spec = FL__NODE_SPEC__INIT;
	Fl__NodeStatus status = FL__NODE_STATUS__INIT;
	Fl__NodeDescription description = FL__NODE_DESCRIPTION__INIT;
	Fl__EngineDescription engine = FL__ENGINE_DESCRIPTION__INIT;
	Fl__Resources resources = FL__RESOURCES__INIT;
	Fl__Platform platform = FL__PLATFORM__INIT;
	struct labels labels, engine_labels;
	struct generics generics;
	char platform_text[64];

	make_labels(&labels, from.labels);
	make_labels(&engine_labels, from.engine_labels);
	make_generics(&generics, from.generic);
	snprintf(platform_text, sizeof(platform_text), "%s",
		 from.platform ? from.platform : "linux/x86_64");
	platform.architecture = strchr(platform_text, '/') + 1;
	platform.architecture[-1] = '\0';
	platform.os = platform_text;
	resources.has_nano_cpus = resources.has_memory_bytes = true;
	resources.nano_cpus = from.cpus ? from.cpus : 1000000;
	resources.memory_bytes = from.memory ? from.memory : 1000000;
	resources.generic_resources = generics.list;
	resources.n_generic_resources = generics.words.count;
	engine.labels = engine_labels.list;
	engine.n_labels = engine_labels.words.count;
	description.hostname = t(from.id);
	description.platform = &platform;
	description.resources = &resources;
	description.engine = &engine;
	spec.labels = labels.list;
	spec.n_labels = labels.words.count;
	spec.has_availability = true;
	spec.availability = from.availability;
	status.has_state = true;
	status.state = from.down ? FL__NODE_STATUS__STATE__DOWN : FL__NODE_STATUS__STATE__READY;
	node.id = t(from.id);
	node.has_role = true;
	node.role = from.worker ? FL__NODE_SPEC__ROLE__WORKER : FL__NODE_SPEC__ROLE__MANAGER;
	node.spec = &spec;
	node.status = &status;
	node.description = &description;
	cluster_put(c, &node.base);
}

/* All that hangs on a task. */
struct task_parts {
	Fl__Task task;
	Fl__TaskStatus status;
	Fl__TaskSpec spec;
	Fl__ResourceRequirements requirements;
	Fl__Resources reservations;
	Fl__Placement placement;
	Fl__PlacementPreference preferences[LIST_MAX], *preference_list[LIST_MAX];
	Fl__SpreadOver spreads[LIST_MAX];
	Fl__Platform platforms[LIST_MAX], *platform_list[LIST_MAX];
	Fl__Endpoint endpoint;
	Fl__PortConfig port, *ports[1];
	struct words constraints, preference_words, platform_words;
	struct generics generics;
};

static inline void make_placement(struct task_parts *p, const struct test_task *from)
{
	fl__placement__init(&p->placement);
	split_words(&p->constraints, from->constraints);
	p->placement.constraints = p->constraints.items;
	p->placement.n_constraints = p->constraints.count;
	split_words(&p->preference_words, from->preferences);
	for (size_t i = 0; i < p->preference_words.count; i++) {
		fl__placement_preference__init(&p->preferences[i]);
		fl__spread_over__init(&p->spreads[i]);
		p->spreads[i].spread_descriptor = p->preference_words.items[i];
		p->preferences[i].spread = &p->spreads[i];
		p->preference_list[i] = &p->preferences[i];
	}
	p->placement.preferences = p->preference_list;
	p->placement.n_preferences = p->preference_words.count;
	split_words(&p->platform_words, from->platforms);
	for (size_t i = 0; i < p->platform_words.count; i++) {
		fl__platform__init(&p->platforms[i]);
		p->platforms[i].os = p->platform_words.items[i];
		p->platforms[i].architecture = strchr(p->platform_words.items[i], '/');
		*p->platforms[i].architecture++ = '\0';
		p->platform_list[i] = &p->platforms[i];
	}
	p->placement.platforms = p->platform_list;
	p->placement.n_platforms = p->platform_words.count;
	p->placement.has_max_replicas = true;
	p->placement.max_replicas = from->max_replicas;
}

static inline Fl__Task *make_task(struct task_parts *p, const struct test_task *from)
{
	fl__task__init(&p->task);
	fl__task_status__init(&p->status);
	fl__task_spec__init(&p->spec);
	fl__resource_requirements__init(&p->requirements);
	fl__resources__init(&p->reservations);
	fl__endpoint__init(&p->endpoint);
	fl__port_config__init(&p->port);
	make_placement(p, from);
	make_generics(&p->generics, from->generic);
	p->reservations.has_nano_cpus = p->reservations.has_memory_bytes = true;
	p->reservations.nano_cpus = from->cpus;
	p->reservations.memory_bytes = from->memory;
	p->reservations.generic_resources = p->generics.list;
	p->reservations.n_generic_resources = p->generics.words.count;
	p->requirements.reservations = &p->reservations;
	p->spec.resources = &p->requirements;
	p->spec.placement = &p->placement;
	p->status.has_state = true;
	p->status.state = from->state ? from->state : FL__TASK_STATE__PENDING;
	p->status.message = t("pending task scheduling");
	p->task.id = t(from->id);
	p->task.service_id = t(from->service);
	p->task.has_spec_version = true;
	p->task.spec_version = from->spec_version ? from->spec_version : 1;
	p->task.has_slot = from->slot > 0;
	p->task.slot = from->slot;
	p->task.node_id = t(from->node);
	p->task.spec = &p->spec;
	p->task.status = &p->status;
	p->task.has_desired_state = true;
	p->task.desired_state = from->desired ? from->desired : FL__TASK_STATE__RUNNING;
	if (from->host_port) {
		p->port.has_published_port = p->port.has_publish_mode = true;
		p->port.published_port = from->host_port;
		p->port.publish_mode = FL__PORT_CONFIG__PUBLISH_MODE__HOST;
		p->ports[0] = &p->port;
		p->endpoint.ports = p->ports;
		p->endpoint.n_ports = 1;
		p->task.endpoint = &p->endpoint;
	}
	return &p->task;
}

static inline void put_task(struct cluster *c, struct test_task from)
{
	static struct task_parts parts;

	cluster_put(c, &make_task(&parts, &from)->base);
}

/* count tasks of one service, PREFIX0, PREFIX1, ..., in one entry. */
static inline void put_tasks(struct cluster *c, struct test_task from, unsigned count)
{
	static struct task_parts parts;
	struct transaction *transaction = transaction_new(c->now, false);
	const char *prefix = from.id;

	for (unsigned i = 0; i < count; i++) {
		char id[32];

		snprintf(id, sizeof(id), "%s%u", prefix, i);
		from.id = id;
		cluster_add(c, transaction, &make_task(&parts, &from)->base);
		if (transaction_count(transaction) == STORE_CHANGES_MAX) {
			assert_int_equal(cluster_apply(c, transaction, false), 0);
			transaction = transaction_new(c->now, false);
		}
	}
	assert_int_equal(cluster_apply(c, transaction, false), 0);
}

/* What its agent, or its orchestrator, says of a task. */
static inline void set_task(struct cluster *c, const char *id, Fl__TaskState state,
			    Fl__TaskState desired)
{
	const Fl__Task *old = get_task(c, id);
	Fl__TaskStatus status = *old->status;
	Fl__Task task = *old;

	status.state = state;
	task.status = &status;
	task.desired_state = desired;
	cluster_put(c, &task.base);
}
#endif
