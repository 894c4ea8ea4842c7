/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of taken numbers against an array of flags, and addresses as text. FL_SEED replays. */
#include "allocator_range.h"

#include <errno.h>

#include "allocator_address.h"
#include "cluster.h"

enum { NUMBERS = 96 };

struct taken {
	unsigned first, last;
};

/* The first free aligned block, the slow way; NUMBERS: none. */
static unsigned model_find(const bool *flags, unsigned low, unsigned high, unsigned from,
			   unsigned size)
{
	for (int round = 0; round < 2; round++) {
		const unsigned begin = !round && from > low && from <= high ? from : low;

		for (unsigned at = begin; at + size - 1 <= high; at++) {
			bool is_free = at % size == 0;

			for (unsigned i = 0; i < size; i++)
				is_free = is_free && !flags[at + i];
			if (is_free)
				return at;
		}
	}
	return NUMBERS;
}

static void check_find(const struct range_set *set, const bool *flags, uint64_t *state)
{
	const unsigned low = (unsigned)(1 + random_next(state) % 40);
	const unsigned high = (unsigned)(low + random_next(state) % (NUMBERS - low));
	const unsigned from = (unsigned)(random_next(state) % NUMBERS);
	const unsigned size = 1U << random_next(state) % 4;
	const unsigned expected = model_find(flags, low, high, from, size);
	range_value found;

	if (expected == NUMBERS) {
		assert_int_equal(range_set_find(set, low, high, from, size, &found), -ENOSPC);
		return;
	}
	assert_int_equal(range_set_find(set, low, high, from, size, &found), 0);
	assert_int_equal((unsigned)found, expected);
}

static void check_shape(const struct range_set *set, const bool *flags)
{
	unsigned at = 0;

	for (size_t i = 0; i < set->count; i++) {
		for (; at < set->ranges[i].first; at++)
			assert_false(flags[at]);
		for (; at <= set->ranges[i].last; at++)
			assert_true(flags[at]);
		assert_true(at == NUMBERS || !flags[at]); /* neighbours are one */
	}
	for (; at < NUMBERS; at++)
		assert_false(flags[at]);
	assert_true(set->count <= set->takes && set->takes <= set->capacity);
}

static void test_random(void **unused)
{
	uint64_t state = random_seed();
	(void)unused;

	for (int round = 0; round < 200; round++) {
		struct range_set set = {0};
		struct taken taken[NUMBERS];
		bool flags[NUMBERS] = {false};
		size_t count = 0;

		for (int step = 0; step < 300; step++) {
			const unsigned first = (unsigned)(random_next(&state) % NUMBERS);
			unsigned last = first + (unsigned)(random_next(&state) % 5);
			bool used = false;

			last = last < NUMBERS ? last : NUMBERS - 1;
			for (unsigned i = first; i <= last; i++)
				used = used || flags[i];
			assert_int_equal(range_set_has(&set, first, last), used);
			if (count && random_next(&state) % 5 < 2) {
				const size_t victim = random_next(&state) % count;

				range_set_give(&set, taken[victim].first, taken[victim].last);
				memset(flags + taken[victim].first, false,
				       taken[victim].last - taken[victim].first + 1);
				taken[victim] = taken[--count];
			} else {
				assert_int_equal(range_set_take(&set, first, last),
						 used ? -EEXIST : 0);
				if (!used) {
					memset(flags + first, true, last - first + 1);
					taken[count++] = (struct taken){first, last};
				}
			}
			check_shape(&set, flags);
			check_find(&set, flags, &state);
		}
		range_set_clear(&set);
	}
}

static void test_addresses(void **unused)
{
	static const struct {
		const char *text, *first, *last; /* NULL: refused */
	} cases[] = {
	    {"10.0.0.0/8", "10.0.0.0", "10.255.255.255"},
	    {"10.0.9.77/24", "10.0.9.0", "10.0.9.255"},
	    {"192.0.2.1/32", "192.0.2.1", "192.0.2.1"},
	    {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
	    {"2001:db8::5/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"},
	    {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	    {"10.0.0.0", NULL, NULL},
	    {"10.0.0.0/", NULL, NULL},
	    {"10.0.0.0/33", NULL, NULL},
	    {"10.0.0.0/-1", NULL, NULL},
	    {"10.0.0.0/8x", NULL, NULL},
	    {"10.0.0/8", NULL, NULL},
	    {"/8", NULL, NULL},
	    {"", NULL, NULL},
	    {"2001:db8::/129", NULL, NULL},
	    {"2001:db8::/1000", NULL, NULL},
	    {"::ffff:10.0.0.0/104", NULL, NULL},
	    {"1111111111111111111111111111111111111111111111111111111111/8", NULL, NULL},
	};
	(void)unused;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char first[ADDRESS_TEXT_SIZE], last[ADDRESS_TEXT_SIZE];
		struct prefix prefix;

		assert_int_equal(prefix_parse(cases[i].text, &prefix),
				 cases[i].first ? 0 : -EINVAL);
		if (!cases[i].first)
			continue;
		assert_string_equal(address_format(prefix.first, -1, first), cases[i].first);
		assert_string_equal(address_format(prefix.last, -1, last), cases[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
