/* SPDX-License-Identifier: BSD-2-Clause */
/* The store: what each change does or why it does not, views, look-ups, events, limits. */
#include "store_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
