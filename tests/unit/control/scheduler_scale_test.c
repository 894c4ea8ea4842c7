/* SPDX-License-Identifier: BSD-2-Clause */
/* How long 10,000 tasks on 1,000 nodes take. Printed, never judged: machines differ. */
#include "scheduler.h"

#include "placement.h"

enum { NODES = 1000, TASKS = 10000 };

static void make_nodes(struct cluster *c)
{
	for (int i = 0; i < NODES; i++) {
		char id[16], labels[32];

		snprintf(id, sizeof(id), "n%d", i);
		snprintf(labels, sizeof(labels), "zone=%d,rack=%d", i % 5, i % 40);
		put_node(c, (struct test_node){.id = id, .labels = labels, .cpus = 64});
	}
}

/* What of it was spent in the scheduler alone. */
static double schedule(struct cluster *c, size_t *entries)
{
	double spent = 0;

	for (*entries = 0;; ++*entries) {
		struct transaction *transaction;
		struct timespec begin;
		int64_t next;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		assert_int_equal(scheduler_run(c->scheduler, c->now, &transaction, &next), 0);
		spent += seconds_since(&begin);
		if (!transaction)
			return spent;
		cluster_apply(c, transaction, false);
		clock_gettime(CLOCK_MONOTONIC, &begin);
		assert_int_equal(scheduler_settle(c->scheduler, view(c), c->now), 0);
		spent += seconds_since(&begin);
	}
}

static void run(const char *what, unsigned services, struct test_task task)
{
	struct scheduler_status status;
	struct timespec begin;
	struct cluster c;
	size_t entries, fewest = TASKS, most = 0;
	double spent, reset;

	cluster_open(&c);
	c.scheduler = scheduler_new();
	make_nodes(&c);
	for (unsigned i = 0; i < services; i++) {
		char prefix[16], service[16];

		snprintf(prefix, sizeof(prefix), "t%ux", i);
		snprintf(service, sizeof(service), "s%u", i);
		task.id = prefix;
		task.service = service;
		put_tasks(&c, task, TASKS / services);
	}
	spent = schedule(&c, &entries);
	scheduler_get_status(c.scheduler, &status);
	assert_int_equal(status.waiting + status.parked, 0);
	for (int i = 0; i < NODES; i++) {
		struct store_iterator tasks;
		size_t count = 0;
		char id[16];

		snprintf(id, sizeof(id), "n%d", i);
		store_iterate_index(view(&c), STORE_TASKS_BY_NODE, id, &tasks);
		while (store_next(&tasks))
			count++;
		fewest = count < fewest ? count : fewest;
		most = count > most ? count : most;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(scheduler_reset(c.scheduler, view(&c), c.now), 0);
	reset = seconds_since(&begin);
	print_message("%-34s %7.1f ms in %zu entries, %zu to %zu a node; reset %.1f ms\n", what,
		      spent * 1e3, entries, fewest, most, reset * 1e3);
	cluster_close(&c);
}

static void test_scale(void **unused)
{
	(void)unused;
	run("1 service", 1, (struct test_task){.cpus = 1});
	run("100 services", 100, (struct test_task){.cpus = 1});
	run("10,000 services", TASKS, (struct test_task){.cpus = 1});
	run("1 service, spread over 5x40 labels", 1,
	    (struct test_task){.cpus = 1, .preferences = "node.labels.zone,node.labels.rack"});
	run("100 services, 2 constraints", 100,
	    (struct test_task){.constraints = "node.labels.zone!=0,node.role==manager"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_scale)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
