/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JSON_PLACE_H
#define FL_JSON_PLACE_H
/*
 * A place in a JSON document: a value and the way that leads to it, so that an error says
 * "mesh.json: services[2].backends[0].weight: ..." wherever it is found.
 *
 * A place lives on the stack of who reads it. It borrows the document, its parent, the key and the
 * file's name, all of which must outlive it. Readers write *out only on success and return 0 or
 * the negative errno of the error that they set; a missing value is an error, so ask
 * json_place_given first where it may be absent.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct json_place {
	const struct json_place *parent; /* NULL: the document */
	const char *key;                 /* within the parent; the document's is the file's name */
	size_t index;                    /* within the parent, where key is NULL */
	json_t *value;                   /* NULL: absent */
	struct error *error;
};

/* Bounds of a number, and the words for one that is outside. */
struct json_range {
	int64_t min, max;
	const char *noun; /* "a port" */
	const char *hint; /* put after the bounds; may be NULL */
};

/* Foreign text made fit for a message: printable and short. Use as json_shown(text).text. */
struct json_shown {
	char text[48];
};
struct json_shown json_shown(const char *text);

struct json_place json_place_root(json_t *document, const char *file, struct error *error);
struct json_place json_place_member(const struct json_place *object, const char *key);
struct json_place json_place_item(const struct json_place *array, size_t index);

static inline bool json_place_given(const struct json_place *place)
{
	return place->value != NULL;
}

/* Sets "file: place: message" and returns code. */
__attribute__((format(printf, 3, 4))) int json_place_error(const struct json_place *place, int code,
							   const char *format, ...);

/* An object with no other keys than these (the list ends with NULL). */
int json_place_object(const struct json_place *place, const char *const *keys);
int json_place_array(const struct json_place *place, size_t count_min, size_t count_max,
		     size_t *count);
/* Zeroed room for what an array holds: *list (a pointer to any pointer) is the caller's to free, or
 * NULL for no entries. */
int json_place_room(const struct json_place *place, size_t count, size_t size, void *list);
/* The string belongs to the document. */
int json_place_string(const struct json_place *place, const char **text);
int json_place_integer(const struct json_place *place, const struct json_range *range,
		       int64_t *number);
/* One of these words (the list ends with NULL): its index. */
int json_place_choice(const struct json_place *place, const char *const *words,
		      unsigned int *choice);
#endif
