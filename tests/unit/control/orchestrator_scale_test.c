/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One service of 10,000 tasks on 1,000 nodes: what a pass over it costs, and in how many
 * transactions the tasks are made, updated all at once, and removed. Figures are printed, and only
 * counts checked.
 */
#include "orchestrator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "task.h"

enum { TASKS = 10000, NODES = 1000 };

static struct store *store;
static struct orchestrator *orchestrator;
static uint64_t last_index;
static int64_t now = INT64_C(1700000000) * TASK_SECOND;

static double seconds(void)
{
	struct timespec at;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int count_up(void *context, void *bytes, size_t size)
{
	static uint64_t next;

	(void)context;
	memset(bytes, 0, size);
	next++;
	memcpy(bytes, &next, sizeof(next));
	return 0;
}

static bool fits(const Fl__Node *node, const Fl__TaskSpec *spec)
{
	return node && spec;
}

static void apply(struct transaction *transaction)
{
	struct store_result result = {0};
	size_t size;
	const void *bytes = transaction_bytes(transaction, &size);

	assert_int_equal(store_apply(store, ++last_index, bytes, size, &result), 0);
	for (size_t i = 0; i < result.change_count; i++)
		assert_int_equal(result.outcomes[i], STORE_DONE);
	assert_int_equal(orchestrator_note(orchestrator, store_now(store), &result), 0);
	store_result_clear(&result);
	transaction_free(transaction);
}

/* Until it has nothing more to do. */
static void run(const char *what)
{
	double spent = 0, longest = 0;
	size_t runs = 0, transactions = 0;
	struct orchestrator_run out;

	do {
		const double start = seconds();

		assert_int_equal(orchestrator_run(orchestrator, store_now(store), now, &out), 0);
		const double took = seconds() - start;

		spent += took;
		longest = took > longest ? took : longest;
		runs++;
		transactions += out.count;
		for (size_t i = 0; i < out.count; i++)
			apply(out.transactions[i]);
		now += ORCHESTRATOR_RETRY;
	} while (out.count);
	print_message("%-34s %2zu runs, %2zu transactions, %6.1f ms, longest %5.1f ms\n", what,
		      runs, transactions, spent * 1e3, longest * 1e3);
}

static void add_nodes(void)
{
	struct transaction *transaction = transaction_new(now, false);

	for (unsigned i = 0; i < NODES; i++) {
		Fl__Node node = FL__NODE__INIT;
		Fl__NodeStatus status = FL__NODE_STATUS__INIT;
		char id[ID_SIZE];

		snprintf(id, sizeof(id), "n%u", i);
		node.id = id;
		node.status = &status;
		status.has_state = true;
		status.state = FL__NODE_STATUS__STATE__READY;
		assert_int_equal(transaction_create(transaction, &node.base), 0);
	}
	apply(transaction);
}

static void put_service(uint64_t replicas, const char *image)
{
	struct transaction *transaction = transaction_new(now, false);
	const Fl__Service *old = store_get(store_now(store), STORE_SERVICE, "s");
	Fl__ContainerSpec container = FL__CONTAINER_SPEC__INIT;
	Fl__TaskSpec task = FL__TASK_SPEC__INIT;
	Fl__ReplicatedService replicated = FL__REPLICATED_SERVICE__INIT;
	Fl__ServiceMode mode = FL__SERVICE_MODE__INIT;
	Fl__UpdateConfig update = FL__UPDATE_CONFIG__INIT; /* parallelism 0 */
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;

	container.image = (char *)(uintptr_t)image;
	task.container_spec = &container;
	replicated.has_replicas = true;
	replicated.replicas = replicas;
	mode.replicated = &replicated;
	spec.name = (char *)(uintptr_t) "big";
	spec.task_template = &task;
	spec.mode = &mode;
	spec.update_config = &update;
	service.id = (char *)(uintptr_t) "s";
	service.spec = &spec;
	service.version = old ? old->version : 0;
	if (old)
		assert_int_equal(transaction_update(transaction, &service.base), 0);
	else
		assert_int_equal(transaction_create(transaction, &service.base), 0);
	apply(transaction);
}

/* All tasks that are to run do so, in transactions of 1,000; those that are to stop have stopped.
 */
static void report(Fl__TaskState wanted, Fl__TaskState state)
{
	const struct store_view *view = store_view_hold(store_now(store));
	struct transaction *transaction = transaction_new(now, false);
	struct store_iterator i;
	const Fl__Task *task;
	unsigned at = 0;

	store_iterate_index(view, STORE_TASKS_BY_DESIRED, store_state_key(wanted), &i);
	while ((task = store_next(&i))) {
		Fl__Task said = *task;
		Fl__TaskStatus status = *task->status;
		char node[ID_SIZE];

		snprintf(node, sizeof(node), "n%u", at++ % NODES);
		said.node_id = task->node_id ? task->node_id : node;
		said.status = &status;
		status.state = state;
		status.timestamp = now;
		assert_int_equal(transaction_update(transaction, &said.base), 0);
		if (transaction_count(transaction) == 1000) {
			apply(transaction);
			transaction = transaction_new(now, false);
		}
	}
	apply(transaction);
	store_view_release(view);
}

static void node_down(void)
{
	struct transaction *transaction = transaction_new(now, false);
	Fl__Node node = *(const Fl__Node *)store_get(store_now(store), STORE_NODE, "n7");
	Fl__NodeStatus status = *node.status;

	node.status = &status;
	status.state = FL__NODE_STATUS__STATE__DOWN;
	assert_int_equal(transaction_update(transaction, &node.base), 0);
	apply(transaction);
}

static void remove_service(void)
{
	struct transaction *transaction = transaction_new(now, false);

	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s", 0), 0);
	apply(transaction);
}

static void test_ten_thousand(void **state)
{
	struct orchestrator_run out;

	(void)state;
	store = store_new();
	orchestrator =
	    orchestrator_new(&(struct orchestrator_config){.random = count_up, .fits = fits});
	add_nodes();
	run("nothing");
	put_service(TASKS, "app:1");
	run("10,000 tasks made");
	assert_int_equal(store_count(store_now(store), STORE_TASK), TASKS);
	report(FL__TASK_STATE__RUNNING, FL__TASK_STATE__RUNNING);
	run("all of them run");
	put_service(TASKS - 1, "app:1");
	run("one replica less");
	node_down();
	run("a node of 1,000 is lost");
	put_service(TASKS - 1, "app:2");
	run("a new image, all at once");
	report(FL__TASK_STATE__SHUTDOWN, FL__TASK_STATE__SHUTDOWN);
	run("the old ones have stopped");
	remove_service();
	run("the service is removed");
	report(FL__TASK_STATE__REMOVE, FL__TASK_STATE__SHUTDOWN);
	run("its tasks have stopped");
	assert_int_equal(store_count(store_now(store), STORE_TASK), 0);
	assert_int_equal(orchestrator_restart(orchestrator, store_now(store)), 0);
	assert_int_equal(orchestrator_run(orchestrator, store_now(store), now, &out), 0);
	assert_int_equal(out.count, 0);
	assert_true(out.wake == INT64_MAX);
	orchestrator_free(orchestrator);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ten_thousand)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
