/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "escape.h"

static bool is_dots(const char *segment, size_t size)
{
	return (size == 1 && segment[0] == '.') || (size == 2 && memcmp(segment, "..", 2) == 0);
}

static int cut(struct api_path *path)
{
	const char *at = path->text;

	while (at[0] == '/' && at[1]) {
		const char *start = ++at;
		size_t size = strcspn(start, "/");

		if (size == 0 || is_dots(start, size) || path->count == API_SEGMENTS_MAX)
			return -ENOENT;
		path->segments[path->count++] = (struct api_span){
		    .start = (uint32_t)(start - path->text), .size = (uint32_t)size};
		at += size;
	}
	return *at && strcmp(at, "/") != 0 ? -ENOENT : 0;
}

int api_path_parse(char *text, struct api_path *path, struct problem *problem)
{
	struct api_path parsed = {.text = text};
	int rc = api_unescape(text, false, problem);

	if (rc == 0)
		rc = cut(&parsed);
	if (rc < 0)
		return rc;
	if (parsed.count && api_version_parse(text + parsed.segments[0].start,
					      parsed.segments[0].size, &parsed.version)) {
		parsed.has_version = true;
		memmove(parsed.segments, parsed.segments + 1,
			--parsed.count * sizeof(parsed.segments[0]));
	}
	*path = parsed;
	return 0;
}

static unsigned count_segments(const char *pattern)
{
	unsigned count = 0;

	for (; *pattern; pattern++)
		count += *pattern == '/';
	return count;
}

static void add_param(struct api_params *params, struct api_span name, struct api_span first,
		      struct api_span last)
{
	assert(params->count < API_PARAMS_MAX);
	params->items[params->count].name = name;
	params->items[params->count++].value =
	    (struct api_span){.start = first.start, .size = last.start + last.size - first.start};
}

bool api_path_match(const struct api_path *path, const char *pattern, struct api_params *params)
{
	const unsigned wanted = count_segments(pattern);
	struct api_params found = {0};
	unsigned segment = 0;

	if (wanted > path->count)
		return false;
	for (const char *at = pattern; *at;) {
		const char *token = at + 1;
		size_t size = strcspn(token, "/");
		struct api_span first = path->segments[segment], last = first;

		if (token[0] != '{') {
			if (size != first.size ||
			    memcmp(path->text + first.start, token, size) != 0)
				return false;
		} else {
			struct api_span name = {.start = (uint32_t)(token + 1 - pattern),
						.size = (uint32_t)size - 2};

			if (name.size > 3 && memcmp(token + size - 4, "...", 3) == 0) {
				segment += path->count - wanted;
				last = path->segments[segment];
				name.size -= 3;
			}
			add_param(&found, name, first, last);
		}
		at = token + size;
		segment++;
		if (segment == path->count && *at)
			return false;
	}
	if (segment != path->count)
		return false;
	*params = found;
	return true;
}
