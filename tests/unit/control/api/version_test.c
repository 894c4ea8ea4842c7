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

#include "api/version.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool good;
		unsigned major, minor;
	} cases[] = {
	    {"v1.41", true, 1, 41},
	    {"v1", true, 1, 0},
	    {"v0.0", true, 0, 0},
	    {"v9999.9999", true, 9999, 9999},
	    {"v", false, 0, 0},
	    {"", false, 0, 0},
	    {"1.41", false, 0, 0},
	    {"v1.", false, 0, 0},
	    {"v.1", false, 0, 0},
	    {"v1.2.3", false, 0, 0},
	    {"v1.x", false, 0, 0},
	    {"volumes", false, 0, 0},
	    {"v-1.2", false, 0, 0},
	    {"v1.10000", false, 0, 0},
	    {"v99999999999999999999.1", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct api_version version = {7, 7};

		assert_int_equal(api_version_parse(cases[i].text, strlen(cases[i].text), &version),
				 cases[i].good);
		assert_int_equal(version.major, cases[i].good ? cases[i].major : 7);
		assert_int_equal(version.minor, cases[i].good ? cases[i].minor : 7);
	}
}

static void test_parse_stops_at_size(void **state)
{
	struct api_version version;

	(void)state;
	assert_true(api_version_parse("v1.417", 5, &version));
	assert_int_equal(version.minor, 41);
}

static void test_check(void **state)
{
	struct problem problem;

	(void)state;
	for (unsigned minor = API_MINOR_OLDEST; minor <= API_MINOR_NEWEST; minor++)
		assert_int_equal(api_version_check((struct api_version){1, minor}, &problem), 0);
	assert_int_equal(api_version_check((struct api_version){1, 42}, &problem), -EINVAL);
	assert_string_equal(problem.message,
			    "client version 1.42 is too new. Maximum supported API "
			    "version is 1.41");
	assert_int_equal(api_version_check((struct api_version){2, 0}, &problem), -EINVAL);
	assert_non_null(strstr(problem.message, "too new"));
	assert_int_equal(api_version_check((struct api_version){1, 23}, &problem), -EINVAL);
	assert_string_equal(
	    problem.message,
	    "client version 1.23 is too old. Minimum supported API version is 1.24, "
	    "please upgrade your client to a newer version");
	assert_int_equal(api_version_check((struct api_version){0, 99}, &problem), -EINVAL);
	assert_non_null(strstr(problem.message, "too old"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_stops_at_size),
	    cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
