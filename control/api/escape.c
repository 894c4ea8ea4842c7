/* SPDX-License-Identifier: BSD-2-Clause */
#include "escape.h"

#include <errno.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int api_unescape(char *text, bool plus, struct problem *problem)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = plus && *from == '+' ? ' ' : *from;
			continue;
		}
		high = hex(from[1]);
		low = high < 0 ? -1 : hex(from[2]);
		if (low < 0)
			return problem_set(problem, -EINVAL, "invalid URL escape \"%.3s\"", from);
		if (high == 0 && low == 0)
			return problem_set(problem, -EINVAL, "invalid URL: it holds a NUL");
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return 0;
}
