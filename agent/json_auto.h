/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JSON_AUTO_H
#define FL_JSON_AUTO_H
/* jansson's references under the cleanup idiom, and reading members that strangers wrote. */
#include <jansson.h>
#include <stdbool.h>

#define AUTO_JSON __attribute__((cleanup(json_auto_decref)))

static inline void json_auto_decref(json_t **json)
{
	json_decref(*json);
}

/* A member as text; NULL where it is missing or is no text. Borrowed from the object. */
static inline const char *json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A member as a number; `missing` where there is none. */
static inline json_int_t json_number_or(const json_t *object, const char *key, json_int_t missing)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? json_integer_value(value) : missing;
}
#endif
