/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random transactions against the store and against a model so simple that it is seen to be right:
 * an array, and loops. Compared after each entry: outcomes, events, objects; now and then: every
 * index, views held from before, and a second manager, which sees the same entries or a snapshot.
 *
 *   FL_SEED=n test_store_random      replays a run; FL_STEPS=n makes it longer
 */
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transaction.h"

enum { SERVICES = 24, TASKS = 120, OBJECTS = SERVICES + TASKS, CHANGES = 8, VIEWS = 4 };

/* Objects 0 .. SERVICES-1 are services, the others tasks. A task's service is one that may not be.
 */
struct model_object {
	bool there;
	uint64_t version, spec_version;
	int64_t created, updated;
	char name[8];                 /* service: "" is none */
	unsigned networks;            /* service: a bit each of four */
	unsigned service, slot, node; /* task; slot 0: none; node 0: none */
	bool shutdown;
};

struct model {
	struct model_object object[OBJECTS];
};

static uint64_t seed, random_state;

static uint64_t random_next(void) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned below(unsigned bound)
{
	return (unsigned)(random_next() % bound);
}

static void id_of(unsigned i, char id[8])
{
	snprintf(id, 8, "%c%u", i < SERVICES ? 's' : 't', i);
}

static enum store_table table_of(unsigned i)
{
	return i < SERVICES ? STORE_SERVICE : STORE_TASK;
}

/* --- The model --- */

static bool same_name(const char *a, const char *b)
{
	return a[0] && !strcasecmp(a, b);
}

static enum store_outcome model_put(struct model *model, unsigned i, bool update, uint64_t base,
				    const struct model_object *wanted, uint64_t index, int64_t now)
{
	struct model_object *object = &model->object[i], before = *object;

	if (update && !before.there)
		return STORE_NOT_FOUND;
	if (update && before.version != base)
		return STORE_OUT_OF_SEQUENCE;
	if (!update && before.there)
		return STORE_EXISTS;
	for (unsigned other = 0; i < SERVICES && other < SERVICES; other++) {
		if (other != i && model->object[other].there &&
		    same_name(wanted->name, model->object[other].name))
			return STORE_NAME_CONFLICT;
	}
	*object = *wanted;
	object->there = true;
	object->version = index;
	object->created = update ? before.created : now;
	object->updated = now;
	object->spec_version =
	    update && !strcmp(before.name, wanted->name) && before.networks == wanted->networks
		? before.spec_version
		: index;
	return STORE_DONE;
}

static enum store_outcome model_remove(struct model *model, unsigned i, uint64_t base, bool check)
{
	struct model_object *object = &model->object[i];

	if (!object->there)
		return STORE_NOT_FOUND;
	if (base && object->version != base)
		return STORE_OUT_OF_SEQUENCE;
	if (!check)
		object->there = false;
	return STORE_DONE;
}

/* --- Building --- */

static void put_service(struct transaction *transaction, unsigned i, bool update, uint64_t base,
			const struct model_object *wanted)
{
	Fl__NetworkAttachmentConfig networks[4], *list[4];
	char ids[4][8], id[8], name[8];
	Fl__TaskSpec template = FL__TASK_SPEC__INIT;
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;

	for (unsigned n = 0; n < 4; n++) {
		if (!(wanted->networks & 1U << n))
			continue;
		fl__network_attachment_config__init(&networks[n]);
		snprintf(ids[n], sizeof(ids[n]), "net%u", n);
		networks[n].target = ids[n];
		list[template.n_networks++] = &networks[n];
	}
	id_of(i, id);
	memcpy(name, wanted->name, sizeof(name));
	template.networks = list;
	spec.name = name;
	spec.task_template = &template;
	service.id = id;
	service.spec = &spec;
	service.version = base;
	assert_int_equal(update ? transaction_update(transaction, &service.base)
				: transaction_create(transaction, &service.base),
			 0);
}

static void put_task(struct transaction *transaction, unsigned i, bool update, uint64_t base,
		     const struct model_object *wanted)
{
	Fl__Task task = FL__TASK__INIT;
	char id[8], service[8], node[8];

	id_of(i, id);
	id_of(wanted->service, service);
	snprintf(node, sizeof(node), "n%u", wanted->node);
	task.id = id;
	task.version = base;
	task.service_id = service;
	task.has_slot = wanted->slot > 0;
	task.slot = wanted->slot;
	task.node_id = wanted->node ? node : NULL;
	task.has_desired_state = true;
	task.desired_state = wanted->shutdown ? FL__TASK_STATE__SHUTDOWN : FL__TASK_STATE__RUNNING;
	assert_int_equal(update ? transaction_update(transaction, &task.base)
				: transaction_create(transaction, &task.base),
			 0);
}

static struct model_object random_object(unsigned i)
{
	struct model_object object = {0};

	if (i < SERVICES) {
		if (below(8))
			snprintf(object.name, sizeof(object.name), "%s%u", below(2) ? "a" : "A",
				 below(SERVICES));
		object.networks = below(16);
	} else {
		object.service = below(6);
		object.slot = below(4);
		object.node = below(5);
		object.shutdown = !below(3);
	}
	return object;
}

/* Adds a change to the transaction and does it to the model. */
static enum store_outcome random_change(struct transaction *transaction, struct model *model,
					uint64_t index, int64_t now)
{
	const unsigned i = below(3) ? SERVICES + below(TASKS) : below(SERVICES);
	const struct model_object wanted = random_object(i);
	const unsigned what = below(10);
	const bool update = model->object[i].there ? below(10) != 0 : !below(10);
	const uint64_t base = below(10) ? model->object[i].version : index - below(2);
	char id[8];

	id_of(i, id);
	if (what == 0) {
		assert_int_equal(transaction_check(transaction, table_of(i), id, base), 0);
		return model_remove(model, i, base, true);
	}
	if (what <= 2) {
		const uint64_t version = below(2) ? base : 0;

		assert_int_equal(transaction_delete(transaction, table_of(i), id, version), 0);
		return model_remove(model, i, version, false);
	}
	(i < SERVICES ? put_service : put_task)(transaction, i, update, base, &wanted);
	return model_put(model, i, update, base, &wanted, index, now);
}

/* --- Comparing --- */

static void check_object(const struct store_view *view, const struct model *model, unsigned i)
{
	const struct model_object *expected = &model->object[i];
	char id[8];
	const Fl__Service *service;

	id_of(i, id);
	service = store_get(view, table_of(i), id);
	assert_int_equal(service != NULL, expected->there);
	if (!service)
		return;
	assert_int_equal(service->version, expected->version);
	assert_int_equal(service->created_at, expected->created);
	assert_int_equal(service->updated_at, expected->updated);
	if (i < SERVICES) {
		assert_string_equal(service->spec->name ? service->spec->name : "", expected->name);
		assert_int_equal(service->spec_version, expected->spec_version);
	} else {
		const Fl__Task *task = store_get(view, STORE_TASK, id);

		assert_int_equal(task->slot, expected->slot);
		assert_int_equal(task->node_id != NULL, expected->node != 0);
	}
}

static bool is_of(const struct model_object *object, unsigned i, enum store_index index,
		  unsigned key)
{
	if (!object->there)
		return false;
	switch (index) {
	case STORE_SERVICES_BY_NETWORK:
		return i < SERVICES && (object->networks & 1U << key);
	case STORE_TASKS_BY_SERVICE:
		return i >= SERVICES && object->service == key;
	case STORE_TASKS_BY_NODE:
		return i >= SERVICES && object->node && object->node == key;
	case STORE_TASKS_BY_DESIRED:
		return i >= SERVICES && object->shutdown == (key == 1);
	case STORE_TASKS_BY_INSTANCE: /* key: 16 * service + slot */
		return i >= SERVICES && object->slot && object->service == key / 16 &&
		       object->slot == key % 16;
	default:
		return false;
	}
}

static void check_index(const struct store_view *view, const struct model *model,
			enum store_index index, const char *text, unsigned key)
{
	struct store_iterator iterator;
	const Fl__Task *object;
	size_t expected = 0, found = 0;
	char last[32] = "";

	for (unsigned i = 0; i < OBJECTS; i++)
		expected += is_of(&model->object[i], i, index, key);
	store_iterate_index(view, index, text, &iterator);
	for (; (object = store_next(&iterator)); found++) {
		const unsigned i = (unsigned)atoi(object->id + 1);

		assert_true(is_of(&model->object[i], i, index, key));
		assert_true(strcmp(last, object->id) < 0);
		snprintf(last, sizeof(last), "%s", object->id);
	}
	assert_int_equal(found, expected);
}

static void check_table(const struct store_view *view, const struct model *model,
			enum store_table table)
{
	struct store_iterator iterator;
	const Fl__Task *object;
	size_t expected = 0, found = 0;
	char last[32] = "";

	for (unsigned i = 0; i < OBJECTS; i++)
		expected += table_of(i) == table && model->object[i].there;
	store_iterate(view, table, &iterator);
	for (; (object = store_next(&iterator)); found++) {
		assert_true(strcmp(last, object->id) < 0);
		snprintf(last, sizeof(last), "%s", object->id);
	}
	assert_int_equal(found, expected);
	assert_int_equal(store_count(view, table), expected);
}

static void check_names(const struct store_view *view, const struct model *model)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		const struct model_object *object = &model->object[i];
		struct store_iterator iterator;
		const Fl__Service *found;

		if (!object->there || !object->name[0])
			continue;
		store_iterate_index(view, STORE_SERVICES_BY_NAME, object->name, &iterator);
		found = store_next(&iterator);
		assert_non_null(found);
		assert_int_equal(atoi(found->id + 1), i);
		assert_null(store_next(&iterator));
	}
}

static void check_view(const struct store_view *view, const struct model *model)
{
	char text[STORE_INSTANCE_SIZE], service[8];

	for (unsigned i = 0; i < OBJECTS; i++)
		check_object(view, model, i);
	check_table(view, model, STORE_SERVICE);
	check_table(view, model, STORE_TASK);
	check_names(view, model);
	for (unsigned key = 0; key < 6; key++) {
		snprintf(text, sizeof(text), "n%u", key);
		check_index(view, model, STORE_TASKS_BY_NODE, text, key);
		id_of(key, service);
		check_index(view, model, STORE_TASKS_BY_SERVICE, service, key);
		snprintf(text, sizeof(text), "net%u", key % 4);
		check_index(view, model, STORE_SERVICES_BY_NETWORK, text, key % 4);
		for (unsigned slot = 1; slot < 4; slot++)
			check_index(view, model, STORE_TASKS_BY_INSTANCE,
				    store_instance_key(service, slot, NULL, text), key * 16 + slot);
	}
	check_index(view, model, STORE_TASKS_BY_DESIRED, store_state_key(FL__TASK_STATE__SHUTDOWN),
		    1);
	check_index(view, model, STORE_TASKS_BY_DESIRED, store_state_key(FL__TASK_STATE__RUNNING),
		    0);
}

/* Each event's before is what the last event of the object, or the old view, left. */
static void check_events(const struct store_result *result, const struct store_view *old,
			 const struct store_view *new)
{
	for (size_t i = 0; i < result->event_count; i++) {
		const struct store_event *event = &result->events[i];
		const Fl__Task *some = event->after ? event->after : event->before;
		const void *before = store_get(old, event->table, some->id);
		const void *last = event->after;

		for (size_t j = 0; j < result->event_count; j++) {
			const struct store_event *other = &result->events[j];
			const Fl__Task *its = other->after ? other->after : other->before;

			if (other->table != event->table || strcmp(its->id, some->id))
				continue;
			if (j < i)
				before = other->after;
			last = other->after;
		}
		assert_ptr_equal(event->before, before);
		assert_ptr_equal(store_get(new, event->table, some->id), last);
	}
}

static uint8_t *snapshot_of(const struct store_view *view, size_t *size)
{
	struct store_snapshot *snapshot = store_snapshot_new(view);
	uint8_t *bytes = malloc(1 << 20);

	assert_non_null(snapshot);
	assert_non_null(bytes);
	assert_int_equal(store_snapshot_read(snapshot, bytes, 1 << 20, size), 0);
	assert_true(*size < 1 << 20);
	store_snapshot_free(snapshot);
	return bytes;
}

/* The other manager is made anew from a snapshot, or is asked for its own: the same. */
static void check_other(const struct store *store, struct store *other, bool restore)
{
	size_t size, other_size;
	uint8_t *bytes = snapshot_of(store_now(store), &size), *others;

	if (restore) {
		struct store_restore *into = store_restore_new();

		assert_non_null(into);
		assert_int_equal(store_restore_write(into, bytes, size), 0);
		assert_int_equal(store_restore_finish(into, other), 0);
		store_restore_free(into);
	}
	others = snapshot_of(store_now(other), &other_size);
	assert_int_equal(size, other_size);
	assert_memory_equal(bytes, others, size);
	free(bytes);
	free(others);
}

static void step(struct store *store, struct store *other, struct model *model, uint64_t index)
{
	const bool atomic = !below(3);
	struct transaction *transaction = transaction_new((int64_t)index * 10, atomic);
	const struct store_view *old = store_view_hold(store_now(store));
	const struct model before = *model;
	uint8_t expected[CHANGES];
	unsigned count = 1 + below(CHANGES), failed = CHANGES;
	struct store_result result, others;
	const void *bytes;
	size_t size;

	assert_non_null(transaction);
	for (unsigned i = 0; i < count; i++) {
		const enum store_outcome outcome =
		    random_change(transaction, model, index, (int64_t)index * 10);

		expected[i] = (uint8_t)outcome;
		if (outcome != STORE_DONE && failed == CHANGES)
			failed = i;
	}
	if (atomic && failed < CHANGES) {
		const uint8_t why = expected[failed];

		memset(expected, STORE_ABANDONED, sizeof(expected));
		expected[failed] = why;
		*model = before;
	}
	bytes = transaction_bytes(transaction, &size);
	assert_int_equal(store_apply(store, index, bytes, size, &result), 0);
	assert_int_equal(store_apply(other, index, bytes, size, &others), 0);
	assert_int_equal(result.change_count, count);
	assert_memory_equal(result.outcomes, expected, count);
	assert_memory_equal(others.outcomes, expected, count);
	check_events(&result, old, store_now(store));
	store_result_clear(&result);
	store_result_clear(&others);
	store_view_release(old);
	transaction_free(transaction);
}

static void test_random(void **state)
{
	const unsigned steps = getenv("FL_STEPS") ? (unsigned)atoi(getenv("FL_STEPS")) : 3000;
	struct store *store = store_new(), *other = store_new();
	const struct store_view *views[VIEWS] = {NULL};
	static struct model model, kept[VIEWS];
	(void)state;

	assert_non_null(store);
	assert_non_null(other);
	memset(&model, 0, sizeof(model));
	for (unsigned i = 1; i <= steps; i++) {
		const unsigned slot = below(VIEWS);

		step(store, other, &model, i);
		if (!below(10)) {
			if (views[slot])
				check_view(views[slot], &kept[slot]);
			store_view_release(views[slot]);
			views[slot] = store_view_hold(store_now(store));
			kept[slot] = model;
		}
		if (!below(20))
			check_view(store_now(store), &model);
		if (!below(50))
			check_other(store, other, below(2));
	}
	for (unsigned i = 0; i < VIEWS; i++) {
		if (views[i])
			check_view(views[i], &kept[i]);
		store_view_release(views[i]);
	}
	check_other(store, other, false);
	check_view(store_now(other), &model);
	print_message("%u entries, %zu services and %zu tasks at the end\n", steps,
		      store_count(store_now(store), STORE_SERVICE),
		      store_count(store_now(store), STORE_TASK));
	store_free(store);
	store_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
	const char *given = getenv("FL_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed =
	    given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
	random_state = seed;
	print_message("FL_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
