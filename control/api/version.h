/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_VERSION_H
#define FL_API_VERSION_H
/*
 * The API's version: the /v1.N before a path. Without one a client speaks the newest. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "problem.h"

/* The newest is the one that ../shared's recordings were made with: their shapes are what we give.
 */
#define API_VERSION_NEWEST "1.41"
#define API_VERSION_OLDEST "1.24"

enum {
	API_VERSION_MAJOR = 1,
	API_MINOR_NEWEST = 41,
	API_MINOR_OLDEST = 24,
};

struct api_version {
	unsigned major, minor;
};

/* Whether a path's first segment is a version: "v" and digits with at most one point between. */
bool api_version_parse(const char *segment, size_t size, struct api_version *version);
/* -EINVAL with dockerd's words: too new, too old. */
int api_version_check(struct api_version version, struct problem *problem);
#endif
