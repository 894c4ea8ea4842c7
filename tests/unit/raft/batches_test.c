/* SPDX-License-Identifier: BSD-2-Clause */
#include "batches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct batches *batches, uint64_t sequence, uint64_t last, uint64_t term)
{
	assert_int_equal(batches_reserve(batches), 0);
	batches_add(batches,
		    &(struct batch){.sequence = sequence, .last = last, .term = term, .vote = 9});
	if (last)
		batches->taken = last;
}

static void test_in_order_and_again(void **state)
{
	(void)state;
	struct batches batches = {0};

	add(&batches, 1, 3, 1);
	add(&batches, 2, 0, 2);
	add(&batches, 3, 7, 3);
	batches_persisted(&batches, 1);
	assert_int_equal(batches.persisted, 3);
	assert_int_equal(batches.term, 1);
	batches_persisted(&batches, 3);
	assert_int_equal(batches.persisted, 7);
	assert_int_equal(batches.term, 3);
	assert_int_equal(batches.vote, 9);
	batches_persisted(&batches, 2);
	batches_persisted(&batches, 3);
	assert_int_equal(batches.persisted, 7);
	assert_int_equal(batches.term, 3);
	batches_free(&batches);
}

/* Entries 4 .. 8 are on their way when 6 and what follows are replaced, twice. */
static void test_cut_while_on_its_way(void **state)
{
	(void)state;
	struct batches batches = {.persisted = 3, .taken = 3};

	add(&batches, 1, 8, 1);
	batches_cut(&batches, 6);
	assert_int_equal(batches.taken, 5);
	add(&batches, 2, 8, 2);
	batches_cut(&batches, 7);
	add(&batches, 3, 9, 3);
	batches_persisted(&batches, 1);
	assert_int_equal(batches.persisted, 5);
	batches_persisted(&batches, 2);
	assert_int_equal(batches.persisted, 6);
	batches_persisted(&batches, 3);
	assert_int_equal(batches.persisted, 9);
	/* What is cut off the disk is not on it. */
	batches_cut(&batches, 4);
	assert_int_equal(batches.persisted, 3);
	assert_int_equal(batches.taken, 3);
	batches_free(&batches);
}

static void test_many(void **state)
{
	(void)state;
	struct batches batches = {0};

	for (uint64_t i = 1; i <= 10000; i++) {
		add(&batches, i, i, 1);
		if (i > 5)
			batches_persisted(&batches, i - 5);
		assert_true(batches.capacity <= 64);
	}
	assert_int_equal(batches.count, 5);
	assert_int_equal(batches.persisted, 9995);
	batches_free(&batches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_order_and_again),
	    cmocka_unit_test(test_cut_while_on_its_way),
	    cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
