/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No memory, at each allocation in turn: the store says so and is as it was; the same entry applies
 * when there is memory again. The linker sends malloc, calloc and realloc here (--wrap).
 */
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json_map.h"
#include "transaction.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static unsigned fail_at, count; /* fail_at 0: never */

static int fails(void)
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

static char *t(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void add_service(struct transaction *transaction, char *id, char *name)
{
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;

	spec.name = name;
	service.id = id;
	service.spec = &spec;
	assert_int_equal(transaction_create(transaction, &service.base), 0);
}

static void add_tasks(struct transaction *transaction, unsigned from, unsigned to)
{
	for (; from < to; from++) {
		Fl__Task task = FL__TASK__INIT;
		char id[16];

		snprintf(id, sizeof(id), "t%03u", from * 37 % 200);
		task.id = id;
		task.service_id = t("s1");
		task.has_slot = true;
		task.slot = from;
		assert_int_equal(transaction_create(transaction, &task.base), 0);
	}
}

static size_t snapshot(const struct store *store, uint8_t *bytes, size_t size)
{
	struct store_snapshot *snapshot = store_snapshot_new(store_now(store));
	size_t got;

	assert_non_null(snapshot);
	assert_int_equal(store_snapshot_read(snapshot, bytes, size, &got), 0);
	assert_true(got < size);
	store_snapshot_free(snapshot);
	return got;
}

/* Creates, an update, deletes out of the middle of trees that a held view shares. */
static struct transaction *everything(const struct store *store, bool atomic)
{
	struct transaction *transaction = transaction_new(2, atomic);
	Fl__Service service =
	    *(const Fl__Service *)store_get(store_now(store), STORE_SERVICE, "s1");
	char id[16];

	assert_non_null(transaction);
	service.has_pending_delete = true;
	assert_int_equal(transaction_update(transaction, &service.base), 0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "t%03u", i * 37 % 200);
		assert_int_equal(transaction_delete(transaction, STORE_TASK, id, 0), 0);
	}
	add_tasks(transaction, 60, 70);
	add_service(transaction, t("s2"), t("two"));
	if (atomic)
		add_service(transaction, t("s3"), t("TWO"));
	return transaction;
}

static void check_apply(bool atomic)
{
	static uint8_t before[1 << 16], after[1 << 16];
	struct store *store = store_new();
	struct transaction *transaction = transaction_new(1, false);
	const struct store_view *held;
	struct store_result result = {0};
	size_t size, before_size;
	const void *bytes;
	unsigned tries = 1;
	int rc;

	assert_non_null(store);
	assert_non_null(transaction);
	add_service(transaction, t("s1"), t("one"));
	add_tasks(transaction, 0, 60);
	bytes = transaction_bytes(transaction, &size);
	assert_int_equal(store_apply(store, 1, bytes, size, &result), 0);
	store_result_clear(&result);
	transaction_free(transaction);
	transaction = everything(store, atomic);
	bytes = transaction_bytes(transaction, &size);
	held = store_view_hold(store_now(store));
	before_size = snapshot(store, before, sizeof(before));
	for (;; tries++) {
		fail_at = tries;
		count = 0;
		rc = store_apply(store, 2, bytes, size, &result);
		fail_at = 0;
		if (!rc)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_ptr_equal(store_now(store), held);
		assert_null(result.events);
		assert_int_equal(snapshot(store, after, sizeof(after)), before_size);
		assert_memory_equal(before, after, before_size);
	}
	print_message("%u allocations failed in turn\n", tries - 1);
	assert_true(tries > 100);
	assert_int_equal(result.event_count, atomic ? 0 : 32);
	store_result_clear(&result);
	store_view_release(held);
	store_free(store);
	transaction_free(transaction);
}

static void test_apply(void **state)
{
	(void)state;
	check_apply(false);
	check_apply(true);
}

static void test_builder(void **state)
{
	struct transaction *transaction;
	size_t size;
	(void)state;

	fail_at = 1;
	count = 0;
	assert_null(transaction_new(1, false));
	fail_at = 2;
	count = 0;
	assert_null(transaction_new(1, false));
	fail_at = 0;
	transaction = transaction_new(1, false);
	assert_non_null(transaction);
	for (unsigned tries = 0; transaction_count(transaction) < 100; tries++) {
		const size_t had = transaction_count(transaction);
		int rc;

		fail_at = tries % 2;
		count = 0;
		rc = transaction_delete(transaction, STORE_TASK, "abcdefghijklmnopqrstuvwxy", 1);
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_int_equal(transaction_count(transaction), had + !rc);
	}
	fail_at = 0;
	transaction_bytes(transaction, &size);
	assert_int_equal(transaction_scan(transaction_bytes(transaction, &size), size), 100);
	transaction_free(transaction);
}

/* The map, decoding and encoding: NULL or -ENOMEM, and nothing is lost (LeakSanitizer). */
static void test_json(void **state)
{
	static const char text[] =
	    "{\"Name\":\"x\",\"Labels\":{\"a\":\"b\"},\"TaskTemplate\":{\"ContainerSpec\":{\"Env\":"
	    "[\"A\"],"
	    "\"Mounts\":[{\"TmpfsOptions\":{\"Options\":[[\"a\",\"b\"]]}}]}}}";
	struct json_map *map = NULL;
	ProtobufCMessage *message = NULL;
	json_t *json = NULL, *shown;
	unsigned tries;
	int rc = -1;
	(void)state;

	for (tries = 1; !map; tries++) {
		fail_at = tries;
		count = 0;
		map = json_map_new();
		fail_at = 0;
	}
	assert_int_equal(json_map_load(text, sizeof(text) - 1, &json, NULL), 0);
	for (tries = 1; rc; tries++) {
		struct problem problem = {0};

		fail_at = tries;
		count = 0;
		rc = json_map_decode(map, &fl__service_spec__descriptor, json, &message, &problem);
		fail_at = 0;
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_int_equal(problem.code, rc);
	}
	assert_true(tries > 10);
	shown = json_map_encode(map, message);
	assert_non_null(shown);
	json_decref(shown);
	json_decref(json);
	protobuf_c_message_free_unpacked(message, NULL);
	json_map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_apply),
	    cmocka_unit_test(test_builder),
	    cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
