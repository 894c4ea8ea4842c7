/* SPDX-License-Identifier: BSD-2-Clause */
#include "unlock_key.h"

#include "ca_bed.h"

/* Of the real swarm; the second has + and / in it. */
static void test_golden(void **state)
{
	static const struct {
		const char *text;
		uint8_t first, last;
	} cases[] = {
	    {"SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Los", 0xa5, 0x8b},
	    {"SWMKEY-1-y6+Hqiu2f/yVRAx6kBXV2uUHXEWtKozoi7s8Ro7A/y4", 0xcb, 0x2e},
	    {"SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[UNLOCK_KEY_TEXT_SIZE];
		struct unlock_key key;

		assert_int_equal(unlock_key_parse(cases[i].text, &key, NULL), 0);
		assert_int_equal(key.bytes[0], cases[i].first);
		assert_int_equal(key.bytes[CA_KEY_SIZE - 1], cases[i].last);
		unlock_key_format(&key, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_round_trip(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		char text[UNLOCK_KEY_TEXT_SIZE];
		struct unlock_key key, back;

		assert_int_equal(unlock_key_generate(bed_random, &seed, &key), 0);
		unlock_key_format(&key, text);
		assert_int_equal(unlock_key_parse(text, &back, NULL), 0);
		assert_true(unlock_key_equals(&key, &back));
		back.bytes[i % CA_KEY_SIZE] ^= 1;
		assert_false(unlock_key_equals(&key, &back));
	}
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
	    "",
	    "SWMKEY-1-",
	    "SWMKEY-2-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Los",
	    "swmkey-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Los",
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Lo",
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Los=",
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Lo=",
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398L==",
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Lo\n",
	    "SWMKEY-1- bgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Los",
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQ-Xbrh0fXf398Los",
	    /* two bits beyond the last byte are set */
	    "SWMKEY-1-pbgTYLlRxMT44RM2Rgu6M4NntSlQyXbrh0fXf398Lot",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct unlock_key key = {{7}};
		struct problem problem = {0};

		assert_int_equal(unlock_key_parse(bad[i], &key, &problem), -EINVAL);
		assert_string_equal(problem.message, "invalid key string");
		assert_int_equal(key.bytes[0], 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
