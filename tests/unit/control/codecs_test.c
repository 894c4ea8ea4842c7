/* SPDX-License-Identifier: BSD-2-Clause */
/* Times, base 64 and ids: the small codecs of control/. */
#include "rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base64.h"
#include "id.h"

static void check_time(const char *text, int64_t time_ns)
{
	char back[RFC3339_SIZE];
	int64_t parsed = -1;

	assert_int_equal(rfc3339_parse(text, &parsed), 0);
	assert_int_equal(parsed, time_ns);
	rfc3339_format(time_ns, back);
	assert_string_equal(back, text);
}

static void test_times(void **state)
{
	int64_t time;
	(void)state;

	check_time("0001-01-01T00:00:00Z", 0);
	check_time("2026-11-21T07:02:44.104826411Z", 1795244564104826411);
	check_time("2026-11-21T07:09:16Z", 1795244956000000000);
	check_time("2024-02-29T23:59:59.5Z", 1709251199500000000);
	check_time("1969-12-31T23:59:59.999999999Z", -1);
	check_time("2000-03-01T00:00:00Z", 951868800000000000);
	assert_int_equal(rfc3339_parse("2026-11-21T07:09:16+01:30", &time), 0);
	assert_int_equal(time, 1795239556000000000);
	assert_int_equal(rfc3339_parse("1970-01-01T00:00:00.1234567899Z", &time), 0);
	assert_int_equal(time, 123456789);
	assert_int_equal(rfc3339_parse("1600-01-01T00:00:00Z", &time), -ERANGE);
	assert_int_equal(rfc3339_parse("2262-01-01T00:00:00Z", &time), -ERANGE);
}

/* Each noon from 1678 to 2261, against the C library's calendar. */
static void test_calendar(void **state)
{
	(void)state;
	for (int64_t day = -106600; day < 106600; day++) {
		const time_t seconds = day * 86400 + 43200;
		char expected[48], text[RFC3339_SIZE];
		struct tm tm;
		int64_t time;

		assert_non_null(gmtime_r(&seconds, &tm));
		if (tm.tm_year + 1900 < 1678 || tm.tm_year + 1900 > 2261)
			continue;
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
		rfc3339_format((int64_t)seconds * 1000000000, text);
		assert_string_equal(text, expected);
		assert_int_equal(rfc3339_parse(text, &time), 0);
		assert_int_equal(time, (int64_t)seconds * 1000000000);
	}
}

static void test_no_times(void **state)
{
	static const char *const bad[] = {
	    "",
	    "2026",
	    "2026-13-01T00:00:00Z",
	    "2026-00-01T00:00:00Z",
	    "2026-02-29T00:00:00Z",
	    "2100-02-29T00:00:00Z",
	    "2026-04-31T00:00:00Z",
	    "2026-01-00T00:00:00Z",
	    "2026-01-01T24:00:00Z",
	    "2026-01-01T00:60:00Z",
	    "2026-01-01T00:00:60Z",
	    "2026-01-01T00:00:00",
	    "2026-01-01T00:00:00.Z",
	    "2026-01-01 00:00:00Z",
	    "2026-01-01T00:00:00Zx",
	    "2026-01-01T00:00:00+1:00",
	    "-026-01-01T00:00:00Z",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t time = 77;

		assert_int_equal(rfc3339_parse(bad[i], &time), -EINVAL);
		assert_int_equal(time, 77);
	}
}

static void test_base64(void **state)
{
	/* RFC 4648 section 10. */
	static const char *const pairs[] = {
	    "",     "",     "f",        "Zg==",  "fo",       "Zm8=",   "foo",
	    "Zm9v", "foob", "Zm9vYg==", "fooba", "Zm9vYmE=", "foobar", "Zm9vYmFy"};
	static const struct {
		const char *text;
		size_t at;
	} bad[] = {{"Z", 1},        {"Zg", 2},    {"Zg=", 3},  {"Zg===", 4}, {"Z===", 1},
		   {"Zg==Zg==", 4}, {"Zm9v!", 4}, {"====", 0}, {"Zm=v", 3}};
	uint8_t *data;
	size_t size, at;
	(void)state;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i += 2) {
		char *text = base64_encode(pairs[i], strlen(pairs[i]));

		assert_string_equal(text, pairs[i + 1]);
		assert_int_equal(base64_decode(text, strlen(text), &data, &size, &at), 0);
		assert_int_equal(size, strlen(pairs[i]));
		assert_memory_equal(data, pairs[i], size);
		free(data);
		free(text);
	}
	assert_int_equal(base64_decode("Zm\r\n9v\n", 7, &data, &size, &at), 0);
	assert_int_equal(size, 3);
	free(data);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(base64_decode(bad[i].text, strlen(bad[i].text), &data, &size, &at),
				 -EINVAL);
		assert_int_equal(at, bad[i].at);
	}
}

static int fixed(void *context, void *bytes, size_t size)
{
	memset(bytes, *(const int *)context, size);
	return 0;
}

static int broken(void *context, void *bytes, size_t size)
{
	(void)context;
	(void)bytes;
	(void)size;
	return -EIO;
}

static void test_ids(void **state)
{
	char id[ID_SIZE] = "unchanged", other[ID_SIZE];
	(void)state;

	assert_int_equal(id_generate(broken, NULL, id), -EIO);
	assert_string_equal(id, "unchanged");
	assert_int_equal(id_generate(fixed, &(int){0}, id), 0);
	assert_string_equal(id, "0000000000000000000000000");
	assert_int_equal(id_generate(fixed, &(int){0xff}, id), 0);
	assert_string_equal(id, "f5lxx1zz5pnorynqglhzmsp33"); /* 2^128 - 1 */
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(id_generate(id_random_system, NULL, id), 0);
		assert_int_equal(id_generate(id_random_system, NULL, other), 0);
		assert_int_equal(strlen(id), ID_LENGTH);
		assert_true(id_is_prefix(id));
		assert_string_not_equal(id, other);
	}
	assert_true(id_is_prefix("0"));
	assert_false(id_is_prefix(""));
	assert_false(id_is_prefix("A"));
	assert_false(id_is_prefix("a-b"));
	assert_false(id_is_prefix("00000000000000000000000000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_times),    cmocka_unit_test(test_calendar),
	    cmocka_unit_test(test_no_times), cmocka_unit_test(test_base64),
	    cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
