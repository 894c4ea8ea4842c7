/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Histories known to be good and bad, and small random ones against a search that tries every
 * order. FL_SEED=<seed> replays the random part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "linear.h"
#include "random.h"

struct story {
	const char *name, *history;
};

static const struct story good[] = {
    {"nothing happened", ""},
    {"a register begins as 0", "1 1 2 1 read 0\n"},
    {"one after the other",
     "1 1 2 1 write 5 ok\n1 3 4 1 read 5\n1 5 6 1 cas 5 6 5\n1 7 8 1 read 6\n"},
    {"a read beside a write sees the old value", "1 1 9 1 write 5 ok\n2 2 3 1 read 0\n"},
    {"a read beside a write sees the new value", "1 1 9 1 write 5 ok\n2 2 3 1 read 5\n"},
    {"two reads beside a write: old, then new",
     "1 1 9 1 write 5 ok\n2 2 3 1 read 0\n3 4 5 1 read 5\n"},
    {"writes beside each other take effect in either order",
     "1 1 9 1 write 1 ok\n2 1 9 1 write 2 ok\n3 10 11 1 read 1\n"},
    {"a write takes effect after one that was called later",
     "1 1 20 1 write 1 ok\n2 2 3 1 write 2 ok\n3 4 5 1 read 2\n3 6 7 1 read 1\n"},
    {"a lost write took effect at once", "1 1 - 1 write 5 ?\n2 2 3 1 read 5\n2 4 5 1 read 5\n"},
    {"a lost write never took effect", "1 1 - 1 write 5 ?\n2 2 3 1 read 0\n2 400 500 1 read 0\n"},
    {"a lost write took effect much later",
     "1 1 - 1 write 5 ?\n2 2 3 1 write 7 ok\n2 4 5 1 read 7\n2 90 91 1 read 5\n"},
    {"a lost swap explains a value", "1 1 2 1 write 1 ok\n2 3 - 1 cas 1 2 ?\n3 8 9 1 read 2\n"},
    {"lost swaps in a chain",
     "2 3 - 1 cas 2 3 ?\n1 1 - 1 cas 0 1 ?\n3 2 - 1 cas 1 2 ?\n4 8 9 1 read 3\n"},
    {"a lost write makes a swap fail", "1 1 - 1 write 5 ?\n2 2 3 1 cas 0 9 5\n2 4 5 1 read 5\n"},
    {"one of two swaps beside each other wins",
     "1 1 9 1 cas 0 1 0\n2 1 9 1 cas 0 2 1\n3 10 11 1 read 1\n"},
    {"swaps of two clients interlock",
     "1 1 20 1 cas 0 1 0\n2 1 20 1 cas 1 2 1\n1 2 20 1 cas 2 3 2\n3 21 22 1 read 3\n"},
    {"keys do not see each other",
     "1 1 2 1 write 1 ok\n1 3 4 2 write 2 ok\n2 5 6 1 read 1\n2 7 8 2 read 2\n2 9 10 3 read 0\n"},
    {"an operation that returns as another is called is beside it",
     "1 1 5 1 write 1 ok\n2 5 9 1 read 0\n"},
    {"a value comes back",
     "1 1 2 1 write 1 ok\n1 3 4 1 write 2 ok\n1 5 6 1 write 1 ok\n2 7 8 1 read 1\n"},
    {"a lost read says nothing", "1 1 2 1 write 1 ok\n2 3 - 1 read ?\n1 4 5 1 read 1\n"},
};

static const struct story bad[] = {
    {"a value from nowhere", "1 1 2 1 read 7\n"},
    {"a stale read", "1 1 2 1 write 5 ok\n2 3 4 1 read 0\n"},
    {"a lost update", "1 1 2 1 write 5 ok\n1 3 4 1 write 6 ok\n2 5 6 1 read 5\n"},
    {"beside a write: new, then old", "1 1 9 1 write 5 ok\n2 2 3 1 read 5\n3 4 5 1 read 0\n"},
    {"readers disagree on the order of two writes",
     "1 1 9 1 write 1 ok\n2 1 9 1 write 2 ok\n3 10 11 1 read 1\n4 12 13 1 read 2\n"},
    {"readers disagree beside the writes (independent reads)",
     "1 1 20 1 write 1 ok\n2 1 20 1 write 2 ok\n"
     "3 2 3 1 read 1\n4 4 5 1 read 2\n3 6 7 1 read 1\n"},
    {"a lost write takes effect twice",
     "1 1 - 1 write 5 ?\n2 2 3 1 read 5\n2 4 5 1 write 6 ok\n2 6 7 1 read 6\n2 8 9 1 read 5\n"},
    {"a lost write takes effect before it is called", "2 1 2 1 read 5\n1 3 - 1 write 5 ?\n"},
    {"two swaps from the same value both win", "1 1 9 1 cas 0 1 0\n2 1 9 1 cas 0 2 0\n"},
    {"a swap fails for no reason", "1 1 2 1 cas 0 1 3\n"},
    {"a swap that failed changed something",
     "1 1 2 1 write 4 ok\n1 3 4 1 cas 0 1 4\n2 5 6 1 read 1\n"},
    {"a swap that succeeded changed nothing", "1 1 2 1 cas 0 1 0\n2 3 4 1 read 0\n"},
    {"a lost swap cannot have won", "1 1 2 1 write 1 ok\n2 3 - 1 cas 2 3 ?\n3 5 6 1 read 3\n"},
    {"one link of a chain of lost swaps is missing",
     "1 1 - 1 cas 0 1 ?\n2 2 - 1 cas 2 3 ?\n3 8 9 1 read 3\n"},
    {"an acknowledged write is gone after a lost one",
     "1 1 2 1 write 1 ok\n2 3 - 1 write 2 ?\n1 4 5 1 read 1\n1 6 7 1 read 0\n"},
    {"a swap between two reads of the old value",
     "1 1 2 1 read 0\n1 3 4 1 cas 0 1 0\n2 5 6 1 cas 0 2 0\n"},
    {"a read returns a value overwritten before it began, the writer of which is still open",
     "1 1 3 1 write 1 ok\n2 4 5 1 write 2 ok\n3 6 7 1 read 2\n4 8 20 1 read 1\n"},
    {"only the second key is wrong", "1 1 2 1 write 1 ok\n1 3 4 2 write 2 ok\n2 5 6 2 read 1\n"},
};

static struct linear_op *parse(const char *text, size_t *count)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text) + !*text, "r");
	struct linear_op *ops = NULL;
	size_t line = 0;

	*count = 0;
	assert_non_null(in);
	if (*text && linear_read(in, &ops, count, &line))
		fail_msg("line %zu of:\n%s", line, text);
	fclose(in);
	return ops;
}

static void expect(const struct story *stories, size_t count, int expected)
{
	for (size_t i = 0; i < count; i++) {
		struct linear_violation violation = {0};
		size_t op_count;
		struct linear_op *ops = parse(stories[i].history, &op_count);
		int err = linear_check(ops, op_count, &violation);

		if (err != expected)
			fail_msg("%s: %d", stories[i].name, err);
		assert_true(expected ? violation.count >= 1 && violation.count <= op_count
				     : !violation.ops);
		free(violation.ops);
		free(ops);
	}
}

static void test_good(void **state)
{
	(void)state;
	expect(good, sizeof(good) / sizeof(*good), 0);
}

static void test_bad(void **state)
{
	(void)state;
	expect(bad, sizeof(bad) / sizeof(*bad), -EILSEQ);
}

static void test_window(void **state)
{
	char *text = NULL;
	size_t size, count;
	FILE *out = open_memstream(&text, &size);
	struct linear_violation violation;
	struct linear_op *ops;

	(void)state;
	for (unsigned i = 1; i <= 1000; i++)
		fprintf(out, "1 %u %u 9 write %u ok\n", 10 * i, 10 * i + 5, i);
	fputs("2 10006 10007 9 read 998\n", out);
	fclose(out);
	ops = parse(text, &count);
	assert_int_equal(linear_check(ops, count, &violation), -EILSEQ);
	assert_int_equal(violation.key, 9);
	assert_true(violation.count >= 2 && violation.count < 10);
	assert_int_equal(violation.ops[violation.count - 1], 1000);
	free(violation.ops);
	free(ops);
	free(text);
}

static void test_text(void **state)
{
	static const char *const nonsense[] = {"1 2 3 1 read\n",
					       "1 2 3 1 write 4\n",
					       "1 2 3 1 write 4 5\n",
					       "x 2 3 1 read 0\n",
					       "1 2 3 1 peek 0\n",
					       "1 2 - 1 read 0\n",
					       "1 2 3 1 read ?\n",
					       "1 2 3 1 cas 1 2 ok\n",
					       "1 2 3 1 read 0 0 0\n",
					       "1 -2 3 1 read 0\n",
					       "1 2 3 1 read 18446744073709551616\n",
					       "1 2 18446744073709551615 1 read 0\n"};
	static const char whole[] = "1 2 3 4 read 5\n1 2 - 4 write 5 ?\n1 2 3 4 cas 5 6 7\n";
	char printed[sizeof(whole) + 64] = "";
	struct linear_op *ops;
	size_t count, line;
	FILE *file;

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		file = fmemopen((void *)(uintptr_t)nonsense[i], strlen(nonsense[i]), "r");
		assert_int_equal(linear_read(file, &ops, &count, &line), -EBADMSG);
		assert_int_equal(line, 1);
		fclose(file);
	}
	ops = parse(whole, &count);
	assert_int_equal(count, 3);
	file = fmemopen(printed, sizeof(printed), "w");
	for (size_t i = 0; i < count; i++)
		linear_print(file, &ops[i]);
	fclose(file);
	assert_string_equal(printed, whole);
	free(ops);
	assert_int_equal(
	    linear_check(&(struct linear_op){.kind = LINEAR_READ, .call_ns = 2, .return_ns = 1}, 1,
			 NULL),
	    -EINVAL);
}

/* Every order of every subset that has all completed operations. */
static int try_all(const struct linear_op *ops, size_t count, unsigned done, uint64_t value)
{
	int left = 0;

	for (size_t i = 0; i < count; i++)
		left += !(done >> i & 1) && ops[i].return_ns != LINEAR_PENDING;
	if (!left)
		return 1;
	for (size_t i = 0; i < count; i++) {
		const struct linear_op *op = &ops[i];
		const int pending = op->return_ns == LINEAR_PENDING;
		uint64_t after = value;
		int may = !(done >> i & 1);

		for (size_t j = 0; j < count; j++)
			may = may && (done >> j & 1 || ops[j].return_ns >= op->call_ns);
		if (op->kind != LINEAR_WRITE && !pending)
			may = may && op->result == value;
		if (op->kind == LINEAR_WRITE || (op->kind == LINEAR_CAS && op->expected == value))
			after = op->value;
		if (may && try_all(ops, count, done | 1U << i, after))
			return 1;
	}
	return 0;
}

enum { RANDOM_HISTORIES = 60000, RANDOM_OPS_MAX = 7 };

static void random_history(struct sim_random *random, struct linear_op *ops, size_t count)
{
	uint64_t held = 0;

	for (size_t i = 0; i < count; i++) {
		struct linear_op *op = &ops[i];

		*op = (struct linear_op){.client = i, .key = 1};
		op->kind = (uint8_t)sim_random_between(random, LINEAR_READ, LINEAR_CAS);
		op->call_ns = 2 * i + sim_random_below(random, 3);
		op->return_ns = sim_random_chance(random, 250)
				    ? LINEAR_PENDING
				    : op->call_ns + sim_random_below(random, 8);
		op->expected = sim_random_chance(random, 500) ? held : sim_random_below(random, 4);
		op->value = sim_random_below(random, 4);
		op->result = sim_random_chance(random, 700) ? held : sim_random_below(random, 4);
		if (op->kind == LINEAR_WRITE || (op->kind == LINEAR_CAS && op->expected == held))
			held = op->value;
	}
}

static void test_random(void **state)
{
	struct sim_random random = {getenv("FL_SEED") ? strtoull(getenv("FL_SEED"), NULL, 0)
						      : (uint64_t)time(NULL)};
	unsigned verdicts[2] = {0};

	(void)state;
	print_message("FL_SEED=%" PRIu64 "\n", random.state);
	for (unsigned i = 0; i < RANDOM_HISTORIES; i++) {
		struct linear_op ops[RANDOM_OPS_MAX];
		const size_t count = 1 + sim_random_below(&random, RANDOM_OPS_MAX);
		int expected, err;

		random_history(&random, ops, count);
		expected = try_all(ops, count, 0, 0);
		err = linear_check(ops, count, NULL);
		verdicts[expected]++;
		if (err != (expected ? 0 : -EILSEQ)) {
			for (size_t j = 0; j < count; j++)
				linear_print(stdout, &ops[j]);
			fail_msg("history %u: %d, every order tried: %d", i, err, expected);
		}
	}
	print_message("%u linearizable, %u not\n", verdicts[1], verdicts[0]);
	assert_true(verdicts[0] > RANDOM_HISTORIES / 10 && verdicts[1] > RANDOM_HISTORIES / 10);
}

enum { LONG_OPS = 100000, LONG_CLIENTS = 8 };

/* Clients in turns, each operation open while the others' next begin, one in 50 lost. */
static void test_long(void **state)
{
	struct linear_op *ops = calloc(LONG_OPS, sizeof(*ops));
	struct sim_random random = {7};
	uint64_t held = 0;

	(void)state;
	for (size_t i = 0; i < LONG_OPS; i++) {
		ops[i] = (struct linear_op){.client = i % LONG_CLIENTS,
					    .key = 1,
					    .kind = (uint8_t)(1 + i % 2),
					    .call_ns = 10 * i + 1,
					    .return_ns = 10 * (i + LONG_CLIENTS - 1),
					    .value = i,
					    .result = held};
		if (ops[i].kind == LINEAR_WRITE)
			held = i;
		if (ops[i].kind == LINEAR_WRITE && sim_random_chance(&random, 20))
			ops[i].return_ns = LINEAR_PENDING;
	}
	assert_int_equal(linear_check(ops, LONG_OPS, NULL), 0);
	ops[LONG_OPS - 2].result = ops[LONG_OPS - 2].result - 100;
	assert_int_equal(linear_check(ops, LONG_OPS, NULL), -EILSEQ);
	free(ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_window), cmocka_unit_test(test_text),
	    cmocka_unit_test(test_random), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
