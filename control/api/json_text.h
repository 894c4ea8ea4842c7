/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_JSON_TEXT_H
#define FL_API_JSON_TEXT_H
/*
 * JSON from strangers: its depth is bounded and what is wrong is said in the words of Go's
 * encoding/json, which dockerd passes on. Pure.
 */
#include <jansson.h>
#include <stddef.h>

#include "problem.h"

/* -EINVAL: "unexpected EOF", "invalid character 'x' looking for beginning of value", ...; -E2BIG:
 * nested deeper than depth_max, which is at most API_BODY_DEPTH_MAX. Blanks may surround the value.
 */
int api_json_check(const char *text, size_t size, unsigned depth_max, struct problem *problem);
/* The same, and a new reference. What Go's parser takes and jansson does not (\u0000, bytes that
 * are not UTF-8, numbers beyond 64 bits) is -EINVAL; -ENOMEM. */
int api_json_load(const char *text, size_t size, unsigned depth_max, json_t **json,
		  struct problem *problem);
#endif
