/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_QUERY_H
#define FL_API_QUERY_H
/*
 * A URL's query: names and values in the order in which they came, any name any number of times.
 * Values are read as dockerd reads them. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"

struct api_query {
	char *text; /* owned: names and values, unescaped */
	size_t count;
	struct api_query_pair {
		const char *name, *value;
	} * pairs; /* owned */
};

/* text: what follows the '?'. -EINVAL with Go's words, -E2BIG (too many), -ENOMEM. */
int api_query_parse(const char *text, struct api_query *query, struct problem *problem);
void api_query_clear(struct api_query *query); /* a zeroed one is fine */

/* The first value of a name; NULL: there is none. */
const char *api_query_get(const struct api_query *query, const char *name);
/* The value number `index` of a name; NULL: there are no more. */
const char *api_query_get_nth(const struct api_query *query, const char *name, size_t index);
/* False: absent, "", 0, no, false, none, whatever their case; else true. */
bool api_query_bool(const struct api_query *query, const char *name, bool absent);
/* -EINVAL with the words of Go's strconv, which dockerd's messages end with. An absent one is "".
 */
int api_query_uint64(const struct api_query *query, const char *name, uint64_t *value,
		     struct problem *problem);
int api_query_int64(const struct api_query *query, const char *name, int64_t absent, int64_t *value,
		    struct problem *problem);
#endif
