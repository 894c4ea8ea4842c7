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

#include "api/path.h"

static char text[4096];

static int parse(const char *target, struct api_path *path)
{
	struct problem problem;

	assert_true(strlen(target) < sizeof(text));
	strcpy(text, target);
	return api_path_parse(text, path, &problem);
}

static void test_cut(void **state)
{
	struct api_path path;

	(void)state;
	assert_int_equal(parse("/v1.41/services/web/logs", &path), 0);
	assert_true(path.has_version);
	assert_int_equal(path.version.minor, 41);
	assert_int_equal(path.count, 3);
	assert_int_equal(path.segments[1].size, 3);
	assert_memory_equal(path.text + path.segments[1].start, "web", 3);

	assert_int_equal(parse("/services/", &path), 0);
	assert_false(path.has_version);
	assert_int_equal(path.count, 1);
	assert_int_equal(parse("/", &path), 0);
	assert_int_equal(path.count, 0);
	assert_int_equal(parse("/a%2Fb", &path), 0);
	assert_int_equal(path.count, 2);
}

static void test_refused(void **state)
{
	static const char *const nowhere[] = {"*",       "services", "//a", "/a//b",      "/a//",
					      "/a/../b", "/./a",     "/..", "/a/%2e%2e/b"};
	char long_path[2 * (API_SEGMENTS_MAX + 1) + 1] = "";
	struct api_path path = {.count = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		assert_int_equal(parse(nowhere[i], &path), -ENOENT);
	assert_int_equal(parse("/a%zz", &path), -EINVAL);
	assert_int_equal(parse("/a%0", &path), -EINVAL);
	assert_int_equal(parse("/a%00", &path), -EINVAL);
	for (int i = 0; i < API_SEGMENTS_MAX; i++)
		strcat(long_path, "/a");
	assert_int_equal(path.count, 99);
	assert_int_equal(parse(long_path, &path), 0);
	strcat(long_path, "/a");
	assert_int_equal(parse(long_path, &path), -ENOENT);
}

/* The values of the pattern's names, in a row with '|' between; NULL: no match. */
static const char *match(const char *target, const char *pattern)
{
	static char values[512];
	struct api_params params;
	struct api_path path;
	size_t used = 0;

	assert_int_equal(parse(target, &path), 0);
	if (!api_path_match(&path, pattern, &params))
		return NULL;
	for (unsigned i = 0; i < params.count; i++)
		used += (size_t)snprintf(
		    values + used, sizeof(values) - used, "%.*s=%.*s|",
		    (int)params.items[i].name.size, pattern + params.items[i].name.start,
		    (int)params.items[i].value.size, path.text + params.items[i].value.start);
	values[used] = '\0';
	return values;
}

static void test_match(void **state)
{
	(void)state;
	assert_string_equal(match("/services", "/services"), "");
	assert_null(match("/service", "/services"));
	assert_null(match("/servicesx", "/services"));
	assert_null(match("/services/x", "/services"));
	assert_null(match("/", "/services"));
	assert_string_equal(match("/services/web", "/services/{id}"), "id=web|");
	assert_null(match("/services", "/services/{id}"));
	assert_null(match("/services/web/logs", "/services/{id}"));
	assert_string_equal(match("/services/web/logs", "/services/{id}/logs"), "id=web|");
	assert_string_equal(match("/a/1/b/2", "/a/{x}/b/{y}"), "x=1|y=2|");
}

static void test_match_many(void **state)
{
	(void)state;
	assert_string_equal(match("/images/web/json", "/images/{name...}/json"), "name=web|");
	assert_string_equal(match("/images/127.0.0.1:5000/a/web:1/json", "/images/{name...}/json"),
			    "name=127.0.0.1:5000/a/web:1|");
	assert_string_equal(match("/images/json/json", "/images/{name...}/json"), "name=json|");
	assert_null(match("/images/json", "/images/{name...}/json"));
	assert_string_equal(match("/images/a/b", "/images/{name...}"), "name=a/b|");
	assert_null(match("/images", "/images/{name...}"));
	assert_string_equal(match("/c/a/b/attach/ws", "/c/{id...}/attach/ws"), "id=a/b|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_match_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
