/* SPDX-License-Identifier: BSD-2-Clause */
/* The leader's loops without memory, at each of their allocations in turn: -ENOMEM, a reset, and
 * all is as if nothing had been. Under ASan, nothing is lost on the way either. */
#include <errno.h>

#include "allocation.h"
#include "placement.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

static long allocations_left = -1; /* negative: as many as one likes */

static bool may_allocate(void)
{
	return allocations_left < 0 || (allocations_left && allocations_left--);
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
	return may_allocate() ? __real_realloc(memory, size) : NULL;
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return may_allocate() ? __real_reallocarray(memory, count, size) : NULL;
}

/* What a loop proposed goes to the store with memory to spare. */
static int apply(struct cluster *c, struct transaction *transaction)
{
	struct store_result result = {0};
	const long left = allocations_left;
	size_t size;
	const void *bytes = transaction_bytes(transaction, &size);
	int rc;

	allocations_left = -1;
	assert_int_equal(store_apply(c->store, ++c->index, bytes, size, &result), 0);
	transaction_free(transaction);
	allocations_left = left;
	rc = scheduler_handle(c->scheduler, view(c), result.events, result.event_count, c->now);
	if (!rc)
		rc = allocator_handle(c->allocator, result.events, result.event_count, c->now);
	if (!rc)
		rc = enforcer_handle(c->enforcer, result.events, result.event_count);
	allocations_left = -1;
	store_result_clear(&result);
	allocations_left = left;
	return rc;
}

static int turn(struct cluster *c, bool *busy)
{
	struct transaction *transaction;
	int64_t next;
	int rc = allocator_run(c->allocator, c->now, &transaction, &next);

	if (!rc && transaction) {
		*busy = true;
		rc = apply(c, transaction);
		return rc ? rc : allocator_settle(c->allocator, view(c), c->now);
	}
	if (!rc)
		rc = scheduler_run(c->scheduler, c->now, &transaction, &next);
	if (!rc && transaction) {
		*busy = true;
		rc = apply(c, transaction);
		return rc ? rc : scheduler_settle(c->scheduler, view(c), c->now);
	}
	if (!rc)
		rc = enforcer_run(c->enforcer, view(c), c->now, &transaction);
	if (!rc && transaction) {
		*busy = true;
		rc = apply(c, transaction);
		enforcer_settle(c->enforcer);
	}
	return rc;
}

static int reset(struct cluster *c)
{
	int rc = scheduler_reset(c->scheduler, view(c), c->now);

	if (!rc)
		rc = allocator_reset(c->allocator, view(c), c->now);
	return rc ? rc : enforcer_reset(c->enforcer, view(c));
}

static void fill(struct cluster *c)
{
	put_node(c, (struct test_node){.id = "n1", .labels = "zone=a", .generic = "gpu:x,gpu:y"});
	put_node(c, (struct test_node){.id = "n2", .labels = "zone=b"});
	put_network(c, (struct test_network){.id = "in", .ingress = true});
	put_network(c, (struct test_network){.id = "app", .subnets = "192.0.2.0/28"});
	put_network(c, (struct test_network){.id = "bad", .subnets = "192.0.2.0/29"});
	put_service(c, (struct test_service){.id = "s", .networks = "app", .ports = ":80,8000:81"});
	put_service(c, (struct test_service){.id = "s2", .networks = "bad"});
	put_new_task(c, "a", "s");
	put_new_task(c, "b", "s2");
	put_tasks(
	    c,
	    (struct test_task){
		.id = "p", .service = "x", .generic = "gpu=1", .preferences = "node.labels.zone"},
	    3);
	put_task(c, (struct test_task){.id = "r",
				       .service = "y",
				       .node = "n1",
				       .constraints = "node.labels.zone==b",
				       .state = FL__TASK_STATE__RUNNING});
}

static void check(const struct cluster *c)
{
	assert_string_equal(get_task(c, "p0")->node_id, "n1");
	assert_string_equal(get_task(c, "p1")->node_id, "n1");
	assert_int_equal(get_task(c, "p2")->status->state, FL__TASK_STATE__PENDING);
	assert_non_null(get_task(c, "p2")->status->err);
	assert_int_equal(get_task(c, "r")->status->state, FL__TASK_STATE__REJECTED);
	assert_int_equal(get_task(c, "a")->status->state, FL__TASK_STATE__ASSIGNED);
	assert_int_equal(get_task(c, "b")->status->state, FL__TASK_STATE__NEW);
	assert_non_null(get_service(c, "s2")->allocation_error);
	assert_int_equal(get_service(c, "s")->endpoint->ports[0]->published_port, 30000);
}

/* Whether it failed at all. */
static bool run(long allocations)
{
	struct cluster c;
	bool busy = true, failed = false;
	int rc;

	cluster_open(&c);
	fill(&c);
	c.scheduler = scheduler_new();
	c.allocator = allocator_new();
	c.enforcer = enforcer_new();
	allocations_left = allocations;
	rc = reset(&c);
	for (int turns = 0; busy || rc; turns++) {
		assert_true(turns < 1000);
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			failed = true;
			allocations_left = -1;
			rc = reset(&c);
			assert_int_equal(rc, 0);
		}
		c.now += SECOND;
		busy = false;
		rc = turn(&c, &busy);
	}
	allocations_left = -1;
	check(&c);
	cluster_close(&c);
	return failed;
}

static void test_each_allocation(void **unused)
{
	long allocations = 0;
	(void)unused;

	while (run(allocations))
		allocations++;
	print_message("%ld allocations, each failed once\n", allocations);
	assert_true(allocations > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
