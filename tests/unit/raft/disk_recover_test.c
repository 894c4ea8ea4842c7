/* SPDX-License-Identifier: BSD-2-Clause */
/* What opening makes of torn writes, flipped bits, missing files and wrong keys. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk_story.h"
#include "record.h"
#include "segment.h"

static const char first_segment[] = "0000000000000001.wal";

static uint64_t append(struct disk *d, uint64_t index, size_t size)
{
	struct raft_entry e = story_entry(index, 1, size);
	struct disk_batch batch = {.entries = &e, .entry_count = 1};
	size_t done;

	assert_int_equal(disk_write(d, &batch, 1, &done, NULL), 0);
	raft_bytes_release(e.data);
	return index;
}

/* A log of so many entries; closed, or as a crash leaves it with its allocated zeros. */
static void make_log(struct fake_disk *fake, uint64_t count, size_t size, size_t last_size,
		     bool crash)
{
	struct raft_restored restored;
	struct disk *d;

	fake_init(fake, 1);
	assert_int_equal(story_open(fake, &d, &restored, NULL), 0);
	for (uint64_t i = 1; i <= count; i++)
		append(d, i, i == count ? last_size : size);
	if (crash) {
		fake->stopped = true;
		disk_close(d);
		fake_restart(fake, FAKE_LOSE);
	} else {
		disk_close(d);
		fake_reopen(fake);
	}
}

/* Number of entries, or the error. */
static int entries_of(struct fake_disk *fake, bool *torn, struct raft_error *error)
{
	struct raft_restored restored;
	struct disk_status status;
	struct disk *d;
	int count = story_open(fake, &d, &restored, error);

	if (count)
		return count;
	count = (int)restored.entry_count;
	for (int i = 0; i < count; i++) {
		const struct raft_entry *e = &restored.entries[i];
		struct raft_entry want =
		    story_entry((uint64_t)i + 1, 1, e->data ? e->data->size : 0);

		assert_int_equal(e->index, want.index);
		if (want.data)
			assert_memory_equal(e->data->data, want.data->data, want.data->size);
		raft_bytes_release(want.data);
	}
	disk_get_status(d, &status);
	if (torn)
		*torn = status.torn;
	disk_restored_clear(&restored);
	disk_close(d);
	return count;
}

/* Where the good records of a segment end, by going over them. */
static size_t end_of(const struct fake_bytes *file, size_t *last)
{
	size_t at = SEGMENT_HEADER_SIZE;
	struct record_header h;

	while (record_look(file->data, file->size, at, &h) == RECORD_GOOD) {
		*last = at;
		at = record_next(&h);
	}
	return at;
}

static void torn_at_every_byte(void **unused)
{
	(void)unused;
	for (int crash = 0; crash < 2; crash++) {
		struct fake_disk fake, copy;
		struct fake_bytes *file;
		size_t last = 0, end;
		bool torn;

		make_log(&fake, 4, 100, 1300, crash);
		file = fake_find(&fake, first_segment);
		end = end_of(file, &last);
		assert_true(crash ? file->size == STORY_SEGMENT_SIZE : file->size == end);
		for (size_t at = last; at < end; at++) {
			for (int way = 0; way < 2; way++) {
				fake_copy(&fake, &copy);
				file = fake_find(&copy, first_segment);
				if (way)
					fake_resize(file, at);
				else
					memset(file->data + at, 0, file->size - at);
				assert_int_equal(entries_of(&copy, &torn, NULL), 3);
				assert_int_equal(torn, at > last);
				fake_clear(&copy);
			}
		}
		fake_clear(&fake);
	}
}

/* A torn end, then a new segment, then another: the first one's rubbish stays out of the way. */
static void goes_on_after_torn(void **unused)
{
	struct fake_disk fake;
	struct raft_restored restored;
	struct fake_bytes *file;
	struct disk *d;
	size_t last = 0, end;

	(void)unused;
	make_log(&fake, 3, 100, 1000, true);
	file = fake_find(&fake, first_segment);
	end = end_of(file, &last);
	memset(file->data + end - 40, 0, 40);
	for (uint64_t i = 3; i < 6; i++) {
		assert_int_equal(story_open(&fake, &d, &restored, NULL), 0);
		assert_int_equal(restored.entry_count, i - 1);
		disk_restored_clear(&restored);
		append(d, i, 50);
		disk_close(d);
		fake_reopen(&fake);
	}
	assert_int_equal(entries_of(&fake, NULL, NULL), 5);
	assert_int_equal(fake_count(&fake, ".wal"), 4);
	fake_clear(&fake);
}

/* A record that is not there while later ones are: a lost write, not a torn one. */
static void holes(void **unused)
{
	struct fake_disk fake, copy;
	struct fake_bytes *file;
	size_t at = SEGMENT_HEADER_SIZE, last = 0;
	struct record_header h;

	(void)unused;
	make_log(&fake, 6, 700, 700, true);
	file = fake_find(&fake, first_segment);
	end_of(file, &last);
	while (record_look(file->data, file->size, at, &h) == RECORD_GOOD && at < last) {
		size_t next = record_next(&h);

		for (size_t from = at; from < next; from += 8) {
			struct raft_error error = {0};

			fake_copy(&fake, &copy);
			memset(fake_find(&copy, first_segment)->data + from, 0, next - from);
			assert_int_equal(entries_of(&copy, NULL, &error), -EBADMSG);
			assert_non_null(strstr(error.text, "damaged"));
			fake_clear(&copy);
		}
		at = next;
	}
	assert_int_equal(at, last);
	fake_clear(&fake);
}

/* Each bit of a small log: refused, or nothing changed; never another state. */
static void every_bit_flipped(void **unused)
{
	int refused = 0, same = 0;

	(void)unused;
	for (int crash = 0; crash < 2; crash++) {
		struct fake_disk fake, copy;
		struct fake_bytes *file;
		size_t last = 0, end;

		make_log(&fake, 4, 60, 60, crash);
		end = end_of(fake_find(&fake, first_segment), &last);
		if (crash)
			end += 64; /* and where nothing was written yet */
		for (size_t bit = 0; bit < 8 * end; bit++) {
			struct raft_error error = {0};
			int got;

			fake_copy(&fake, &copy);
			file = fake_find(&copy, first_segment);
			file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			got = entries_of(&copy, NULL, &error);
			if (got < 0) {
				assert_int_equal(got, -EBADMSG);
				assert_non_null(strstr(error.text, first_segment));
				assert_non_null(strstr(error.text, "offset"));
				assert_non_null(strstr(error.text, "join it again"));
				refused++;
			} else {
				assert_int_equal(got, 4);
				same++;
			}
			fake_clear(&copy);
		}
		fake_clear(&fake);
	}
	print_message("%d flips refused, %d without effect\n", refused, same);
	assert_true(refused > 4000 && same < 600);
}

/* The same for a log of several segments and a snapshot: each byte, one bit. */
static void every_byte_of_a_folder(void **unused)
{
	static const char *const names[] = {"0000000000000001.wal", "0000000000000002.wal",
					    "0000000000000001-0000000000000001.snapshot"};
	struct fake_disk fake, copy;
	struct raft_restored restored;
	struct disk *d;

	(void)unused;
	fake_init(&fake, 3);
	assert_int_equal(story_open(&fake, &d, &restored, NULL), 0);
	for (int step = 0; step < 4; step++)
		assert_int_equal(story_step(d, step), 0);
	assert_int_equal(disk_rotate_key(d, &story_second_key, NULL), 0);
	assert_int_equal(story_step(d, 4), 0);
	disk_close(d);
	for (size_t n = 0; n < 3; n++) {
		size_t size = fake_find(&fake, names[n])->size;

		for (size_t at = 0; at < size; at++) {
			const char *problem = NULL;

			fake_copy(&fake, &copy);
			fake_reopen(&copy);
			fake_find(&copy, names[n])->data[at] ^= (uint8_t)(1 << at % 8);
			if (story_open(&copy, &d, &restored, NULL) == 0) {
				problem = story_compare(story_after(4), d, &restored);
				/* Its blocks are looked at when they are read, and then refused. */
				if (problem && strcmp(problem, "the snapshot cannot be read"))
					fail_msg("%s, byte %zu: %s", names[n], at, problem);
				disk_restored_clear(&restored);
				disk_close(d);
			}
			fake_clear(&copy);
		}
	}
	fake_clear(&fake);
}

static void story_folder(struct fake_disk *fake, int done)
{
	struct raft_restored restored;
	struct disk *d;

	fake_init(fake, 2);
	assert_int_equal(story_open(fake, &d, &restored, NULL), 0);
	for (int step = 0; step < done; step++)
		assert_int_equal(story_step(d, step), 0);
	disk_close(d);
	fake_reopen(fake);
}

/* Any one file of the folder gone. */
static void missing_files(void **unused)
{
	struct fake_disk fake, copy;
	int missed = 0;

	(void)unused;
	story_folder(&fake, 15);
	for (int i = 0; i < FAKE_FILES_MAX; i++) {
		const char *name = fake.names[i].name;
		struct raft_error error = {0};
		struct raft_restored restored;
		struct disk *d;
		bool newest;
		char next[64];
		int err;

		if (fake.names[i].file < 0 || strcmp(name, "LOCK") == 0 ||
		    strcmp(name, "reserve") == 0)
			continue;
		fake_copy(&fake, &copy);
		fake_remove(&copy, name);
		err = story_open(&copy, &d, &restored, &error);
		snprintf(next, sizeof(next), "%016llx.wal", strtoull(name, NULL, 16) + 1);
		newest = strstr(name, ".wal") && !fake_find(&fake, next);
		if (err == 0) {
			/* What the snapshot stands for anyway. */
			assert_null(story_compare(story_after(14), d, &restored));
			disk_restored_clear(&restored);
			disk_close(d);
		} else {
			assert_int_equal(err, -EBADMSG);
			assert_non_null(strstr(error.text, name));
			missed++;
		}
		assert_true(err || !newest);
		fake_clear(&copy);
	}
	assert_true(missed >= 3);
	fake_clear(&fake);
}

/* A segment of the same shape, key and content, but of another folder. */
static void swapped_segment(void **unused)
{
	struct raft_error error = {0};
	struct raft_restored restored;
	struct fake_disk fake, other;
	struct fake_bytes *to, *from;
	struct disk *d;

	(void)unused;
	story_folder(&fake, 9);
	fake_init(&other, 77);
	assert_int_equal(story_open(&other, &d, &restored, NULL), 0);
	for (int step = 0; step < 9; step++)
		assert_int_equal(story_step(d, step), 0);
	disk_close(d);
	to = fake_find(&fake, first_segment);
	from = fake_find(&other, first_segment);
	assert_int_equal(to->size, from->size);
	memcpy(to->data, from->data, to->size);
	assert_int_equal(story_open(&fake, &d, &restored, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "does not continue the segment before it"));
	fake_clear(&other);
	fake_clear(&fake);
}

static int open_with(struct fake_disk *fake, const struct disk_keyring *ring,
		     struct raft_error *error)
{
	struct disk_options options = {.path = "raft", .keyring = ring, .io = &fake->io};
	struct raft_restored restored;
	struct disk *d;
	int err = disk_open(&options, &d, &restored, error);

	if (err == 0) {
		disk_restored_clear(&restored);
		disk_close(d);
	}
	return err;
}

static void wrong_keys(void **unused)
{
	struct disk_keyring ring = {.active = 2, .count = 1, .keys = {{2, "another key"}}};
	struct raft_error error = {0};
	struct fake_disk fake;

	(void)unused;
	story_folder(&fake, 5);
	assert_int_equal(open_with(&fake, &ring, &error), -ENOKEY);
	assert_non_null(strstr(error.text, "key 1"));
	assert_non_null(strstr(error.text, first_segment));
	ring = story_ring;
	ring.keys[0].bytes[5] ^= 1;
	assert_int_equal(open_with(&fake, &ring, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "key 1"));
	assert_non_null(strstr(error.text, first_segment));
	assert_int_equal(open_with(&fake, &story_ring, &error), 0);
	ring.keys[1].id = 1;
	assert_int_equal(open_with(&fake, &ring, &error), -EINVAL);
	fake_clear(&fake);
}

static void leftovers_removed(void **unused)
{
	struct fake_disk fake;
	struct raft_restored restored;
	struct disk *d;
	int handle;

	(void)unused;
	story_folder(&fake, 10); /* a snapshot that is finished and not in force */
	assert_int_equal(fake_count(&fake, ".snapshot"), 2);
	handle = fake.io.open(&fake, 1000, "incoming.tmp", DISK_IO_MAKE_ANEW);
	fake.io.close(&fake, handle);
	assert_int_equal(story_open(&fake, &d, &restored, NULL), 0);
	assert_null(story_compare(story_after(9), d, &restored));
	assert_int_equal(fake_count(&fake, ".snapshot"), 1);
	assert_int_equal(fake_count(&fake, ".tmp"), 0);
	disk_restored_clear(&restored);
	disk_close(d);
	fake_clear(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(torn_at_every_byte),
	    cmocka_unit_test(goes_on_after_torn),
	    cmocka_unit_test(holes),
	    cmocka_unit_test(every_bit_flipped),
	    cmocka_unit_test(every_byte_of_a_folder),
	    cmocka_unit_test(missing_files),
	    cmocka_unit_test(wrong_keys),
	    cmocka_unit_test(swapped_segment),
	    cmocka_unit_test(leftovers_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
