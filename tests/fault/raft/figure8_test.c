/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test number one: figure 8 of the Raft paper. A core that commits entries of older terms by
 * counting copies acknowledges a write and loses it; this one does neither. FL_TRACE=1 tells the
 * story.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "mutations.h"
#include "scenario.h"

static FILE *trace(void)
{
	return getenv("FL_TRACE") ? stdout : NULL;
}

static void test_right(void **state)
{
	struct scenario_result result = scenario_figure8(true, trace());

	(void)state;
	if (result.failed_check)
		fail_msg("%s", result.failed_check);
	assert_int_equal(result.last_leader_term, 5);
	assert_false(result.is_acknowledged);
	assert_int_equal(result.value, 0);
}

static void test_mutated_loses_write(void **state)
{
	struct scenario_result result;

	(void)state;
	assert_true(sim_mutation_choose("commit_old_term"));
	result = scenario_figure8(false, trace());
	sim_mutation_choose(NULL);
	assert_int_equal(result.last_leader_term, 5);
	assert_true(result.is_acknowledged);
	assert_int_equal(result.value, 0);
}

static void test_mutated_is_noticed(void **state)
{
	struct scenario_result result;

	(void)state;
	assert_true(sim_mutation_choose("commit_old_term"));
	result = scenario_figure8(true, NULL);
	sim_mutation_choose(NULL);
	assert_non_null(result.failed_check);
	assert_string_equal(result.failed_check, "leader-completeness");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_right),
	    cmocka_unit_test(test_mutated_loses_write),
	    cmocka_unit_test(test_mutated_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
