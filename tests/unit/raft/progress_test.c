/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_inflights(void **state)
{
	(void)state;
	struct inflight ring[3];
	struct inflights inflights = {.ring = ring, .capacity = 3};

	for (uint64_t round = 0; round < 10; round++) {
		uint64_t base = round * 30;
		assert_false(inflights_full(&inflights));
		inflights_add(&inflights, base + 10, 5);
		inflights_add(&inflights, base + 20, 7);
		inflights_add(&inflights, base + 30, 11);
		assert_true(inflights_full(&inflights));
		assert_int_equal(inflights.bytes, 23);
		inflights_free(&inflights, base + 9);
		assert_int_equal(inflights.count, 3);
		inflights_free(&inflights, base + 20);
		assert_int_equal(inflights.count, 1);
		assert_int_equal(inflights.bytes, 11);
		inflights_free(&inflights, base + 30);
		assert_int_equal(inflights.count, 0);
		assert_int_equal(inflights.bytes, 0);
	}
}

static void test_life(void **state)
{
	(void)state;
	struct inflight ring[4];
	struct progress progress = {.inflights = {.ring = ring, .capacity = 4}};

	progress_start(&progress, 7, 11);
	assert_int_equal(progress.id, 7);
	assert_int_equal(progress.state, PROGRESS_PROBE);
	assert_ptr_equal(progress.inflights.ring, ring);

	/* Another refusal than of what was sent last is old news. */
	assert_false(progress_refuse(&progress, 9, 3));
	assert_true(progress_refuse(&progress, 10, 5));
	assert_int_equal(progress.next, 6);
	/* A hint that does not go back goes back by one all the same. */
	assert_true(progress_refuse(&progress, 5, 5));
	assert_int_equal(progress.next, 5);

	assert_true(progress_accept(&progress, 8));
	assert_int_equal(progress.match, 8);
	progress_to_replicate(&progress);
	assert_int_equal(progress.next, 9);
	inflights_add(&progress.inflights, 12, 1);
	inflights_add(&progress.inflights, 14, 1);
	progress.next = 15;
	assert_true(progress_accept(&progress, 12));
	assert_int_equal(progress.next, 15);
	assert_int_equal(progress.inflights.count, 1);
	assert_false(progress_accept(&progress, 10));
	assert_int_equal(progress.match, 12);

	/* Refused below match: it was sent before it was known. Past next: nobody sent that. */
	assert_false(progress_refuse(&progress, 12, 2));
	assert_false(progress_refuse(&progress, 15, 2));
	assert_int_equal(progress.state, PROGRESS_REPLICATE);
	assert_true(progress_refuse(&progress, 14, 2));
	assert_int_equal(progress.state, PROGRESS_PROBE);
	assert_int_equal(progress.next, 13);
	assert_int_equal(progress.inflights.count, 0);

	progress_to_snapshot(&progress);
	assert_int_equal(progress.phase, SNAPSHOT_WANT);
	assert_false(progress_refuse(&progress, 14, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_inflights),
	    cmocka_unit_test(test_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
