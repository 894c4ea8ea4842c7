/* SPDX-License-Identifier: BSD-2-Clause */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_limits.h"
#include "escape.h"

static size_t count_pairs(const char *text)
{
	size_t count = 1;

	for (; *text; text++)
		count += *text == '&';
	return count;
}

static int split(struct api_query *query, struct problem *problem)
{
	char *rest = query->text, *pair;

	while ((pair = strsep(&rest, "&"))) {
		char *value = pair;
		char *name = strsep(&value, "=");
		int rc;

		if (!*pair && !value)
			continue;
		if (!value)
			value = name + strlen(name);
		rc = api_unescape(name, true, problem);
		if (rc == 0 && *value)
			rc = api_unescape(value, true, problem);
		if (rc < 0)
			return rc;
		query->pairs[query->count++] = (struct api_query_pair){name, value};
	}
	return 0;
}

int api_query_parse(const char *text, struct api_query *query, struct problem *problem)
{
	const size_t count = count_pairs(text);
	struct api_query parsed = {0};
	int rc;

	if (!*text) {
		*query = parsed;
		return 0;
	}
	if (count > API_QUERY_MAX)
		return problem_set(problem, -E2BIG, "too many query parameters: more than %d",
				   API_QUERY_MAX);
	parsed.text = strdup(text);
	parsed.pairs = calloc(count, sizeof(*parsed.pairs));
	rc = parsed.text && parsed.pairs ? split(&parsed, problem)
					 : problem_set(problem, -ENOMEM, "out of memory");
	if (rc < 0)
		api_query_clear(&parsed);
	else
		*query = parsed;
	return rc;
}

void api_query_clear(struct api_query *query)
{
	free(query->text);
	free(query->pairs);
	*query = (struct api_query){0};
}

const char *api_query_get_nth(const struct api_query *query, const char *name, size_t index)
{
	for (size_t i = 0; i < query->count; i++)
		if (strcmp(query->pairs[i].name, name) == 0 && index-- == 0)
			return query->pairs[i].value;
	return NULL;
}

const char *api_query_get(const struct api_query *query, const char *name)
{
	return api_query_get_nth(query, name, 0);
}

bool api_query_bool(const struct api_query *query, const char *name, bool absent)
{
	static const char *const no[] = {"", "0", "no", "false", "none"};
	const char *value = api_query_get(query, name);
	size_t size;

	if (!value)
		return absent;
	value += strspn(value, " \t\r\n");
	size = strlen(value);
	while (size && strchr(" \t\r\n", value[size - 1]))
		size--;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (strlen(no[i]) == size && strncasecmp(no[i], value, size) == 0)
			return false;
	return true;
}

static int refuse(const char *function, const char *value, const char *why, struct problem *problem)
{
	return problem_set(problem, -EINVAL, "strconv.%s: parsing \"%.64s\": %s", function, value,
			   why);
}

int api_query_uint64(const struct api_query *query, const char *name, uint64_t *value,
		     struct problem *problem)
{
	const char *text = api_query_get(query, name);
	unsigned long long number;
	char *end;

	text = text ? text : "";
	/* strtoull takes blanks and signs, Go does not. */
	if (*text < '0' || *text > '9')
		return refuse("ParseUint", text, "invalid syntax", problem);
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end)
		return refuse("ParseUint", text, "invalid syntax", problem);
	if (errno)
		return refuse("ParseUint", text, "value out of range", problem);
	*value = number;
	return 0;
}

int api_query_int64(const struct api_query *query, const char *name, int64_t absent, int64_t *value,
		    struct problem *problem)
{
	const char *text = api_query_get(query, name);
	const char *digits = text && (*text == '-' || *text == '+') ? text + 1 : text;
	long long number;
	char *end;

	if (!text || !*text) {
		*value = absent;
		return 0;
	}
	if (*digits < '0' || *digits > '9')
		return refuse("ParseInt", text, "invalid syntax", problem);
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*end)
		return refuse("ParseInt", text, "invalid syntax", problem);
	if (errno)
		return refuse("ParseInt", text, "value out of range", problem);
	*value = number;
	return 0;
}
