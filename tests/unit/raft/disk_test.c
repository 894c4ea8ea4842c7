/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk_story.h"

static struct fake_disk fake;

static struct disk *open_fake(struct raft_restored *restored)
{
	struct raft_error error = {0};
	struct disk *d;

	if (story_open(&fake, &d, restored, &error))
		fail_msg("%s", error.text);
	return d;
}

static struct disk *play_to(int steps)
{
	struct raft_restored restored;
	struct disk *d;

	fake_clear(&fake);
	fake_init(&fake, 4);
	d = open_fake(&restored);
	for (int step = 0; step < steps; step++)
		assert_int_equal(story_step(d, step), 0);
	return d;
}

static int write_one(struct disk *d, const struct disk_batch *batch)
{
	size_t done = 7;
	int err = disk_write(d, batch, 1, &done, NULL);

	assert_int_equal(done, err == 0);
	return err;
}

static int append(struct disk *d, uint64_t index, uint64_t term, size_t size)
{
	struct raft_entry e = story_entry(index, term, size);
	struct disk_batch batch = {.entries = &e, .entry_count = 1};
	int err = write_one(d, &batch);

	raft_bytes_release(e.data);
	return err;
}

static void whole_story(void **unused)
{
	struct raft_restored restored;
	struct disk *d = play_to(story_length());

	(void)unused;
	disk_close(d);
	for (int again = 0; again < 3; again++) {
		d = open_fake(&restored);
		assert_null(story_compare(story_after(story_length() - 1), d, &restored));
		disk_restored_clear(&restored);
		disk_close(d);
	}
	/* What the snapshot stands for is gone. */
	assert_int_equal(fake_count(&fake, ".snapshot"), 1);
	assert_true(fake_count(&fake, ".wal") <= 2);
	assert_int_equal(fake_count(&fake, ".tmp"), 0);
}

static void group_is_one_sync(void **unused)
{
	struct disk *d = play_to(2);
	struct raft_entry entries[100];
	struct disk_batch batches[100] = {0};
	unsigned int syncs = fake.syncs;
	size_t done;

	(void)unused;
	for (size_t i = 0; i < 100; i++) {
		entries[i] = story_entry(2 + i, 2, 200);
		batches[i].entries = &entries[i];
		batches[i].entry_count = 1;
	}
	assert_int_equal(disk_write(d, batches, 100, &done, NULL), 0);
	assert_int_equal(done, 100);
	assert_int_equal(fake.syncs, syncs + 1);
	for (size_t i = 0; i < 100; i++)
		raft_bytes_release(entries[i].data);
	disk_close(d);
}

/* More than a record holds: several, and none of the entries is lost. */
static void large_batch(void **unused)
{
	struct disk *d = play_to(2);
	struct raft_restored restored;
	struct raft_hard_state hard_state = {.term = 2, .vote = 7, .commit = 6};
	struct raft_entry entries[5];
	struct disk_batch batch = {.hard_state = &hard_state, .entries = entries, .entry_count = 5};

	(void)unused;
	for (size_t i = 0; i < 5; i++)
		entries[i] = story_entry(2 + i, 2, RAFT_ENTRY_SIZE_MAX);
	fake.full = true;
	assert_int_equal(write_one(d, &batch), -ENOSPC);
	fake.full = false;
	assert_int_equal(write_one(d, &batch), 0);
	assert_int_equal(write_one(d, &batch), 0); /* cuts and writes again */
	disk_close(d);
	d = open_fake(&restored);
	assert_int_equal(restored.entry_count, 5);
	assert_int_equal(restored.hard_state.commit, 6);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(restored.entries[i].data->size, RAFT_ENTRY_SIZE_MAX);
		assert_memory_equal(restored.entries[i].data->data, entries[i].data->data,
				    RAFT_ENTRY_SIZE_MAX);
		raft_bytes_release(entries[i].data);
	}
	disk_restored_clear(&restored);
	disk_close(d);
}

/* Stopped between its records: the commit index that came first is not past the log, and the log
 * goes on. */
static void large_batch_interrupted(void **unused)
{
	struct raft_hard_state hard_state = {.term = 2, .vote = 7, .commit = 4};
	struct raft_entry entries[3];
	struct disk_batch batch = {.hard_state = &hard_state, .entries = entries, .entry_count = 3};
	bool between = false, stopped = true;

	(void)unused;
	for (size_t i = 0; i < 3; i++)
		entries[i] = story_entry(2 + i, 2, RAFT_ENTRY_SIZE_MAX);
	for (unsigned int stop = 1; stopped; stop++) {
		struct disk *d = play_to(2);
		struct raft_restored restored;
		size_t done;

		fake.stop_at = fake.calls + stop;
		disk_write(d, &batch, 1, &done, NULL);
		stopped = fake.stopped;
		disk_close(d);
		fake_restart(&fake, FAKE_LOSE);
		for (uint64_t again = 0; again < 3; again++) {
			uint64_t last;

			d = open_fake(&restored);
			last = restored.entry_count + 1;
			assert_true(restored.hard_state.commit <= last);
			between = between || (again == 0 && last > 1 && last < 4);
			disk_restored_clear(&restored);
			assert_int_equal(append(d, last + 1, 2, 10), 0);
			disk_close(d);
		}
	}
	assert_true(between);
	for (size_t i = 0; i < 3; i++)
		raft_bytes_release(entries[i].data);
}

static void senseless_batches(void **unused)
{
	struct disk *d = play_to(11); /* a snapshot at 6, entries to 11 of term 3 */
	struct raft_hard_state old = {.term = 1};
	struct raft_snapshot snapshot = {.index = 20, .term = 3, .size = 10};
	struct raft_chunk_in chunk = {.snapshot = snapshot, .offset = 5};
	struct disk_batch batch = {.hard_state = &old};
	struct raft_error error = {0};
	struct raft_entry gap[2] = {story_entry(12, 3, 0), story_entry(14, 3, 0)};
	struct raft_restored restored;
	size_t done;

	(void)unused;
	assert_int_equal(disk_write(d, &batch, 1, &done, &error), -EINVAL);
	assert_non_null(strstr(error.text, "last entry 11, snapshot 6"));
	assert_int_equal(append(d, 13, 3, 10), -EINVAL);
	assert_int_equal(append(d, 6, 3, 10), -EINVAL);
	batch = (struct disk_batch){.entries = gap, .entry_count = 2};
	assert_int_equal(write_one(d, &batch), -EINVAL);
	batch = (struct disk_batch){.chunks = &chunk, .chunk_count = 1};
	assert_int_equal(write_one(d, &batch), -EINVAL);
	batch = (struct disk_batch){.install = &snapshot};
	assert_int_equal(write_one(d, &batch), -EINVAL);
	assert_int_equal(disk_compact(d, 8, 3, NULL), -ENOENT);
	assert_int_equal(disk_compact(d, 12, 3, NULL), -EINVAL);
	assert_int_equal(disk_compact(d, 6, 3, NULL), -EINVAL);
	disk_close(d);
	d = open_fake(&restored);
	assert_null(story_compare(story_after(10), d, &restored));
	disk_restored_clear(&restored);
	assert_int_equal(disk_bootstrap(d, &snapshot, NULL, 0, &error), -EEXIST);
	disk_close(d);
}

/* Install, and what was appended after it in the same batch. */
static void entries_beyond_an_install(void **unused)
{
	struct disk *d = play_to(4);
	struct raft_snapshot snapshot = {
	    .index = 30, .term = 3, .size = 4, .members = {.count = 1, .member = {{7, 1, "a:1"}}}};
	struct raft_chunk_in chunk = {
	    .snapshot = snapshot, .data = raft_bytes_new("abcd", 4), .last = true};
	struct raft_entry e = story_entry(31, 3, 10);
	struct disk_batch batch = {.entries = &e,
				   .entry_count = 1,
				   .chunks = &chunk,
				   .chunk_count = 1,
				   .install = &snapshot};
	struct raft_restored restored;

	(void)unused;
	assert_int_equal(write_one(d, &batch), 0);
	disk_close(d);
	raft_bytes_release(e.data);
	raft_bytes_release(chunk.data);
	d = open_fake(&restored);
	assert_int_equal(restored.snapshot.index, 30);
	assert_int_equal(restored.entry_count, 1);
	assert_int_equal(restored.entries[0].index, 31);
	disk_restored_clear(&restored);
	disk_close(d);
}

/* Sent twice, sent from the middle, begun anew: what is installed is what was sent last. */
static void chunks_again(void **unused)
{
	struct disk *d = play_to(4);
	struct raft_snapshot snapshot = {.index = 30,
					 .term = 3,
					 .size = 100000,
					 .members = {.count = 1, .member = {{7, 1, "a:1"}}}};
	struct raft_chunk_in chunk = {.snapshot = snapshot};
	struct disk_batch batch = {.chunks = &chunk, .chunk_count = 1};
	struct snapshot_reader *r;
	static uint8_t bytes[100000];
	size_t got;

	(void)unused;
	for (int round = 0; round < 2; round++) {
		for (size_t at = 0; at + 10000 <= 60000; at += 5000) { /* each half twice */
			chunk.offset = at;
			chunk.data = raft_bytes_new(NULL, 10000);
			memset(chunk.data->data, round ? (int)(at / 5000) : 99, 5000);
			memset(chunk.data->data + 5000, round ? (int)(at / 5000) + 1 : 99, 5000);
			assert_int_equal(write_one(d, &batch), 0);
			raft_bytes_release(chunk.data);
		}
	}
	chunk.offset = 60000;
	chunk.data = raft_bytes_new(NULL, 40000);
	chunk.last = true;
	batch.install = &snapshot;
	assert_int_equal(write_one(d, &batch), 0);
	raft_bytes_release(chunk.data);
	assert_int_equal(disk_reader_open(d, 30, &r, NULL), 0);
	assert_int_equal(disk_reader_read(r, 0, bytes, sizeof(bytes), &got, NULL), 0);
	assert_int_equal(got, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], i < 60000 ? i / 5000 : 0);
	/* By piece, as they are sent to others. */
	assert_int_equal(disk_reader_read(r, 65530, bytes, 12, &got, NULL), 0);
	assert_int_equal(got, 12);
	assert_int_equal(disk_reader_read(r, 99999, bytes, 12, &got, NULL), 0);
	assert_int_equal(got, 1);
	assert_int_equal(disk_reader_read(r, UINT64_MAX, bytes, 12, &got, NULL), 0);
	assert_int_equal(got, 0);
	disk_reader_close(d, r);
	disk_close(d);
}

/* Wherever the snapshot stands between segments, what lies above it stays. */
static void compact_at_every_index(void **unused)
{
	enum { LAST = 30 };

	(void)unused;
	for (uint64_t index = 2; index <= LAST; index++) {
		struct disk *d = play_to(2);
		struct raft_snapshot snapshot = {.index = index, .term = 2};
		struct snapshot_writer *w;
		struct raft_restored restored;
		int segments;

		for (uint64_t i = 2; i <= LAST; i++)
			assert_int_equal(append(d, i, 2, 9000), 0);
		segments = fake_count(&fake, ".wal");
		assert_int_equal(disk_snapshot_begin(d, &snapshot, &w, NULL), 0);
		assert_int_equal(disk_snapshot_finish(d, w, NULL), 0);
		assert_int_equal(disk_compact(d, index, 2, NULL), 0);
		if (index == LAST)
			assert_true(segments > 3 && fake_count(&fake, ".wal") == 1);
		disk_close(d);
		d = open_fake(&restored);
		assert_int_equal(restored.snapshot.index, index);
		assert_int_equal(restored.entry_count, LAST - index);
		disk_restored_clear(&restored);
		disk_close(d);
	}
}

static void readers_pin(void **unused)
{
	struct disk *d = play_to(11); /* in force: 6 */
	struct snapshot_reader *one, *two, *none;
	uint8_t byte;
	size_t got;

	(void)unused;
	assert_int_equal(disk_reader_open(d, 0, &one, NULL), 0);
	assert_int_equal(disk_reader_snapshot(one)->index, 6);
	for (int step = 11; step < 17; step++)
		assert_int_equal(story_step(d, step), 0);
	/* 16 is in force; 6 can still be read, and opened. */
	assert_int_equal(disk_reader_open(d, 6, &two, NULL), 0);
	disk_reader_close(d, one);
	assert_int_equal(disk_reader_read(two, 69999, &byte, 1, &got, NULL), 0);
	assert_int_equal(got, 1);
	assert_int_equal(fake_count(&fake, ".snapshot"), 2);
	disk_reader_close(d, two);
	assert_int_equal(fake_count(&fake, ".snapshot"), 1);
	assert_int_equal(disk_reader_open(d, 6, &none, NULL), -ENOENT);
	disk_close(d);
}

struct other_thread {
	struct disk *d;
	int err;
};

static void *write_snapshot(void *argument)
{
	struct other_thread *o = argument;
	struct raft_snapshot snapshot = {
	    .index = 5, .term = 2, .members = {.count = 1, .member = {{7, 1, "a:1"}}}};
	struct snapshot_writer *w;
	uint8_t part[1000] = {0};

	o->err = disk_snapshot_begin(o->d, &snapshot, &w, NULL);
	for (int i = 0; i < 300 && o->err == 0; i++)
		o->err = disk_snapshot_write(o->d, w, part, sizeof(part), NULL);
	if (o->err == 0)
		o->err = disk_snapshot_finish(o->d, w, NULL);
	return NULL;
}

/* On a real disk, beside the log's thread; under ThreadSanitizer this is the test. */
static void snapshot_beside_the_log(void **unused)
{
	char path[] = "/tmp/disk_test_XXXXXX", command[64];
	struct disk_options options = {.path = path, .keyring = &story_ring};
	struct raft_restored restored;
	struct other_thread other = {0};
	struct disk_status status;
	pthread_t thread;

	(void)unused;
	assert_non_null(mkdtemp(path));
	assert_int_equal(disk_open(&options, &other.d, &restored, NULL), 0);
	for (int step = 0; step < 5; step++)
		assert_int_equal(story_step(other.d, step), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_snapshot, &other), 0);
	for (uint64_t i = 9; i < 200; i++)
		assert_int_equal(append(other.d, i, 2, 100), 0);
	pthread_join(thread, NULL);
	assert_int_equal(other.err, 0);
	assert_int_equal(disk_compact(other.d, 5, 2, NULL), 0);
	disk_close(other.d);
	assert_int_equal(disk_open(&options, &other.d, &restored, NULL), 0);
	disk_get_status(other.d, &status);
	assert_int_equal(status.snapshot_index, 5);
	assert_int_equal(restored.snapshot.size, 300000);
	assert_int_equal(restored.entry_count, 194);
	disk_restored_clear(&restored);
	disk_close(other.d);
	snprintf(command, sizeof(command), "rm -r %s", path);
	assert_int_equal(system(command), 0);
}

static void two_openers(void **unused)
{
	char path[] = "/tmp/disk_test_XXXXXX", command[64];
	struct disk_options options = {.path = path, .keyring = &story_ring};
	struct raft_restored restored;
	struct raft_error error;
	struct disk *d, *other;
	int status;
	pid_t child;

	(void)unused;
	assert_non_null(mkdtemp(path));
	assert_int_equal(disk_open(&options, &d, &restored, NULL), 0);
	assert_int_equal(disk_open(&options, &other, &restored, &error), -EWOULDBLOCK);
	assert_non_null(strstr(error.text, path));
	assert_non_null(strstr(error.text, "another process has it open"));
	child = fork();
	if (child == 0)
		_exit(disk_open(&options, &other, &restored, &error) == -EWOULDBLOCK ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	disk_close(d);
	assert_int_equal(disk_open(&options, &d, &restored, NULL), 0);
	disk_close(d);
	snprintf(command, sizeof(command), "rm -r %s", path);
	assert_int_equal(system(command), 0);
}

static bool needs(struct disk *d, uint32_t id)
{
	uint32_t ids[DISK_KEYS_MAX];
	int count = disk_keys_needed(d, ids);

	assert_true(count > 0);
	for (int i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static void keys(void **unused)
{
	struct disk_key third = {3, "a third key"};
	struct disk_keyring only = {.active = 2, .count = 1, .keys = {{2, "another key"}}};
	struct disk_options options = {.path = "raft", .keyring = &only, .io = &fake.io};
	struct raft_restored restored;
	struct disk_status status;
	struct disk *d = play_to(9); /* rotated from 1 to 2 */

	(void)unused;
	assert_true(needs(d, 1) && needs(d, 2));
	assert_int_equal(disk_forget_key(d, 1, NULL), -EBUSY);
	third.id = 2;
	assert_int_equal(disk_rotate_key(d, &third, NULL), -EINVAL);
	third.id = 0;
	assert_int_equal(disk_rotate_key(d, &third, NULL), -EINVAL);
	third.id = 3;
	fake.full = true;
	assert_int_equal(disk_rotate_key(d, &third, NULL), -ENOSPC);
	disk_get_status(d, &status);
	assert_int_equal(status.active_key, 2);
	fake.full = false;
	assert_int_equal(disk_rotate_key(d, &third, NULL), 0);
	disk_get_status(d, &status);
	assert_int_equal(status.active_key, 3);
	disk_close(d);

	d = play_to(17); /* just compacted: all is under 2 */
	assert_true(!needs(d, 1) && needs(d, 2));
	assert_int_equal(disk_forget_key(d, 2, NULL), -EBUSY);
	assert_int_equal(disk_forget_key(d, 5, NULL), -ENOKEY);
	assert_int_equal(disk_forget_key(d, 1, NULL), 0);
	/* Whatever a crash brings back does not need it. */
	fake.stopped = true;
	disk_close(d);
	fake_restart(&fake, FAKE_LOSE);
	assert_int_equal(disk_open(&options, &d, &restored, NULL), 0);
	assert_null(story_compare(story_after(16), d, &restored));
	disk_restored_clear(&restored);
	disk_close(d);
}

/* Entries are refused; votes go on: into what is left of the segment, then into the reserve's room.
 */
static void votes_on_a_full_disk(void **unused)
{
	struct raft_hard_state h = {.term = 100};
	struct disk_batch vote = {.hard_state = &h};
	struct raft_restored restored;
	struct disk_status status;
	struct disk *d = play_to(6);
	uint64_t index = 6, segments;
	int votes = 0;

	(void)unused;
	fake.capacity = fake_used(&fake);
	while (append(d, index, 3, 9000) == 0)
		index++;
	disk_get_status(d, &status);
	assert_true(status.reserve);
	segments = status.segments;
	while (write_one(d, &vote) == 0) {
		h.term++;
		votes++;
	}
	disk_get_status(d, &status);
	assert_true(!status.reserve && status.segments > segments && votes > 1000);
	print_message("%d votes on a full disk\n", votes);
	disk_close(d);
	fake_reopen(&fake);
	/* Opened on a full disk: all is there; and closing gave back some room. */
	d = open_fake(&restored);
	assert_int_equal(restored.hard_state.term, h.term - 1);
	assert_int_equal(restored.entry_count, index - 2);
	disk_restored_clear(&restored);
	fake.capacity = fake_used(&fake);
	assert_int_equal(append(d, index, 3, 10), -ENOSPC);
	assert_int_equal(write_one(d, &vote), -ENOSPC);
	fake.capacity = 0;
	assert_int_equal(write_one(d, &vote), 0);
	assert_int_equal(append(d, index, 3, 10), 0);
	disk_get_status(d, &status);
	assert_true(status.reserve && status.refused == 2); /* it is back */
	disk_close(d);
}

static void check_forced(int step, uint64_t last, bool must)
{
	struct raft_members members;
	struct raft_restored restored;
	struct disk *d = open_fake(&restored);
	const struct raft_entry *e = &restored.entries[restored.entry_count - 1];

	if (restored.snapshot.index + restored.entry_count == last) {
		assert_false(must);
		assert_null(story_compare(story_after(step), d, &restored));
	} else {
		/* All that was there, committed, and one more. */
		assert_int_equal(e->index, last + 1);
		assert_int_equal(e->type, RAFT_ENTRY_MEMBERS);
		assert_int_equal(restored.hard_state.commit, last + 1);
		assert_int_equal(restored.hard_state.term, e->term);
		assert_int_equal(restored.hard_state.vote, 7);
		assert_true(e->term > story_after(step)->hard_state.term);
		assert_int_equal(raft_members_decode(e->data->data, e->data->size, &members), 0);
		assert_int_equal(members.count, 1);
		assert_int_equal(members.member[0].id, 7);
		assert_string_equal(members.member[0].address, "new:1");
	}
	disk_restored_clear(&restored);
	disk_close(d);
}

static void force_new_cluster(void **unused)
{
	struct disk_options options = {.path = "raft", .keyring = &story_ring, .io = &fake.io};
	struct raft_member self = {.id = 7, .role = RAFT_LEARNER, .address = "new:1"};
	int err = -EIO;

	(void)unused;
	fake_clear(&fake);
	fake_init(&fake, 1);
	assert_int_equal(disk_force_new_cluster(&options, &self, NULL), -ENODATA);
	for (unsigned int stop = 1; err; stop++) {
		for (int fate = 0; fate < 4; fate++) {
			struct disk *d = play_to(9);

			disk_close(d);
			fake_reopen(&fake);
			fake.stop_at = stop;
			err = disk_force_new_cluster(&options, &self, NULL);
			if (!fake.stopped)
				assert_int_equal(err, 0);
			fake_restart(&fake, fate < 2 ? (enum fake_fate)fate : FAKE_SOME);
			check_forced(8, story_after(8)->last, err == 0);
		}
	}
	fake_clear(&fake);
}

static uint32_t zero(void *context)
{
	(void)context;
	return 0;
}

/* The core takes what comes back, after any step. */
static void core_opens_it(void **unused)
{
	(void)unused;
	for (int steps = 0; steps <= story_length(); steps++) {
		struct raft_options options;
		struct raft_restored restored;
		struct disk *d = play_to(steps);
		struct raft_status status;
		struct raft *r;

		disk_close(d);
		d = open_fake(&restored);
		raft_options_default(&options);
		options.id = 7;
		options.random = zero;
		assert_int_equal(raft_open(&options, &restored, &r), 0);
		raft_get_status(r, &status);
		assert_int_equal(status.last, story_after(steps - 1)->last);
		assert_int_equal(status.persisted, status.last);
		raft_close(r);
		disk_restored_clear(&restored);
		disk_close(d);
	}
	fake_clear(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_story),          cmocka_unit_test(group_is_one_sync),
	    cmocka_unit_test(large_batch),          cmocka_unit_test(large_batch_interrupted),
	    cmocka_unit_test(senseless_batches),    cmocka_unit_test(entries_beyond_an_install),
	    cmocka_unit_test(chunks_again),         cmocka_unit_test(compact_at_every_index),
	    cmocka_unit_test(readers_pin),          cmocka_unit_test(snapshot_beside_the_log),
	    cmocka_unit_test(two_openers),          cmocka_unit_test(keys),
	    cmocka_unit_test(votes_on_a_full_disk), cmocka_unit_test(force_new_cluster),
	    cmocka_unit_test(core_opens_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
