/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over what the Engine API reads of a request: its target (path, version, query,
 * filters), and JSON. Any bytes give a value or an error with words, and what they give is in
 * bounds.
 *
 * The first byte of the input chooses which.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_limits.h"
#include "api/filters.h"
#include "api/frame.h"
#include "api/json_text.h"
#include "api/path.h"
#include "api/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int truth)
{
	if (!truth)
		abort();
}

static void try_path(char *text)
{
	static const char *const patterns[] = {"/services/{id}/logs", "/images/{name...}/json",
					       "/{x...}", "/a/{b}/{c}", "/_ping"};
	struct problem problem = {0};
	struct api_path path;
	const int rc = api_path_parse(text, &path, &problem);

	need(rc == 0 || rc == -ENOENT || (rc == -EINVAL && problem.message[0]));
	if (rc < 0)
		return;
	need(path.count <= API_SEGMENTS_MAX);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct api_params params;

		if (!api_path_match(&path, patterns[i], &params))
			continue;
		for (unsigned p = 0; p < params.count; p++) {
			const struct api_span *value = &params.items[p].value;

			need(value->size && value->start + value->size <= strlen(text));
			need(text[value->start] != '/' &&
			     text[value->start + value->size - 1] != '/');
		}
	}
	if (path.has_version)
		need((api_version_check(path.version, &problem) == 0) ==
		     (path.version.major == 1 && path.version.minor >= 24 &&
		      path.version.minor <= 41));
}

static void try_filters(const char *text)
{
	struct api_filters *filters = NULL;
	struct problem problem = {0};
	const char *term;
	bool value;

	if (api_filters_parse(text, &filters, &problem) < 0) {
		need(!filters && strncmp(problem.message, "invalid filter", 14) == 0);
		return;
	}
	for (size_t i = 0; (term = api_filters_term(filters, "a", i)); i++)
		need(i < api_filters_count(filters, "a") && api_filters_equal(filters, "a", term) &&
		     api_filters_prefix(filters, "a", term));
	if (api_filters_bool(filters, "a", true, &value, &problem) < 0)
		need(problem.message[0]);
	api_filters_free(filters);
}

static void try_query(const char *text)
{
	struct api_query query = {0};
	struct problem problem = {0};
	uint64_t index;
	int64_t number;

	if (api_query_parse(text, &query, &problem) < 0) {
		need(problem.message[0] && !query.text && !query.pairs);
		return;
	}
	need(query.count <= API_QUERY_MAX);
	for (size_t i = 0; i < query.count; i++)
		need(api_query_get(&query, query.pairs[i].name) != NULL);
	if (query.count) {
		const char *name = query.pairs[0].name;

		api_query_bool(&query, name, false);
		if (api_query_uint64(&query, name, &index, &problem) < 0)
			need(problem.message[0]);
		if (api_query_int64(&query, name, 0, &number, &problem) < 0)
			need(problem.message[0]);
	}
	if (api_query_get(&query, "filters"))
		try_filters(api_query_get(&query, "filters"));
	api_query_clear(&query);
}

/* What jansson loads the check lets pass, but for what is too deep, and for a NUL at the end. */
static void try_json(const char *text, size_t size)
{
	struct problem problem = {0};
	json_t *json = NULL, *loaded = json_loadb(text, size, JSON_DECODE_ANY, NULL);
	const int rc = api_json_load(text, size, API_BODY_DEPTH_MAX, &json, &problem);

	need(rc == 0 ? json != NULL : !json && problem.message[0]);
	need(!loaded == (rc < 0) || rc == -E2BIG || memchr(text, '\0', size));
	json_decref(loaded);
	json_decref(json);
}

static void try_frame(const char *text, size_t size)
{
	uint8_t header[API_FRAME_HEADER_BYTES], again[API_FRAME_HEADER_BYTES];
	enum api_frame_stream stream;
	uint32_t count;

	if (size < sizeof(header))
		return;
	memcpy(header, text, sizeof(header));
	if (api_frame_decode(header, &stream, &count) < 0)
		return;
	api_frame_encode(stream, count, again);
	need(memcmp(header, again, sizeof(header)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size); /* its size to the byte: ASan sees what is read behind it */
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 5) {
	case 0:
		try_path(text);
		break;
	case 1:
		try_query(text);
		break;
	case 2:
		try_filters(text);
		break;
	case 3:
		try_json(text, size - 1);
		break;
	default:
		try_frame(text, size - 1);
	}
	free(text);
	return 0;
}
