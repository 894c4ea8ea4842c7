/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 1000 }; /* without time passing: it does not come to rest */

uint64_t sim_random(struct sim *sim)
{
	uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

bool sim_chance(struct sim *sim, unsigned percent)
{
	return percent && sim_random(sim) % 100 < percent;
}

static int random_bytes(void *context, void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)sim_random(context);
	return 0;
}

/* "zone==east": of the node's labels; the scheduler's language is not under test. */
bool sim_fits(const Fl__Node *node, const Fl__TaskSpec *spec)
{
	for (size_t i = 0; spec->placement && i < spec->placement->n_constraints; i++) {
		const char *wanted = spec->placement->constraints[i];
		const size_t length = strcspn(wanted, "=");
		bool met = false;

		for (size_t k = 0; node->spec && k < node->spec->n_labels; k++) {
			const Fl__KeyValue *label = node->spec->labels[k];

			met |= strlen(label->key) == length &&
			       !strncmp(label->key, wanted, length) &&
			       !strcmp(label->value, wanted + length + 2);
		}
		if (!met)
			return false;
	}
	return true;
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	assert_non_null(sim);
	sim->random = seed;
	sim->now = SIM_EPOCH;
	sim->wake = INT64_MAX;
	sim->store = store_new();
	sim->orchestrator = orchestrator_new(&(struct orchestrator_config){
	    .random = random_bytes, .random_context = sim, .fits = sim_fits});
	assert_non_null(sim->store);
	assert_non_null(sim->orchestrator);
	return sim;
}

void sim_free(struct sim *sim)
{
	orchestrator_free(sim->orchestrator);
	store_free(sim->store);
	free(sim->tasks);
	free(sim);
}

const struct store_view *sim_view(const struct sim *sim)
{
	return store_now(sim->store);
}

struct sim_task *sim_task_of(struct sim *sim, const char *id)
{
	for (size_t i = sim->task_count; i-- > 0;) {
		if (!strcmp(sim->tasks[i].id, id))
			return &sim->tasks[i];
	}
	return NULL;
}

struct sim_node *sim_node_of(struct sim *sim, const char *id)
{
	for (size_t i = 0; id && i < sim->node_count; i++) {
		if (!strcmp(sim->nodes[i].id, id))
			return &sim->nodes[i];
	}
	return NULL;
}

struct sim_service *sim_service_of(struct sim *sim, const char *id)
{
	for (size_t i = sim->service_count; i-- > 0;) {
		if (!strcmp(sim->services[i].id, id))
			return &sim->services[i];
	}
	return NULL;
}

/* --- Events --- */

/* web.2#1: the first task of slot 2; of a global service, web.b#1. */
static void record_task(struct sim *sim, const Fl__Task *task)
{
	const struct sim_node *node = sim_node_of(sim, task->node_id);
	struct sim_task *record;
	char instance[2 * SIM_NAME_SIZE];
	unsigned nth = 1;

	if (sim->task_count == sim->task_capacity) {
		sim->task_capacity = sim->task_capacity ? 2 * sim->task_capacity : 64;
		sim->tasks = reallocarray(sim->tasks, sim->task_capacity, sizeof(*sim->tasks));
		assert_non_null(sim->tasks);
	}
	if (task->has_slot)
		snprintf(instance, sizeof(instance), "%s.%u", task->service_name,
			 (unsigned)task->slot);
	else
		snprintf(instance, sizeof(instance), "%s.%s", task->service_name,
			 node ? node->name : "?");
	for (size_t i = 0; i < sim->task_count; i++) {
		const size_t length = strlen(instance);

		nth += !strncmp(sim->tasks[i].name, instance, length) &&
		       sim->tasks[i].name[length] == '#';
	}
	record = &sim->tasks[sim->task_count++];
	*record = (struct sim_task){.at = INT64_MAX};
	snprintf(record->id, sizeof(record->id), "%s", task->id);
	snprintf(record->name, sizeof(record->name), "%s#%u", instance, nth);
}

static void count_running(struct sim *sim)
{
	for (size_t i = 0; i < sim->service_count; i++) {
		struct sim_service *service = &sim->services[i];
		const size_t running = sim_running(sim, service->id);

		if (running < service->least)
			service->least = running;
		if (running > service->most)
			service->most = running;
	}
}

static void heed(struct sim *sim, const struct store_event *event)
{
	const Fl__Task *before = event->before, *after = event->after;

	if (event->table == STORE_TASK && !before)
		record_task(sim, after);
	sim_tell(sim, event);
	if (event->table == STORE_TASK && after)
		sim_agent_heeds(sim, after);
	else if (event->table == STORE_TASK)
		sim_task_of(sim, before->id)->gone = true;
}

struct transaction *sim_begin(struct sim *sim)
{
	struct transaction *transaction = transaction_new(sim->now, false);

	assert_non_null(transaction);
	return transaction;
}

enum store_outcome sim_apply(struct sim *sim, struct transaction *transaction)
{
	struct store_result result = {0};
	enum store_outcome first;
	size_t size;
	const void *bytes = transaction_bytes(transaction, &size);

	assert_int_equal(store_apply(sim->store, ++sim->index, bytes, size, &result), 0);
	transaction_free(transaction);
	sim->transactions++;
	for (size_t i = 0; i < result.change_count; i++)
		sim->refused += result.outcomes[i] != STORE_DONE;
	first = result.change_count ? (enum store_outcome)result.outcomes[0] : STORE_DONE;
	for (size_t i = 0; i < result.event_count; i++)
		heed(sim, &result.events[i]);
	assert_int_equal(orchestrator_note(sim->orchestrator, sim_view(sim), &result), 0);
	for (size_t i = 0; sim->check && i < result.event_count; i++)
		sim->check(sim, &result.events[i]);
	store_result_clear(&result);
	count_running(sim);
	return first;
}

/* --- Time --- */

void sim_new_leader(struct sim *sim)
{
	sim->restarts++;
	assert_int_equal(orchestrator_restart(sim->orchestrator, sim_view(sim)), 0);
}

/* Another leader decides the same, and its changes come behind. */
static void decide_again(struct sim *sim, const struct orchestrator_run *first)
{
	struct orchestrator_run run;

	sim->twice = false;
	sim_new_leader(sim);
	assert_int_equal(orchestrator_run(sim->orchestrator, sim_view(sim), sim->now, &run), 0);
	assert_int_equal(run.count, first->count);
	for (size_t i = 0; i < run.count; i++)
		sim_apply(sim, run.transactions[i]);
}

/* What it decides is applied, or lost. */
static size_t decide(struct sim *sim)
{
	struct orchestrator_run run;
	uint64_t lost = 0;

	if (sim->forgetful)
		sim_new_leader(sim);
	assert_int_equal(orchestrator_run(sim->orchestrator, sim_view(sim), sim->now, &run), 0);
	sim->wake = run.wake;
	if (run.count && sim->twice)
		decide_again(sim, &run);
	if (run.count && sim_chance(sim, sim->late_percent)) {
		sim->now += (int64_t)(sim_random(sim) % 100) * SIM_MS; /* the log takes its time */
		sim_agents_report(sim);
	}
	for (size_t i = 0; i < run.count; i++) {
		if (sim->lose || sim_chance(sim, sim->lose_percent)) {
			sim->lose -= sim->lose != 0;
			lost++;
			transaction_free(run.transactions[i]);
		} else {
			sim_apply(sim, run.transactions[i]);
		}
	}
	sim->lost += lost;
	if (lost) /* a leader whose proposals get lost is none any more */
		sim_new_leader(sim);
	return run.count;
}

/* All that happens now. */
static void happen(struct sim *sim)
{
	size_t runs = 0;

	do {
		sim_agents_report(sim);
		sim_schedule(sim);
		assert_in_range(++runs, 1, RUNS_MAX);
	} while (decide(sim) || sim_agents_next(sim) <= sim->now);
}

static int64_t next(const struct sim *sim)
{
	const int64_t agents = sim_agents_next(sim);

	return agents < sim->wake ? agents : sim->wake;
}

static void run_until(struct sim *sim, int64_t end)
{
	for (;;) {
		const int64_t at = next(sim);

		if (at > end)
			break;
		sim->now = at > sim->now ? at : sim->now;
		happen(sim);
	}
	sim->now = end;
}

void sim_run(struct sim *sim, int64_t duration)
{
	const int64_t end = sim->now + duration;

	happen(sim);
	run_until(sim, end);
}

bool sim_settle(struct sim *sim)
{
	const int64_t limit = sim->now + 6 * 3600 * SIM_SECOND;

	happen(sim);
	while (next(sim) <= sim->now + 3600 * SIM_SECOND) {
		if (sim->now > limit)
			return false;
		run_until(sim, next(sim));
	}
	return true;
}
