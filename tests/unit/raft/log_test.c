/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void add(struct raft_log *log, uint64_t term, size_t size)
{
	struct raft_bytes *data = raft_bytes_new(NULL, size);

	assert_int_equal(raft_log_reserve(log, 1), 0);
	raft_log_append(log, &(struct raft_entry){.index = raft_log_last(log) + 1,
						  .term = term,
						  .data = data,
						  .type = RAFT_ENTRY_COMMAND});
	raft_bytes_release(data);
}

static void test_terms(void **state)
{
	(void)state;
	struct raft_log log = {0};

	assert_int_equal(raft_log_last(&log), 0);
	assert_true(raft_log_knows(&log, 0));
	assert_true(raft_log_matches(&log, 0, 0));
	assert_false(raft_log_knows(&log, 1));
	raft_log_reset(&log, 10, 3);
	assert_int_equal(raft_log_first(&log), 11);
	assert_int_equal(raft_log_last(&log), 10);
	add(&log, 3, 1);
	add(&log, 5, 1);
	add(&log, 5, 1);
	assert_int_equal(raft_log_last(&log), 13);
	assert_false(raft_log_knows(&log, 9));
	assert_true(raft_log_matches(&log, 10, 3));
	assert_true(raft_log_matches(&log, 12, 5));
	assert_false(raft_log_matches(&log, 12, 3));
	assert_false(raft_log_matches(&log, 14, 0));
	assert_int_equal(raft_log_term(&log, 14), 0);
	assert_null(raft_log_at(&log, 10));
	assert_null(raft_log_at(&log, 14));
	assert_int_equal(raft_log_at(&log, 11)->index, 11);

	assert_int_equal(raft_log_last_of_term(&log, 13, 5), 13);
	assert_int_equal(raft_log_last_of_term(&log, 13, 4), 11);
	assert_int_equal(raft_log_last_of_term(&log, 12, 9), 12);
	assert_int_equal(raft_log_last_of_term(&log, 13, 2), 10);
	raft_log_free(&log);
}

static void test_cut_and_drop(void **state)
{
	(void)state;
	struct raft_log log = {0};

	for (uint64_t i = 1; i <= 1000; i++)
		add(&log, i, 4);
	struct raft_bytes *data = raft_bytes_hold(raft_log_at(&log, 900)->data);
	assert_int_equal(data->references, 2);
	raft_log_truncate(&log, 900);
	assert_int_equal(data->references, 1);
	raft_bytes_release(data);
	assert_int_equal(raft_log_last(&log), 899);

	raft_log_drop(&log, 500);
	assert_int_equal(log.before, 500);
	assert_int_equal(log.before_term, 500);
	assert_int_equal(raft_log_last(&log), 899);
	assert_int_equal(raft_log_term(&log, 501), 501);
	raft_log_drop(&log, 300);
	assert_int_equal(log.before, 500);
	raft_log_drop(&log, 899);
	assert_int_equal(raft_log_last(&log), 899);
	assert_int_equal(raft_log_term(&log, 899), 899);
	/* What it was at its longest must not stay allocated. */
	assert_true(log.capacity <= 64);
	add(&log, 1000, 0);
	assert_int_equal(raft_log_at(&log, 900)->term, 1000);
	raft_log_free(&log);
}

/* A window that slides for ever: memory stays bounded and the order right. */
static void test_slides(void **state)
{
	(void)state;
	struct raft_log log = {0};

	for (uint64_t i = 1; i <= 100000; i++) {
		add(&log, i, 0);
		if (i > 100)
			raft_log_drop(&log, i - 100);
		assert_true(log.capacity <= 1024);
	}
	for (uint64_t i = raft_log_first(&log); i <= raft_log_last(&log); i++)
		assert_int_equal(raft_log_at(&log, i)->term, i);
	assert_int_equal(log.count, 100);
	raft_log_free(&log);
}

static void test_fit(void **state)
{
	(void)state;
	struct raft_log log = {0};
	uint32_t bytes;

	for (int i = 0; i < 2000; i++)
		add(&log, 1, 8);
	assert_int_equal(raft_log_fit(&log, 1, 39, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(raft_log_fit(&log, 1, 40, &bytes), 1);
	assert_int_equal(bytes, 40);
	assert_int_equal(raft_log_fit(&log, 1, 119, &bytes), 2);
	assert_int_equal(raft_log_fit(&log, 1999, 4000, &bytes), 2);
	assert_int_equal(raft_log_fit(&log, 2001, 4000, &bytes), 0);
	assert_int_equal(raft_log_fit(&log, 1, UINT32_MAX, &bytes), RAFT_MESSAGE_ENTRIES_MAX);
	raft_log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_terms),
	    cmocka_unit_test(test_cut_and_drop),
	    cmocka_unit_test(test_slides),
	    cmocka_unit_test(test_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
