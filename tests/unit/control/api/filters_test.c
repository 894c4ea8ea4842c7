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

#include "api/filters.h"

static struct api_filters *parsed(const char *text)
{
	struct api_filters *filters;
	struct problem problem;

	assert_int_equal(api_filters_parse(text, &filters, &problem), 0);
	return filters;
}

static const char *const both_forms[] = {
    "{\"label\":{\"a=1\":true,\"b\":true},\"id\":{\"abc\":true,\"xyz\":false},\"driver\":{}}",
    "{\"label\": [\"a=1\", \"b\"], \"id\": [\"abc\", \"xyz\"], \"driver\": []}",
};

static const char *label(const void *object, const char *key, size_t size)
{
	const char *const *labels = object;

	for (; *labels; labels += 2)
		if (strlen(*labels) == size && memcmp(*labels, key, size) == 0)
			return labels[1];
	return NULL;
}

static void test_both_forms(void **state)
{
	static const char *const good[] = {"a", "1", "b", "x", "c", "", NULL};
	static const char *const other_value[] = {"a", "2", "b", "x", NULL};
	static const char *const one_less[] = {"a", "1", NULL};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct api_filters *filters = parsed(both_forms[i]);

		assert_int_equal(api_filters_count(filters, "label"), 2);
		assert_string_equal(api_filters_term(filters, "id", 1), "xyz");
		assert_null(api_filters_term(filters, "id", 2));
		assert_true(api_filters_equal(filters, "id", "xyz"));
		assert_false(api_filters_equal(filters, "id", "xyzz"));
		assert_true(api_filters_prefix(filters, "id", "xyzz"));
		assert_false(api_filters_prefix(filters, "id", "xy"));
		assert_true(api_filters_equal(filters, "driver", "any"));
		assert_true(api_filters_equal(filters, "absent", "any"));
		assert_true(api_filters_prefix(filters, "absent", "any"));
		assert_true(api_filters_labels(filters, "label", label, good));
		assert_false(api_filters_labels(filters, "label", label, other_value));
		assert_false(api_filters_labels(filters, "label", label, one_less));
		assert_true(api_filters_labels(filters, "absent", label, one_less));
		api_filters_free(filters);
	}
}

static void test_none(void **state)
{
	static const char *const none[] = {NULL, "", "{}", "null", "{\"id\":null}", "{\"id\":{}}"};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct api_filters *filters = parsed(none[i]);

		assert_int_equal(api_filters_count(filters, "id"), 0);
		assert_null(api_filters_term(filters, "id", 0));
		assert_true(api_filters_equal(filters, "id", "any"));
		api_filters_free(filters);
	}
	api_filters_free(NULL);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"x",
					  "[]",
					  "1",
					  "\"id\"",
					  "{\"id\":1}",
					  "{\"id\":\"x\"}",
					  "{\"id\":[1]}",
					  "{\"id\":{\"x\":1}}",
					  "{\"id\":{\"x\":{}}}",
					  "{\"id\":[[]]}",
					  "{\"id\":[\"x\"]",
					  "{\"id\":[\"\\u0000\"]}",
					  "{} {}"};
	struct api_filters *filters;
	struct problem problem;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(api_filters_parse(bad[i], &filters, &problem) < 0);
		assert_memory_equal(problem.message, "invalid filter", 14);
	}
}

static void test_too_long(void **state)
{
	const size_t size = 100000;
	char *text = malloc(size + 1);
	struct api_filters *filters;
	struct problem problem;

	(void)state;
	memset(text, ' ', size);
	memcpy(text, "{}", 2);
	text[size] = '\0';
	assert_int_equal(api_filters_parse(text, &filters, &problem), -E2BIG);
	free(text);
}

static void test_check(void **state)
{
	static const char *const accepted[] = {"label", "id", "driver", NULL};
	static const char *const fewer[] = {"label", NULL};
	struct api_filters *filters = parsed(both_forms[1]), *none = parsed("");
	struct problem problem;

	(void)state;
	assert_int_equal(api_filters_check(filters, accepted, &problem), 0);
	assert_int_equal(api_filters_check(none, fewer, &problem), 0);
	assert_int_equal(api_filters_check(filters, fewer, &problem), -EINVAL);
	assert_memory_equal(problem.message, "Invalid filter '", 16);
	api_filters_free(filters);
	api_filters_free(none);
}

static void test_bool(void **state)
{
	struct api_filters *filters =
	    parsed("{\"a\":[\"true\"],\"b\":{\"0\":true},\"c\":[\"1\",\"0\"],\"d\":[\"yes\"]}");
	struct problem problem;
	bool value = false;

	(void)state;
	assert_int_equal(api_filters_bool(filters, "a", false, &value, &problem), 0);
	assert_true(value);
	assert_int_equal(api_filters_bool(filters, "b", true, &value, &problem), 0);
	assert_false(value);
	assert_int_equal(api_filters_bool(filters, "z", true, &value, &problem), 0);
	assert_true(value);
	assert_int_equal(api_filters_bool(filters, "c", true, &value, &problem), -EINVAL);
	assert_int_equal(api_filters_bool(filters, "d", true, &value, &problem), -EINVAL);
	assert_string_equal(problem.message, "Invalid filter 'd=[yes]'");
	api_filters_free(filters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_forms), cmocka_unit_test(test_none),
	    cmocka_unit_test(test_refused),    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_check),      cmocka_unit_test(test_bool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
