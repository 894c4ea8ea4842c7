/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "health.h"

#define S ((int64_t)1000000000)

/* One probe that ends at `now` seconds. */
static bool probe(struct health *health, const struct health_config *config, int64_t now, int code)
{
	struct health_result result = {.start_ns = now * S, .end_ns = now * S, .exit_code = code};
	return health_add(health, config, &result);
}

static void test_life(void **state)
{
	struct health_config config = {.test = json_array(), .interval_ns = 5 * S, .retries = 2};
	struct health health;

	(void)state;
	health_begin(&health, &config, 100 * S);
	assert_int_equal(health.state, HEALTH_STARTING);
	assert_int_equal(health.next_ns, 105 * S);
	assert_false(probe(&health, &config, 105, 1));
	assert_int_equal(health.failing_streak, 1);
	assert_int_equal(health.next_ns, 110 * S);
	assert_true(probe(&health, &config, 110, 0));
	assert_int_equal(health.state, HEALTH_HEALTHY);
	assert_false(probe(&health, &config, 115, -1));
	assert_true(probe(&health, &config, 120, 7));
	assert_int_equal(health.state, HEALTH_UNHEALTHY);
	assert_false(probe(&health, &config, 125, 1));
	assert_int_equal(health.failing_streak, 3);
	assert_true(probe(&health, &config, 130, 0));
	assert_int_equal(health.failing_streak, 0);
	assert_int_equal(health.log_count, HEALTH_LOG_MAX);
	assert_int_equal(health.log[0].start_ns, 110 * S);
	assert_int_equal(health.log[4].start_ns, 130 * S);
	json_decref(config.test);
}

static void test_start_period(void **state)
{
	struct health_config config = {
	    .test = json_array(), .interval_ns = S, .start_period_ns = 10 * S, .retries = 1};
	struct health health;

	(void)state;
	health_begin(&health, &config, 0);
	for (int64_t now = 1; now < 10; now++)
		assert_false(probe(&health, &config, now, 1));
	assert_int_equal(health.failing_streak, 0);
	assert_true(probe(&health, &config, 10, 1));
	assert_int_equal(health.state, HEALTH_UNHEALTHY);
	/* A first success ends the period. */
	health_begin(&health, &config, 0);
	assert_true(probe(&health, &config, 1, 0));
	assert_true(probe(&health, &config, 2, 1));
	assert_int_equal(health.state, HEALTH_UNHEALTHY);
	json_decref(config.test);
}

static void test_none(void **state)
{
	const struct health_config config = {0};
	struct health health;

	(void)state;
	health_begin(&health, &config, 0);
	assert_string_equal(health_state_text(health.state), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_life),
					   cmocka_unit_test(test_start_period),
					   cmocka_unit_test(test_none)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
