/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole members on one loop: real sockets, real files, the registers of raft-kv as a store. */
#include "node.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv_store.h"
#include "loopback.h"
#include "pki.h"
#include "waiters.h"

enum { PATIENCE_MS = 60000, MEMBERS = 3, ANSWERS_MAX = 4096 };

static uv_loop_t loop;
static struct pki *pki;
static char folder[64];

/* -- a disk that can be full, or broken -------------------------------------------------------- */

struct frail_disk {
	struct disk_io io;
	atomic_bool full, broken;
};

static ssize_t frail_pwrite(void *context, int handle, const void *from, size_t size,
			    uint64_t offset)
{
	struct frail_disk *disk = context;

	if (atomic_load(&disk->full))
		return -ENOSPC;
	return disk_io_kernel.pwrite(disk_io_kernel.context, handle, from, size, offset);
}

static int frail_sync(void *context, int handle)
{
	struct frail_disk *disk = context;

	return atomic_load(&disk->broken) ? -EIO
					  : disk_io_kernel.sync(disk_io_kernel.context, handle);
}

/* -- members ----------------------------------------------------------------------------------- */

struct box {
	struct raft_node *node; /* NULL: not running */
	struct kv_store *store;
	struct pki_pair pair;
	struct frail_disk disk;
	uint64_t id;
	char path[128], address[32];
	int failed; /* code; 0: none */
	bool closed;
	uint64_t snapshot_bytes;
};

static struct box boxes[MEMBERS + 1];
static struct raft_members first_members;

static void node_failed(void *context, int code, const char *why)
{
	struct box *box = context;

	assert_true(strlen(why) > 0);
	box->failed = code;
}

static int try_open(struct box *box, bool join)
{
	static const struct disk_keyring keyring = {
	    .active = 1, .count = 1, .keys = {{.id = 1, .bytes = {7}}}};
	struct raft_node_options options;
	struct raft_error error = {0};
	int err;

	raft_node_options_default(&options);
	options.loop = &loop;
	options.disk = (struct disk_options){
	    .path = box->path, .keyring = &keyring, .segment_size = 1 << 20, .io = &box->disk.io};
	options.pem = (struct tls_pem){pki_ca(pki), box->pair.certificate, box->pair.key};
	options.listen = box->address;
	box->store = kv_store_new();
	options.store = kv_store_seam(box->store);
	options.events = (struct raft_node_events){.failed = node_failed, .context = box};
	options.bootstrap = join ? NULL : &first_members;
	if (box->snapshot_bytes)
		options.snapshot_bytes = box->snapshot_bytes;
	options.kept_entries = 10;
	box->failed = 0;
	box->closed = false;
	err = raft_node_open(&options, &box->node, &error);
	if (err)
		print_message("%s\n", error.text);
	return err;
}

static void open_box(struct box *box, bool join)
{
	assert_int_equal(try_open(box, join), 0);
}

static void box_closed(void *context)
{
	((struct box *)context)->closed = true;
}

static void wake(uv_timer_t *timer)
{
	(void)timer;
}

#define wait_for(condition)                                                                        \
	do {                                                                                       \
		const uint64_t deadline_ = uv_hrtime() / 1000000 + PATIENCE_MS;                    \
		static uv_timer_t timer_;                                                          \
		uv_timer_init(&loop, &timer_);                                                     \
		uv_timer_start(&timer_, wake, 5, 5);                                               \
		while (!(condition) && uv_hrtime() / 1000000 < deadline_)                          \
			uv_run(&loop, UV_RUN_ONCE);                                                \
		uv_close((uv_handle_t *)&timer_, NULL);                                            \
		uv_run(&loop, UV_RUN_NOWAIT);                                                      \
		assert_true(condition);                                                            \
	} while (0)

static void close_box(struct box *box)
{
	if (!box->node)
		return;
	raft_node_close(box->node, box_closed, box);
	box->node = NULL;
	wait_for(box->closed);
	kv_store_free(box->store);
	box->store = NULL;
}

static struct box *find_leader(void)
{
	for (int i = 0; i <= MEMBERS; i++) {
		struct raft_status status;

		if (!boxes[i].node)
			continue;
		raft_node_get_status(boxes[i].node, &status);
		if (status.state == RAFT_LEADER && status.commit >= 2)
			return &boxes[i];
	}
	return NULL;
}

static struct box *leader(void)
{
	wait_for(find_leader());
	return find_leader();
}

static struct box *follower(void)
{
	struct box *leads = leader();

	for (int i = 0; i < MEMBERS; i++)
		if (boxes[i].node && &boxes[i] != leads)
			return &boxes[i];
	return NULL;
}

/* -- questions and answers --------------------------------------------------------------------- */

struct answers {
	int count, errors;
	int err; /* the last one */
	uint64_t index, result;
};

static void answered(void *context, int err, uint64_t index, uint64_t result)
{
	struct answers *answers = context;

	answers->count++;
	answers->errors += err != 0;
	answers->err = err;
	answers->index = index;
	answers->result = result;
}

static int put(struct box *box, uint64_t key, uint64_t value, struct answers *answers)
{
	char text[64];
	struct raft_bytes *command;
	int err;

	snprintf(text, sizeof(text), "put %" PRIu64 " %" PRIu64, key, value);
	command = raft_bytes_new(text, strlen(text));
	err = raft_node_propose(box->node, command, answered, answers);
	raft_bytes_release(command);
	return err;
}

static void put_and_wait(uint64_t key, uint64_t value)
{
	struct answers answers = {0};
	const int before = answers.count;

	assert_int_equal(put(leader(), key, value, &answers), 0);
	assert_int_equal(answers.count, before); /* never out of the call */
	wait_for(answers.count == 1);
	assert_int_equal(answers.err, 0);
}

static uint64_t read_key(struct box *box, uint64_t key)
{
	struct answers answers = {0};

	wait_for(raft_node_leader(box->node));
	assert_int_equal(raft_node_read(box->node, answered, &answers), 0);
	wait_for(answers.count == 1);
	assert_int_equal(answers.err, 0);
	return kv_store_get(box->store, key);
}

static void change(enum raft_change_type type, const struct box *box)
{
	struct raft_change wanted = {.type = type, .member = {.id = box->id}};
	struct answers answers = {0};
	bool asked = false;

	strcpy(wanted.member.address, box->address);
	while (!asked) {
		const int err = raft_node_change(leader()->node, &wanted, answered, &answers);

		/* The learner is behind, or an election came in between. */
		assert_true(!err || err == RAFT_NOT_YET || err == RAFT_NOT_LEADER);
		asked = !err;
		uv_run(&loop, UV_RUN_ONCE);
	}
	wait_for(answers.count == 1);
	assert_int_equal(answers.err, 0);
}

/* -- set-up ------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
	(void)state;
	pki = pki_new();
	first_members = (struct raft_members){0};
	strcpy(folder, "/tmp/raft-node-test-XXXXXX");
	if (!mkdtemp(folder) || uv_loop_init(&loop))
		return -1;
	for (unsigned int i = 0; i <= MEMBERS; i++) {
		struct box *box = &boxes[i];

		memset(box, 0, sizeof(*box));
		box->id = 0xa0 + i;
		box->pair = pki_member(pki, "test", box->id);
		box->disk.io = disk_io_kernel;
		box->disk.io.context = &box->disk;
		box->disk.io.pwrite = frail_pwrite;
		box->disk.io.sync = frail_sync;
		snprintf(box->path, sizeof(box->path), "%s/%u", folder, i);
		snprintf(box->address, sizeof(box->address), "127.0.0.1:%u", loopback_free_port());
		if (i == MEMBERS)
			break;
		first_members.member[i] = (struct raft_member){.id = box->id, .role = RAFT_VOTER};
		strcpy(first_members.member[i].address, box->address);
		first_members.count++;
	}
	for (int i = 0; i < MEMBERS; i++)
		open_box(&boxes[i], false);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	for (int i = 0; i <= MEMBERS; i++) {
		close_box(&boxes[i]);
		pki_pair_free(&boxes[i].pair);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	pki_free(pki);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return uv_loop_close(&loop) || system(command);
}

/* -- tests ------------------------------------------------------------------------------------- */

static void what_is_acknowledged_is_everywhere(void **state)
{
	struct answers answers = {0};

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(put(leader(), 5, i, &answers), 0);
	wait_for(answers.count == 100);
	assert_int_equal(answers.errors, 0);
	assert_int_equal(answers.result, 99); /* what was there before the last */
	for (int i = 0; i < MEMBERS; i++)
		assert_int_equal(read_key(&boxes[i], 5), 100);
}

static void a_follower_knows_who_leads(void **state)
{
	struct box *follows = follower();
	struct answers answers = {0};

	(void)state;
	assert_int_equal(put(follows, 5, 1, &answers), RAFT_NOT_LEADER);
	assert_int_equal(answers.count, 0);
	wait_for(raft_node_leader(follows->node));
	assert_int_equal(raft_node_leader(follows->node), leader()->id);
}

static void a_member_comes_back_with_its_state(void **state)
{
	struct box *box = follower();

	(void)state;
	put_and_wait(7, 70);
	close_box(box);
	put_and_wait(8, 80);
	open_box(box, false);
	assert_int_equal(read_key(box, 7), 70);
	assert_int_equal(read_key(box, 8), 80);
}

static void all_come_back_with_their_state(void **state)
{
	(void)state;
	put_and_wait(7, 70);
	for (int i = 0; i < MEMBERS; i++)
		close_box(&boxes[i]);
	for (int i = 0; i < MEMBERS; i++)
		open_box(&boxes[i], false);
	assert_int_equal(read_key(leader(), 7), 70);
}

static void another_leads_when_the_leader_is_gone(void **state)
{
	struct box *old = leader();

	(void)state;
	put_and_wait(1, 11);
	close_box(old);
	put_and_wait(2, 22);
	open_box(old, false);
	assert_int_equal(read_key(old, 1), 11);
	assert_int_equal(read_key(old, 2), 22);
}

static void leadership_is_handed_over(void **state)
{
	struct box *heir = follower();

	(void)state;
	assert_int_equal(raft_node_transfer(leader()->node, heir->id), 0);
	wait_for(find_leader() == heir);
	put_and_wait(3, 33);
}

/* Writes enough for a few snapshots. */
static void write_much(void)
{
	struct answers answers = {0};

	for (uint64_t i = 0; i < 2000; i++) {
		assert_int_equal(put(leader(), i, i + 1, &answers), 0);
		if (i % 100 == 99)
			wait_for(answers.count == (int)i + 1);
	}
	assert_int_equal(answers.errors, 0);
}

static void reopen_with_small_snapshots(void)
{
	for (int i = 0; i <= MEMBERS; i++)
		boxes[i].snapshot_bytes = 20 << 10;
	for (int i = 0; i < MEMBERS; i++) {
		close_box(&boxes[i]);
		open_box(&boxes[i], false);
	}
}

static void who_is_far_behind_gets_a_snapshot(void **state)
{
	struct raft_status status;
	struct box *late;

	(void)state;
	reopen_with_small_snapshots();
	late = follower();
	close_box(late);
	write_much();
	raft_node_get_status(leader()->node, &status);
	assert_true(status.first > 1000); /* there is nothing else to send */
	open_box(late, false);
	assert_int_equal(read_key(late, 0), 1);
	assert_int_equal(read_key(late, 1999), 2000);
	/* And what it got is on its disk. */
	close_box(late);
	open_box(late, false);
	assert_int_equal(read_key(late, 1000), 1001);
}

static void a_new_member_joins_and_an_old_one_goes(void **state)
{
	struct box *new = &boxes[MEMBERS], *old;
	struct raft_status status;

	(void)state;
	reopen_with_small_snapshots();
	write_much();
	open_box(new, true);
	change(RAFT_ADD_LEARNER, new);
	change(RAFT_PROMOTE, new);
	assert_int_equal(read_key(new, 1500), 1501);
	old = leader();
	change(RAFT_REMOVE, old);
	close_box(old);
	put_and_wait(9, 99);
	assert_int_equal(read_key(new, 9), 99);
	raft_node_get_status(new->node, &status);
	assert_int_equal(status.members.count, MEMBERS);
	assert_null(raft_members_find(&status.members, old->id));
}

static void a_full_disk_makes_another_lead(void **state)
{
	struct box *full = leader();
	struct answers answers = {0};
	struct raft_status status;

	(void)state;
	put_and_wait(1, 1);
	atomic_store(&full->disk.full, true);
	assert_int_equal(put(full, 1, 2, &answers), 0);
	wait_for(find_leader() && find_leader() != full);
	wait_for(answers.count == 1);
	put_and_wait(1, 3);
	raft_node_get_status(full->node, &status);
	assert_true(status.stalled);
	atomic_store(&full->disk.full, false);
	wait_for((raft_node_get_status(full->node, &status), !status.stalled));
	assert_int_equal(read_key(full, 1), 3);
	assert_int_equal(full->failed, 0);
}

static void a_broken_disk_ends_the_member(void **state)
{
	struct box *broken = leader();
	struct answers answers = {0};

	(void)state;
	put_and_wait(1, 1);
	atomic_store(&broken->disk.broken, true);
	assert_int_equal(put(broken, 1, 2, &answers), 0);
	wait_for(broken->failed);
	assert_int_equal(broken->failed, -EIO);
	assert_int_equal(put(broken, 1, 3, &answers), -ESHUTDOWN);
	close_box(broken);
	assert_int_equal(answers.count, 1);
	assert_int_equal(answers.err, RAFT_UNKNOWN);
	put_and_wait(1, 4);
	atomic_store(&broken->disk.broken, false);
	open_box(broken, false);
	assert_int_equal(read_key(broken, 1), 4);
}

/* Without a majority a proposal has no outcome: whoever waits is told so when leadership ends. */
static void a_lost_majority_is_said(void **state)
{
	struct box *alone = leader();
	struct answers written = {0}, read = {0};

	(void)state;
	for (int i = 0; i < MEMBERS; i++)
		if (&boxes[i] != alone)
			close_box(&boxes[i]);
	assert_int_equal(put(alone, 1, 2, &written), 0);
	assert_int_equal(raft_node_read(alone->node, answered, &read), 0);
	wait_for(written.count == 1 && read.count == 1);
	assert_int_equal(written.err, RAFT_UNKNOWN);
	assert_int_equal(read.err, RAFT_NOT_LEADER);
	for (int i = 0; i < MEMBERS; i++)
		if (&boxes[i] != alone)
			open_box(&boxes[i], false);
	put_and_wait(1, 3);
}

static void one_folder_has_one_member(void **state)
{
	struct box twin = boxes[0];

	(void)state;
	snprintf(twin.address, sizeof(twin.address), "127.0.0.1:%u", loopback_free_port());
	assert_int_equal(try_open(&twin, false), -EWOULDBLOCK);
	kv_store_free(twin.store);
}

static void waiters_keep_their_order(void **state)
{
	struct waiters waiters = {0};
	struct waiter waiter;
	uint64_t next = 1;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		waiter = (struct waiter){.index = i};
		assert_int_equal(waiters_reserve(&waiters), 0);
		waiters_add(&waiters, &waiter);
		if (i % 3)
			continue;
		assert_true(waiters_take(&waiters, i, &waiter));
		assert_int_equal(waiter.index, next++);
	}
	assert_false(waiters_take(&waiters, next - 1, &waiter));
	while (waiters_take(&waiters, UINT64_MAX, &waiter))
		assert_int_equal(waiter.index, next++);
	assert_int_equal(next, 1001);
	waiters_free(&waiters);
}

#define member_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    member_test(what_is_acknowledged_is_everywhere),
	    member_test(a_follower_knows_who_leads),
	    member_test(a_member_comes_back_with_its_state),
	    member_test(all_come_back_with_their_state),
	    member_test(another_leads_when_the_leader_is_gone),
	    member_test(leadership_is_handed_over),
	    member_test(who_is_far_behind_gets_a_snapshot),
	    member_test(a_new_member_joins_and_an_old_one_goes),
	    member_test(a_full_disk_makes_another_lead),
	    member_test(a_broken_disk_ends_the_member),
	    member_test(a_lost_majority_is_said),
	    member_test(one_folder_has_one_member),
	    cmocka_unit_test(waiters_keep_their_order),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
