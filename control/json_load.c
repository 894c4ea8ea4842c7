/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>

#include "json_map.h"

/* How deep brackets nest; what is wrong otherwise is the parser's to say. */
static size_t depth_of(const char *text, size_t size)
{
	size_t depth = 0, deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!quoted && (text[i] == '}' || text[i] == ']') && depth)
			depth--;
	}
	return deepest;
}

/* The character that stopped the parser. error->position is the count of bytes it had read. */
static char culprit(const char *text, size_t size, const json_error_t *error)
{
	const size_t at = error->position > 0 ? (size_t)error->position - 1 : 0;

	return at < size ? text[at] : ' ';
}

static int explain(const char *text, size_t size, const json_error_t *error,
		   struct problem *problem)
{
	const char c = culprit(text, size, error);

	switch (json_error_code(error)) {
	case json_error_out_of_memory:
		return problem_set(problem, -ENOMEM, "out of memory");
	case json_error_premature_end_of_input:
		return problem_set(problem, -EINVAL, "invalid JSON: unexpected EOF");
	case json_error_end_of_input_expected:
		return problem_set(problem, -EINVAL, "unexpected content after JSON");
	case json_error_numeric_overflow:
		return problem_set(problem, -EINVAL, "invalid JSON: number out of range");
	case json_error_invalid_utf8:
		return problem_set(problem, -EINVAL, "invalid JSON: invalid UTF-8");
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return problem_set(problem, -EINVAL, "invalid JSON: a string holds \\u0000");
	default:
		return problem_set(problem, -EINVAL,
				   c >= ' ' && c < 0x7f
				       ? "invalid JSON: invalid character '%c' at byte %d"
				       : "invalid JSON: invalid character %#04x at byte %d",
				   (unsigned char)c, error->position);
	}
}

int json_map_load(const char *text, size_t size, json_t **json, struct problem *problem)
{
	json_error_t error;
	json_t *loaded;
	size_t blank = 0;

	while (blank < size && (text[blank] == ' ' || text[blank] == '\t' || text[blank] == '\r' ||
				text[blank] == '\n'))
		blank++;
	if (blank == size)
		return problem_set(problem, -EINVAL,
				   "invalid JSON: got EOF while reading request body");
	if (size > JSON_SIZE_MAX)
		return problem_set(problem, -EFBIG, "http: request body too large");
	if (depth_of(text, size) > JSON_DEPTH_MAX)
		return problem_set(problem, -EINVAL, "invalid JSON: exceeded max depth");
	loaded = json_loadb(text, size, JSON_DECODE_ANY, &error);
	if (!loaded)
		return explain(text, size, &error, problem);
	*json = loaded;
	return 0;
}

int json_map_parse(const struct json_map *map, const ProtobufCMessageDescriptor *type,
		   const char *text, size_t size, ProtobufCMessage **message,
		   struct problem *problem)
{
	json_t *json;
	int rc = json_map_load(text, size, &json, problem);

	if (rc < 0)
		return rc;
	rc = json_map_decode(map, type, json, message, problem);
	json_decref(json);
	return rc;
}
