/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_CLUSTER_H
#define FL_TEST_CLUSTER_H
/* A store with its leader's loops around it, for tests of these: entries are applied at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "allocator.h"
#include "enforcer.h"
#include "object.h"
#include "scheduler.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND       1000000000LL

struct cluster {
	struct store *store;
	uint64_t index;
	int64_t now;
	struct scheduler *scheduler; /* each may be NULL */
	struct allocator *allocator;
	struct enforcer *enforcer;
	/* Of each entry that a loop proposed, before the loops hear of it; may be NULL. */
	void (*watch)(struct cluster *cluster, const struct store_event *events, size_t count);
	void *watcher;
};

/* Text for a message's field. */
static inline char *t(const char *text)
{
	return (char *)(uintptr_t)text;
}

static inline void cluster_open(struct cluster *c)
{
	*c = (struct cluster){.store = store_new(), .now = 1000 * SECOND};
	assert_non_null(c->store);
}

static inline void cluster_close(struct cluster *c)
{
	scheduler_free(c->scheduler);
	allocator_free(c->allocator);
	enforcer_free(c->enforcer);
	store_free(c->store);
}

static inline const struct store_view *view(const struct cluster *c)
{
	return store_now(c->store);
}

/* Applies and frees it, and tells all loops. How many changes failed. */
static inline size_t cluster_apply(struct cluster *c, struct transaction *transaction, bool watched)
{
	struct store_result result = {0};
	size_t size, failed = 0;
	const void *bytes = transaction_bytes(transaction, &size);

	assert_int_equal(store_apply(c->store, ++c->index, bytes, size, &result), 0);
	transaction_free(transaction);
	for (size_t i = 0; i < result.change_count; i++)
		failed += result.outcomes[i] != STORE_DONE;
	if (watched && c->watch)
		c->watch(c, result.events, result.event_count);
	if (c->scheduler)
		assert_int_equal(scheduler_handle(c->scheduler, view(c), result.events,
						  result.event_count, c->now),
				 0);
	if (c->allocator)
		assert_int_equal(
		    allocator_handle(c->allocator, result.events, result.event_count, c->now), 0);
	if (c->enforcer)
		assert_int_equal(enforcer_handle(c->enforcer, result.events, result.event_count),
				 0);
	store_result_clear(&result);
	return failed;
}

static inline void cluster_add(const struct cluster *c, struct transaction *transaction,
			       ProtobufCMessage *message)
{
	struct object_message *object = (struct object_message *)message;
	const struct object_message *old =
	    store_get(view(c), store_table_of(message->descriptor), object->id);

	if (old)
		object->version = old->version;
	assert_int_equal(old ? transaction_update(transaction, message)
			     : transaction_create(transaction, message),
			 0);
}

/* Creates it, or updates what there is of its id. */
static inline void cluster_put(struct cluster *c, ProtobufCMessage *message)
{
	struct transaction *transaction = transaction_new(c->now, false);

	assert_non_null(transaction);
	cluster_add(c, transaction, message);
	assert_int_equal(cluster_apply(c, transaction, false), 0);
}

static inline void cluster_delete(struct cluster *c, enum store_table table, const char *id)
{
	struct transaction *transaction = transaction_new(c->now, false);

	assert_non_null(transaction);
	assert_int_equal(transaction_delete(transaction, table, id, 0), 0);
	assert_int_equal(cluster_apply(c, transaction, false), 0);
}

/* One turn of one loop. Whether it proposed something. */
static inline bool turn_scheduler(struct cluster *c)
{
	struct transaction *transaction;
	int64_t next;

	assert_int_equal(scheduler_run(c->scheduler, c->now, &transaction, &next), 0);
	if (!transaction)
		return next <= c->now;
	cluster_apply(c, transaction, true);
	assert_int_equal(scheduler_settle(c->scheduler, view(c), c->now), 0);
	return true;
}

static inline bool turn_allocator(struct cluster *c)
{
	struct transaction *transaction;
	int64_t next;

	assert_int_equal(allocator_run(c->allocator, c->now, &transaction, &next), 0);
	if (!transaction)
		return next <= c->now;
	cluster_apply(c, transaction, true);
	assert_int_equal(allocator_settle(c->allocator, view(c), c->now), 0);
	return true;
}

static inline bool turn_enforcer(struct cluster *c)
{
	struct transaction *transaction;

	assert_int_equal(enforcer_run(c->enforcer, view(c), c->now, &transaction), 0);
	if (!transaction)
		return false;
	cluster_apply(c, transaction, true);
	enforcer_settle(c->enforcer);
	return true;
}

/* Until none of them has anything to do, with what waits for a retry tried once more. */
static inline void cluster_run(struct cluster *c)
{
	bool busy = true;

	c->now += SECOND;
	for (int turns = 0; busy; turns++) {
		assert_true(turns < 10000);
		busy = c->enforcer && turn_enforcer(c);
		busy = (c->allocator && turn_allocator(c)) || busy;
		busy = (c->scheduler && turn_scheduler(c)) || busy;
	}
}

static inline const Fl__Task *get_task(const struct cluster *c, const char *id)
{
	return store_get(view(c), STORE_TASK, id);
}

static inline const Fl__Service *get_service(const struct cluster *c, const char *id)
{
	return store_get(view(c), STORE_SERVICE, id);
}

static inline const Fl__Network *get_network(const struct cluster *c, const char *id)
{
	return store_get(view(c), STORE_NETWORK, id);
}

/* Random numbers that a seed replays (Vigna's splitmix64). */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Printed, and of FL_SEED if that is given. */
static inline uint64_t random_seed(void)
{
	const char *given = getenv("FL_SEED");
	const uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

	print_message("FL_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static inline double seconds_since(const struct timespec *begin)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - begin->tv_sec) + (double)(end.tv_nsec - begin->tv_nsec) / 1e9;
}
#endif
