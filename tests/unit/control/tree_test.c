/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The persistent tree against a bit set: what it holds, its shape (balanced, heights right), and
 * that versions that are held do not see what is done to others.
 *
 *   FL_SEED=n test_tree      replays a run
 */
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store.h"

enum { KEYS = 500, VERSIONS = 5, STEPS = 20000 };

static uint64_t random_state;
static struct object *objects[KEYS]; /* keys: their ids, "000" to "499" */

static unsigned below(unsigned bound) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (unsigned)((z ^ (z >> 31)) % bound);
}

static const char *key_of(unsigned i)
{
	return object_message(objects[i])->id;
}

static int setup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++) {
		Fl__Secret secret = FL__SECRET__INIT;
		char id[16];

		snprintf(id, sizeof(id), "%03u", i);
		secret.id = id;
		objects[i] = object_new(STORE_SECRET, &secret.base, NULL);
		if (!objects[i])
			return -1;
	}
	return 0;
}

/* Every object is let go of by every tree. */
static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++) {
		if (objects[i]->references != 1)
			return -1;
		object_release(objects[i]);
	}
	return 0;
}

/* Its height; its nodes are added to *count. */
static uint32_t check_shape(const struct tree *tree, unsigned *count)
{
	uint32_t left, right;

	if (!tree)
		return 0;
	left = check_shape(tree->left, count);
	right = check_shape(tree->right, count);
	assert_true(left <= right + 1 && right <= left + 1);
	assert_int_equal(tree->height, 1 + (left > right ? left : right));
	++*count;
	return tree->height;
}

static void check(const struct tree *tree, const bool *there)
{
	struct tree_iterator iterator;
	const struct tree *at;
	unsigned count = 0, expected = 0, from = below(KEYS);

	for (unsigned i = 0; i < KEYS; i++)
		expected += there[i];
	check_shape(tree, &count);
	assert_int_equal(count, expected);
	tree_seek(&iterator, tree, key_of(from), "");
	for (unsigned i = from; i < KEYS; i++) {
		assert_ptr_equal(tree_find(tree, key_of(i), key_of(i)),
				 there[i] ? objects[i] : NULL);
		if (!there[i])
			continue;
		at = tree_next(&iterator);
		assert_non_null(at);
		assert_ptr_equal(at->object, objects[i]);
	}
	assert_null(tree_next(&iterator));
}

static void change(struct tree **tree, bool *there, unsigned i, bool put)
{
	if (put)
		assert_int_equal(tree_put(tree, key_of(i), objects[i]), 0);
	else
		assert_int_equal(tree_remove(tree, key_of(i), key_of(i)), there[i] ? 0 : -ENOENT);
	there[i] = put;
}

static void test_random(void **state)
{
	struct tree *tree[VERSIONS] = {NULL};
	static bool there[VERSIONS][KEYS];
	(void)state;

	for (unsigned step = 0; step < STEPS; step++) {
		const unsigned v = below(VERSIONS), from = below(VERSIONS);

		/* Versions fork from one another, grow and shrink. */
		if (!below(100) && v != from) {
			tree_release(tree[v]);
			tree[v] = tree_hold(tree[from]);
			memcpy(there[v], there[from], sizeof(there[v]));
		}
		change(&tree[v], there[v], below(KEYS), below(10) < 3 + step / 4000 % 2 * 4);
		if (!below(50))
			check(tree[from], there[from]);
	}
	for (unsigned v = 0; v < VERSIONS; v++) {
		check(tree[v], there[v]);
		tree_release(tree[v]);
	}
}

/* Ascending, descending, then emptied from either end: what an unbalanced tree does worst. */
static void test_orders(void **state)
{
	struct tree *tree = NULL;
	static bool there[KEYS];
	(void)state;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < KEYS; i++) {
			change(&tree, there, round & 1 ? KEYS - 1 - i : i, true);
			if (i % 50 == 0)
				check(tree, there);
		}
		for (unsigned i = 0; i < KEYS; i++) {
			change(&tree, there, round & 2 ? KEYS - 1 - i : i, false);
			if (i % 50 == 0)
				check(tree, there);
		}
		assert_null(tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
	};
	const char *given = getenv("FL_SEED");

	random_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("FL_SEED=%llu\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
