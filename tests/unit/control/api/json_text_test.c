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

#include "api/json_text.h"

enum { DEPTH = 4 };

static const struct {
	const char *text, *words; /* NULL: it is good */
} cases[] = {
    {"{}", NULL},
    {" [1, -0.5e+10, \"\\u00e9\\n\", true, false, null, {\"a\": [[]]}] ", NULL},
    {"0", NULL},
    {"\"\"", NULL},
    {"[[[[]]]]", NULL},
    /* The words are those of Go's encoding/json. */
    {"", "unexpected EOF"},
    {"{\"a\":", "unexpected EOF"},
    {"\"a", "unexpected EOF"},
    {"-", "unexpected EOF"},
    {"x", "invalid character 'x' looking for beginning of value"},
    {"[1,]", "invalid character ']' looking for beginning of value"},
    {"'a'", "invalid character '\\'' looking for beginning of value"},
    {"\x01", "invalid character '\\x01' looking for beginning of value"},
    {"{a", "invalid character 'a' looking for beginning of object key string"},
    {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
    {"{\"a\" 1}", "invalid character '1' after object key"},
    {"{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"},
    {"[1 2]", "invalid character '2' after array element"},
    {"\"a\nb\"", "invalid character '\\x0a' in string literal"},
    {"\"\\x\"", "invalid character 'x' in string escape code"},
    {"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
    {"-x", "invalid character 'x' in numeric literal"},
    {"1.x", "invalid character 'x' after decimal point in numeric literal"},
    {"1e+x", "invalid character 'x' in exponent of numeric literal"},
    {"nulx", "invalid character 'x' in literal null (expecting 'l')"},
    {"01", "invalid character '1' after top-level value"},
    {"{}x", "invalid character 'x' after top-level value"},
    {"[[[[[]]]]]", "exceeded max depth"},
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problem problem = {0};
		json_t *json = NULL;
		int rc =
		    api_json_load(cases[i].text, strlen(cases[i].text), DEPTH, &json, &problem);

		if (cases[i].words)
			assert_string_equal(problem.message, cases[i].words);
		assert_int_equal(rc == 0, !cases[i].words);
		assert_int_equal(json != NULL, !cases[i].words);
		json_decref(json);
	}
}

/* What passes the check and yet is not loaded. */
static void test_not_loaded(void **state)
{
	static const char *const bad[] = {"\"\\u0000\"", "\"\xff\"", "1e999",
					  "99999999999999999999", "\"\\ud800\""};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct problem problem = {0};
		json_t *json = NULL;

		assert_int_equal(api_json_check(bad[i], strlen(bad[i]), DEPTH, &problem), 0);
		assert_int_equal(api_json_load(bad[i], strlen(bad[i]), DEPTH, &json, &problem),
				 -EINVAL);
		assert_true(problem.message[0]);
	}
}

/* Cut anywhere, it is the end that is missed, and no byte behind it is read (ASan watches). */
static void test_every_cut(void **state)
{
	static const char whole[] = "{\"a\":[1.5e3,true,\"\\u00e9\\\\\"]}";

	(void)state;
	for (size_t size = 0; size < sizeof(whole) - 1; size++) {
		char *copy = malloc(size ? size : 1);
		struct problem problem;

		memcpy(copy, whole, size);
		assert_int_equal(api_json_check(copy, size, DEPTH, &problem), -EINVAL);
		assert_string_equal(problem.message, "unexpected EOF");
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_not_loaded),
	    cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
