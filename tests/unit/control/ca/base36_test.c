/* SPDX-License-Identifier: BSD-2-Clause */
#include "base36.h"

#include "ca_bed.h"

static void test_known_numbers(void **state)
{
	/* 2^256 - 1 and 2^128 - 1, from another implementation (Python). */
	static const struct {
		size_t size, digits;
		uint8_t fill;
		const char *text;
	} cases[] = {
	    {32, 50, 0xff, "6dp5qcb22im238nr3wvp0ic7q99w035jmy2iw7i6n43d37jtof"},
	    {16, 25, 0xff, "f5lxx1zz5pnorynqglhzmsp33"},
	    {32, 50, 0x00, "00000000000000000000000000000000000000000000000000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t number[32], back[32];
		char text[51];

		memset(number, cases[i].fill, sizeof(number));
		base36_encode(number, cases[i].size, text, cases[i].digits);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(base36_decode(text, cases[i].digits, back, cases[i].size), 0);
		assert_memory_equal(back, number, cases[i].size);
	}
}

static void test_round_trip(void **state)
{
	uint64_t seed = 36;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		uint8_t number[32], back[32];
		char text[51];

		bed_random(&seed, number, sizeof(number));
		/* Small ones too, which need zeros in front. */
		memset(number, 0, i % 33);
		base36_encode(number, sizeof(number), text, 50);
		assert_int_equal(strlen(text), 50);
		assert_int_equal(strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz"), 50);
		assert_int_equal(base36_decode(text, 50, back, sizeof(back)), 0);
		assert_memory_equal(number, back, sizeof(number));
	}
}

static void test_refused(void **state)
{
	uint8_t number[2] = {7, 7};

	(void)state;
	assert_int_equal(base36_decode("1ekf", 4, number, 2), 0); /* 65535 */
	assert_int_equal(number[0] << 8 | number[1], 0xffff);
	memset(number, 7, sizeof(number));
	assert_int_equal(base36_decode("1ekg", 4, number, 2), -ERANGE);
	assert_int_equal(base36_decode("1ek", 4, number, 2), -EINVAL);
	assert_int_equal(base36_decode("01ekf", 4, number, 2), -EINVAL);
	assert_int_equal(base36_decode("1EKF", 4, number, 2), -EINVAL);
	assert_int_equal(base36_decode("1e-f", 4, number, 2), -EINVAL);
	assert_int_equal(number[0], 7); /* written on success alone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_numbers),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
