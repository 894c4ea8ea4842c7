/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The story, with the machine stopped in every single call, a call failed, or the disk full: what
 * was acknowledged is there, and nothing else but the one step that was under way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk_story.h"

static uint64_t seed_of(unsigned int call, int variant)
{
	const char *text = getenv("FL_SEED");

	return (text ? strtoull(text, NULL, 0) : 1) * 1000003 + call * 64 + (unsigned int)variant;
}

/* Plays from step on; the number of steps done. *err: why it stopped. */
static int play(struct disk *d, int step, int *err)
{
	*err = 0;
	while (step < story_length()) {
		*err = story_step(d, step);
		if (*err)
			break;
		step++;
	}
	return step;
}

/* Opens and compares; returns the number of steps that the folder holds: done or done + 1. */
static int check(struct fake_disk *fake, int done, const char *what)
{
	struct raft_restored restored;
	struct raft_error error = {0};
	struct disk *d;
	int err = story_open(fake, &d, &restored, &error);
	const char *problem = "";

	if (err)
		fail_msg("%s, %d steps done: open: %d %s", what, done, err, error.text);
	for (int held = done; held <= done + 1 && held <= story_length(); held++) {
		problem = story_compare(story_after(held - 1), d, &restored);
		if (problem)
			continue;
		disk_restored_clear(&restored);
		disk_close(d);
		return held;
	}
	fail_msg("%s, %d steps done: %s", what, done, problem);
	return -1;
}

static int run_until_stop(struct fake_disk *fake, unsigned int stop_at, unsigned int *calls)
{
	struct raft_restored restored = {0};
	struct disk *d;
	int done = 0, err;

	fake->stop_at = stop_at;
	if (story_open(fake, &d, &restored, NULL) == 0) {
		done = play(d, 0, &err);
		assert_int_equal(err, fake->stopped ? -EIO : 0);
		*calls = fake->calls;
		disk_restored_clear(&restored);
		disk_close(d);
	}
	return done;
}

/* Goes on from where it stopped, with a step that needs nothing of what was in memory. */
static void check_goes_on(struct fake_disk *fake, int held, unsigned int stop_at, const char *what)
{
	struct raft_restored restored;
	struct story_state want = *story_after(held - 1);
	struct raft_entry e = story_entry(want.last + 1, 50, 1000);
	struct disk_batch batch = {.entries = &e, .entry_count = 1};
	struct disk *d;
	const char *problem = "";
	size_t done = 0;
	bool stopped;

	fake->calls = 0;
	fake->stop_at = stop_at;
	if (story_open(fake, &d, &restored, NULL) == 0) {
		disk_restored_clear(&restored);
		disk_write(d, &batch, 1, &done, NULL);
		disk_close(d);
	}
	raft_bytes_release(e.data);
	stopped = fake->stopped;
	fake_restart(fake, FAKE_SOME);
	assert_int_equal(story_open(fake, &d, &restored, NULL), 0);
	for (int with = 1; with >= (stopped && !done ? 0 : 1) && problem; with--) {
		want.last = story_after(held - 1)->last + (uint64_t)with;
		want.terms[want.last] = with ? 50 : want.terms[want.last];
		problem = story_compare(&want, d, &restored);
	}
	if (problem)
		fail_msg("%s, then stopped at %u: %s", what, stop_at, problem);
	disk_restored_clear(&restored);
	disk_close(d);
}

static void one_stop(unsigned int stop_at, int variant, bool short_writes)
{
	struct fake_disk fake, copy;
	enum fake_fate fate = variant < 2 ? (enum fake_fate)variant : FAKE_SOME;
	unsigned int calls;
	char what[80];
	int done, held;

	snprintf(what, sizeof(what), "stopped at call %u, variant %d", stop_at, variant);
	fake_init(&fake, seed_of(stop_at, variant));
	fake.short_writes = short_writes;
	done = run_until_stop(&fake, stop_at, &calls);
	fake_restart(&fake, fate);
	fake.short_writes = false;
	held = check(&fake, done, what);
	fake_restart(&fake, FAKE_SOME);
	assert_int_equal(check(&fake, held, what), held);
	/* And stop again, anywhere in what opening and the next write do. */
	for (unsigned int again = 1; variant >= 2 && again < 24; again++) {
		fake_copy(&fake, &copy);
		fake_reopen(&copy);
		check_goes_on(&copy, held, again, what);
		fake_clear(&copy);
	}
	fake_reopen(&fake);
	check_goes_on(&fake, held, 0, what);
	fake_clear(&fake);
}

static unsigned int count_calls(void)
{
	struct fake_disk fake;
	unsigned int calls = 0;

	fake_init(&fake, 1);
	assert_int_equal(run_until_stop(&fake, 0, &calls), story_length());
	fake_reopen(&fake);
	assert_int_equal(check(&fake, story_length(), "no stop"), story_length());
	fake_clear(&fake);
	return calls;
}

static void stop_at_every_call(void **unused)
{
	unsigned int calls = count_calls();

	(void)unused;
	for (unsigned int call = 1; call <= calls; call++)
		for (int variant = 0; variant < 6; variant++)
			one_stop(call, variant, variant == 5);
	print_message("%u calls, each stopped at in 6 ways\n", calls);
}

static void fail_every_call(void **unused)
{
	const unsigned int fatal =
	    FAKE_WRITE | FAKE_SYNC | FAKE_SYNC_FOLDER | FAKE_RENAME | FAKE_OPEN | FAKE_ALLOCATE;
	unsigned int calls = count_calls(), failures = 0;

	(void)unused;
	for (unsigned int call = 1; call <= calls; call++) {
		struct fake_disk fake;
		struct raft_restored restored;
		struct disk *d;
		char what[80];
		int done, err;

		snprintf(what, sizeof(what), "EIO at call %u", call);
		fake_init(&fake, seed_of(call, 9));
		fake.fail_at = call;
		fake.fail_error = -EIO;
		fake.fail_mask = fatal;
		if (story_open(&fake, &d, &restored, NULL)) { /* the lock's file */
			fake_clear(&fake);
			continue;
		}
		done = play(d, 0, &err);
		if (fake.failed && done < story_length()) {
			unsigned int syncs = fake.syncs;
			struct disk_status status;

			assert_int_equal(err, -EIO);
			assert_int_equal(story_step(d, done), -EIO);
			assert_int_equal(story_step(d, 1), -EIO);
			assert_int_equal(fake.syncs, syncs); /* never tried again */
			disk_get_status(d, &status);
			assert_true(status.failed);
			failures++;
		}
		disk_restored_clear(&restored);
		disk_close(d);
		fake_restart(&fake, call % 2 ? FAKE_SOME : FAKE_LOSE);
		check(&fake, done, what);
		fake_clear(&fake);
	}
	assert_true(failures > calls / 2);
	print_message("%u of %u calls failed for good\n", failures, calls);
}

/* The folder as it is now, seen by another process. */
static int look(const struct fake_disk *fake, int done, const char *what)
{
	struct fake_disk *copy = malloc(sizeof(*copy));
	int held;

	assert_non_null(copy);
	fake_copy(fake, copy);
	fake_reopen(copy);
	held = check(copy, done, what);
	fake_clear(copy);
	free(copy);
	return held;
}

static void no_room_at_every_call(void **unused)
{
	unsigned int calls = count_calls(), refusals = 0;

	(void)unused;
	for (unsigned int call = 1; call <= calls; call++) {
		struct fake_disk fake;
		struct raft_restored restored;
		struct disk *d;
		char what[80];
		int done, err;

		snprintf(what, sizeof(what), "ENOSPC at call %u", call);
		fake_init(&fake, seed_of(call, 10));
		fake.fail_at = call;
		fake.fail_error = call % 2 ? -ENOSPC : -EDQUOT;
		fake.fail_mask = FAKE_WRITE | FAKE_ALLOCATE | FAKE_OPEN | FAKE_RENAME;
		if (story_open(&fake, &d, &restored, NULL)) {
			fake_clear(&fake);
			continue;
		}
		done = play(d, 0, &err);
		if (err) {
			assert_int_equal(err, -ENOSPC);
			/* As before: not even the step under way is there. */
			assert_int_equal(look(&fake, done, what), done);
			refusals++;
			done = play(d, done, &err);
		}
		assert_int_equal(err, 0);
		assert_int_equal(done, story_length());
		disk_restored_clear(&restored);
		disk_close(d);
		fake_restart(&fake, FAKE_SOME);
		assert_int_equal(check(&fake, done, what), done);
		fake_clear(&fake);
	}
	assert_true(refusals > 10);
	print_message("%u of %u calls refused a step\n", refusals, calls);
}

/* Full for good from some step on; then there is room again. */
static void full_from_every_step(void **unused)
{
	(void)unused;
	for (int variant = 0; variant < 2 * story_length(); variant++) {
		struct fake_disk fake;
		struct raft_restored restored;
		struct disk *d;
		int from = variant / 2, done = 0, err = 0;

		fake_init(&fake, seed_of((unsigned int)variant, 11));
		fake.no_allocate = variant % 2;
		assert_int_equal(story_open(&fake, &d, &restored, NULL), 0);
		while (done < story_length() && err == 0) {
			fake.full = done >= from;
			err = story_step(d, done);
			done += err == 0;
		}
		for (int again = 0; again < 3 && err; again++) {
			assert_int_equal(err, -ENOSPC);
			assert_int_equal(look(&fake, done, "full"), done);
			err = story_step(d, done);
		}
		fake.full = false;
		done = play(d, done + (done < story_length() && err == 0), &err);
		assert_int_equal(err, 0);
		disk_restored_clear(&restored);
		disk_close(d);
		fake_reopen(&fake);
		assert_int_equal(check(&fake, story_length(), "full and back"), story_length());
		fake_clear(&fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stop_at_every_call),
	    cmocka_unit_test(fail_every_call),
	    cmocka_unit_test(no_room_at_every_call),
	    cmocka_unit_test(full_from_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
