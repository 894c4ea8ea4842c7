/* SPDX-License-Identifier: BSD-2-Clause */
#include "base64.h"

#include <errno.h>
#include <stdlib.h>

char *base64_encode(const void *data, size_t size)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = data;
	char *text = malloc((size + 2) / 3 * 4 + 1), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i += 3) {
		const uint32_t group = (uint32_t)in[i] << 16 |
				       (i + 1 < size ? (uint32_t)in[i + 1] << 8 : 0) |
				       (i + 2 < size ? (uint32_t)in[i + 2] : 0);

		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = i + 1 < size ? digits[group >> 6 & 63] : '=';
		*out++ = i + 2 < size ? digits[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t length, uint8_t **data, size_t *size, size_t *bad)
{
	uint8_t *out = malloc(length / 4 * 3 + 3);
	size_t used = 0, digits = 0, padding = 0, i;
	uint32_t group = 0;

	if (!out)
		return -ENOMEM;
	for (i = 0; i < length; i++) {
		const int digit = digit_of(text[i]);

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=' && digits % 4 >= 2 && digits % 4 + padding < 4) {
			padding++;
			continue;
		}
		if (digit < 0 || padding)
			break;
		group = group << 6 | (uint32_t)digit;
		if (++digits % 4 == 0) {
			out[used++] = (uint8_t)(group >> 16);
			out[used++] = (uint8_t)(group >> 8);
			out[used++] = (uint8_t)group;
		}
	}
	if (i < length || (digits + padding) % 4) {
		free(out);
		*bad = i;
		return -EINVAL;
	}
	if (digits % 4 == 2)
		out[used++] = (uint8_t)(group >> 4);
	if (digits % 4 == 3) {
		out[used++] = (uint8_t)(group >> 10);
		out[used++] = (uint8_t)(group >> 2);
	}
	*data = out;
	*size = used;
	return 0;
}
