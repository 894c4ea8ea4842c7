/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of units: taken, given back, known from elsewhere. FL_SEED=<seed> replays the random test.
 */
#include "tables_bed.h"

#include <errno.h>

#include "extent.h"

static void test_takes_whole_units(void **state)
{
	struct extent e;

	(void)state;
	assert_int_equal(extent_init(&e, 100, 8), 0); /* 12 units, 4 entries over */
	assert_int_equal(extent_take(&e, 1), 8);
	assert_int_equal(extent_take(&e, 8), 16);
	assert_int_equal(extent_take(&e, 9), 24);
	assert_int_equal(extent_take(&e, 0), 40);
	assert_int_equal(e.used_units, 6);
	assert_int_equal(extent_take(&e, 49), EXTENT_NONE);
	assert_int_equal(extent_take(&e, 48), 48);
	assert_int_equal(extent_take(&e, 1), EXTENT_NONE);
	extent_give(&e, 24, 9);
	assert_int_equal(extent_take(&e, 16), 24);
	extent_free(&e);
}

/* Runs that begin behind the hint or go through whole words. */
static void test_finds_all_runs(void **state)
{
	struct extent e;

	(void)state;
	assert_int_equal(extent_init(&e, 1000, 1), 0);
	assert_int_equal(extent_take(&e, 999), 1);
	assert_int_equal(extent_take(&e, 1), EXTENT_NONE);
	extent_give(&e, 60, 140);
	extent_give(&e, 900, 100);
	assert_int_equal(extent_take(&e, 100), 60);
	assert_int_equal(extent_take(&e, 100), 900);
	assert_int_equal(extent_take(&e, 41), EXTENT_NONE);
	assert_int_equal(extent_take(&e, 40), 160);
	assert_int_equal(e.used_units, 1000);
	extent_free(&e);
}

static void test_marks(void **state)
{
	struct extent e;

	(void)state;
	assert_int_equal(extent_init(&e, 320, 32), 0);
	assert_int_equal(extent_mark(&e, 64, 33), 0);
	assert_int_equal(e.used_units, 3);
	assert_int_equal(extent_mark(&e, 96, 1), -EEXIST);
	assert_int_equal(extent_mark(&e, 32, 64), -EEXIST);
	assert_int_equal(extent_mark(&e, 0, 1), -EEXIST);
	assert_int_equal(extent_mark(&e, 33, 1), -ERANGE);
	assert_int_equal(extent_mark(&e, 288, 33), -ERANGE);
	assert_int_equal(extent_mark(&e, 320, 1), -ERANGE);
	assert_int_equal(extent_mark(&e, 32, UINT32_MAX), -ERANGE);
	assert_int_equal(extent_mark(&e, UINT32_MAX - 31, 32), -ERANGE);
	assert_int_equal(e.used_units, 3); /* nothing by halves */
	assert_int_equal(extent_mark(&e, 288, 32), 0);
	assert_int_equal(extent_take(&e, UINT32_MAX), EXTENT_NONE);
	extent_free(&e);
}

static void test_nothing_to_take(void **state)
{
	struct extent e;

	(void)state;
	for (uint32_t size = 0; size < 16; size++) {
		assert_int_equal(extent_init(&e, size, 8), 0);
		assert_int_equal(extent_take(&e, 1), EXTENT_NONE);
		assert_int_equal(e.used_units, 1);
		extent_free(&e);
	}
}

/* Against a byte per unit. */
static void test_random(void **state)
{
	enum { UNITS = 300, RUNS_MAX = 64 };
	uint64_t seed = bed_seed("extent");
	uint8_t used[UNITS] = {1};
	uint32_t first[RUNS_MAX], count[RUNS_MAX], runs = 0;
	struct extent e;

	(void)state;
	assert_int_equal(extent_init(&e, UNITS * 4, 4), 0);
	for (int step = 0; step < 100000; step++) {
		uint32_t want = 1 + bed_below(&seed, 120), units = (want + 3) / 4, total = 0,
			 run = 0;

		if (runs && (runs == RUNS_MAX || bed_below(&seed, 2))) {
			uint32_t i = bed_below(&seed, runs--);

			extent_give(&e, first[i], count[i]);
			memset(used + first[i] / 4, 0, (count[i] + 3) / 4);
			first[i] = first[runs];
			count[i] = count[runs];
			continue;
		}
		first[runs] = extent_take(&e, want);
		count[runs] = want;
		for (uint32_t i = 0; i < UNITS && run < units; i++)
			run = used[i] ? 0 : run + 1;
		assert_int_equal(first[runs] == EXTENT_NONE, run < units);
		if (first[runs] == EXTENT_NONE)
			continue;
		assert_true(first[runs] % 4 == 0 && first[runs] / 4 + units <= UNITS);
		for (uint32_t i = 0; i < units; i++)
			assert_int_equal(used[first[runs] / 4 + i]++, 0);
		runs++;
		for (uint32_t i = 0; i < UNITS; i++)
			total += used[i];
		assert_int_equal(total, e.used_units);
	}
	extent_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_takes_whole_units),
	    cmocka_unit_test(test_finds_all_runs),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_nothing_to_take),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
