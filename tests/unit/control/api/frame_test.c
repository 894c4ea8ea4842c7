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

#include "api/frame.h"

static void test_recorded(void **state)
{
	/* docker-api/golden/exec_stdin.json: 010000000000000868656c6c6f2d696e */
	static const uint8_t recorded[] = {1, 0, 0, 0, 0, 0, 0, 8};
	uint8_t header[API_FRAME_HEADER_BYTES];

	(void)state;
	api_frame_encode(API_FRAME_STDOUT, 8, header);
	assert_memory_equal(header, recorded, sizeof(recorded));
}

static void test_round_trip(void **state)
{
	static const uint32_t sizes[] = {0, 1, 0xff, 0x100, 0x01020304, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int stream = API_FRAME_STDIN; stream <= API_FRAME_SYSTEM; stream++) {
			uint8_t header[API_FRAME_HEADER_BYTES];
			enum api_frame_stream decoded;
			uint32_t size;

			api_frame_encode((enum api_frame_stream)stream, sizes[i], header);
			assert_int_equal(api_frame_decode(header, &decoded, &size), 0);
			assert_int_equal(decoded, stream);
			assert_int_equal(size, sizes[i]);
		}
	}
}

static void test_refused(void **state)
{
	const uint8_t bad[][API_FRAME_HEADER_BYTES] = {{4}, {255}, {1, 1}, {1, 0, 1}, {1, 0, 0, 1}};
	enum api_frame_stream stream = API_FRAME_STDERR;
	uint32_t size = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(api_frame_decode(bad[i], &stream, &size), -EBADMSG);
	assert_int_equal(stream, API_FRAME_STDERR);
	assert_int_equal(size, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_recorded),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
