/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over what the store reads. First byte even: the rest is a log entry, applied twice on a
 * small store; two managers must agree, and the outcome must live through a snapshot. Odd: the rest
 * is the records of a snapshot, whose head and sum are made right, so that the fuzzer gets past
 * them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "transaction.h"

enum { STREAM_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

static size_t snapshot_of(const struct store *store, uint8_t *bytes)
{
	struct store_snapshot *snapshot = store_snapshot_new(store_now(store));
	size_t size;

	check(snapshot && !store_snapshot_read(snapshot, bytes, STREAM_MAX, &size));
	store_snapshot_free(snapshot);
	return size;
}

static int restore_from(struct store *store, const uint8_t *bytes, size_t size)
{
	struct store_restore *restore = store_restore_new();
	int rc;

	check(restore != NULL);
	rc = store_restore_write(restore, bytes, size / 2);
	if (!rc)
		rc = store_restore_write(restore, bytes + size / 2, size - size / 2);
	if (!rc)
		rc = store_restore_finish(restore, store);
	store_restore_free(restore);
	return rc;
}

/* What is in the store comes through a snapshot as it is. */
static void check_round(const struct store *store)
{
	uint8_t *bytes = malloc(STREAM_MAX), *again = malloc(STREAM_MAX);
	struct store *copy = store_new();
	size_t size;

	check(bytes && again && copy);
	size = snapshot_of(store, bytes);
	if (size < STREAM_MAX) {
		check(restore_from(copy, bytes, size) == 0);
		check(snapshot_of(copy, again) == size && !memcmp(bytes, again, size));
	}
	store_free(copy);
	free(bytes);
	free(again);
}

static void fill(struct store *store)
{
	struct transaction *transaction = transaction_new(1, false);
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;
	Fl__Task task = FL__TASK__INIT;
	struct store_result result;
	const void *bytes;
	size_t size;

	spec.name = (char[]){"web"};
	service.id = (char[]){"s"};
	service.spec = &spec;
	task.id = (char[]){"t"};
	task.service_id = (char[]){"s"};
	check(transaction && !transaction_create(transaction, &service.base) &&
	      !transaction_create(transaction, &task.base));
	bytes = transaction_bytes(transaction, &size);
	check(store_apply(store, 1, bytes, size, &result) == 0 && result.event_count == 2);
	store_result_clear(&result);
	transaction_free(transaction);
}

static void check_events(const struct store_result *result)
{
	size_t done = 0;

	for (size_t i = 0; i < result->change_count; i++) {
		check(result->outcomes[i] <= STORE_ABANDONED);
		done += result->outcomes[i] == STORE_DONE;
	}
	check(result->event_count <= done);
	for (size_t i = 0; i < result->event_count; i++)
		check(result->events[i].before || result->events[i].after);
}

static void fuzz_entry(const uint8_t *data, size_t size)
{
	struct store *stores[2] = {store_new(), store_new()};
	uint8_t *bytes[2] = {malloc(STREAM_MAX), malloc(STREAM_MAX)};
	size_t sizes[2];

	for (int i = 0; i < 2; i++) {
		check(stores[i] && bytes[i]);
		fill(stores[i]);
		for (uint64_t index = 2; index < 4; index++) {
			struct store_result result;
			const int rc = store_apply(stores[i], index, data, size, &result);

			check(rc == 0 || rc == -74); /* -EBADMSG */
			check(store_view_index(store_now(stores[i])) == index);
			if (rc)
				continue;
			check_events(&result);
			store_result_clear(&result);
		}
		sizes[i] = snapshot_of(stores[i], bytes[i]);
	}
	check(sizes[0] == sizes[1] && !memcmp(bytes[0], bytes[1], sizes[0]));
	check_round(stores[0]);
	for (int i = 0; i < 2; i++) {
		store_free(stores[i]);
		free(bytes[i]);
	}
}

static void put_u64(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

/* The first byte of data says how many objects there are. */
static void fuzz_snapshot(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(24 + size + 5 + 8);
	struct store *store = store_new();
	uint64_t sum = 0xcbf29ce484222325;

	check(bytes && store);
	memcpy(bytes, "FLSTORE1", 8);
	put_u64(bytes + 8, 100);
	put_u64(bytes + 16, data[0]);
	memcpy(bytes + 24, data + 1, size - 1);
	size += 23;
	memset(bytes + size, 0, 5);
	size += 5;
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	put_u64(bytes + size, sum);
	if (!restore_from(store, bytes, size + 8))
		check_round(store);
	store_free(store);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		fuzz_snapshot(data + 1, size - 1);
	else
		fuzz_entry(data + 1, size - 1);
	return 0;
}
