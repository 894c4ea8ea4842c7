/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 10,000 tasks: what they take, and a snapshot that another thread writes while entries are
 * applied. Times are printed, never judged; FL_TASKS=n makes it larger.
 */
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "id.h"
#include "transaction.h"

enum { SERVICES = 100, NODES = 100, BATCH = 100, TASK_BYTES_MAX = 1500 };

static unsigned tasks = 10000;

static char *t(const char *text)
{
	return (char *)(uintptr_t)text;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Its own generator, so that each run has the same ids. */
static int numbered(void *context, void *bytes, size_t size)
{
	uint64_t *state = context;

	for (size_t i = 0; i < size; i++) {
		*state = *state * 6364136223846793005 + 1442695040888963407;
		((uint8_t *)bytes)[i] = (uint8_t)(*state >> 56);
	}
	return 0;
}

/* What the tasks and services of one cluster have in common, as golden/objects.json has it. */
struct common {
	Fl__ContainerSpec container;
	Fl__TaskSpec template;
	Fl__DNSConfig dns;
	Fl__ResourceRequirements resources;
	Fl__Placement placement;
};

static const Fl__TaskSpec *common_spec(struct common *common)
{
	static char *env[3];

	env[0] = t("DB=db:3306");
	env[1] = t("MODE=production");
	env[2] = t("LEVEL=info");
	fl__container_spec__init(&common->container);
	fl__task_spec__init(&common->template);
	fl__dnsconfig__init(&common->dns);
	fl__resource_requirements__init(&common->resources);
	fl__placement__init(&common->placement);
	common->container.image = t("registry.example.net:5000/team/web:1.2.3");
	common->container.n_env = 3;
	common->container.env = env;
	common->container.dns_config = &common->dns;
	common->template.container_spec = &common->container;
	common->template.resources = &common->resources;
	common->template.placement = &common->placement;
	return &common->template;
}

static void add_service(struct transaction *transaction, unsigned number)
{
	struct common common;
	char id[48], name[16];
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;

	snprintf(id, sizeof(id), "s%024u", number);
	snprintf(name, sizeof(name), "web%u", number);
	spec.name = name;
	spec.task_template = (Fl__TaskSpec *)(uintptr_t)common_spec(&common);
	service.id = id;
	service.spec = &spec;
	assert_int_equal(transaction_create(transaction, &service.base), 0);
}

/* With a spec, a container and an address. */
static void add_task(struct transaction *transaction, unsigned number, uint64_t *ids)
{
	char id[ID_SIZE], service[48], node[48], container[96], address[20];
	struct common common;
	Fl__ContainerStatus container_status = FL__CONTAINER_STATUS__INIT;
	Fl__TaskStatus status = FL__TASK_STATUS__INIT;
	Fl__NetworkAttachment attachment = FL__NETWORK_ATTACHMENT__INIT;
	Fl__Task task = FL__TASK__INIT;

	assert_int_equal(id_generate(numbered, ids, id), 0);
	snprintf(service, sizeof(service), "s%024u", number % SERVICES);
	snprintf(node, sizeof(node), "n%024u", number % NODES);
	snprintf(container, sizeof(container), "%064u", number);
	snprintf(address, sizeof(address), "10.0.%u.%u/16", number >> 8 & 255, number & 255);
	status.has_state = status.has_timestamp = true;
	status.state = FL__TASK_STATE__RUNNING;
	status.timestamp = number;
	status.message = t("started");
	container_status.container_id = container;
	status.container_status = &container_status;
	attachment.network_id = t("uov2qy51qzztkjqcz48lvbhhc");
	attachment.n_addresses = 1;
	attachment.addresses = (char *[]){address};
	task.id = id;
	task.spec = (Fl__TaskSpec *)(uintptr_t)common_spec(&common);
	task.service_id = service;
	task.node_id = node;
	task.has_slot = true;
	task.slot = number / SERVICES + 1;
	task.status = &status;
	task.has_desired_state = true;
	task.desired_state = FL__TASK_STATE__RUNNING;
	task.n_networks_attachments = 1;
	task.networks_attachments = (Fl__NetworkAttachment *[]){&attachment};
	assert_int_equal(transaction_create(transaction, &task.base), 0);
}

static void apply(struct store *store, struct transaction *transaction)
{
	struct store_result result;
	size_t size;
	const void *bytes = transaction_bytes(transaction, &size);

	assert_int_equal(
	    store_apply(store, store_view_index(store_now(store)) + 1, bytes, size, &result), 0);
	assert_int_equal(result.event_count, result.change_count);
	store_result_clear(&result);
	transaction_free(transaction);
}

static struct store *filled(void)
{
	struct store *store = store_new();
	struct transaction *services = transaction_new(1, false);
	uint64_t ids = 1;

	assert_non_null(store);
	assert_non_null(services);
	for (unsigned i = 0; i < SERVICES; i++)
		add_service(services, i);
	apply(store, services);
	for (unsigned i = 0; i < tasks;) {
		struct transaction *transaction = transaction_new(1, false);

		assert_non_null(transaction);
		for (unsigned n = 0; n < BATCH && i < tasks; n++)
			add_task(transaction, i++, &ids);
		apply(store, transaction);
	}
	assert_int_equal(store_count(store_now(store), STORE_TASK), tasks);
	return store;
}

/* Every task gets another state, `batch` in an entry. */
static unsigned touch_all(struct store *store, unsigned batch)
{
	const struct store_view *view = store_view_hold(store_now(store));
	struct transaction *transaction = transaction_new(2, false);
	struct store_iterator iterator;
	const Fl__Task *old;
	unsigned entries = 0;

	store_iterate(view, STORE_TASK, &iterator);
	while ((old = store_next(&iterator))) {
		Fl__Task task = *old;
		Fl__TaskStatus status = *old->status;

		status.message = t("shutdown");
		status.state = FL__TASK_STATE__SHUTDOWN;
		task.status = &status;
		task.desired_state = FL__TASK_STATE__SHUTDOWN;
		assert_int_equal(transaction_update(transaction, &task.base), 0);
		if (transaction_count(transaction) == batch) {
			apply(store, transaction);
			transaction = transaction_new(2, false);
			assert_non_null(transaction);
			entries++;
		}
	}
	apply(store, transaction);
	store_view_release(view);
	return entries + 1;
}

static void test_memory(void **state)
{
	const size_t before = mallinfo2().uordblks;
	double start = now_ms(), elapsed;
	struct store *store = filled();
	const size_t used = mallinfo2().uordblks - before;
	unsigned entries, count = 0;
	struct store_iterator iterator;
	(void)state;

	elapsed = now_ms() - start;
	print_message("%u tasks: %zu KiB, %zu bytes each; built in %.1f ms, %.2f us each\n", tasks,
		      used >> 10, used / tasks, elapsed, elapsed * 1e3 / tasks);
	assert_true(used / tasks <= TASK_BYTES_MAX); /* 0 under a sanitizer's malloc */
	start = now_ms();
	entries = touch_all(store, BATCH);
	elapsed = now_ms() - start;
	print_message("all updated in %u entries: %.1f ms, %.2f us each\n", entries, elapsed,
		      elapsed * 1e3 / tasks);
	start = now_ms();
	touch_all(store, 1);
	elapsed = now_ms() - start;
	print_message("all updated, an entry each: %.1f ms, %.2f us each\n", elapsed,
		      elapsed * 1e3 / tasks);
	start = now_ms();
	for (unsigned i = 0; i < SERVICES; i++) {
		char service[48];

		snprintf(service, sizeof(service), "s%024u", i);
		store_iterate_index(store_now(store), STORE_TASKS_BY_SERVICE, service, &iterator);
		while (store_next(&iterator))
			count++;
	}
	elapsed = now_ms() - start;
	assert_int_equal(count, tasks);
	print_message("read by service: %.2f ms, %.3f us each\n", elapsed, elapsed * 1e3 / tasks);
	print_message("after all that: %zu KiB\n", (mallinfo2().uordblks - before) >> 10);
	store_free(store);
}

struct stream {
	struct store_snapshot *snapshot;
	uint8_t *bytes;
	size_t size;
};

static void *write_out(void *context)
{
	struct stream *stream = context;
	size_t got = 1, capacity = 0;

	for (; got; stream->size += got) {
		if (capacity - stream->size < 65536) {
			capacity = 2 * capacity + 65536;
			stream->bytes = realloc(stream->bytes, capacity);
		}
		if (!stream->bytes ||
		    store_snapshot_read(stream->snapshot, stream->bytes + stream->size, 65536,
					&got))
			abort();
	}
	store_snapshot_free(stream->snapshot);
	return NULL;
}

static void test_snapshot_meanwhile(void **state)
{
	struct store *store = filled(), *copy = store_new();
	struct store_restore *restore = store_restore_new();
	struct stream quiet = {.snapshot = store_snapshot_new(store_now(store))};
	struct stream busy = {.snapshot = store_snapshot_new(store_now(store))};
	double start = now_ms();
	pthread_t thread;
	(void)state;

	assert_non_null(copy);
	assert_non_null(restore);
	write_out(&quiet);
	print_message("snapshot: %zu KiB in %.1f ms\n", quiet.size >> 10, now_ms() - start);
	assert_int_equal(pthread_create(&thread, NULL, write_out, &busy), 0);
	touch_all(store, 10);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(busy.size, quiet.size);
	assert_memory_equal(busy.bytes, quiet.bytes, quiet.size);
	start = now_ms();
	assert_int_equal(store_restore_write(restore, quiet.bytes, quiet.size), 0);
	assert_int_equal(store_restore_finish(restore, copy), 0);
	print_message("restored in %.1f ms\n", now_ms() - start);
	assert_int_equal(store_count(store_now(copy), STORE_TASK), tasks);
	store_restore_free(restore);
	store_free(store);
	store_free(copy);
	free(quiet.bytes);
	free(busy.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_snapshot_meanwhile),
	};

	if (getenv("FL_TASKS"))
		tasks = (unsigned)atoi(getenv("FL_TASKS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
