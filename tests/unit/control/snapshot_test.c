/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots of the store: written, read back, damaged, and such as no store writes. */
#include "store_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In pieces of `piece` bytes; the caller frees. */
static uint8_t *read_snapshot(const struct store_view *view, size_t piece, size_t *size)
{
	struct store_snapshot *snapshot = store_snapshot_new(view);
	uint8_t *bytes = NULL;
	size_t got = 1;

	assert_non_null(snapshot);
	for (*size = 0; got; *size += got) {
		bytes = realloc(bytes, *size + piece);
		assert_non_null(bytes);
		assert_int_equal(store_snapshot_read(snapshot, bytes + *size, piece, &got), 0);
	}
	store_snapshot_free(snapshot);
	return bytes;
}

static int write_restore(const uint8_t *bytes, size_t size, size_t piece, struct store *into)
{
	struct store_restore *restore = store_restore_new();
	int rc = 0;

	assert_non_null(restore);
	for (size_t at = 0; at < size && !rc; at += piece)
		rc =
		    store_restore_write(restore, bytes + at, size - at < piece ? size - at : piece);
	if (!rc)
		rc = store_restore_finish(restore, into);
	else
		assert_int_equal(store_restore_finish(restore, into), rc);
	store_restore_free(restore);
	return rc;
}

static void fill(void)
{
	struct store_result result;

	add_service("s1", "web");
	add_service("s2", "db");
	for (unsigned i = 0; i < 50; i++) {
		char id[16];

		snprintf(id, sizeof(id), "t%02u", i);
		add_task(id, i % 2 ? "s1" : "s2", i + 1, i % 3 ? "n1" : NULL);
	}
	result = apply();
	assert_int_equal(result.event_count, 52);
	store_result_clear(&result);
}

static void test_snapshot(void **state)
{
	static const size_t pieces[] = {1, 7, 4096, 1 << 20};
	struct store *copy = store_new(), *mine = store;
	uint8_t *first, *again;
	size_t size, size_again;
	(void)state;

	assert_non_null(copy);
	fill();
	first = read_snapshot(store_now(store), 1000, &size);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		assert_int_equal(write_restore(first, size, pieces[i], copy), 0);
		assert_int_equal(store_view_index(store_now(copy)), 1);
		again = read_snapshot(store_now(copy), pieces[i], &size_again);
		assert_int_equal(size_again, size);
		assert_memory_equal(again, first, size);
		free(again);
	}
	store = copy;
	check_index(STORE_SERVICES_BY_NAME, "WEB", "s1");
	check_index(STORE_TASKS_BY_INSTANCE, "s1/2", "t01");
	assert_int_equal(store_count(store_now(store), STORE_TASK), 50);
	add_service("s3", "web");
	next_index = 2;
	assert_int_equal(apply_one(), STORE_NAME_CONFLICT);
	store = mine;
	store_free(copy);
	free(first);
}

/* Each byte damaged, and each beginning: refused, with the store as it was. */
static void test_damaged_snapshot(void **state)
{
	struct store *copy = store_new();
	uint8_t *bytes;
	size_t size;
	(void)state;

	assert_non_null(copy);
	fill();
	bytes = read_snapshot(store_now(store), 1000, &size);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 0x20;
		assert_int_equal(write_restore(bytes, size, size, copy), -EBADMSG);
		bytes[i] ^= 0x20;
		assert_int_equal(write_restore(bytes, i, size, copy), -EBADMSG);
	}
	bytes = realloc(bytes, size + 1);
	assert_non_null(bytes);
	bytes[size] = 0;
	assert_int_equal(write_restore(bytes, size + 1, 100, copy), -EBADMSG);
	assert_int_equal(store_view_index(store_now(copy)), 0);
	assert_int_equal(store_count(store_now(copy), STORE_TASK), 0);
	store_free(copy);
	free(bytes);
}

/* A stream whose sum is right, of these records. */
static int restore_records(const uint8_t *records, size_t size, uint64_t count)
{
	uint8_t bytes[1024] = "FLSTORE1";
	uint64_t sum = 0xcbf29ce484222325;
	struct store *copy = store_new();
	size_t used = 24;
	int rc;

	assert_non_null(copy);
	assert_true(size < sizeof(bytes) - 64);
	bytes[8] = 9; /* the index */
	bytes[16] = (uint8_t)count;
	memcpy(bytes + used, records, size);
	used += size + 5;
	for (size_t i = 0; i < used; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	for (size_t i = 0; i < 8; i++)
		bytes[used++] = (uint8_t)(sum >> 8 * i);
	rc = write_restore(bytes, used, 13, copy);
	store_free(copy);
	return rc;
}

/* table, id, version and service's name; appended to *records. */
static void add_record(uint8_t *records, size_t *size, enum store_table table, const char *id,
		       uint64_t version, const char *name)
{
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service object = FL__SERVICE__INIT;

	object.id = t(id);
	object.has_version = true;
	object.version = version;
	object.spec = name ? &spec : NULL;
	spec.name = t(name);
	memset(records + *size, 0, 5);
	records[*size] = (uint8_t)table;
	records[*size + 1] = (uint8_t)fl__service__get_packed_size(&object);
	*size += 5 + fl__service__pack(&object, records + *size + 5);
}

/* Records that no store writes. */
static void test_wrong_snapshot(void **state)
{
	static const struct {
		enum store_table table[2];
		const char *id[2], *name[2];
		uint64_t version, count;
		int rc;
	} cases[] = {
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "b"}, {"x", "y"}, 9, 2, 0},
	    {{STORE_SERVICE, STORE_TASK}, {"b", "a"}, {NULL, NULL}, 1, 2, 0},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "b"}, {"x", "X"}, 1, 2, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"b", "a"}, {"x", "y"}, 1, 2, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "a"}, {NULL, NULL}, 1, 2, -EBADMSG},
	    {{STORE_TASK, STORE_SERVICE}, {"a", "b"}, {NULL, NULL}, 1, 2, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "B"}, {NULL, NULL}, 1, 2, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "b"}, {NULL, NULL}, 10, 2, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "b"}, {NULL, NULL}, 0, 2, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "b"}, {NULL, NULL}, 1, 1, -EBADMSG},
	    {{STORE_SERVICE, STORE_SERVICE}, {"a", "b"}, {NULL, NULL}, 1, 3, -EBADMSG},
	    {{STORE_SERVICE, STORE_TABLES}, {"a", "b"}, {NULL, NULL}, 1, 2, -EBADMSG},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t records[256];
		size_t size = 0;

		for (int n = 0; n < 2; n++)
			add_record(records, &size, cases[i].table[n], cases[i].id[n],
				   cases[i].version, cases[i].name[n]);
		assert_int_equal(restore_records(records, size, cases[i].count), cases[i].rc);
	}
	/* Larger than any object: refused before memory is taken for it. */
	assert_int_equal(restore_records((const uint8_t[]){1, 0xff, 0xff, 0xff, 0xff}, 5, 1),
			 -EBADMSG);
}

/* Fields of a newer schema come through the log, an update and a snapshot. */
static void test_unknown_fields(void **state)
{
	ProtobufCMessageUnknownField unknown = {.tag = 900,
						.wire_type = PROTOBUF_C_WIRE_TYPE_VARINT,
						.len = 1,
						.data = (uint8_t *)"\x07"};
	Fl__Secret secret = FL__SECRET__INIT, copy;
	struct store *other = store_new(), *mine = store;
	uint8_t *bytes;
	size_t size;
	(void)state;

	assert_non_null(other);
	secret.id = t("x1");
	secret.base.n_unknown_fields = 1;
	secret.base.unknown_fields = &unknown;
	assert_int_equal(transaction_create(transaction, &secret.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	copy = *(const Fl__Secret *)store_get(store_now(store), STORE_SECRET, "x1");
	assert_int_equal(transaction_update(transaction, &copy.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	bytes = read_snapshot(store_now(store), 64, &size);
	assert_int_equal(write_restore(bytes, size, 64, other), 0);
	store = other;
	copy = *(const Fl__Secret *)store_get(store_now(store), STORE_SECRET, "x1");
	assert_int_equal(copy.base.n_unknown_fields, 1);
	assert_int_equal(copy.base.unknown_fields[0].tag, 900);
	assert_int_equal(copy.base.unknown_fields[0].data[0], 7);
	store = mine;
	store_free(other);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_snapshot),
	    STORE_TEST(test_damaged_snapshot),
	    STORE_TEST(test_wrong_snapshot),
	    STORE_TEST(test_unknown_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
