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

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "log_reader.h"
#include "log_writer.h"

#define NOW ((int64_t)1795244794976227202)

static void check_entry(const char *bytes, size_t length, const char *expected)
{
	static char out[LOG_ENTRY_MAX];
	static struct log_entry entry;
	const size_t used = log_entry_encode(LOG_STDOUT, bytes, length, NOW, out);

	out[used] = '\0';
	assert_string_equal(out, expected);
	assert_true(log_entry_decode(out, used - 1, &entry));
	assert_int_equal(entry.time_ns, NOW);
}

static void test_encoding(void **state)
{
#define ENTRY(text)                                                                                \
	"{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-11-21T07:06:34.976227202Z\"}" \
	"\n"
	(void)state;
	check_entry("hello\n", 6, ENTRY("hello\\n"));
	check_entry("a\tb\"c\\d\r\n", 9, ENTRY("a\\tb\\\"c\\\\d\\r\\n"));
	check_entry("<&>\x01\x1f", 5, ENTRY("\\u003c\\u0026\\u003e\\u0001\\u001f"));
	check_entry("a\0b", 3, ENTRY("a\\u0000b"));
	check_entry("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		    ENTRY("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
	check_entry("\xff\xc3", 2, ENTRY("\\ufffd\\ufffd"));
	check_entry("\xed\xa0\x80", 3, ENTRY("\\ufffd\\ufffd\\ufffd")); /* a surrogate */
	check_entry("\xc0\x80", 2, ENTRY("\\ufffd\\ufffd"));            /* longer than need be */
	check_entry("\xe2\x80\xa8", 3, ENTRY("\\u2028"));
}

static void test_times(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {{0, "1970-01-01T00:00:00Z"},
		     {NOW, "2026-11-21T07:06:34.976227202Z"},
		     {1500000000, "1970-01-01T00:00:01.5Z"},
		     {1000000010, "1970-01-01T00:00:01.00000001Z"}};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[LOG_TIME];
		log_time_format(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
		assert_true(log_time_parse(text, &ns));
		assert_int_equal(ns, cases[i].ns);
	}
	assert_false(log_time_parse("yesterday", &ns));
	assert_false(log_time_parse("2026-11-21T07:06:34", &ns));
	assert_false(
	    log_time_parse("4052-11-21T07:06:34Z", &ns)); /* more nanoseconds than 63 bits hold */
	assert_false(log_time_parse("1969-12-31T23:59:59Z", &ns));
	assert_false(log_time_parse(NULL, &ns));
}

static void test_damaged_entries(void **state)
{
	static const char *const cases[] = {
	    "",
	    "{",
	    "{}",
	    "[]",
	    "{\"log\":1,\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00Z\"}",
	    "{\"log\":\"x\",\"stream\":\"stdout\"}",
	    "{\"log\":\"x\",\"time\":\"1970-01-01T00:00:00Z\"}"};
	static struct log_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_false(log_entry_decode(cases[i], strlen(cases[i]), &entry));
}

struct bed {
	char folder[64], path[96];
	struct log_writer writer;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	strcpy(bed->folder, "/tmp/log-test-XXXXXX");
	assert_non_null(mkdtemp(bed->folder));
	snprintf(bed->path, sizeof(bed->path), "%s/log", bed->folder);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;
	char path[128];

	log_writer_close(&bed->writer);
	unlink(bed->path);
	for (int i = 1; i < 10; i++) {
		snprintf(path, sizeof(path), "%s.%d", bed->path, i);
		unlink(path);
	}
	assert_int_equal(rmdir(bed->folder), 0);
	free(bed);
	return 0;
}

static void say(struct bed *bed, const char *text)
{
	log_writer_add(&bed->writer, LOG_STDOUT, text, strlen(text), NOW);
}

/* What is read, the entries with "|" between them. */
static void read_all(struct log_reader *reader, char *out, size_t size)
{
	static struct log_entry entry;
	size_t used = 0;

	out[0] = '\0';
	while (log_reader_next(reader, &entry) > 0)
		used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? "|" : "",
					 (int)entry.length, entry.bytes);
}

static void check_tail(struct bed *bed, int64_t tail, const char *expected)
{
	const struct log_query query = {true, true, 0, 0, tail};
	struct log_reader *reader;
	char text[4096];

	assert_int_equal(log_reader_open(bed->path, &query, &reader), 0);
	read_all(reader, text, sizeof(text));
	assert_string_equal(text, expected);
	log_reader_close(reader);
}

static void test_lines(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {0, 1};

	log_writer_open(&bed->writer, bed->path, &limits);
	say(bed, "one\ntwo\nthr");
	say(bed, "ee\n\nlast");
	check_tail(bed, -1, "one\n|two\n|three\n|\n");
	log_writer_end(&bed->writer, LOG_STDOUT, NOW);
	check_tail(bed, -1, "one\n|two\n|three\n|\n|last");
	check_tail(bed, 0, "");
	check_tail(bed, 1, "last");
	check_tail(bed, 3, "three\n|\n|last");
	check_tail(bed, 100, "one\n|two\n|three\n|\n|last");
}

static void test_long_line(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {0, 1};
	const struct log_query query = {true, true, 0, 0, -1};
	static struct log_entry entry;
	static char text[2 * LOG_CHUNK + 5];
	struct log_reader *reader;

	memset(text, 1, sizeof(text)); /* each byte becomes six */
	log_writer_open(&bed->writer, bed->path, &limits);
	log_writer_add(&bed->writer, LOG_STDERR, text, sizeof(text), NOW);
	log_writer_add(&bed->writer, LOG_STDERR, "\n", 1, NOW);
	assert_int_equal(log_reader_open(bed->path, &query, &reader), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(log_reader_next(reader, &entry), 1);
		assert_int_equal(entry.length, i < 2 ? LOG_CHUNK : 6);
		assert_int_equal(entry.stream, LOG_STDERR);
	}
	assert_int_equal(log_reader_next(reader, &entry), 0);
	assert_int_equal(log_reader_damaged(reader), 0);
	log_reader_close(reader);
}

static void test_rotation(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {200, 3}; /* two entries of about 75 bytes a file */
	char expected[512] = "", path[128], text[32];
	struct stat stat_;

	log_writer_open(&bed->writer, bed->path, &limits);
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(bed, text);
		if (i >= 14)
			sprintf(expected + strlen(expected), "%s%s", i > 14 ? "|" : "", text);
	}
	check_tail(bed, -1, expected);
	check_tail(bed, 3, "line 17\n|line 18\n|line 19\n");
	check_tail(bed, 2, "line 18\n|line 19\n");
	snprintf(path, sizeof(path), "%s.2", bed->path);
	assert_int_equal(stat(path, &stat_), 0);
	assert_true(stat_.st_size <= 200);
	snprintf(path, sizeof(path), "%s.3", bed->path);
	assert_int_equal(stat(path, &stat_), -1);
}

/* A reader that follows sees each line once, though the file it reads is renamed under it. */
static void test_follow(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {200, 9};
	const struct log_query query = {true, true, 0, 0, -1};
	struct log_reader *reader;
	char text[32], seen[64];

	assert_int_equal(log_reader_open(bed->path, &query, &reader), 0);
	read_all(reader, seen, sizeof(seen));
	assert_string_equal(seen, "");
	log_writer_open(&bed->writer, bed->path, &limits);
	for (int i = 0; i < 15; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(bed, text);
		read_all(reader, seen, sizeof(seen));
		assert_string_equal(seen, text);
	}
	log_reader_close(reader);
}

static void test_follow_emptied(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {160, 1};
	const struct log_query query = {true, true, 0, 0, -1};
	struct log_reader *reader;
	char seen[64];

	log_writer_open(&bed->writer, bed->path, &limits);
	say(bed, "one\n");
	say(bed, "two\n");
	assert_int_equal(log_reader_open(bed->path, &query, &reader), 0);
	read_all(reader, seen, sizeof(seen));
	assert_string_equal(seen, "one\n|two\n");
	say(bed, "three\n");
	read_all(reader, seen, sizeof(seen));
	assert_string_equal(seen, "three\n");
	log_reader_close(reader);
}

static void test_query(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {0, 1};
	const struct log_query query = {false, true, NOW + 1, NOW + 3, -1};
	struct log_reader *reader;
	char seen[64];

	log_writer_open(&bed->writer, bed->path, &limits);
	for (int i = 0; i < 4; i++) {
		char text[4] = {(char)('a' + i), '\n'};
		log_writer_add(&bed->writer, LOG_STDOUT, text, 2, NOW + i);
		text[0] = (char)('A' + i);
		log_writer_add(&bed->writer, LOG_STDERR, text, 2, NOW + i);
	}
	assert_int_equal(log_reader_open(bed->path, &query, &reader), 0);
	read_all(reader, seen, sizeof(seen));
	assert_string_equal(seen, "B\n|C\n");
	log_reader_close(reader);
}

/* A full disk, as the file size limit shows it: whole entries or nothing, counted, and then on. */
static void test_full_disk(void **state)
{
	struct bed *bed = *state;
	const struct log_limits limits = {0, 1};
	struct rlimit before, small;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 100;
	log_writer_open(&bed->writer, bed->path, &limits);
	say(bed, "one\n");
	setrlimit(RLIMIT_FSIZE, &small);
	say(bed, "two\n");
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(bed->writer.lost_bytes, 4);
	say(bed, "three\n");
	check_tail(bed, -1, "one\n|three\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_encoding),
					   cmocka_unit_test(test_times),
					   cmocka_unit_test(test_damaged_entries),
					   TEST(test_lines),
					   TEST(test_long_line),
					   TEST(test_rotation),
					   TEST(test_follow),
					   TEST(test_follow_emptied),
					   TEST(test_query),
					   TEST(test_full_disk)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
