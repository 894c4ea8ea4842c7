/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_STORE_FIXTURE_H
#define FL_TEST_STORE_FIXTURE_H
/* A store, a transaction in the making, and short words for what tests do with them. */
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "transaction.h"

#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Text for a message's field. */
static inline char *t(const char *text)
{
	return (char *)(uintptr_t)text;
}

static struct store *store;
static struct transaction *transaction;
static uint64_t next_index;

static inline int setup(void **state)
{
	(void)state;
	store = store_new();
	transaction = transaction_new(1000, false);
	next_index = 1;
	return store && transaction ? 0 : -1;
}

static inline int teardown(void **state)
{
	(void)state;
	store_free(store);
	transaction_free(transaction);
	return 0;
}

static inline void begin(int64_t time, bool atomic)
{
	transaction_free(transaction);
	transaction = transaction_new(time, atomic);
	assert_non_null(transaction);
}

static inline struct store_result apply(void)
{
	struct store_result result = {0};
	size_t size;
	const void *bytes = transaction_bytes(transaction, &size);

	assert_int_equal(store_apply(store, next_index, bytes, size, &result), 0);
	assert_int_equal(result.index, next_index);
	assert_int_equal(result.change_count, transaction_count(transaction));
	assert_int_equal(store_view_index(store_now(store)), next_index);
	next_index++;
	begin((int64_t)next_index * 1000, false);
	return result;
}

/* One change; its outcome. */
static inline enum store_outcome apply_one(void)
{
	struct store_result result = apply();
	const enum store_outcome outcome = (enum store_outcome)result.outcomes[0];

	assert_int_equal(result.change_count, 1);
	assert_int_equal(result.event_count, outcome == STORE_DONE);
	store_result_clear(&result);
	return outcome;
}

static inline void add_service(const char *id, const char *name)
{
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;

	spec.name = t(name);
	service.id = t(id);
	service.spec = &spec;
	assert_int_equal(transaction_create(transaction, &service.base), 0);
}

static inline void add_task(const char *id, const char *service, uint64_t slot, const char *node)
{
	Fl__Task task = FL__TASK__INIT;

	task.id = t(id);
	task.service_id = t(service);
	task.has_slot = slot > 0;
	task.slot = slot;
	task.node_id = t(node);
	task.has_desired_state = true;
	task.desired_state = FL__TASK_STATE__RUNNING;
	assert_int_equal(transaction_create(transaction, &task.base), 0);
}

static inline const Fl__Service *service(const char *id)
{
	return store_get(store_now(store), STORE_SERVICE, id);
}

/* "a b c" of a service's, node's, ... objects, in order. */
static inline void check_index(enum store_index index, const char *key, const char *expected)
{
	struct store_iterator i;
	const Fl__Task *object; /* all begin alike */
	char found[400] = "";

	store_iterate_index(store_now(store), index, key, &i);
	while ((object = store_next(&i)))
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
			 found[0] ? " " : "", object->id);
	assert_string_equal(found, expected);
	assert_null(store_next(&i));
}
#endif
