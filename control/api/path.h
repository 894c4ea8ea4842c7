/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_PATH_H
#define FL_API_PATH_H
/*
 * A request's path, cut at its slashes, and whether it fits a pattern. Pure.
 *
 * As in dockerd, escapes are undone before the path is cut: %2F is a slash. One slash at the end is
 * passed over. Empty segments, "." and ".." fit nothing.
 *
 * Patterns: "/services/{id}/logs"; "{name...}" takes one segment or more, as image names do
 * ("/images/{name...}/json"), and occurs once at most.
 */
#include <stdbool.h>
#include <stdint.h>

#include "api_limits.h"
#include "problem.h"
#include "version.h"

struct api_span {
	uint32_t start, size; /* in the path's text */
};

struct api_path {
	const char *text; /* borrowed */
	bool has_version;
	struct api_version version;
	unsigned count; /* of segments, the version left out */
	struct api_span segments[API_SEGMENTS_MAX];
};

struct api_params {
	unsigned count;
	struct {
		struct api_span name;  /* in the pattern */
		struct api_span value; /* in the path */
	} items[API_PARAMS_MAX];
};

/* Undoes escapes in text, which must outlive *path, and cuts it. -EINVAL: an escape is wrong;
 * -ENOENT: no pattern can fit. */
int api_path_parse(char *text, struct api_path *path, struct problem *problem);
/* Whether they fit; then the values of the pattern's names. */
bool api_path_match(const struct api_path *path, const char *pattern, struct api_params *params);
#endif
