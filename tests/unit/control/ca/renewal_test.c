/* SPDX-License-Identifier: BSD-2-Clause */
#include "renewal.h"

#include "ca_bed.h"

static void test_moment(void **state)
{
	const int64_t from = BED_NOW - 100, until = from + 1000000;
	uint64_t seed = 1;
	unsigned int parts[3] = {0};

	(void)state;
	assert_int_equal(renewal_moment(from, until, from, 0), from + 500000);
	assert_int_equal(renewal_moment(from, until, from, UINT32_MAX), from + 799999);
	assert_int_equal(renewal_moment(from, until, from, UINT32_MAX / 2 + 1), from + 650000);
	for (unsigned int i = 0; i < 30000; i++) {
		const int64_t at = renewal_moment(from, until, from, (uint32_t)bed_next(&seed));

		assert_in_range(at - from, 500000, 799999);
		parts[(at - from - 500000) / 100000]++;
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_in_range(parts[i], 9500, 10500);
}

static void test_late(void **state)
{
	(void)state;
	/* It has slept through the moment, or its certificate has expired. */
	assert_int_equal(renewal_moment(0, 1000, 900, 0), 900);
	assert_int_equal(renewal_moment(0, 1000, 5000, 7), 5000);
	/* Whatever a certificate says: until the year 9999, and backwards. */
	assert_in_range(renewal_moment(0, INT64_C(253402300799), 0, UINT32_MAX),
			INT64_C(202721840600), INT64_C(202721840639));
	assert_int_equal(renewal_moment(1000, 10, 50, 3), 50);
}

static void test_retry(void **state)
{
	(void)state;
	assert_int_equal(renewal_retry_ms(1, 0), 500);
	assert_int_equal(renewal_retry_ms(1, UINT32_MAX), 999);
	assert_int_equal(renewal_retry_ms(2, 0), 1000);
	assert_int_equal(renewal_retry_ms(9, 0), 128000);
	assert_int_equal(renewal_retry_ms(10, 0), 150000);
	assert_int_equal(renewal_retry_ms(UINT32_MAX, UINT32_MAX), 299999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_moment),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
