/* SPDX-License-Identifier: BSD-2-Clause */
/* The store: what each change does or why it does not, views, look-ups, events, snapshots. */
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.pb-c.h"
#include "transaction.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Text for a message's field. */
static char *t(const char *text)
{
	return (char *)(uintptr_t)text;
}

static struct store *store;
static struct transaction *transaction;
static uint64_t next_index;

static int setup(void **state)
{
	(void)state;
	store = store_new();
	transaction = transaction_new(1000, false);
	next_index = 1;
	return store && transaction ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	store_free(store);
	transaction_free(transaction);
	return 0;
}

static void begin(int64_t time, bool atomic)
{
	transaction_free(transaction);
	transaction = transaction_new(time, atomic);
	assert_non_null(transaction);
}

static struct store_result apply(void)
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
static enum store_outcome apply_one(void)
{
	struct store_result result = apply();
	const enum store_outcome outcome = (enum store_outcome)result.outcomes[0];

	assert_int_equal(result.change_count, 1);
	assert_int_equal(result.event_count, outcome == STORE_DONE);
	store_result_clear(&result);
	return outcome;
}

static void add_service(const char *id, const char *name)
{
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;

	spec.name = t(name);
	service.id = t(id);
	service.spec = &spec;
	assert_int_equal(transaction_create(transaction, &service.base), 0);
}

static void add_task(const char *id, const char *service, uint64_t slot, const char *node)
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

static const Fl__Service *service(const char *id)
{
	return store_get(store_now(store), STORE_SERVICE, id);
}

/* "a b c" of a service's, node's, ... objects, in order. */
static void check_index(enum store_index index, const char *key, const char *expected)
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

static void test_create_update_delete(void **state)
{
	Fl__ServiceSpec spec;
	Fl__Service copy;
	struct store_result result;
	(void)state;

	add_service("s1", "web");
	result = apply();
	assert_int_equal(result.outcomes[0], STORE_DONE);
	assert_int_equal(result.events[0].table, STORE_SERVICE);
	assert_null(result.events[0].before);
	assert_ptr_equal(result.events[0].after, service("s1"));
	store_result_clear(&result);
	assert_int_equal(service("s1")->version, 1);
	assert_int_equal(service("s1")->created_at, 1000);
	assert_int_equal(service("s1")->updated_at, 1000);
	assert_int_equal(service("s1")->spec_version, 1);
	assert_int_equal(store_count(store_now(store), STORE_SERVICE), 1);

	copy = *service("s1"); /* not the spec: its version stays */
	copy.has_pending_delete = true;
	assert_int_equal(transaction_update(transaction, &copy.base), 0);
	result = apply();
	assert_int_equal(result.outcomes[0], STORE_DONE);
	assert_false(((const Fl__Service *)result.events[0].before)->has_pending_delete);
	assert_true(((const Fl__Service *)result.events[0].after)->has_pending_delete);
	store_result_clear(&result);
	assert_int_equal(service("s1")->version, 2);
	assert_int_equal(service("s1")->created_at, 1000);
	assert_int_equal(service("s1")->updated_at, 2000);
	assert_int_equal(service("s1")->spec_version, 1);

	copy = *service("s1");
	spec = *copy.spec;
	spec.name = t("other");
	copy.spec = &spec;
	assert_int_equal(transaction_update(transaction, &copy.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	assert_int_equal(service("s1")->spec_version, 3);
	check_index(STORE_SERVICES_BY_NAME, "web", "");
	check_index(STORE_SERVICES_BY_NAME, "other", "s1");

	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s1", 3), 0);
	result = apply();
	assert_int_equal(result.outcomes[0], STORE_DONE);
	assert_null(result.events[0].after);
	assert_string_equal(((const Fl__Service *)result.events[0].before)->id, "s1");
	store_result_clear(&result);
	assert_null(service("s1"));
	check_index(STORE_SERVICES_BY_NAME, "other", "");
	assert_int_equal(store_count(store_now(store), STORE_SERVICE), 0);
}

static void test_refusals(void **state)
{
	Fl__Service copy;
	char *long_name = calloc(1, STORE_NAME_LENGTH_MAX + 2);
	(void)state;

	assert_non_null(long_name);
	memset(long_name, 'x', STORE_NAME_LENGTH_MAX + 1);
	add_service("s1", "web");
	assert_int_equal(apply_one(), STORE_DONE);
	add_service("s1", "other");
	assert_int_equal(apply_one(), STORE_EXISTS);
	add_service("s2", "WEB");
	assert_int_equal(apply_one(), STORE_NAME_CONFLICT);
	add_service("s2", long_name);
	assert_int_equal(apply_one(), STORE_INVALID);
	add_service("S2", "upper");
	assert_int_equal(apply_one(), STORE_INVALID);
	add_service("", "empty");
	assert_int_equal(apply_one(), STORE_INVALID);

	copy = *service("s1");
	copy.version = 77;
	assert_int_equal(transaction_update(transaction, &copy.base), 0);
	assert_int_equal(apply_one(), STORE_OUT_OF_SEQUENCE);
	copy.id = t("s9");
	assert_int_equal(transaction_update(transaction, &copy.base), 0);
	assert_int_equal(apply_one(), STORE_NOT_FOUND);
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s1", 77), 0);
	assert_int_equal(apply_one(), STORE_OUT_OF_SEQUENCE);
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s9", 0), 0);
	assert_int_equal(apply_one(), STORE_NOT_FOUND);
	assert_int_equal(transaction_delete(transaction, STORE_TASK, "s1", 0), 0);
	assert_int_equal(apply_one(), STORE_NOT_FOUND);
	assert_int_equal(service("s1")->version, 1);
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s1", 0), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	assert_string_equal(store_outcome_text(STORE_OUT_OF_SEQUENCE), "update out of sequence");
	free(long_name);
}

/* One change fails alone; of an atomic transaction, all. */
static void test_alone_or_all(void **state)
{
	struct store_result result;
	(void)state;

	add_service("a", "a");
	add_service("b", "A");
	add_service("c", "c");
	result = apply();
	assert_memory_equal(result.outcomes,
			    ((uint8_t[]){STORE_DONE, STORE_NAME_CONFLICT, STORE_DONE}), 3);
	assert_int_equal(result.event_count, 2);
	store_result_clear(&result);

	begin(5, true);
	add_service("d", "d");
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "a", 0), 0);
	add_service("e", "c");
	add_service("f", "f");
	result = apply();
	assert_memory_equal(
	    result.outcomes,
	    ((uint8_t[]){STORE_ABANDONED, STORE_ABANDONED, STORE_NAME_CONFLICT, STORE_ABANDONED}),
	    4);
	assert_int_equal(result.event_count, 0);
	store_result_clear(&result);
	assert_non_null(service("a"));
	assert_null(service("d"));

	/* A name that is given up is free for the next change. */
	begin(6, true);
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "a", 0), 0);
	add_service("d", "a");
	result = apply();
	assert_memory_equal(result.outcomes, ((uint8_t[]){STORE_DONE, STORE_DONE}), 2);
	store_result_clear(&result);

	/* A check guards what is not changed. */
	for (int stale = 0; stale < 2; stale++) {
		begin(7, true);
		assert_int_equal(transaction_check(transaction, STORE_SERVICE, "c",
						   service("c")->version + (uint64_t)stale),
				 0);
		add_service(stale ? "g" : "h", stale ? "g" : "h");
		result = apply();
		assert_int_equal(result.outcomes[0], stale ? STORE_OUT_OF_SEQUENCE : STORE_DONE);
		assert_int_equal(result.outcomes[1], stale ? STORE_ABANDONED : STORE_DONE);
		store_result_clear(&result);
	}
}

static void test_indexes(void **state)
{
	Fl__NetworkAttachmentConfig networks[3] = {FL__NETWORK_ATTACHMENT_CONFIG__INIT,
						   FL__NETWORK_ATTACHMENT_CONFIG__INIT,
						   FL__NETWORK_ATTACHMENT_CONFIG__INIT};
	Fl__SecretReference secret = FL__SECRET_REFERENCE__INIT;
	Fl__ConfigReference config = FL__CONFIG_REFERENCE__INIT;
	Fl__ContainerSpec container = FL__CONTAINER_SPEC__INIT;
	Fl__TaskSpec template = FL__TASK_SPEC__INIT;
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service with = FL__SERVICE__INIT;
	Fl__NodeDescription description = FL__NODE_DESCRIPTION__INIT;
	Fl__Node node = FL__NODE__INIT;
	char key[STORE_INSTANCE_SIZE];
	struct store_result result;
	Fl__Task task;
	(void)state;

	add_task("t1", "s1", 1, NULL);
	add_task("t2", "s1", 2, "n1");
	add_task("t3", "s1", 2, "n2");
	add_task("t4", "s2", 0, "n1");
	add_task("t5", "s12", 1, "n1");
	description.hostname = t("Host");
	node.description = &description;
	node.role = FL__NODE_SPEC__ROLE__MANAGER;
	node.has_role = true;
	node.id = t("n1");
	assert_int_equal(transaction_create(transaction, &node.base), 0);
	node.id = t("n2");
	node.role = FL__NODE_SPEC__ROLE__WORKER;
	node.has_membership = true;
	node.membership = FL__NODE__MEMBERSHIP__ACCEPTED;
	assert_int_equal(transaction_create(transaction, &node.base), 0);
	networks[0].target = networks[2].target = t("net1"); /* twice */
	networks[1].target = t("net2");
	secret.secret_id = t("sec1");
	config.config_id = t("con1");
	container.n_secrets = container.n_configs = 1;
	container.secrets = (Fl__SecretReference *[]){&secret};
	container.configs = (Fl__ConfigReference *[]){&config};
	template.container_spec = &container;
	template.n_networks = 3;
	template.networks =
	    (Fl__NetworkAttachmentConfig *[]){&networks[0], &networks[1], &networks[2]};
	spec.name = t("with");
	spec.task_template = &template;
	with.id = t("s1");
	with.spec = &spec;
	assert_int_equal(transaction_create(transaction, &with.base), 0);
	result = apply();
	assert_int_equal(result.event_count, 8);
	store_result_clear(&result);

	check_index(STORE_TASKS_BY_SERVICE, "s1", "t1 t2 t3");
	check_index(STORE_TASKS_BY_SERVICE, "s", "");
	check_index(STORE_TASKS_BY_NODE, "n1", "t2 t4 t5");
	check_index(STORE_TASKS_BY_INSTANCE, store_instance_key("s1", 2, NULL, key), "t2 t3");
	check_index(STORE_TASKS_BY_INSTANCE, store_instance_key("s2", 0, "n1", key), "t4");
	check_index(STORE_TASKS_BY_DESIRED, store_state_key(FL__TASK_STATE__RUNNING),
		    "t1 t2 t3 t4 t5");
	check_index(STORE_NODES_BY_NAME, "hOST", "n1 n2");
	check_index(STORE_NODES_BY_ROLE, store_role_key(FL__NODE_SPEC__ROLE__MANAGER), "n1");
	check_index(STORE_NODES_BY_MEMBERSHIP, store_membership_key(FL__NODE__MEMBERSHIP__PENDING),
		    "n1");
	check_index(STORE_SERVICES_BY_NETWORK, "net1", "s1");
	check_index(STORE_SERVICES_BY_NETWORK, "net2", "s1");
	check_index(STORE_SERVICES_BY_SECRET, "sec1", "s1");
	check_index(STORE_SERVICES_BY_CONFIG, "con1", "s1");

	task = *(const Fl__Task *)store_get(store_now(store), STORE_TASK, "t2");
	task.node_id = t("n2");
	task.desired_state = FL__TASK_STATE__SHUTDOWN;
	assert_int_equal(transaction_update(transaction, &task.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	check_index(STORE_TASKS_BY_NODE, "n1", "t4 t5");
	check_index(STORE_TASKS_BY_NODE, "n2", "t2 t3");
	check_index(STORE_TASKS_BY_DESIRED, store_state_key(FL__TASK_STATE__SHUTDOWN), "t2");

	template.n_networks = 1;
	template.networks[0] = &networks[1];
	with.version = 1;
	assert_int_equal(transaction_update(transaction, &with.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	check_index(STORE_SERVICES_BY_NETWORK, "net1", "");
	check_index(STORE_SERVICES_BY_NETWORK, "net2", "s1");
}

static void check_find(const char *reference, int rc, const char *id, size_t expected)
{
	const Fl__Service *found = NULL;
	const void *object = NULL;
	size_t matches = 99;

	assert_int_equal(store_find(store_now(store), STORE_SERVICE, reference, &object, &matches),
			 rc);
	assert_int_equal(matches, expected);
	found = object;
	if (id)
		assert_string_equal(found->id, id);
	else
		assert_null(found);
}

static void test_find(void **state)
{
	struct store_result result;
	(void)state;

	add_service("abc1", "web");
	add_service("abc2", "abc");
	add_service("abd1", "db");
	add_service("x1", "abd1"); /* named as another's id */
	result = apply();
	store_result_clear(&result);
	check_find("abc1", 0, "abc1", 1);
	check_find("web", 0, "abc1", 1);
	check_find("WEB", 0, "abc1", 1);
	check_find("abc", 0, "abc2", 1); /* the name goes before the ids that begin so */
	check_find("abd1", 0, "abd1", 1);
	check_find("abd", 0, "abd1", 1);
	check_find("ab", -ENOTUNIQ, NULL, 3);
	check_find("", -ENOENT, NULL, 0);
	check_find("abc11", -ENOENT, NULL, 0);
	check_find("we", -ENOENT, NULL, 0);
}

/* A view and its objects stay as they were. */
static void test_views(void **state)
{
	const struct store_view *old;
	const Fl__Service *kept;
	struct store_iterator i;
	struct store_result result;
	Fl__Service copy;
	(void)state;

	add_service("s1", "web");
	add_service("s2", "db");
	result = apply();
	store_result_clear(&result);
	old = store_view_hold(store_now(store));
	copy = *service("s1");
	copy.has_pending_delete = true;
	assert_int_equal(transaction_update(transaction, &copy.base), 0);
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s2", 0), 0);
	add_service("s3", "db");
	result = apply();
	store_result_clear(&result);

	store_iterate(old, STORE_SERVICE, &i);
	kept = store_next(&i);
	assert_string_equal(kept->id, "s1");
	assert_false(kept->has_pending_delete);
	kept = store_next(&i);
	assert_string_equal(kept->id, "s2");
	assert_null(store_next(&i));
	store_object_hold(kept);
	assert_int_equal(store_view_index(old), 1);
	store_view_release(old);
	assert_string_equal(kept->spec->name, "db");
	store_object_release(kept);
	assert_null(service("s2"));
	assert_non_null(service("s3"));
}

/* Tasks of one spec have it from their service, as long as they live. */
static void test_borrowed_specs(void **state)
{
	Fl__ContainerSpec container = FL__CONTAINER_SPEC__INIT;
	Fl__TaskSpec template = FL__TASK_SPEC__INIT;
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT, newer;
	Fl__Service with = FL__SERVICE__INIT;
	const Fl__Task *found;
	const Fl__TaskSpec *old;
	Fl__Task task = FL__TASK__INIT;
	(void)state;

	container.image = t("web:1");
	template.container_spec = &container;
	spec.task_template = &template;
	with.id = t("s1");
	with.spec = &spec;
	assert_int_equal(transaction_create(transaction, &with.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	task.id = t("t1");
	task.service_id = t("s1");
	task.spec = &template;
	assert_int_equal(transaction_create(transaction, &task.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	container.image = t("other:1");
	task.id = t("t2");
	assert_int_equal(transaction_create(transaction, &task.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	old = service("s1")->spec->task_template;
	found = store_get(store_now(store), STORE_TASK, "t1");
	assert_ptr_equal(found->spec, old);
	found = store_get(store_now(store), STORE_TASK, "t2");
	assert_ptr_not_equal(found->spec, old);
	assert_string_equal(found->spec->container_spec->image, "other:1");

	/* The service goes another way, then goes; what was lent stays. */
	with = *service("s1");
	newer = *with.spec;
	newer.task_template = &template;
	with.previous_spec = NULL;
	with.spec = &newer;
	assert_int_equal(transaction_update(transaction, &with.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	found = store_get(store_now(store), STORE_TASK, "t1");
	assert_ptr_equal(found->spec, old);
	task = *found;
	task.has_slot = true;
	task.slot = 7;
	assert_int_equal(transaction_update(transaction, &task.base), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	assert_int_equal(transaction_delete(transaction, STORE_SERVICE, "s1", 0), 0);
	assert_int_equal(apply_one(), STORE_DONE);
	found = store_get(store_now(store), STORE_TASK, "t1");
	assert_ptr_equal(found->spec, old);
	assert_int_equal(found->slot, 7);
	assert_string_equal(found->spec->container_spec->image, "web:1");
}

/* Bytes that are no transaction are passed over; what is held does not see it. */
static void test_bad_entries(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} bad[] = {
	    {"\x1a", 1},                                          /* a change without its length */
	    {"\x1a\x05\x08", 3},                                  /* longer than the entry */
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}, /* a tag without end */
	    {"\x18\x01", 2},                                      /* changes as a number */
	    {"\x1b", 1},                                          /* a group */
	    {"\x1a\x02\x1a\x09", 4},                              /* broken inside */
	};
	const struct store_view *old = store_view_hold(store_now(store));
	struct store_result result = {.index = 55};
	uint8_t *many = malloc(2 * (STORE_CHANGES_MAX + 1));
	(void)state;

	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(store_apply(store, next_index, bad[i].bytes, bad[i].size, &result),
				 -EBADMSG);
		assert_int_equal(store_view_index(store_now(store)), next_index++);
	}
	assert_non_null(many);
	for (size_t i = 0; i <= STORE_CHANGES_MAX; i++)
		memcpy(many + 2 * i, "\x1a\x00", 2);
	assert_int_equal(
	    store_apply(store, next_index++, many, 2 * (STORE_CHANGES_MAX + 1), &result), -EBADMSG);
	assert_int_equal(result.index, 55);
	assert_int_equal(store_view_index(old), 0);
	store_view_release(old);

	/* Empty changes are changes, of which nothing comes. */
	assert_int_equal(store_apply(store, next_index++, many, 2 * STORE_CHANGES_MAX, &result), 0);
	assert_int_equal(result.change_count, STORE_CHANGES_MAX);
	assert_int_equal(result.outcomes[STORE_CHANGES_MAX - 1], STORE_INVALID);
	assert_int_equal(result.event_count, 0);
	store_result_clear(&result);
	assert_int_equal(store_apply(store, next_index++, NULL, 0, &result), 0);
	assert_int_equal(result.change_count, 0);
	store_result_clear(&result);
	free(many);
}

static void test_limits(void **state)
{
	Fl__ConfigSpec spec = FL__CONFIG_SPEC__INIT;
	Fl__Config config = FL__CONFIG__INIT;
	uint8_t *data = calloc(1, STORE_OBJECT_SIZE_MAX);
	int rc = 0;
	(void)state;

	assert_non_null(data);
	config.id = t("c1");
	config.spec = &spec;
	spec.has_data = true;
	spec.data = (ProtobufCBinaryData){STORE_OBJECT_SIZE_MAX, data};
	assert_int_equal(transaction_create(transaction, &config.base), -EMSGSIZE);
	spec.data.len = STORE_OBJECT_SIZE_MAX - 100;
	assert_int_equal(transaction_create(transaction, &config.base), 0);
	config.id = t("c2");
	assert_int_equal(transaction_create(transaction, &config.base), 0);
	assert_int_equal(transaction_create(transaction, &config.base), -ENOSPC);
	assert_int_equal(transaction_count(transaction), 2);
	for (int i = 2; !rc && i <= STORE_CHANGES_MAX; i++)
		rc = transaction_delete(transaction, STORE_TASK, "x", 0);
	assert_int_equal(rc, -ENOSPC);
	free(data);
}

/* --- Snapshots --- */

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
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_create_update_delete),
	    STORE_TEST(test_refusals),
	    STORE_TEST(test_alone_or_all),
	    STORE_TEST(test_indexes),
	    STORE_TEST(test_find),
	    STORE_TEST(test_views),
	    STORE_TEST(test_borrowed_specs),
	    STORE_TEST(test_bad_entries),
	    STORE_TEST(test_limits),
	    STORE_TEST(test_snapshot),
	    STORE_TEST(test_damaged_snapshot),
	    STORE_TEST(test_wrong_snapshot),
	    STORE_TEST(test_unknown_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
