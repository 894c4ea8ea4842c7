/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that is really full: a small tmpfs in a mount namespace of its own.
 *
 *   tmpfs of 1 MiB: LOCK, segments of 64 KiB, reserve 256 KiB, ballast
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk_story.h"

enum { SKIPPED = 77, TMPFS_SIZE = 1 << 20 };

static char place[] = "/tmp/disk_full_XXXXXX";

static int append(struct disk *d, uint64_t index, size_t size)
{
	struct raft_entry e = story_entry(index, 1, size);
	struct disk_batch batch = {.entries = &e, .entry_count = 1};
	size_t done;
	int err = disk_write(d, &batch, 1, &done, NULL);

	raft_bytes_release(e.data);
	return err;
}

static struct disk *open_here(struct raft_restored *restored)
{
	struct disk_options options = {
	    .path = place, .keyring = &story_ring, .segment_size = STORY_SEGMENT_SIZE};
	struct raft_error error = {0};
	struct disk *d;

	if (disk_open(&options, &d, restored, &error))
		fail_msg("%s", error.text);
	return d;
}

/* Makes the file longer, by so much or till there is no room. */
static void fill(const char *path, size_t size)
{
	static const char zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	for (errno = 0; size && write(fd, zeros, sizeof(zeros)) > 0; size -= sizeof(zeros))
		;
	assert_true(size == 0 || errno == ENOSPC);
	close(fd);
}

/* Fills up, is refused, votes all the same, is opened again while full, and goes on with room. */
static void full_disk(void **unused)
{
	struct raft_hard_state h = {.term = 1};
	struct disk_batch vote = {.hard_state = &h};
	struct raft_restored restored;
	struct disk_status status;
	struct disk *d = open_here(&restored);
	char ballast[64];
	uint64_t index = 1;
	size_t done;
	int votes = 0;

	(void)unused;
	snprintf(ballast, sizeof(ballast), "%s/ballast", place);
	fill(ballast, TMPFS_SIZE / 4);
	while (append(d, index, 700) == 0)
		index++;
	fill(ballast, SIZE_MAX / 4096 * 4096);
	assert_int_equal(append(d, index, 70000), -ENOSPC);
	for (; disk_write(d, &vote, 1, &done, NULL) == 0 && votes < 100000; votes++)
		h.term++;
	disk_get_status(d, &status);
	assert_true(votes > 0 && !status.reserve && !status.failed);
	disk_close(d);

	fill(ballast, SIZE_MAX / 4096 * 4096);
	d = open_here(&restored);
	assert_int_equal(restored.entry_count, index - 1);
	assert_int_equal(restored.hard_state.term, h.term - 1);
	disk_restored_clear(&restored);
	assert_int_equal(append(d, index, 700), -ENOSPC);
	assert_int_equal(append(d, index, 700), -ENOSPC);

	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(append(d, index, 700), 0);
	disk_close(d);
	d = open_here(&restored);
	assert_int_equal(restored.entry_count, index);
	for (size_t i = 0; i < restored.entry_count; i++) {
		struct raft_entry want = story_entry(i + 1, 1, 700);

		assert_int_equal(restored.entries[i].index, i + 1);
		assert_memory_equal(restored.entries[i].data->data, want.data->data, 700);
		raft_bytes_release(want.data);
	}
	disk_restored_clear(&restored);
	disk_close(d);
	print_message("%llu entries, then %d votes on a full disk\n", (unsigned long long)index - 1,
		      votes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(full_disk)};
	char options[32];
	int failed;

	if (!mkdtemp(place))
		return 1;
	snprintf(options, sizeof(options), "size=%d", TMPFS_SIZE);
	if ((unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", place, "tmpfs", 0, options)) {
		fprintf(stderr, "no tmpfs of one's own here: %s\n", strerror(errno));
		rmdir(place);
		return SKIPPED;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	umount(place);
	rmdir(place);
	return failed;
}
