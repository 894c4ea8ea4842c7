/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No memory, at each allocation of a run in turn: it says so, and decides the same when there is
 * some again. The linker sends malloc and its kin here (--wrap).
 */
#include "orchestrator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "task.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

static unsigned fail_at, count; /* fail_at 0: never */

static bool fails(void)
{
	return fail_at && ++count == fail_at;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
	return fails() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t number, size_t size)
{
	return fails() ? NULL : __real_reallocarray(memory, number, size);
}

static int count_up(void *context, void *bytes, size_t size)
{
	uint64_t *next = context;

	memset(bytes, 0, size);
	++*next;
	memcpy(bytes, next, sizeof(*next));
	return 0;
}

static bool fits(const Fl__Node *node, const Fl__TaskSpec *spec)
{
	return node && spec;
}

static void put_service(struct store *store, const char *id, uint64_t index, uint64_t replicas,
			const char *image, uint64_t version)
{
	struct transaction *transaction = transaction_new(1, false);
	struct store_result result = {0};
	Fl__ContainerSpec container = FL__CONTAINER_SPEC__INIT;
	Fl__TaskSpec task = FL__TASK_SPEC__INIT;
	Fl__ReplicatedService replicated = FL__REPLICATED_SERVICE__INIT;
	Fl__ServiceMode mode = FL__SERVICE_MODE__INIT;
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;
	size_t size;

	assert_non_null(transaction);
	container.image = (char *)(uintptr_t)image;
	task.container_spec = &container;
	replicated.has_replicas = true;
	replicated.replicas = replicas;
	mode.replicated = &replicated;
	spec.name = (char *)(uintptr_t)id;
	spec.task_template = &task;
	spec.mode = &mode;
	service.id = (char *)(uintptr_t)id;
	service.spec = &spec;
	service.version = version;
	if (version)
		assert_int_equal(transaction_update(transaction, &service.base), 0);
	else
		assert_int_equal(transaction_create(transaction, &service.base), 0);
	const void *bytes = transaction_bytes(transaction, &size);
	assert_int_equal(store_apply(store, index, bytes, size, &result), 0);
	assert_int_equal(result.outcomes[0], STORE_DONE);
	store_result_clear(&result);
	transaction_free(transaction);
}

/* A service of 100 tasks, of which 3 are too many, and that is to be updated; and a new one. */
static void fill(struct store *store, uint64_t *ids)
{
	struct orchestrator *orchestrator = orchestrator_new(
	    &(struct orchestrator_config){.random = count_up, .random_context = ids, .fits = fits});
	struct orchestrator_run run;
	struct store_result result = {0};
	size_t size;

	assert_non_null(orchestrator);
	put_service(store, "one", 1, 100, "app:1", 0);
	assert_int_equal(orchestrator_restart(orchestrator, store_now(store)), 0);
	assert_int_equal(orchestrator_run(orchestrator, store_now(store), 1, &run), 0);
	assert_int_equal(run.count, 1);
	const void *bytes = transaction_bytes(run.transactions[0], &size);
	assert_int_equal(store_apply(store, 2, bytes, size, &result), 0);
	store_result_clear(&result);
	transaction_free(run.transactions[0]);
	orchestrator_free(orchestrator);
	put_service(store, "one", 3, 97, "app:2", 1);
	put_service(store, "two", 4, 3, "app:1", 0);
}

/* Changes that it decides on, or -ENOMEM. */
static int decide(const struct store *store, struct orchestrator *orchestrator)
{
	struct orchestrator_run run;
	const int rc = orchestrator_run(orchestrator, store_now(store), 2, &run);
	int changes = 0;

	if (rc)
		return rc;
	for (size_t i = 0; i < run.count; i++) {
		changes += (int)transaction_count(run.transactions[i]);
		transaction_free(run.transactions[i]);
	}
	return changes;
}

/* From nothing to its decisions; where memory fails, the call is made again. */
static int start_and_decide(const struct store *store, uint64_t *ids, unsigned *failures)
{
	struct orchestrator *orchestrator;
	int rc;

	do {
		orchestrator = orchestrator_new(&(struct orchestrator_config){
		    .random = count_up, .random_context = ids, .fits = fits});
		*failures += !orchestrator;
	} while (!orchestrator);
	while ((rc = orchestrator_restart(orchestrator, store_now(store)))) {
		assert_int_equal(rc, -ENOMEM);
		++*failures;
	}
	while ((rc = decide(store, orchestrator)) == -ENOMEM)
		++*failures;
	orchestrator_free(orchestrator);
	return rc;
}

static void test_each_allocation(void **state)
{
	struct store *store = store_new();
	uint64_t ids = 0;
	unsigned failures = 0, failed = 0;
	int wanted;

	(void)state;
	fill(store, &ids);
	wanted = start_and_decide(store, &ids, &failures);
	assert_int_equal(failures, 0);
	/* One task of the first is updated, three go; the new one gets its three; and the status.
	 */
	assert_int_equal(wanted, 2 + 3 + 3 + 1);
	do {
		failures = 0;
		count = 0;
		fail_at++;
		assert_int_equal(start_and_decide(store, &ids, &failures), wanted);
		assert_in_range(failures, 0, 1);
		failed += failures;
	} while (failures);
	print_message("%u allocations failed, one after the other\n", failed);
	assert_in_range(failed, 8, 10000);
	fail_at = 0;
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
