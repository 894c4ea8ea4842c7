/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/api_limits.h"
#include "api/query.h"

static struct api_query parsed(const char *text)
{
	struct api_query query;
	struct problem problem;

	assert_int_equal(api_query_parse(text, &query, &problem), 0);
	return query;
}

static void test_pairs(void **state)
{
	struct api_query query = parsed("a=1&b=&a=2&c&a=%26%3d+x&&=y&d=x=y");

	(void)state;
	assert_int_equal(query.count, 7);
	assert_string_equal(api_query_get(&query, "a"), "1");
	assert_string_equal(api_query_get_nth(&query, "a", 1), "2");
	assert_string_equal(api_query_get_nth(&query, "a", 2), "&= x");
	assert_null(api_query_get_nth(&query, "a", 3));
	assert_string_equal(api_query_get(&query, "b"), "");
	assert_string_equal(api_query_get(&query, "c"), "");
	assert_string_equal(api_query_get(&query, ""), "y");
	assert_string_equal(api_query_get(&query, "d"), "x=y");
	assert_null(api_query_get(&query, "A"));
	api_query_clear(&query);
	query = parsed("");
	assert_null(api_query_get(&query, "a"));
	api_query_clear(&query);
}

static void test_refused(void **state)
{
	char *many = calloc(API_QUERY_MAX + 1, 2);
	struct api_query query;
	struct problem problem;

	(void)state;
	assert_int_equal(api_query_parse("a=%zz", &query, &problem), -EINVAL);
	assert_string_equal(problem.message, "invalid URL escape \"%zz\"");
	assert_int_equal(api_query_parse("a%1=1", &query, &problem), -EINVAL);
	assert_string_equal(problem.message, "invalid URL escape \"%1\"");
	assert_int_equal(api_query_parse("a=%00", &query, &problem), -EINVAL);
	memset(many, '&', API_QUERY_MAX - 1);
	assert_int_equal(api_query_parse(many, &query, &problem), 0);
	api_query_clear(&query);
	many[API_QUERY_MAX - 1] = '&';
	assert_int_equal(api_query_parse(many, &query, &problem), -E2BIG);
	free(many);
}

static void test_bool(void **state)
{
	struct api_query query =
	    parsed("a=1&b=0&c=true&d=False&e=True&f=&g=no&h=NONE&i=x&j=+false+");

	(void)state;
	for (const char *name = "acei"; *name; name++)
		assert_true(api_query_bool(&query, (char[]){*name, '\0'}, false));
	for (const char *name = "bdfghj"; *name; name++)
		assert_false(api_query_bool(&query, (char[]){*name, '\0'}, true));
	assert_true(api_query_bool(&query, "z", true));
	assert_false(api_query_bool(&query, "z", false));
	api_query_clear(&query);
}

static void test_numbers(void **state)
{
	struct api_query query =
	    parsed("a=18446744073709551615&b=18446744073709551616&c=-1&d=+1&e=1x"
		   "&f=-9223372036854775808&g=9223372036854775808&h=");
	struct problem problem;
	uint64_t index = 7;
	int64_t value;

	(void)state;
	assert_int_equal(api_query_uint64(&query, "a", &index, &problem), 0);
	assert_true(index == UINT64_MAX);
	assert_int_equal(api_query_uint64(&query, "b", &index, &problem), -EINVAL);
	assert_string_equal(problem.message,
			    "strconv.ParseUint: parsing \"18446744073709551616\": value "
			    "out of range");
	for (const char *name = "cdehz"; *name; name++) {
		assert_int_equal(api_query_uint64(&query, (char[]){*name, '\0'}, &index, &problem),
				 -EINVAL);
		assert_non_null(strstr(problem.message, "invalid syntax"));
	}
	assert_int_equal(api_query_int64(&query, "f", 0, &value, &problem), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(api_query_int64(&query, "g", 0, &value, &problem), -EINVAL);
	assert_int_equal(api_query_int64(&query, "e", 0, &value, &problem), -EINVAL);
	assert_int_equal(api_query_int64(&query, "z", -5, &value, &problem), 0);
	assert_int_equal(value, -5);
	assert_int_equal(api_query_int64(&query, "h", -6, &value, &problem), 0);
	assert_int_equal(value, -6);
	api_query_clear(&query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_bool),
	    cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
