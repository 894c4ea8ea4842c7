/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random histories of a cluster, with new leaders, lost proposals and reports that come between a
 * decision and the log, at random moments.
 *
 *   test_orchestrator_random [COUNT]            seeds from 1 on
 *   test_orchestrator_random storm|calm SEED    this one, told line by line
 *
 * storm: anything happens, then nothing more, and all is mended: what runs must be what is wanted.
 * calm: nothing fails but leaders; updates never take more than they may.
 */
#include "sim_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "task.h"

enum { HISTORIES = 150, STEPS = 60, NODES = 5, SERVICES = 4 };

static uint64_t seed; /* of the history that runs, to be told if it fails */
static const char *kind;
static FILE *out;
static unsigned histories = HISTORIES;

#define CHECK(sim, condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s %" PRIu64 " at %.3f s: %s", kind, seed,                       \
				 (double)((sim)->now - SIM_EPOCH) / 1e9, #condition);              \
	} while (0)

static uint64_t below(struct sim *sim, uint64_t limit)
{
	return sim_random(sim) % limit;
}

static void add_image(struct sim *sim, const char *name, int64_t run, Fl__TaskState end,
		      bool rejected)
{
	struct sim_image *image = &sim->images[sim->image_count++];

	*image = (struct sim_image){.prepare = 50 * SIM_MS,
				    .start = 50 * SIM_MS,
				    .stop = 50 * SIM_MS,
				    .run = run,
				    .end = end,
				    .rejected = rejected};
	snprintf(image->name, sizeof(image->name), "%s", name);
}

static struct sim *begin(uint64_t of_seed, const char *of_kind)
{
	struct sim *sim = sim_new(of_seed);

	seed = of_seed;
	kind = of_kind;
	sim->out = out;
	sim->jitter_percent = 300;
	add_image(sim, "good:1", 0, 0, false);
	add_image(sim, "good:2", 0, 0, false);
	add_image(sim, "good:3", 0, 0, false);
	add_image(sim, "crash", 700 * SIM_MS, FL__TASK_STATE__FAILED, false);
	add_image(sim, "late-crash", 20 * SIM_SECOND, FL__TASK_STATE__FAILED, false);
	add_image(sim, "nosuch", 0, 0, true);
	add_image(sim, "work", 900 * SIM_MS, FL__TASK_STATE__COMPLETE, false);
	for (unsigned i = 0; i < NODES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		sim_add_node(sim, name, FL__NODE__MEMBERSHIP__ACCEPTED);
	}
	return sim;
}

static void trouble(struct sim *sim, bool on)
{
	sim->forgetful = on && sim_chance(sim, 30);
	sim->lose_percent = on && sim_chance(sim, 50) ? 10 : 0;
	sim->late_percent = on && sim_chance(sim, 50) ? 50 : 0;
}

/* --- What holds at each moment --- */

static size_t live_of_instance(const struct sim *sim, const Fl__Task *of)
{
	char key[STORE_INSTANCE_SIZE];
	struct store_iterator i;
	const Fl__Task *task;
	size_t count = 0;

	store_instance_key(of->service_id, of->slot, of->node_id, key);
	store_iterate_index(sim_view(sim), STORE_TASKS_BY_INSTANCE, key, &i);
	while ((task = store_next(&i)))
		count += !task_is_over(task) && task_desired(task) == FL__TASK_STATE__RUNNING;
	return count;
}

static bool is_start_first(const Fl__Service *service)
{
	return service->spec->update_config &&
	       service->spec->update_config->order == FL__UPDATE_CONFIG__ORDER__START_FIRST;
}

/* Desired states go one way, and nothing is forgotten that may still run. */
static void check_way(struct sim *sim, const struct store_event *event)
{
	const Fl__Task *before = event->before, *after = event->after;

	if (event->table != STORE_TASK)
		return;
	CHECK(sim, !before || !after || task_desired(after) >= task_desired(before));
	CHECK(sim, after || task_is_over(before) || task_state(before) < FL__TASK_STATE__ASSIGNED);
}

/* Of an instance one task is to run, or two where start-first says so. */
static void check_storm(struct sim *sim, const struct store_event *event)
{
	const Fl__Task *after = event->after;
	const Fl__Service *service;

	check_way(sim, event);
	if (event->table != STORE_TASK)
		return;
	service = after ? store_get(sim_view(sim), STORE_SERVICE, after->service_id) : NULL;
	if (service)
		CHECK(sim, live_of_instance(sim, after) <= (is_start_first(service) ? 2 : 1));
}

/* --- A storm --- */

static const char *const services[SERVICES] = {"s0", "s1", "s2", "s3"};

static const char *any_image(struct sim *sim)
{
	return sim->images[below(sim, 6)].name;
}

static struct sim_spec any_spec(struct sim *sim, const char *name)
{
	const char *const modes[] = {"replicated", "replicated", "global", "replicated-job",
				     "global-job"};
	struct sim_spec spec = {.name = name, .mode = modes[below(sim, 5)]};

	fl__restart_policy__init(&spec.policy);
	fl__update_config__init(&spec.update);
	fl__update_config__init(&spec.rollback);
	spec.replicas = below(sim, 7);
	spec.completions = 1 + below(sim, 5);
	spec.concurrent = below(sim, 3);
	spec.image = strstr(spec.mode, "job") ? "work" : any_image(sim);
	spec.has_policy = true;
	spec.policy.has_delay = true;
	spec.policy.delay = (int64_t)below(sim, 3) * SIM_SECOND;
	spec.policy.has_max_attempts = true;
	spec.policy.max_attempts = sim_chance(sim, 20) ? 3 : 0;
	spec.policy.has_window = true;
	spec.policy.window = sim_chance(sim, 50) ? 5 * SIM_SECOND : 0;
	spec.has_update = spec.has_rollback = true;
	spec.update.has_parallelism = spec.rollback.has_parallelism = true;
	spec.update.parallelism = below(sim, 4);
	spec.update.has_order = true;
	spec.update.order = (Fl__UpdateConfig__Order)below(sim, 2);
	spec.update.has_failure_action = true;
	spec.update.failure_action = (Fl__UpdateConfig__FailureAction)below(sim, 3);
	spec.update.has_delay = true;
	spec.update.delay = (int64_t)below(sim, 2) * SIM_SECOND;
	spec.rollback = spec.update;
	return spec;
}

static void change_service(struct sim *sim)
{
	const char *name = services[below(sim, SERVICES)];
	const Fl__Service *service = sim_service_named(sim, name);
	struct sim_spec spec;

	if (!service) {
		spec = any_spec(sim, name);
		sim_create_service(sim, &spec);
		return;
	}
	if (service->pending_delete)
		return;
	spec = sim_spec_of(service);
	switch (below(sim, 8)) {
	case 0:
		sim_remove(sim, name);
		return;
	case 1:
		sim_retire(sim, name);
		return;
	case 2:
		if (service->previous_spec)
			sim_rollback(sim, name);
		return;
	case 3:
		spec.replicas = below(sim, 9);
		break;
	case 4:
		spec.force++;
		break;
	default:
		if (!strstr(spec.mode, "job"))
			spec.image = any_image(sim);
		break;
	}
	sim_update(sim, &spec);
}

/* A node leaves and another of its name comes. */
static void replace_node(struct sim *sim, const char *name)
{
	if (sim->node_count == SIM_NODES_MAX)
		return;
	sim_node_leave(sim, name);
	sim_add_node(sim, name, FL__NODE__MEMBERSHIP__ACCEPTED);
}

static void change_node(struct sim *sim)
{
	char name[16];

	snprintf(name, sizeof(name), "n%u", (unsigned)below(sim, NODES));
	switch (below(sim, 7)) {
	case 0:
		sim_set_availability(sim, name, FL__NODE_SPEC__AVAILABILITY__DRAIN);
		return;
	case 1:
		sim_set_availability(sim, name, FL__NODE_SPEC__AVAILABILITY__PAUSE);
		return;
	case 2:
		sim_node_down(sim, name);
		return;
	case 3:
		sim_node_cut(sim, name);
		return;
	case 4:
		replace_node(sim, name);
		return;
	case 5:
		sim_node_mend(sim, name);
		return;
	default:
		sim_set_availability(sim, name, FL__NODE_SPEC__AVAILABILITY__ACTIVE);
		return;
	}
}

static void mend_everything(struct sim *sim)
{
	trouble(sim, false);
	for (unsigned k = 0; k < NODES; k++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", k);
		sim_node_mend(sim, name);
		sim_set_availability(sim, name, FL__NODE_SPEC__AVAILABILITY__ACTIVE);
	}
	for (unsigned k = 0; k < SERVICES; k++) {
		const Fl__Service *service = sim_service_named(sim, services[k]);
		struct sim_spec spec;

		if (!service || service->pending_delete)
			continue;
		spec = sim_spec_of(service);
		if (!strstr(spec.mode, "job"))
			spec.image = "good:1";
		spec.force++;
		sim_update(sim, &spec);
	}
}

/* --- What is wanted is what there is --- */

static size_t wanted_of(const Fl__Service *service)
{
	const Fl__ServiceMode *mode = service->spec->mode;

	if (mode->replicated)
		return mode->replicated->replicas;
	return mode->replicated_job ? mode->replicated_job->total_completions : NODES;
}

static bool is_as_wanted(const Fl__Service *service, const Fl__Task *task)
{
	const bool job = service->spec->mode->replicated_job || service->spec->mode->global_job;
	const Fl__TaskState state = job ? FL__TASK_STATE__COMPLETE : FL__TASK_STATE__RUNNING;

	if (job && task->job_iteration != service->job_status->job_iteration)
		return false;
	return task_desired(task) == state && task_state(task) == state &&
	       message_equal(&task->spec->base, &service->spec->task_template->base) == 1;
}

static void check_service(struct sim *sim, const Fl__Service *service)
{
	struct store_iterator i;
	const Fl__Task *task;
	size_t right = 0;

	store_iterate_index(sim_view(sim), STORE_TASKS_BY_SERVICE, service->id, &i);
	while ((task = store_next(&i))) {
		right += is_as_wanted(service, task);
		/* What no agent ever heard of stays what it was. */
		CHECK(sim, is_as_wanted(service, task) || task_is_over(task) ||
			       (task_desired(task) == FL__TASK_STATE__SHUTDOWN &&
				task_state(task) < FL__TASK_STATE__ASSIGNED));
		CHECK(sim, task_desired(task) != FL__TASK_STATE__REMOVE);
	}
	CHECK(sim, right == wanted_of(service));
}

static void check_history(struct sim *sim, const Fl__Task *of)
{
	char key[STORE_INSTANCE_SIZE];
	struct store_iterator i;
	size_t count = 0;

	store_instance_key(of->service_id, of->slot, of->node_id, key);
	store_iterate_index(sim_view(sim), STORE_TASKS_BY_INSTANCE, key, &i);
	while (store_next(&i))
		count++;
	CHECK(sim, count <= 5);
}

static void check_rest(struct sim *sim)
{
	struct orchestrator_run run;
	struct store_iterator i;
	const Fl__Service *service;
	const Fl__Task *task;

	store_iterate(sim_view(sim), STORE_SERVICE, &i);
	while ((service = store_next(&i))) {
		CHECK(sim, !service->pending_delete);
		check_service(sim, service);
	}
	store_iterate(sim_view(sim), STORE_TASK, &i);
	while ((task = store_next(&i))) {
		CHECK(sim, store_get(sim_view(sim), STORE_SERVICE, task->service_id));
		check_history(sim, task);
	}
	sim_new_leader(sim);
	assert_int_equal(orchestrator_run(sim->orchestrator, sim_view(sim), sim->now, &run), 0);
	CHECK(sim, run.count == 0);
}

static struct sim *storm(uint64_t of_seed)
{
	struct sim *sim = begin(of_seed, "storm");

	sim->check = check_storm;
	for (unsigned i = 0; i < STEPS; i++) {
		trouble(sim, true);
		if (sim_chance(sim, 60))
			change_service(sim);
		else
			change_node(sim);
		if (sim_chance(sim, 70))
			sim_run(sim, (int64_t)below(sim, 3000) * SIM_MS);
	}
	mend_everything(sim);
	CHECK(sim, sim_settle(sim));
	for (size_t i = 0; out && i < sim->service_count; i++)
		sim_tell_tasks(sim, sim->services[i].id);
	check_rest(sim);
	return sim;
}

/* --- Calm --- */

struct promise {
	size_t replicas, missing; /* so many of them at most */
};

static void check_calm(struct sim *sim, const struct store_event *event)
{
	const struct promise *promise = sim->check_context;

	check_way(sim, event);
	CHECK(sim, sim_running(sim, sim->services[0].id) + promise->missing >= promise->replicas);
}

static struct sim *calm(uint64_t of_seed)
{
	struct sim *sim = begin(of_seed, "calm");
	struct sim_spec spec = any_spec(sim, "s0");
	struct promise promise;

	spec.mode = "replicated";
	spec.replicas = 3 + below(sim, 6);
	spec.image = "good:1";
	spec.update.parallelism = spec.rollback.parallelism = 1 + below(sim, 3);
	promise.replicas = spec.replicas;
	promise.missing = spec.update.order == FL__UPDATE_CONFIG__ORDER__START_FIRST
			      ? 0
			      : spec.update.parallelism;
	sim_create_service(sim, &spec);
	CHECK(sim, sim_settle(sim));
	sim->check_context = &promise;
	sim->check = check_calm;
	for (unsigned i = 0; i < STEPS / 4; i++) {
		const Fl__Service *service = sim_service_named(sim, "s0");

		trouble(sim, true);
		sim->twice = sim_chance(sim, 20);
		if (service->previous_spec && sim_chance(sim, 20)) {
			sim_rollback(sim, "s0");
		} else {
			spec = sim_spec_of(service);
			spec.image = sim->images[below(sim, 3)].name;
			sim_update(sim, &spec);
		}
		sim_run(sim, (int64_t)below(sim, 4000) * SIM_MS);
	}
	trouble(sim, false);
	CHECK(sim, sim_settle(sim));
	sim->check_context = NULL;
	check_rest(sim);
	return sim;
}

static void run_all(struct sim *history(uint64_t), const char *name)
{
	uint64_t transactions = 0, refused = 0, lost = 0, leaders = 0;

	for (uint64_t i = 1; i <= histories; i++) {
		struct sim *sim = history(i);

		transactions += sim->transactions;
		refused += sim->refused;
		lost += sim->lost;
		leaders += sim->restarts;
		sim_free(sim);
	}
	print_message("%s: %u histories, %" PRIu64 " transactions, %" PRIu64 " lost, %" PRIu64
		      " changes refused, %" PRIu64 " leaders\n",
		      name, histories, transactions, lost, refused, leaders);
	/* The trouble that was meant did come. */
	assert_true(lost && refused && leaders);
}

static void test_storms(void **state)
{
	(void)state;
	run_all(storm, "storm");
}

static void test_calms(void **state)
{
	(void)state;
	run_all(calm, "calm");
}

static void test_one(void **state)
{
	struct sim *(*history)(uint64_t) = strcmp(kind, "calm") ? storm : calm;

	(void)state;
	sim_free(history(seed));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_storms),
					   cmocka_unit_test(test_calms)};
	const struct CMUnitTest one[] = {cmocka_unit_test(test_one)};

	if (argc == 2)
		histories = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc < 3)
		return cmocka_run_group_tests(tests, NULL, NULL);
	kind = argv[1];
	seed = strtoull(argv[2], NULL, 10);
	out = stdout;
	return cmocka_run_group_tests(one, NULL, NULL);
}
