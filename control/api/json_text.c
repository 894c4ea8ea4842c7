/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api_limits.h"

struct scan {
	const char *at, *end;
	unsigned depth, depth_max;
	struct problem *problem;
};

static int scan_value(struct scan *scan);

/* The character at hand is not what the grammar wants there. */
static int refuse(const struct scan *scan, const char *where)
{
	unsigned char c;

	if (scan->at == scan->end)
		return problem_set(scan->problem, -EINVAL, "unexpected EOF");
	c = (unsigned char)*scan->at;
	if (c == '\'' || c == '\\')
		return problem_set(scan->problem, -EINVAL, "invalid character '\\%c' %s", c, where);
	if (c < ' ' || c >= 0x7f)
		return problem_set(scan->problem, -EINVAL, "invalid character '\\x%02x' %s", c,
				   where);
	return problem_set(scan->problem, -EINVAL, "invalid character '%c' %s", c, where);
}

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4))
		scan->at++;
}

static bool next_is(const struct scan *scan, char c)
{
	return scan->at < scan->end && *scan->at == c;
}

static int scan_escape(struct scan *scan)
{
	if (scan->at == scan->end || !memchr("\"\\/bfnrtu", *scan->at, 9))
		return refuse(scan, "in string escape code");
	if (*scan->at++ != 'u')
		return 0;
	for (int i = 0; i < 4; i++, scan->at++)
		if (scan->at == scan->end || !isxdigit((unsigned char)*scan->at))
			return refuse(scan, "in \\u hexadecimal character escape");
	return 0;
}

static int scan_string(struct scan *scan)
{
	for (scan->at++; !next_is(scan, '"');) {
		if (scan->at == scan->end || (unsigned char)*scan->at < ' ')
			return refuse(scan, "in string literal");
		if (*scan->at++ == '\\') {
			int rc = scan_escape(scan);

			if (rc < 0)
				return rc;
		}
	}
	scan->at++;
	return 0;
}

static int scan_digits(struct scan *scan, const char *where)
{
	if (scan->at == scan->end || !isdigit((unsigned char)*scan->at))
		return refuse(scan, where);
	while (scan->at < scan->end && isdigit((unsigned char)*scan->at))
		scan->at++;
	return 0;
}

static int scan_number(struct scan *scan)
{
	int rc = 0;

	if (next_is(scan, '-'))
		scan->at++;
	if (next_is(scan, '0')) /* what follows a leading 0 is no part of the number */
		scan->at++;
	else
		rc = scan_digits(scan, "in numeric literal");
	if (rc == 0 && next_is(scan, '.')) {
		scan->at++;
		rc = scan_digits(scan, "after decimal point in numeric literal");
	}
	if (rc == 0 && (next_is(scan, 'e') || next_is(scan, 'E'))) {
		scan->at++;
		if (next_is(scan, '+') || next_is(scan, '-'))
			scan->at++;
		rc = scan_digits(scan, "in exponent of numeric literal");
	}
	return rc;
}

static int scan_literal(struct scan *scan, const char *word)
{
	for (const char *letter = word; *letter; letter++, scan->at++) {
		if (!next_is(scan, *letter)) {
			char where[64];

			snprintf(where, sizeof(where), "in literal %s (expecting '%c')", word,
				 *letter);
			return refuse(scan, where);
		}
	}
	return 0;
}

static int scan_member(struct scan *scan)
{
	int rc;

	skip_blanks(scan);
	if (!next_is(scan, '"'))
		return refuse(scan, "looking for beginning of object key string");
	rc = scan_string(scan);
	if (rc < 0)
		return rc;
	skip_blanks(scan);
	if (!next_is(scan, ':'))
		return refuse(scan, "after object key");
	scan->at++;
	return scan_value(scan);
}

/* An object or an array, after its first bracket. */
static int scan_items(struct scan *scan, char close, int (*item)(struct scan *), const char *after)
{
	skip_blanks(scan);
	if (next_is(scan, close)) {
		scan->at++;
		return 0;
	}
	for (;;) {
		int rc = item(scan);

		if (rc < 0)
			return rc;
		skip_blanks(scan);
		if (next_is(scan, close)) {
			scan->at++;
			return 0;
		}
		if (!next_is(scan, ','))
			return refuse(scan, after);
		scan->at++;
	}
}

static int scan_nested(struct scan *scan)
{
	int rc;

	if (scan->depth == scan->depth_max)
		return problem_set(scan->problem, -E2BIG, "exceeded max depth");
	scan->depth++;
	rc = *scan->at++ == '{' ? scan_items(scan, '}', scan_member, "after object key:value pair")
				: scan_items(scan, ']', scan_value, "after array element");
	scan->depth--;
	return rc;
}

static int scan_value(struct scan *scan)
{
	skip_blanks(scan);
	switch (scan->at < scan->end ? *scan->at : '\0') {
	case '{':
	case '[':
		return scan_nested(scan);
	case '"':
		return scan_string(scan);
	case 't':
		return scan_literal(scan, "true");
	case 'f':
		return scan_literal(scan, "false");
	case 'n':
		return scan_literal(scan, "null");
	case '-':
	case '0' ... '9':
		return scan_number(scan);
	default:
		return refuse(scan, "looking for beginning of value");
	}
}

int api_json_check(const char *text, size_t size, unsigned depth_max, struct problem *problem)
{
	struct scan scan = {
	    .at = text, .end = text + size, .depth_max = depth_max, .problem = problem};
	int rc;

	assert(depth_max <= API_BODY_DEPTH_MAX); /* it recurses */
	rc = scan_value(&scan);
	skip_blanks(&scan);
	if (rc == 0 && scan.at < scan.end)
		return refuse(&scan, "after top-level value");
	return rc;
}

int api_json_load(const char *text, size_t size, unsigned depth_max, json_t **json,
		  struct problem *problem)
{
	json_error_t error;
	json_t *loaded;
	int rc = api_json_check(text, size, depth_max, problem);

	if (rc < 0)
		return rc;
	loaded = json_loadb(text, size, JSON_DECODE_ANY, &error);
	if (!loaded) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return problem_set(problem, -ENOMEM, "out of memory");
		return problem_set(problem, -EINVAL, "%s", error.text);
	}
	*json = loaded;
	return 0;
}
