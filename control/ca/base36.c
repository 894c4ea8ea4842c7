/* SPDX-License-Identifier: BSD-2-Clause */
#include "base36.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";

void base36_encode(const uint8_t *number, size_t size, char *text, size_t digits)
{
	uint8_t rest[BASE36_NUMBER_SIZE_MAX];
	unsigned int left = 0;

	assert(size <= sizeof(rest));
	memcpy(rest, number, size);
	text[digits] = '\0';
	for (size_t at = digits; at-- > 0;) {
		unsigned int remainder = 0;

		for (size_t i = 0; i < size; i++) {
			const unsigned int part = remainder << 8 | rest[i];

			rest[i] = (uint8_t)(part / 36);
			remainder = part % 36;
		}
		text[at] = alphabet[remainder];
	}
	for (size_t i = 0; i < size; i++)
		left |= rest[i];
	assert(!left);
}

int base36_decode(const char *text, size_t digits, uint8_t *number, size_t size)
{
	uint8_t value[BASE36_NUMBER_SIZE_MAX] = {0};

	assert(size <= sizeof(value));
	for (size_t at = 0; at < digits; at++) {
		const char *digit = text[at] ? strchr(alphabet, text[at]) : NULL;
		unsigned int carry;

		if (!digit)
			return -EINVAL;
		carry = (unsigned int)(digit - alphabet);
		for (size_t i = size; i-- > 0;) {
			carry += value[i] * 36U;
			value[i] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry)
			return -ERANGE;
	}
	if (text[digits])
		return -EINVAL;
	memcpy(number, value, size);
	return 0;
}
