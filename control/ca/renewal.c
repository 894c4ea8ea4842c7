/* SPDX-License-Identifier: BSD-2-Clause */
#include "renewal.h"

enum {
	FROM_PERCENT = 50,
	SPAN_PERCENT = 30,
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 5 * 60 * 1000,
};

int64_t renewal_moment(int64_t not_before_s, int64_t not_after_s, int64_t now_s, uint32_t random)
{
	/* 128 bits, as a certificate may be good until the year 9999. */
	const __int128 life_s = (__int128)not_after_s - not_before_s;
	const __int128 span_s = life_s * SPAN_PERCENT / 100;
	int64_t moment_s;

	if (life_s <= 0)
		return now_s;
	moment_s = not_before_s + (int64_t)(life_s * FROM_PERCENT / 100 + (span_s * random >> 32));
	return moment_s > now_s ? moment_s : now_s;
}

uint32_t renewal_retry_ms(unsigned int failures, uint32_t random)
{
	uint32_t wait_ms = RETRY_FIRST_MS;

	for (; failures > 1 && wait_ms < RETRY_MAX_MS; failures--)
		wait_ms *= 2;
	if (wait_ms > RETRY_MAX_MS)
		wait_ms = RETRY_MAX_MS;
	return wait_ms / 2 + (uint32_t)((uint64_t)(wait_ms / 2) * random >> 32);
}
