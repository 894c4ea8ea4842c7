/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes where and why not: a test per rule, the words of Swarm where it has them. */
#include "scheduler.h"

#include "placement.h"

static struct cluster c;

static int setup(void **state)
{
	(void)state;
	cluster_open(&c);
	c.scheduler = scheduler_new();
	c.enforcer = enforcer_new();
	return c.scheduler && c.enforcer ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	cluster_close(&c);
	return 0;
}

/* "t0 t1": the tasks on a node that are not over. */
static const char *on(const char *node)
{
	static char text[512];
	struct store_iterator tasks;
	const Fl__Task *task;

	text[0] = '\0';
	store_iterate_index(view(&c), STORE_TASKS_BY_NODE, node, &tasks);
	while ((task = store_next(&tasks))) {
		if (task->status->state <= FL__TASK_STATE__RUNNING)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 text[0] ? " " : "", task->id);
	}
	return text;
}

static size_t count_on(const char *node, const char *prefix)
{
	struct store_iterator tasks;
	const Fl__Task *task;
	size_t count = 0;

	store_iterate_index(view(&c), STORE_TASKS_BY_NODE, node, &tasks);
	while ((task = store_next(&tasks)))
		count += !strncmp(task->id, prefix, strlen(prefix)) &&
			 task->status->state <= FL__TASK_STATE__RUNNING;
	return count;
}

static const char *err(const char *task)
{
	const char *text = get_task(&c, task)->status->err;

	return text ? text : "";
}

static Fl__TaskState state_of(const char *task)
{
	return get_task(&c, task)->status->state;
}

static void three_nodes(void)
{
	put_node(&c, (struct test_node){.id = "n1", .labels = "zone=a"});
	put_node(&c, (struct test_node){.id = "n2", .labels = "zone=a"});
	put_node(&c, (struct test_node){.id = "n3", .labels = "zone=b"});
}

static void test_assigned(void **unused)
{
	(void)unused;
	three_nodes();
	put_task(&c, (struct test_task){.id = "t1", .service = "s1"});
	cluster_run(&c);
	assert_string_equal(on("n1"), "t1");
	assert_int_equal(state_of("t1"), FL__TASK_STATE__ASSIGNED);
	assert_string_equal(get_task(&c, "t1")->status->message, "scheduler assigned task to node");
	assert_string_equal(err("t1"), "");
	assert_int_equal(get_task(&c, "t1")->status->timestamp, c.now);
}

/* A new task is the allocator's; one that is to stop again needs no node. */
static void test_not_ours(void **unused)
{
	(void)unused;
	three_nodes();
	put_task(&c,
		 (struct test_task){.id = "over", .service = "s", .state = FL__TASK_STATE__FAILED});
	put_task(&c, (struct test_task){
			 .id = "stop", .service = "s", .desired = FL__TASK_STATE__SHUTDOWN});
	cluster_run(&c);
	assert_int_equal(state_of("stop"), FL__TASK_STATE__PENDING);
	assert_null(get_task(&c, "over")->node_id);
	put_task(&c,
		 (struct test_task){.id = "t", .service = "s", .desired = FL__TASK_STATE__READY});
	cluster_run(&c);
	assert_int_equal(state_of("t"), FL__TASK_STATE__ASSIGNED);
}

/* Fewest of the service first, then fewest of all. */
static void test_spread_over_nodes(void **unused)
{
	(void)unused;
	three_nodes();
	put_tasks(&c, (struct test_task){.id = "a", .service = "sa"}, 4);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "a"), 2);
	assert_int_equal(count_on("n2", "a"), 1);
	assert_int_equal(count_on("n3", "a"), 1);
	put_tasks(&c, (struct test_task){.id = "b", .service = "sb"}, 2);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "b"), 0); /* has one more of the other */
	put_tasks(&c, (struct test_task){.id = "c", .service = "sb"}, 1);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "c"), 1);
}

static void test_spread_over_labels(void **unused)
{
	(void)unused;
	three_nodes();
	put_tasks(&c,
		  (struct test_task){.id = "a", .service = "s", .preferences = "node.labels.zone"},
		  6);
	cluster_run(&c);
	assert_int_equal(count_on("n3", "a"), 3);
	assert_int_equal(count_on("n1", "a") + count_on("n2", "a"), 3);
}

/* Racks of a zone are even, and zones are, whatever number of racks they have. */
static void test_spread_nested(void **unused)
{
	const char *const preferences = "node.labels.zone,engine.labels.rack";
	(void)unused;

	put_node(&c, (struct test_node){.id = "n1", .labels = "zone=a", .engine_labels = "rack=1"});
	put_node(&c, (struct test_node){.id = "n2", .labels = "zone=a", .engine_labels = "rack=1"});
	put_node(&c, (struct test_node){.id = "n3", .labels = "zone=a", .engine_labels = "rack=2"});
	put_node(&c, (struct test_node){.id = "n4", .labels = "zone=b", .engine_labels = "rack=1"});
	put_node(&c, (struct test_node){.id = "n5"}); /* no zone is a zone too */
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .preferences = preferences},
		  12);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "a"), 1);
	assert_int_equal(count_on("n2", "a"), 1);
	assert_int_equal(count_on("n3", "a"), 2);
	assert_int_equal(count_on("n4", "a"), 4);
	assert_int_equal(count_on("n5", "a"), 4);
}

/* What does not fit in its branch goes to the others. */
static void test_spread_full_branch(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .labels = "zone=a", .cpus = 1});
	put_node(&c, (struct test_node){.id = "n2", .labels = "zone=b", .cpus = 5});
	put_tasks(&c,
		  (struct test_task){
		      .id = "a", .service = "s", .cpus = 1, .preferences = "node.labels.zone"},
		  5);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "a"), 1);
	assert_int_equal(count_on("n2", "a"), 4);
}

static void test_reasons(void **unused)
{
	static const struct {
		struct test_task task;
		const char *err;
	} cases[] = {
	    {{.constraints = "node.labels.nope==1"},
	     "no suitable node (scheduling constraints not satisfied on 3 nodes; 1 node not "
	     "available for new tasks)"},
	    {{.memory = 2000000},
	     "no suitable node (insufficient resources on 3 nodes; 1 node not available for new "
	     "tasks)"},
	    {{.cpus = 2000000, .constraints = "node.id==n1"},
	     "no suitable node (insufficient resources on 3 nodes; 1 node not available for new "
	     "tasks)"},
	    {{.cpus = 500000, .constraints = "node.id==n1"},
	     "no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not "
	     "available for new tasks; insufficient resources on 1 node)"},
	    {{.platforms = "windows/amd64"},
	     "no suitable node (unsupported platform on 3 nodes; 1 node not available for new "
	     "tasks)"},
	    {{.host_port = 80, .constraints = "node.id!=n3"},
	     "no suitable node (host-mode port already in use on 2 nodes; 1 node not available "
	     "for new tasks; scheduling constraints not satisfied on 1 node)"},
	    {{.generic = "gpu=1"},
	     "no suitable node (insufficient resources on 3 nodes; 1 node not available for new "
	     "tasks)"},
	};
	(void)unused;

	three_nodes();
	put_node(&c, (struct test_node){.id = "n4", .down = true});
	put_task(&c, (struct test_task){.id = "p1",
					.service = "p",
					.host_port = 80,
					.node = "n1",
					.cpus = 600000,
					.state = FL__TASK_STATE__RUNNING});
	put_task(&c, (struct test_task){.id = "p2",
					.service = "p",
					.host_port = 80,
					.node = "n2",
					.state = FL__TASK_STATE__RUNNING});
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_task task = cases[i].task;

		task.id = "t";
		task.service = "s";
		put_task(&c, task);
		cluster_run(&c);
		assert_string_equal(err("t"), cases[i].err);
		assert_string_equal(get_task(&c, "t")->status->message, "pending task scheduling");
		assert_int_equal(state_of("t"), FL__TASK_STATE__PENDING);
		cluster_delete(&c, STORE_TASK, "t");
	}
}

static void test_no_nodes(void **unused)
{
	uint64_t version;
	(void)unused;

	put_task(&c, (struct test_task){.id = "t", .service = "s"});
	cluster_run(&c);
	assert_string_equal(err("t"), "no suitable node");
	/* Said once. */
	version = get_task(&c, "t")->version;
	cluster_run(&c);
	assert_int_equal(get_task(&c, "t")->version, version);
	put_node(&c, (struct test_node){.id = "n1"});
	cluster_run(&c);
	assert_string_equal(on("n1"), "t");
	assert_string_equal(err("t"), "");
}

static void test_max_replicas(void **unused)
{
	(void)unused;
	three_nodes();
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .max_replicas = 1}, 4);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "a"), 1);
	assert_int_equal(count_on("n3", "a"), 1);
	assert_string_equal(err("a3"), "no suitable node (max replicas per node limit exceed)");
	/* One that is to stop counts no longer, though it still runs. */
	set_task(&c, "a1", FL__TASK_STATE__RUNNING, FL__TASK_STATE__SHUTDOWN);
	cluster_run(&c);
	assert_int_equal(state_of("a3"), FL__TASK_STATE__ASSIGNED);
	assert_string_equal(get_task(&c, "a3")->node_id, get_task(&c, "a1")->node_id);
}

/* It holds what it reserved until it has stopped, though. */
static void test_resources(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .cpus = 4, .memory = 100});
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .cpus = 2, .memory = 10}, 3);
	cluster_run(&c);
	assert_string_equal(on("n1"), "a0 a1");
	assert_string_equal(err("a2"), "no suitable node (insufficient resources on 1 node)");
	set_task(&c, "a0", FL__TASK_STATE__RUNNING, FL__TASK_STATE__SHUTDOWN);
	cluster_run(&c);
	assert_int_equal(state_of("a2"), FL__TASK_STATE__PENDING);
	set_task(&c, "a0", FL__TASK_STATE__SHUTDOWN, FL__TASK_STATE__SHUTDOWN);
	cluster_run(&c);
	assert_string_equal(on("n1"), "a1 a2");
	/* A node that grows. */
	put_task(&c, (struct test_task){.id = "b", .service = "s", .memory = 90});
	cluster_run(&c);
	assert_int_equal(state_of("b"), FL__TASK_STATE__PENDING);
	put_node(&c, (struct test_node){.id = "n1", .cpus = 4, .memory = 110});
	cluster_run(&c);
	assert_string_equal(on("n1"), "a1 a2 b");
}

static void check_generics(const char *task, const char *expected)
{
	const Fl__Task *found = get_task(&c, task);
	char text[200] = "";

	for (size_t i = 0; i < found->n_generic_resources; i++) {
		const Fl__GenericResource *g = found->generic_resources[i];

		if (g->named_resource_spec)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s:%s ",
				 g->named_resource_spec->kind, g->named_resource_spec->value);
		else
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%d ",
				 g->discrete_resource_spec->kind,
				 (int)g->discrete_resource_spec->value);
	}
	assert_string_equal(text, expected);
}

static void test_generic_resources(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .generic = "ssd=4,gpu:x,gpu:y,gpu:z"});
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .generic = "gpu=2,ssd=1"}, 2);
	cluster_run(&c);
	check_generics("a0", "gpu:x gpu:y ssd=1 ");
	assert_string_equal(err("a1"), "no suitable node (insufficient resources on 1 node)");
	put_task(&c, (struct test_task){.id = "b", .service = "s2", .generic = "gpu=1,ssd=3"});
	put_task(&c, (struct test_task){.id = "d", .service = "s3", .generic = "ssd=1"});
	cluster_run(&c);
	check_generics("b", "gpu:z ssd=3 ");
	assert_int_equal(state_of("d"), FL__TASK_STATE__PENDING);
	set_task(&c, "a0", FL__TASK_STATE__COMPLETE, FL__TASK_STATE__RUNNING);
	cluster_run(&c);
	check_generics("a1", "gpu:x gpu:y ssd=1 ");
	/* By name. */
	set_task(&c, "a1", FL__TASK_STATE__COMPLETE, FL__TASK_STATE__RUNNING);
	put_task(&c, (struct test_task){.id = "e", .service = "s4", .generic = "gpu:y"});
	put_task(&c, (struct test_task){.id = "f", .service = "s5", .generic = "gpu:z"});
	cluster_run(&c);
	check_generics("e", "gpu:y ");
	assert_int_equal(state_of("f"), FL__TASK_STATE__PENDING);
}

static void test_host_ports(void **unused)
{
	(void)unused;
	three_nodes();
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .host_port = 8005}, 4);
	cluster_run(&c);
	assert_int_equal(count_on("n1", "a") + count_on("n2", "a") + count_on("n3", "a"), 3);
	assert_string_equal(err("a3"),
			    "no suitable node (host-mode port already in use on 3 nodes)");
	cluster_delete(&c, STORE_TASK, "a1");
	cluster_run(&c);
	assert_int_equal(state_of("a3"), FL__TASK_STATE__ASSIGNED);
}

static void test_platforms(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .platform = "linux/aarch64"});
	put_node(&c, (struct test_node){.id = "n2"});
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .platforms = "linux/amd64"}, 2);
	put_tasks(
	    &c,
	    (struct test_task){.id = "b", .service = "s2", .platforms = "linux/arm64,linux/386"},
	    2);
	cluster_run(&c);
	assert_string_equal(on("n1"), "b0 b1");
	assert_string_equal(on("n2"), "a0 a1");
}

static void test_availability(void **unused)
{
	(void)unused;
	put_node(
	    &c, (struct test_node){.id = "n1", .availability = FL__NODE_SPEC__AVAILABILITY__PAUSE});
	put_node(
	    &c, (struct test_node){.id = "n2", .availability = FL__NODE_SPEC__AVAILABILITY__DRAIN});
	put_node(&c, (struct test_node){.id = "n3", .down = true});
	put_task(&c, (struct test_task){.id = "t", .service = "s"});
	cluster_run(&c);
	assert_string_equal(err("t"), "no suitable node (3 nodes not available for new tasks)");
	put_node(&c, (struct test_node){.id = "n2"});
	cluster_run(&c);
	assert_string_equal(on("n2"), "t");
}

/* A global service's: only its node is asked. */
static void test_preassigned(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .cpus = 2});
	put_node(&c, (struct test_node){.id = "n2", .cpus = 100});
	put_task(&c, (struct test_task){.id = "free", .service = "f", .cpus = 1});
	put_task(&c, (struct test_task){.id = "g1", .service = "g", .node = "n1", .cpus = 2});
	put_task(&c, (struct test_task){.id = "g2", .service = "g", .node = "n2", .cpus = 2});
	put_task(&c, (struct test_task){.id = "g3", .service = "g", .node = "n3", .cpus = 2});
	cluster_run(&c);
	/* They go first, though they came later. */
	assert_string_equal(on("n1"), "g1");
	assert_string_equal(on("n2"), "free g2");
	assert_string_equal(get_task(&c, "g1")->status->message,
			    "scheduler confirmed task can run on preassigned node");
	assert_int_equal(state_of("g3"), FL__TASK_STATE__PENDING);
	put_task(&c, (struct test_task){.id = "h1", .service = "h", .node = "n1", .cpus = 1});
	cluster_run(&c);
	assert_string_equal(err("h1"), "insufficient resources on 1 node");
	set_task(&c, "g1", FL__TASK_STATE__FAILED, FL__TASK_STATE__RUNNING);
	put_node(&c, (struct test_node){.id = "n3"});
	cluster_run(&c);
	assert_int_equal(state_of("h1"), FL__TASK_STATE__ASSIGNED);
	assert_int_equal(state_of("g3"), FL__TASK_STATE__ASSIGNED);
}

static void fail_on(const char *node, const char *service, int times, uint64_t version)
{
	for (int i = 0; i < times; i++) {
		put_task(&c, (struct test_task){.id = "x",
						.service = service,
						.node = node,
						.spec_version = version,
						.state = FL__TASK_STATE__RUNNING});
		set_task(&c, "x", FL__TASK_STATE__FAILED, FL__TASK_STATE__RUNNING);
		cluster_delete(&c, STORE_TASK, "x");
	}
}

static void test_failures(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1"});
	put_node(&c, (struct test_node){.id = "n2"});
	/* n2 is the busier one. */
	put_task(&c,
		 (struct test_task){
		     .id = "y", .service = "y", .node = "n2", .state = FL__TASK_STATE__RUNNING});
	fail_on("n1", "s", 4, 1);
	put_task(&c, (struct test_task){.id = "a", .service = "s"});
	cluster_run(&c);
	assert_string_equal(on("n1"), "a"); /* four are not held against it */
	fail_on("n1", "s", 1, 1);
	put_tasks(&c, (struct test_task){.id = "b", .service = "s"}, 3);
	put_task(&c, (struct test_task){.id = "d", .service = "other"});
	cluster_run(&c);
	assert_int_equal(count_on("n2", "b"), 3);
	assert_string_equal(on("n1"), "a d");
	/* Another spec may do better; and in five minutes all is forgotten. */
	put_task(&c, (struct test_task){.id = "e", .service = "s", .spec_version = 2});
	cluster_run(&c);
	assert_string_equal(get_task(&c, "e")->node_id, "n1");
	c.now += 300 * SECOND;
	put_task(&c, (struct test_task){.id = "f", .service = "s"});
	cluster_run(&c);
	assert_string_equal(get_task(&c, "f")->node_id, "n1");
}

/* Failed tasks that the store still has tell a new leader as much. */
static void test_failures_after_reset(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1"});
	put_node(&c, (struct test_node){.id = "n2"});
	for (int i = 0; i < 5; i++) {
		char id[16];

		snprintf(id, sizeof(id), "x%d", i);
		put_task(&c, (struct test_task){.id = id,
						.service = "s",
						.node = "n1",
						.state = FL__TASK_STATE__FAILED});
	}
	assert_int_equal(scheduler_reset(c.scheduler, view(&c), c.now), 0);
	put_tasks(&c, (struct test_task){.id = "a", .service = "s"}, 2);
	cluster_run(&c);
	assert_string_equal(on("n2"), "a0 a1");
}

/* Another's change comes between a decision and its entry: the decision falls, and is taken again.
 */
static void test_overtaken(void **unused)
{
	struct transaction *transaction;
	int64_t next;
	(void)unused;

	put_node(&c, (struct test_node){.id = "n1", .cpus = 1});
	put_task(&c, (struct test_task){.id = "a", .service = "s", .cpus = 1});
	assert_int_equal(scheduler_run(c.scheduler, c.now, &transaction, &next), 0);
	assert_non_null(transaction);
	set_task(&c, "a", FL__TASK_STATE__PENDING, FL__TASK_STATE__READY);
	{
		/* One at a time. */
		struct transaction *second;

		assert_int_equal(scheduler_run(c.scheduler, c.now, &second, &next), 0);
		assert_null(second);
	}
	assert_int_equal(cluster_apply(&c, transaction, false), 1);
	assert_int_equal(scheduler_settle(c.scheduler, view(&c), c.now), 0);
	assert_int_equal(state_of("a"), FL__TASK_STATE__PENDING);
	cluster_run(&c);
	assert_string_equal(on("n1"), "a");
}

/* The entry is lost: what it held on nodes is free again. */
static void test_lost(void **unused)
{
	struct transaction *transaction;
	struct scheduler_status status;
	int64_t next;
	(void)unused;

	put_node(&c, (struct test_node){.id = "n1", .cpus = 1});
	put_task(&c, (struct test_task){.id = "a", .service = "s", .cpus = 1});
	for (int i = 0; i < 3; i++) {
		assert_int_equal(scheduler_run(c.scheduler, c.now, &transaction, &next), 0);
		assert_non_null(transaction);
		transaction_free(transaction);
		scheduler_get_status(c.scheduler, &status);
		assert_int_equal(status.in_flight, 1);
		assert_int_equal(scheduler_settle(c.scheduler, view(&c), c.now), 0);
		scheduler_get_status(c.scheduler, &status);
		assert_int_equal(status.waiting, 1);
		assert_int_equal(status.in_flight, 0);
	}
	cluster_run(&c);
	assert_string_equal(on("n1"), "a");
}

/* Nodes that go and come back with tasks on them. */
static void test_node_returns(void **unused)
{
	(void)unused;
	put_task(&c, (struct test_task){.id = "a",
					.service = "s",
					.cpus = 3,
					.node = "n1",
					.state = FL__TASK_STATE__RUNNING});
	put_node(&c, (struct test_node){.id = "n1", .cpus = 4}); /* after its task */
	put_task(&c, (struct test_task){.id = "b", .service = "s", .cpus = 2});
	cluster_run(&c);
	assert_int_equal(state_of("b"), FL__TASK_STATE__PENDING);
	cluster_delete(&c, STORE_NODE, "n1");
	cluster_run(&c);
	assert_string_equal(err("b"), "no suitable node");
	put_node(&c, (struct test_node){.id = "n1", .cpus = 5});
	cluster_run(&c);
	assert_string_equal(on("n1"), "a b");
}

/* More than one entry takes. */
static void test_batches(void **unused)
{
	enum { TASKS = 5000 };
	struct scheduler_status status;
	size_t turns = 0;
	(void)unused;

	three_nodes();
	put_tasks(&c, (struct test_task){.id = "t", .service = "s"}, TASKS);
	while (turn_scheduler(&c))
		turns++;
	assert_int_equal(turns, 3);
	assert_int_equal(count_on("n1", "t") + count_on("n2", "t") + count_on("n3", "t"), TASKS);
	assert_true(count_on("n1", "t") - TASKS / 3 <= 1);
	scheduler_get_status(c.scheduler, &status);
	assert_int_equal(status.waiting + status.parked + status.in_flight, 0);
}

/* --- The enforcer --- */

static void check_rejected(const char *task)
{
	assert_int_equal(state_of(task), FL__TASK_STATE__REJECTED);
	assert_string_equal(get_task(&c, task)->status->message,
			    "task rejected by constraint enforcer");
	assert_string_equal(err(task), "assigned node no longer meets constraints");
	assert_int_equal(get_task(&c, task)->desired_state, FL__TASK_STATE__RUNNING);
}

static void test_enforce_labels(void **unused)
{
	const char *const constraint = "node.labels.zone==a";
	(void)unused;

	three_nodes();
	put_task(&c, (struct test_task){.id = "a",
					.service = "s",
					.node = "n1",
					.constraints = constraint,
					.state = FL__TASK_STATE__RUNNING});
	put_task(&c,
		 (struct test_task){
		     .id = "b", .service = "s2", .node = "n1", .state = FL__TASK_STATE__RUNNING});
	put_task(&c, (struct test_task){.id = "d",
					.service = "s",
					.node = "n1",
					.constraints = constraint,
					.state = FL__TASK_STATE__COMPLETE});
	cluster_run(&c);
	assert_int_equal(state_of("a"), FL__TASK_STATE__RUNNING);
	/* Paused and drained nodes are others' business. */
	put_node(&c, (struct test_node){.id = "n1",
					.labels = "zone=b",
					.availability = FL__NODE_SPEC__AVAILABILITY__PAUSE});
	cluster_run(&c);
	assert_int_equal(state_of("a"), FL__TASK_STATE__RUNNING);
	put_node(&c, (struct test_node){.id = "n1", .labels = "zone=b"});
	cluster_run(&c);
	check_rejected("a");
	assert_int_equal(state_of("b"), FL__TASK_STATE__RUNNING);
	assert_int_equal(state_of("d"), FL__TASK_STATE__COMPLETE);
}

static void test_enforce_resources(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .memory = 100, .generic = "gpu:x,gpu:y"});
	put_tasks(&c, (struct test_task){.id = "a", .service = "s", .memory = 40}, 2);
	put_tasks(&c, (struct test_task){.id = "g", .service = "g", .generic = "gpu=1"}, 2);
	cluster_run(&c);
	assert_string_equal(on("n1"), "a0 a1 g0 g1");
	put_node(&c, (struct test_node){.id = "n1", .memory = 60, .generic = "gpu:y"});
	cluster_run(&c);
	check_rejected("a1");
	check_rejected("g0");
	assert_string_equal(on("n1"), "a0 g1");
}

/* The node changes while a task is on its way to it. */
static void test_enforce_after_placement(void **unused)
{
	struct transaction *transaction;
	int64_t next;
	(void)unused;

	put_node(&c, (struct test_node){.id = "n1", .labels = "zone=a"});
	put_task(&c, (struct test_task){
			 .id = "a", .service = "s", .constraints = "node.labels.zone==a"});
	assert_int_equal(scheduler_run(c.scheduler, c.now, &transaction, &next), 0);
	put_node(&c, (struct test_node){.id = "n1", .labels = "zone=b"});
	assert_false(turn_enforcer(&c));
	assert_int_equal(cluster_apply(&c, transaction, false), 0);
	assert_int_equal(scheduler_settle(c.scheduler, view(&c), c.now), 0);
	assert_int_equal(state_of("a"), FL__TASK_STATE__ASSIGNED);
	cluster_run(&c);
	check_rejected("a");
}

/* A new leader looks at all. */
static void test_enforce_after_reset(void **unused)
{
	(void)unused;
	put_node(&c, (struct test_node){.id = "n1", .worker = true});
	put_task(&c, (struct test_task){.id = "a",
					.service = "s",
					.node = "n1",
					.constraints = "node.role==manager",
					.state = FL__TASK_STATE__RUNNING});
	enforcer_free(c.enforcer);
	c.enforcer = enforcer_new();
	cluster_run(&c);
	assert_int_equal(state_of("a"), FL__TASK_STATE__RUNNING);
	assert_int_equal(enforcer_reset(c.enforcer, view(&c)), 0);
	cluster_run(&c);
	check_rejected("a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_assigned),
	    TEST(test_not_ours),
	    TEST(test_spread_over_nodes),
	    TEST(test_spread_over_labels),
	    TEST(test_spread_nested),
	    TEST(test_spread_full_branch),
	    TEST(test_reasons),
	    TEST(test_no_nodes),
	    TEST(test_max_replicas),
	    TEST(test_resources),
	    TEST(test_generic_resources),
	    TEST(test_host_ports),
	    TEST(test_platforms),
	    TEST(test_availability),
	    TEST(test_preassigned),
	    TEST(test_failures),
	    TEST(test_failures_after_reset),
	    TEST(test_overtaken),
	    TEST(test_lost),
	    TEST(test_node_returns),
	    TEST(test_batches),
	    TEST(test_enforce_labels),
	    TEST(test_enforce_resources),
	    TEST(test_enforce_after_placement),
	    TEST(test_enforce_after_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
