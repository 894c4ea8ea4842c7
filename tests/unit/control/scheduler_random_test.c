/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random clusters against a model that knows no index, no heap and no tree: for each placement in
 * the order in which the scheduler wrote it, all nodes are tried, and the best must be the one
 * chosen; for each task that was refused, none must fit, and its words must be the model's counts.
 *
 *   FL_SEED=n test_scheduler_random      replays a run; FL_ROUNDS=n makes it longer
 */
#include "scheduler.h"

#include "placement.h"

enum { NODES = 9, SERVICES = 6, TASKS = 600, STEPS = 60, FAILURES = 4096, LEVELS = 2 };

struct model_node {
	bool exists, down, worker;
	unsigned availability;
	int zone, rack; /* -1: not labelled */
	int64_t cpus, memory;
	int gpus, ssds; /* names, an amount */
};

struct model_service {
	char id[16];
	uint64_t version;
	int zone; /* -1: no constraint */
	bool zone_negated, workers_only;
	int levels[LEVELS]; /* 0: zone, 1: rack */
	int level_count;
	int64_t cpus, memory;
	int gpus, ssds;
	unsigned max_replicas, host_port;
};

struct model_task {
	bool used;
	char id[16];
	int service;
	struct model_service spec; /* as it was when the task was made */
	int chosen;                /* preassigned node; -1 */
	int node;                  /* -1 */
	Fl__TaskState state, desired;
};

struct model_failure {
	int node, service;
	uint64_t version;
	int64_t at;
};

struct model {
	struct cluster c;
	uint64_t state;
	struct model_node nodes[NODES];
	struct model_service services[SERVICES];
	struct model_task tasks[TASKS];
	int task_count;
	struct model_failure failures[FAILURES];
	int failure_count;
	size_t placed, refused;
};

static unsigned roll(struct model *m, unsigned sides)
{
	return (unsigned)(random_next(&m->state) % sides);
}

static bool is_ours(const struct model_task *task)
{
	return task->used && task->state >= FL__TASK_STATE__PENDING &&
	       task->state <= FL__TASK_STATE__RUNNING;
}

static bool counts(const struct model_task *task, int node)
{
	return is_ours(task) && task->state > FL__TASK_STATE__PENDING && task->node == node;
}

static int active(const struct model *m, int node, int service)
{
	int count = 0;

	for (int i = 0; i < m->task_count; i++)
		count += counts(&m->tasks[i], node) &&
			 m->tasks[i].desired <= FL__TASK_STATE__COMPLETE &&
			 (service < 0 || m->tasks[i].service == service);
	return count;
}

/* Index into words below; -1: it fits. */
static int refusal(const struct model *m, const struct model_task *task, int node)
{
	const struct model_node *n = &m->nodes[node];
	const struct model_service *want = &task->spec;
	int64_t cpus = n->cpus, memory = n->memory;
	int gpus = n->gpus, ssds = n->ssds;
	bool port_taken = false;

	for (int i = 0; i < m->task_count; i++) {
		const struct model_task *other = &m->tasks[i];

		if (!counts(other, node))
			continue;
		cpus -= other->spec.cpus;
		memory -= other->spec.memory;
		gpus -= other->spec.gpus;
		ssds -= other->spec.ssds;
		port_taken =
		    port_taken || (want->host_port && other->spec.host_port == want->host_port);
	}
	if (n->down || n->availability)
		return 0;
	if ((want->cpus && want->cpus > cpus) || (want->memory && want->memory > memory) ||
	    (want->gpus && want->gpus > gpus) || (want->ssds && want->ssds > ssds))
		return 1;
	if (want->zone >= 0 && (n->zone == want->zone) == want->zone_negated)
		return 2;
	if (want->workers_only && !n->worker)
		return 2;
	if (port_taken)
		return 3;
	if (want->max_replicas && active(m, node, task->service) >= (int)want->max_replicas)
		return 4;
	return -1;
}

static void explanation(const struct model *m, const struct model_task *task, char text[512])
{
	static const char *const one[] = {
	    "1 node not available for new tasks", "insufficient resources on 1 node",
	    "scheduling constraints not satisfied on 1 node",
	    "host-mode port already in use on 1 node", "max replicas per node limit exceed"};
	static const char *const many[] = {
	    "%d nodes not available for new tasks", "insufficient resources on %d nodes",
	    "scheduling constraints not satisfied on %d nodes",
	    "host-mode port already in use on %d nodes", "max replicas per node limit exceed"};
	int found[5] = {0};
	bool any = false;

	for (int node = 0; node < NODES; node++) {
		if (m->nodes[node].exists && (task->chosen < 0 || task->chosen == node))
			found[refusal(m, task, node)]++;
	}
	strcpy(text, task->chosen < 0 ? "no suitable node" : "");
	for (int count = NODES; count > 0; count--) {
		for (int i = 0; i < 5; i++) {
			if (found[i] != count)
				continue;
			strcat(text, any ? "; " : task->chosen < 0 ? " (" : "");
			any = true;
			if (count == 1)
				strcat(text, one[i]);
			else
				snprintf(text + strlen(text), 512 - strlen(text), many[i], count);
		}
	}
	if (any && task->chosen < 0)
		strcat(text, ")");
}

static size_t penalty(const struct model *m, const struct model_task *task, int node)
{
	size_t count = 0, kept = 0;

	for (int i = m->failure_count; i-- > 0 && kept < 10;) {
		const struct model_failure *f = &m->failures[i];

		if (f->node != node || f->service != task->service ||
		    f->version != task->spec.version)
			continue;
		kept++;
		count += f->at > m->c.now - 300 * SECOND;
	}
	return count >= 5 ? count : 0;
}

static int label(const struct model_node *node, int level)
{
	return level ? node->rack : node->zone;
}

/* Whether a node is among those that a path of labels leads to. */
static bool is_under(const struct model *m, const struct model_task *task, int node,
		     const int *path, int depth)
{
	bool under = m->nodes[node].exists;

	for (int i = 0; i < depth; i++)
		under = under && label(&m->nodes[node], task->spec.levels[i]) == path[i];
	return under;
}

static int best_node(const struct model *m, const struct model_task *task)
{
	int path[LEVELS], best = -1;

	for (int level = 0; level < task->spec.level_count; level++) {
		int best_value = -2, best_tasks = 0, best_total = 0;

		for (int value = -1; value < 3; value++) {
			int tasks = 0, total = 0;
			bool room = false;

			path[level] = value;
			for (int node = 0; node < NODES; node++) {
				if (!is_under(m, task, node, path, level + 1))
					continue;
				tasks += active(m, node, task->service);
				total += active(m, node, -1);
				room = room || refusal(m, task, node) < 0;
			}
			if (room && (best_value == -2 || tasks < best_tasks ||
				     (tasks == best_tasks && total < best_total))) {
				best_value = value;
				best_tasks = tasks;
				best_total = total;
			}
		}
		path[level] = best_value;
	}
	for (int node = 0; node < NODES; node++) {
		long order;

		if (!is_under(m, task, node, path, task->spec.level_count) ||
		    refusal(m, task, node) >= 0)
			continue;
		if (best < 0) {
			best = node;
			continue;
		}
		order = (long)penalty(m, task, node) - (long)penalty(m, task, best);
		if (!order)
			order = active(m, node, task->service) - active(m, best, task->service);
		if (!order)
			order = active(m, node, -1) - active(m, best, -1);
		best = order < 0 ? node : best;
	}
	return best;
}

static struct model_task *model_task(struct model *m, const char *id)
{
	return &m->tasks[atoi(id + 1)];
}

static void check_generics(const struct model *m, const Fl__Task *task, int gpus)
{
	int names = 0;

	for (size_t i = 0; i < task->n_generic_resources; i++) {
		const Fl__NamedGenericResource *mine =
		    task->generic_resources[i]->named_resource_spec;
		struct store_iterator others;
		const Fl__Task *other;

		names += mine != NULL;
		store_iterate_index(view(&m->c), STORE_TASKS_BY_NODE, task->node_id, &others);
		while (mine && (other = store_next(&others))) {
			for (size_t j = 0; other != task && j < other->n_generic_resources; j++) {
				const Fl__NamedGenericResource *its =
				    other->generic_resources[j]->named_resource_spec;

				assert_false(its &&
					     other->status->state <= FL__TASK_STATE__RUNNING &&
					     !strcmp(its->value, mine->value));
			}
		}
	}
	assert_int_equal(names, gpus);
}

/* What the scheduler decided, in its order. */
static void watch(struct cluster *c, const struct store_event *events, size_t count)
{
	struct model *m = c->watcher;

	for (size_t i = 0; i < count; i++) {
		const Fl__Task *after = events[i].after;
		struct model_task *task = model_task(m, after->id);
		char text[512];

		if (after->status->state == FL__TASK_STATE__PENDING) {
			explanation(m, task, text);
			assert_string_equal(after->status->err, text);
			for (int node = 0; node < NODES; node++)
				assert_true(!m->nodes[node].exists ||
					    (task->chosen >= 0 && task->chosen != node) ||
					    refusal(m, task, node) >= 0);
			m->refused++;
			continue;
		}
		assert_int_equal(after->status->state, FL__TASK_STATE__ASSIGNED);
		assert_true(task->desired <= FL__TASK_STATE__COMPLETE);
		if (task->chosen >= 0)
			assert_true(refusal(m, task, task->chosen) < 0);
		assert_int_equal(atoi(after->node_id + 1),
				 task->chosen >= 0 ? task->chosen : best_node(m, task));
		task->node = atoi(after->node_id + 1);
		task->state = FL__TASK_STATE__ASSIGNED;
		check_generics(m, after, task->spec.gpus);
		m->placed++;
	}
}

/* --- Random events --- */

/* A node that is deleted takes what failed there with it. */
static void forget_failures(struct model *m, int node)
{
	for (int i = 0; i < m->failure_count; i++) {
		if (m->failures[i].node == node)
			m->failures[i].version = 0;
	}
}

static void random_node(struct model *m)
{
	const int index = (int)roll(m, NODES);
	struct model_node *n = &m->nodes[index];
	char id[16], labels[32] = "", generic[64] = "";

	snprintf(id, sizeof(id), "n%d", index);
	if (n->exists && !roll(m, 8)) {
		n->exists = false;
		forget_failures(m, index);
		cluster_delete(&m->c, STORE_NODE, id);
		return;
	}
	*n = (struct model_node){.exists = true,
				 .down = !roll(m, 6),
				 .worker = roll(m, 2),
				 .availability = roll(m, 4) ? 0 : roll(m, 3),
				 .zone = (int)roll(m, 4) - 1,
				 .rack = (int)roll(m, 4) - 1,
				 .cpus = 1 + (int)roll(m, 12),
				 .memory = 1 + (int)roll(m, 12),
				 .gpus = 3,
				 .ssds = (int)roll(m, 5)};
	if (n->zone >= 0)
		snprintf(labels, sizeof(labels), "zone=%c", 'a' + n->zone);
	if (n->rack >= 0)
		snprintf(labels + strlen(labels), sizeof(labels) - strlen(labels), "%srack=%d",
			 labels[0] ? "," : "", n->rack);
	snprintf(generic, sizeof(generic), "gpu:x,gpu:y,gpu:z,ssd=%d", n->ssds);
	put_node(&m->c,
		 (struct test_node){.id = id,
				    .labels = labels[0] ? labels : NULL,
				    .cpus = n->cpus,
				    .memory = n->memory,
				    .generic = generic,
				    .availability = (Fl__NodeSpec__Availability)n->availability,
				    .down = n->down,
				    .worker = n->worker});
}

static void random_service(struct model *m, int index)
{
	struct model_service *s = &m->services[index];
	const uint64_t version = s->version + 1;

	*s = (struct model_service){.version = version,
				    .zone = roll(m, 3) ? -1 : (int)roll(m, 3),
				    .zone_negated = roll(m, 2),
				    .workers_only = !roll(m, 4),
				    .level_count = (int)roll(m, 3),
				    .cpus = roll(m, 2) ? 0 : roll(m, 3),
				    .memory = roll(m, 2) ? 0 : roll(m, 4),
				    .gpus = roll(m, 4) ? 0 : 1 + (int)roll(m, 2),
				    .ssds = roll(m, 4) ? 0 : 1 + (int)roll(m, 2),
				    .max_replicas = roll(m, 3) ? 0 : 1 + roll(m, 3),
				    .host_port = roll(m, 4) ? 0 : 80 + roll(m, 2)};
	snprintf(s->id, sizeof(s->id), "s%d", index);
	s->levels[0] = (int)roll(m, 2);
	s->levels[1] = !s->levels[0];
}

static void put_model_task(struct model *m, const struct model_task *task)
{
	static const char *const levels[] = {"node.labels.zone", "node.labels.rack"};
	const struct model_service *s = &task->spec;
	char constraints[64] = "", preferences[64] = "", generic[32] = "", node[16];

	if (s->zone >= 0)
		snprintf(constraints, sizeof(constraints), "node.labels.zone%s%c",
			 s->zone_negated ? "!=" : "==", 'a' + s->zone);
	if (s->workers_only)
		snprintf(constraints + strlen(constraints),
			 sizeof(constraints) - strlen(constraints), "%snode.role==worker",
			 constraints[0] ? "," : "");
	for (int i = 0; i < s->level_count; i++)
		snprintf(preferences + strlen(preferences),
			 sizeof(preferences) - strlen(preferences), "%s%s", i ? "," : "",
			 levels[s->levels[i]]);
	if (s->gpus)
		snprintf(generic, sizeof(generic), "gpu=%d", s->gpus);
	if (s->ssds)
		snprintf(generic + strlen(generic), sizeof(generic) - strlen(generic), "%sssd=%d",
			 generic[0] ? "," : "", s->ssds);
	snprintf(node, sizeof(node), "n%d", task->chosen);
	put_task(&m->c, (struct test_task){.id = task->id,
					   .service = s->id,
					   .spec_version = s->version,
					   .node = task->chosen >= 0 ? node : NULL,
					   .state = task->state,
					   .desired = task->desired,
					   .constraints = constraints[0] ? constraints : NULL,
					   .preferences = preferences[0] ? preferences : NULL,
					   .cpus = s->cpus,
					   .memory = s->memory,
					   .generic = generic[0] ? generic : NULL,
					   .max_replicas = s->max_replicas,
					   .host_port = s->host_port});
}

static void random_new_tasks(struct model *m)
{
	const int service = (int)roll(m, SERVICES);
	const int chosen = roll(m, 5) ? -1 : (int)roll(m, NODES);

	for (unsigned count = 1 + roll(m, 6); count && m->task_count < TASKS; count--) {
		struct model_task *task = &m->tasks[m->task_count];

		*task = (struct model_task){.used = true,
					    .service = service,
					    .spec = m->services[service],
					    .chosen = chosen,
					    .node = -1,
					    .state = FL__TASK_STATE__PENDING,
					    .desired = roll(m, 12) ? FL__TASK_STATE__RUNNING
								   : FL__TASK_STATE__SHUTDOWN};
		snprintf(task->id, sizeof(task->id), "t%d", m->task_count++);
		put_model_task(m, task);
	}
}

static void random_progress(struct model *m)
{
	static const Fl__TaskState states[] = {FL__TASK_STATE__RUNNING, FL__TASK_STATE__FAILED,
					       FL__TASK_STATE__REJECTED, FL__TASK_STATE__COMPLETE,
					       FL__TASK_STATE__SHUTDOWN};
	struct model_task *task;
	Fl__TaskState state;

	if (!m->task_count)
		return;
	task = &m->tasks[roll(m, (unsigned)m->task_count)];
	if (!is_ours(task))
		return;
	if (!roll(m, 6)) {
		cluster_delete(&m->c, STORE_TASK, task->id);
		task->used = false;
		return;
	}
	if (!roll(m, 4))
		task->desired = FL__TASK_STATE__SHUTDOWN;
	state = task->state == FL__TASK_STATE__PENDING ? FL__TASK_STATE__PENDING
						       : states[roll(m, COUNT(states))];
	if ((state == FL__TASK_STATE__FAILED || state == FL__TASK_STATE__REJECTED) &&
	    m->nodes[task->node].exists && m->failure_count < FAILURES)
		m->failures[m->failure_count++] =
		    (struct model_failure){task->node, task->service, task->spec.version, m->c.now};
	task->state = state;
	set_task(&m->c, task->id, task->state, task->desired);
}

/* Nothing may wait that could go. */
static void check_rest(struct model *m)
{
	for (int i = 0; i < m->task_count; i++) {
		const struct model_task *task = &m->tasks[i];

		if (!task->used || task->state != FL__TASK_STATE__PENDING ||
		    task->desired > FL__TASK_STATE__COMPLETE ||
		    (task->chosen >= 0 && !m->nodes[task->chosen].exists))
			continue;
		for (int node = 0; node < NODES; node++)
			assert_true(!m->nodes[node].exists ||
				    (task->chosen >= 0 && task->chosen != node) ||
				    refusal(m, task, node) >= 0);
		/* Its words were right when it was last tried; what was placed since may be a
		 * better reason. */
		assert_non_null(get_task(&m->c, task->id)->status->err);
	}
}

static void step(struct model *m)
{
	for (unsigned events = 1 + roll(m, 4); events; events--) {
		switch (roll(m, 8)) {
		case 0:
		case 1:
			random_node(m);
			break;
		case 2:
			random_service(m, (int)roll(m, SERVICES));
			break;
		case 3:
		case 4:
			random_new_tasks(m);
			break;
		case 5:
			m->c.now += roll(m, 100) * SECOND;
			break;
		default:
			for (int i = 0; i < 8; i++)
				random_progress(m);
		}
	}
}

static void run_round(uint64_t seed, size_t *placed, size_t *refused)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->state = seed;
	cluster_open(&m->c);
	m->c.scheduler = scheduler_new();
	m->c.watch = watch;
	m->c.watcher = m;
	for (int i = 0; i < SERVICES; i++)
		random_service(m, i);
	for (int i = 0; i < STEPS; i++) {
		step(m);
		/* A new leader, if nothing has failed: of that it may know less. */
		if (!m->failure_count && !roll(m, 4))
			assert_int_equal(scheduler_reset(m->c.scheduler, view(&m->c), m->c.now), 0);
		cluster_run(&m->c);
		check_rest(m);
	}
	*placed += m->placed;
	*refused += m->refused;
	cluster_close(&m->c);
	free(m);
}

static void test_random(void **unused)
{
	const char *rounds = getenv("FL_ROUNDS");
	uint64_t state = random_seed();
	size_t placed = 0, refused = 0;
	(void)unused;

	for (int i = 0; i < (rounds ? atoi(rounds) : 60); i++)
		run_round(random_next(&state), &placed, &refused);
	print_message("%zu placements, %zu refusals\n", placed, refused);
	assert_true(placed && refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
