/* SPDX-License-Identifier: BSD-2-Clause */
/* Three managers on one loop, with real sockets and files: what one proposes, all of them hold. */
#include "replica.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"
#include "pki.h"

enum { MANAGERS = 3, PATIENCE_MS = 60000 };

static uv_loop_t loop;
static struct pki *pki;
static char folder[64];
static struct raft_members members;

struct manager {
	struct replica *replica; /* NULL: not running */
	struct pki_pair pair;
	char path[128], address[RAFT_ADDRESS_MAX];
	uint64_t snapshot_bytes;
	unsigned int applied, created, restored;
	bool closed;
};
static struct manager managers[MANAGERS];

static void was_applied(void *context, const struct store_result *result)
{
	struct manager *m = context;

	m->applied++;
	for (size_t i = 0; i < result->event_count; i++)
		m->created += !result->events[i].before;
}

static void was_restored(void *context)
{
	((struct manager *)context)->restored++;
}

static void has_failed(void *context, int code, const char *why)
{
	(void)context;
	fail_msg("%d: %s", code, why);
}

static void open_manager(struct manager *m)
{
	static const struct disk_keyring keyring = {
	    .active = 1, .count = 1, .keys = {{.id = 1, .bytes = {7}}}};
	const struct replica_events events = {
	    .applied = was_applied, .restored = was_restored, .failed = has_failed, .context = m};
	struct raft_node_options options;
	struct raft_error error = {0};

	raft_node_options_default(&options);
	options.loop = &loop;
	options.disk =
	    (struct disk_options){.path = m->path, .keyring = &keyring, .segment_size = 1 << 20};
	options.pem = (struct tls_pem){pki_ca(pki), m->pair.certificate, m->pair.key};
	options.listen = m->address;
	options.bootstrap = &members;
	options.kept_entries = 4;
	if (m->snapshot_bytes)
		options.snapshot_bytes = m->snapshot_bytes;
	m->applied = m->created = m->restored = 0;
	m->closed = false;
	if (replica_open(&options, &events, &m->replica, &error))
		fail_msg("%s", error.text);
}

static void was_closed(void *context)
{
	((struct manager *)context)->closed = true;
}

static void wake(uv_timer_t *timer)
{
	(void)timer;
}

static bool holds(bool (*condition)(void *), void *context)
{
	const uint64_t deadline = uv_hrtime() / 1000000 + PATIENCE_MS;
	static uv_timer_t timer;
	bool good;

	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, wake, 5, 5);
	while (!(good = condition(context)) && uv_hrtime() / 1000000 < deadline)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	return good;
}

static bool is_closed(void *context)
{
	return ((struct manager *)context)->closed;
}

static void close_manager(struct manager *m)
{
	if (!m->replica)
		return;
	replica_close(m->replica, was_closed, m);
	m->replica = NULL;
	assert_true(holds(is_closed, m));
}

static struct manager *leading;

static bool somebody_leads(void *context)
{
	(void)context;
	leading = NULL;
	for (int i = 0; i < MANAGERS && !leading; i++) {
		struct raft_status status;

		if (!managers[i].replica)
			continue;
		raft_node_get_status(replica_node(managers[i].replica), &status);
		/* 1: the first members, 2: a leader's first entry. */
		if (status.state == RAFT_LEADER && status.commit >= 2)
			leading = &managers[i];
	}
	return leading;
}

static struct manager *leader(void)
{
	assert_true(holds(somebody_leads, NULL));
	return leading;
}

static struct manager *other_than(const struct manager *m)
{
	for (int i = 0; i < MANAGERS; i++)
		if (&managers[i] != m)
			return &managers[i];
	return NULL;
}

/* -- proposals ----------------------------------------------------------------------------------
 */

struct answer {
	unsigned int wanted, count, errors;
	int err;
	uint8_t outcome; /* of the last one's first change */
	uint64_t index;
};

static void answered(void *context, int err, const struct store_result *result)
{
	struct answer *a = context;

	a->count++;
	a->errors += err != 0;
	a->err = err;
	if (!err) {
		a->outcome = result->outcomes[0];
		a->index = result->index;
	}
}

static bool all_answered(void *context)
{
	const struct answer *a = context;

	return a->count >= a->wanted;
}

/* A config of this number. version 0: made, else changed. */
static int put_config(struct manager *m, uint32_t number, uint64_t version, const char *data,
		      struct answer *a)
{
	struct transaction *transaction = transaction_new(1000 + number, false);
	char id[32], name[32];
	Fl__ConfigSpec spec = FL__CONFIG_SPEC__INIT;
	Fl__Config config = FL__CONFIG__INIT;
	int err;

	snprintf(id, sizeof(id), "config%019u", number);
	snprintf(name, sizeof(name), "name-%u", number);
	spec.name = name;
	spec.has_data = true;
	spec.data = (ProtobufCBinaryData){strlen(data), (uint8_t *)(uintptr_t)data};
	config.id = id;
	config.spec = &spec;
	config.has_version = version > 0;
	config.version = version;
	assert_non_null(transaction);
	assert_int_equal(version ? transaction_update(transaction, &config.base)
				 : transaction_create(transaction, &config.base),
			 0);
	a->wanted++;
	err = replica_propose(m->replica, transaction, answered, a);
	if (err)
		a->wanted--;
	transaction_free(transaction);
	return err;
}

static const Fl__Config *config_of(const struct manager *m, uint32_t number)
{
	char id[32];

	snprintf(id, sizeof(id), "config%019u", number);
	return store_get(replica_now(m->replica), STORE_CONFIG, id);
}

static bool all_the_same(void *context)
{
	uint64_t index = 0;

	(void)context;
	for (int i = 0; i < MANAGERS; i++)
		if (managers[i].replica &&
		    store_view_index(replica_now(managers[i].replica)) > index)
			index = store_view_index(replica_now(managers[i].replica));
	for (int i = 0; i < MANAGERS; i++)
		if (managers[i].replica &&
		    store_view_index(replica_now(managers[i].replica)) < index)
			return false;
	return true;
}

/* A manager's store as bytes, which are the same for the same store. */
static char *bytes_of(const struct manager *m, size_t *size)
{
	struct store_snapshot *snapshot = store_snapshot_new(replica_now(m->replica));
	char *bytes = malloc(1 << 20);
	size_t got;

	assert_non_null(snapshot);
	assert_non_null(bytes);
	*size = 0;
	do {
		assert_int_equal(
		    store_snapshot_read(snapshot, bytes + *size, (1 << 20) - *size, &got), 0);
		*size += got;
	} while (got);
	store_snapshot_free(snapshot);
	return bytes;
}

static void check_the_same(void)
{
	size_t size, other_size;
	char *bytes;

	assert_true(holds(all_the_same, NULL));
	bytes = bytes_of(&managers[0], &size);
	for (int i = 1; i < MANAGERS; i++) {
		char *other = bytes_of(&managers[i], &other_size);

		assert_int_equal(size, other_size);
		assert_memory_equal(bytes, other, size);
		free(other);
	}
	free(bytes);
}

static void put_many(uint32_t first, uint32_t count)
{
	struct answer a = {0};
	struct manager *m = leader();

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(put_config(m, first + i, 0, "what it says", &a), 0);
	assert_true(holds(all_answered, &a));
	assert_int_equal(a.errors, 0);
	assert_int_equal(a.outcome, STORE_DONE);
}

/* -- set-up -------------------------------------------------------------------------------------
 */

static int set_up(void **state)
{
	(void)state;
	pki = pki_new();
	members = (struct raft_members){.count = MANAGERS};
	strcpy(folder, "/tmp/replica-test-XXXXXX");
	if (!mkdtemp(folder) || uv_loop_init(&loop))
		return -1;
	for (unsigned int i = 0; i < MANAGERS; i++) {
		struct manager *m = &managers[i];

		*m = (struct manager){.pair = pki_member(pki, "test", 0xa0 + i)};
		snprintf(m->path, sizeof(m->path), "%s/%u", folder, i);
		snprintf(m->address, sizeof(m->address), "127.0.0.1:%u", loopback_free_port());
		members.member[i] = (struct raft_member){.id = 0xa0 + i, .role = RAFT_VOTER};
		strcpy(members.member[i].address, m->address);
	}
	for (int i = 0; i < MANAGERS; i++)
		open_manager(&managers[i]);
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	for (int i = 0; i < MANAGERS; i++) {
		close_manager(&managers[i]);
		pki_pair_free(&managers[i].pair);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	pki_free(pki);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return uv_loop_close(&loop) || system(command);
}

/* -- tests --------------------------------------------------------------------------------------
 */

static void all_managers_hold_what_one_proposed(void **state)
{
	(void)state;
	put_many(1, 100);
	check_the_same();
	for (int i = 0; i < MANAGERS; i++) {
		assert_int_equal(store_count(replica_now(managers[i].replica), STORE_CONFIG), 100);
		assert_int_equal(managers[i].created, 100);
		assert_string_equal(config_of(&managers[i], 7)->spec->name, "name-7");
	}
}

static void a_version_is_the_entry_that_made_it(void **state)
{
	struct manager *m = leader();
	struct answer a = {0};
	uint64_t version;

	(void)state;
	assert_int_equal(put_config(m, 1, 0, "old", &a), 0);
	assert_true(holds(all_answered, &a));
	version = a.index;
	assert_int_equal(config_of(m, 1)->version, version);
	/* Two of the same version at once: the log decides. */
	assert_int_equal(put_config(m, 1, version, "first", &a), 0);
	assert_true(holds(all_answered, &a));
	assert_int_equal(a.outcome, STORE_DONE);
	assert_int_equal(put_config(m, 1, version, "second", &a), 0);
	assert_true(holds(all_answered, &a));
	assert_int_equal(a.err, 0);
	assert_int_equal(a.outcome, STORE_OUT_OF_SEQUENCE);
	assert_memory_equal(config_of(m, 1)->spec->data.data, "first", 5);
	check_the_same();
}

static void who_does_not_lead_refuses(void **state)
{
	struct manager *m = other_than(leader());
	struct answer a = {0};

	(void)state;
	assert_int_equal(put_config(m, 1, 0, "x", &a), RAFT_NOT_LEADER);
	put_many(2, 1); /* all is well */
	check_the_same();
	assert_null(config_of(m, 1));
	assert_int_equal(a.count, 0);
}

static void a_restart_changes_nothing(void **state)
{
	struct manager *m = leader();

	(void)state;
	put_many(1, 20);
	check_the_same();
	close_manager(m);
	put_many(21, 20);
	open_manager(m);
	check_the_same();
	assert_int_equal(store_count(replica_now(m->replica), STORE_CONFIG), 40);
	/* From the log: each entry is told again. */
	assert_int_equal(m->created, 40);
	assert_int_equal(m->restored, 0);
}

static bool has_compacted(void *context)
{
	struct raft_status status;

	raft_node_get_status(replica_node(((struct manager *)context)->replica), &status);
	return status.first > 50;
}

static void a_snapshot_brings_a_laggard_up(void **state)
{
	struct manager *laggard = other_than(leader());

	(void)state;
	close_manager(laggard);
	for (int i = 0; i < MANAGERS; i++) {
		if (&managers[i] == laggard)
			continue;
		close_manager(&managers[i]);
		managers[i].snapshot_bytes = 4096;
		open_manager(&managers[i]);
	}
	put_many(1, 400);
	assert_true(holds(has_compacted, leader()));
	open_manager(laggard);
	put_many(401, 1);
	check_the_same();
	assert_int_equal(store_count(replica_now(laggard->replica), STORE_CONFIG), 401);
	assert_true(laggard->restored > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_managers_hold_what_one_proposed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_version_is_the_entry_that_made_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_does_not_lead_refuses, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_restart_changes_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_snapshot_brings_a_laggard_up, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
