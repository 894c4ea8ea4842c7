/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reference.h"

#define SUM "46e491a2d83d7d97554e844dcf02a6d45113671ad9796d9dd199195e7f339d6a"

static void test_names(void **state)
{
	static const struct {
		const char *text, *full, *familiar;
	} cases[] = {
	    {"nginx", "docker.io/library/nginx:latest", "nginx:latest"},
	    {"nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"},
	    {"docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
	    {"docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
	    {"index.docker.io/user/app:2", "docker.io/user/app:2", "user/app:2"},
	    {"user/app", "docker.io/user/app:latest", "user/app:latest"},
	    {"localhost/app", "localhost/app:latest", "localhost/app:latest"},
	    {"127.0.0.1:5000/web:1", "127.0.0.1:5000/web:1", "127.0.0.1:5000/web:1"},
	    {"reg.example/a/b/c:x.Y_z-1", "reg.example/a/b/c:x.Y_z-1", "reg.example/a/b/c:x.Y_z-1"},
	    {"[::1]:5000/web", "[::1]:5000/web:latest", "[::1]:5000/web:latest"},
	    {"web@sha256:" SUM, "docker.io/library/web@sha256:" SUM, "web@sha256:" SUM},
	    {"web:1@sha256:" SUM, "docker.io/library/web:1@sha256:" SUM, "web:1@sha256:" SUM},
	    {"a__b/c-----d.e", "docker.io/a__b/c-----d.e:latest", "a__b/c-----d.e:latest"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reference reference, again;
		struct error error = {0};
		char text[REFERENCE_TEXT];
		assert_int_equal(reference_parse(cases[i].text, &reference, &error), 0);
		reference_full(&reference, text);
		assert_string_equal(text, cases[i].full);
		assert_int_equal(reference_parse(text, &again, &error), 0);
		assert_memory_equal(&again, &reference, sizeof(again));
		reference_familiar(&reference, text);
		assert_string_equal(text, cases[i].familiar);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
	    "",
	    "Nginx",
	    "nginx:",
	    "nginx:-1",
	    "a//b",
	    "/a",
	    "a/",
	    "a..b",
	    "a___b",
	    "-a",
	    "a-",
	    "a b",
	    "x@sha256:12",
	    ("x@sha512:" SUM),
	    "reg.example:port/a",
	    "reg.example:/a",
	    "a:b:c",
	    "../etc",
	    "a/../b",
	    SUM,
	    "-reg.example/a",
	    "reg..example/a",
	    "nginx@",
	    "a:b/c:d@e",
	};
	struct reference reference;
	char long_tag[200] = "nginx:", long_name[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {0};
		assert_int_equal(reference_parse(cases[i], &reference, &error), -EINVAL);
		assert_non_null(strstr(error.message, "invalid re"));
	}
	memset(long_tag + 6, 'a', 129);
	long_tag[6 + 129] = '\0';
	assert_int_equal(reference_parse(long_tag, &reference, NULL), -EINVAL);
	long_tag[6 + 128] = '\0';
	assert_int_equal(reference_parse(long_tag, &reference, NULL), 0);
	memset(long_name, 'a', 256);
	long_name[256] = '\0';
	assert_int_equal(reference_parse(long_name, &reference, NULL), -EINVAL);
	assert_int_equal(reference_parse(NULL, &reference, NULL), -EINVAL);
}

static void test_words(void **state)
{
	struct reference reference;
	struct error error;

	(void)state;
	reference_parse("MyApp", &reference, &error);
	assert_string_equal(error.message,
			    "invalid reference format: repository name (MyApp) must be lowercase");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
