/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_FILTERS_H
#define FL_API_FILTERS_H
/*
 * The `filters` parameter, in both its forms: {"label":{"k=v":true}} (Go's clients) and
 * {"label":["k=v"]} (all others). Pure.
 *
 * Terms of one field are alternatives (but for labels, which must all fit); fields must all fit.
 * What has no term fits everything.
 */
#include <stdbool.h>
#include <stddef.h>

#include "problem.h"

struct api_filters;

/* text: NULL and "" are no filters. -EINVAL, -E2BIG, -ENOMEM. */
int api_filters_parse(const char *text, struct api_filters **filters, struct problem *problem);
void api_filters_free(struct api_filters *filters); /* NULL is fine */

/* -EINVAL with dockerd's words where a field is not one of accepted (a NULL ends them). */
int api_filters_check(const struct api_filters *filters, const char *const *accepted,
		      struct problem *problem);

size_t api_filters_count(const struct api_filters *filters, const char *field);
/* Term number `index` of a field; NULL: there are no more. */
const char *api_filters_term(const struct api_filters *filters, const char *field, size_t index);

/* Whether a field has no term, or one that is the value. */
bool api_filters_equal(const struct api_filters *filters, const char *field, const char *value);
/* ... or one that the value begins with. */
bool api_filters_prefix(const struct api_filters *filters, const char *field, const char *value);
/* ... or whether each of its terms ("key" or "key=value") is what label(key) gives; NULL: no label.
 */
bool api_filters_labels(const struct api_filters *filters, const char *field,
			const char *(*label)(const void *object, const char *key, size_t key_size),
			const void *object);
/* A field with one term, 1, true, 0 or false. */
int api_filters_bool(const struct api_filters *filters, const char *field, bool absent, bool *value,
		     struct problem *problem);
#endif
