/* SPDX-License-Identifier: BSD-2-Clause */
#include "rfc3339.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SECOND_NS = 1000000000, DAY_S = 86400, YEAR_MIN = 1678, YEAR_MAX = 2261 };

/* Days since 1970-01-01 of the Gregorian calendar, in years that begin in March so that the leap
 * day comes last. Valid for year >= 1. */
static int64_t days_of(int year, int month, int day)
{
	const int64_t y = year - (month <= 2), m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t y = (10000 * (days + 719468) + 14780) / 3652425, rest;

	rest = days - days_of((int)y, 3, 1);
	if (rest < 0) {
		y--;
		rest = days - days_of((int)y, 3, 1);
	}
	const int64_t m = (5 * rest + 2) / 153;

	*day = (int)(rest - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + (m >= 10));
}

void rfc3339_format(int64_t time_ns, char text[RFC3339_SIZE])
{
	int64_t seconds = time_ns / SECOND_NS, fraction = time_ns % SECOND_NS;
	int year, month, day, length;

	if (!time_ns) {
		memcpy(text, "0001-01-01T00:00:00Z", sizeof("0001-01-01T00:00:00Z"));
		return;
	}
	if (fraction < 0) {
		fraction += SECOND_NS;
		seconds--;
	}
	int64_t days = seconds / DAY_S, rest = seconds % DAY_S;

	if (rest < 0) {
		rest += DAY_S;
		days--;
	}
	date_of(days, &year, &month, &day);
	length = snprintf(text, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%09u",
			  (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100,
			  (unsigned)(rest / 3600) % 100, (unsigned)(rest / 60 % 60),
			  (unsigned)(rest % 60), (unsigned)fraction);
	while (text[length - 1] == '0')
		length--;
	length -= text[length - 1] == '.';
	text[length] = 'Z';
	text[length + 1] = '\0';
}

/* Exactly `digits` of them. */
static bool take_number(const char **at, int digits, int max, int *number)
{
	int value = 0;

	for (; digits; digits--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (**at - '0');
	}
	*number = value;
	return value <= max;
}

static bool take(const char **at, char c)
{
	return **at == c && (*at)++;
}

static bool take_fraction(const char **at, int64_t *fraction)
{
	int64_t unit = SECOND_NS / 10;

	*fraction = 0;
	if (!take(at, '.'))
		return true;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		*fraction += (**at - '0') * unit; /* digits past the ninth count nothing */
	return true;
}

static bool take_offset(const char **at, int *seconds)
{
	const char sign = **at;
	int hours, minutes;

	*seconds = 0;
	if (take(at, 'Z'))
		return true;
	if (!take(at, '+') && !take(at, '-'))
		return false;
	if (!take_number(at, 2, 23, &hours) || !take(at, ':') || !take_number(at, 2, 59, &minutes))
		return false;
	*seconds = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

static int days_in(int year, int month)
{
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month == 2)
		return 28 + leap;
	return 30 + (month + (month > 7)) % 2;
}

int rfc3339_parse(const char *text, int64_t *time_ns)
{
	int year, month, day, hour, minute, second, offset;
	int64_t fraction, seconds;

	if (!take_number(&text, 4, 9999, &year) || !take(&text, '-') ||
	    !take_number(&text, 2, 12, &month) || !take(&text, '-') ||
	    !take_number(&text, 2, 31, &day) || !take(&text, 'T') ||
	    !take_number(&text, 2, 23, &hour) || !take(&text, ':') ||
	    !take_number(&text, 2, 59, &minute) || !take(&text, ':') ||
	    !take_number(&text, 2, 59, &second) || !take_fraction(&text, &fraction) ||
	    !take_offset(&text, &offset) || *text)
		return -EINVAL;
	if (!month || !day || day > days_in(year, month))
		return -EINVAL;
	if (year == 1 && month == 1 && day == 1 && !hour && !minute && !second && !fraction &&
	    !offset) {
		*time_ns = 0;
		return 0;
	}
	if (year < YEAR_MIN || year > YEAR_MAX)
		return -ERANGE;
	seconds = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset;
	*time_ns = seconds * SECOND_NS + fraction;
	return 0;
}
