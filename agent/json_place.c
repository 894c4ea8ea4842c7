/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_place.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	PLACE_TEXT_MAX = 192, /* the deepest place with the longest shown key */
	WORD_MAX = 32,        /* longer words get no suggestion */
	LIST_TEXT_MAX = 192,
};

struct json_shown json_shown(const char *text)
{
	struct json_shown shown;
	const size_t room = sizeof(shown.text) - sizeof("...");
	size_t i;

	/* Escape sequences must not reach a terminal by way of a message. */
	for (i = 0; i < room && text[i]; i++)
		shown.text[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	strcpy(shown.text + i, text[i] ? "..." : "");
	return shown;
}

struct json_place json_place_root(json_t *document, const char *file, struct error *error)
{
	return (struct json_place){.key = file, .value = document, .error = error};
}

struct json_place json_place_member(const struct json_place *object, const char *key)
{
	return (struct json_place){
	    .parent = object,
	    .key = key,
	    .value = json_object_get(object->value, key),
	    .error = object->error,
	};
}

struct json_place json_place_item(const struct json_place *array, size_t index)
{
	return (struct json_place){
	    .parent = array,
	    .index = index,
	    .value = json_array_get(array->value, index),
	    .error = array->error,
	};
}

static bool is_plain(const char *key)
{
	size_t i = 0;

	while (isalnum((unsigned char)key[i]) || key[i] == '_')
		i++;
	return i > 0 && !key[i];
}

/* Appends what leads to the place; returns the text's length. Recursion ends with the document. */
static size_t place_write(const struct json_place *place, char text[PLACE_TEXT_MAX])
{
	size_t length;
	int added;

	if (!place->parent) {
		text[0] = '\0';
		return 0;
	}
	length = place_write(place->parent, text);
	if (!place->key)
		added = snprintf(text + length, PLACE_TEXT_MAX - length, "[%zu]", place->index);
	else
		added = snprintf(text + length, PLACE_TEXT_MAX - length,
				 is_plain(place->key) ? "%s%s" : "%s[\"%s\"]",
				 length && is_plain(place->key) ? "." : "",
				 json_shown(place->key).text);
	length += (size_t)added;
	return length < PLACE_TEXT_MAX ? length : PLACE_TEXT_MAX - 1;
}

int json_place_error(const struct json_place *place, int code, const char *format, ...)
{
	const struct json_place *root = place;
	char text[PLACE_TEXT_MAX], message[sizeof(place->error->message)];
	va_list args;

	while (root->parent)
		root = root->parent;
	place_write(place, text);
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return error_set(place->error, code, "%s: %s%s%s", root->key, text, text[0] ? ": " : "",
			 message);
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction or exponent";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "unknown";
}

/* sample shows what to write: "...", [...] */
static int require_type(const struct json_place *place, json_type type, const char *name,
			const char *sample)
{
	if (!place->value)
		return json_place_error(place, -EINVAL, "missing; add \"%s\": %s",
					place->key ? place->key : "", sample);
	if (json_typeof(place->value) != type)
		return json_place_error(place, -EINVAL, "is %s; must be %s",
					type_name(place->value), name);
	return 0;
}

/* Levenshtein distance of two short words, letters' case aside; WORD_MAX for long ones. */
static size_t word_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = corner + (tolower((unsigned char)a[i - 1]) !=
						tolower((unsigned char)b[j - 1]));
			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

/* The word that was probably meant, or NULL. Short words are close to anything: be strict there. */
static const char *word_nearest(const char *word, const char *const *words)
{
	size_t best = strlen(word) < 4 ? 2 : 3;
	const char *nearest = NULL;

	for (; *words; words++) {
		size_t distance = word_distance(word, *words);
		if (distance < best && distance < strlen(*words)) {
			best = distance;
			nearest = *words;
		}
	}
	return nearest;
}

static void words_write(const char *const *words, const char *quote, char text[LIST_TEXT_MAX])
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; words[i] && length < LIST_TEXT_MAX; i++)
		length += (size_t)snprintf(text + length, LIST_TEXT_MAX - length, "%s%s%s%s",
					   i ? ", " : "", quote, words[i], quote);
}

static bool word_known(const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word))
		words++;
	return *words != NULL;
}

int json_place_object(const struct json_place *place, const char *const *keys)
{
	char list[LIST_TEXT_MAX];
	const char *key;
	json_t *value;
	int rc = require_type(place, JSON_OBJECT, "an object", "{...}");

	if (rc < 0)
		return rc;
	json_object_foreach (place->value, key, value) {
		const struct json_place member = json_place_member(place, key);
		const char *nearest;
		if (word_known(key, keys))
			continue;
		nearest = word_nearest(key, keys);
		if (nearest)
			return json_place_error(&member, -EINVAL,
						"unknown key; did you mean \"%s\"?", nearest);
		words_write(keys, "", list);
		return json_place_error(&member, -EINVAL, "unknown key; known are %s", list);
	}
	return 0;
}

int json_place_array(const struct json_place *place, size_t count_min, size_t count_max,
		     size_t *count)
{
	int rc = require_type(place, JSON_ARRAY, "an array", "[...]");
	size_t size;

	if (rc < 0)
		return rc;
	size = json_array_size(place->value);
	if (size < count_min)
		return json_place_error(place, -EINVAL, "has %zu entries; needs at least %zu", size,
					count_min);
	if (size > count_max)
		return json_place_error(place, -EINVAL, "has %zu entries; the most is %zu", size,
					count_max);
	*count = size;
	return 0;
}

int json_place_room(const struct json_place *place, size_t count, size_t size, void *list)
{
	void *room = NULL;

	if (count) {
		room = calloc(count, size);
		if (!room)
			return json_place_error(place, -ENOMEM, "not enough memory for %zu entries",
						count);
	}
	memcpy(list, &room, sizeof(room));
	return 0;
}

int json_place_string(const struct json_place *place, const char **text)
{
	int rc = require_type(place, JSON_STRING, "a string", "\"...\"");

	if (rc < 0)
		return rc;
	*text = json_string_value(place->value);
	return 0;
}

int json_place_integer(const struct json_place *place, const struct json_range *range,
		       int64_t *number)
{
	int rc;
	int64_t value;

	if (json_is_real(place->value))
		return json_place_error(
		    place, -EINVAL,
		    "%g has a fraction or exponent; use a whole number from %" PRId64 " to %" PRId64
		    "%s",
		    json_real_value(place->value), range->min, range->max,
		    range->hint ? range->hint : "");
	rc = require_type(place, JSON_INTEGER, "a whole number", "NUMBER");
	if (rc < 0)
		return rc;
	value = json_integer_value(place->value);
	if (value < range->min || value > range->max)
		return json_place_error(
		    place, -EINVAL, "%" PRId64 " is not %s; use %" PRId64 " to %" PRId64 "%s",
		    value, range->noun, range->min, range->max, range->hint ? range->hint : "");
	*number = value;
	return 0;
}

int json_place_choice(const struct json_place *place, const char *const *words,
		      unsigned int *choice)
{
	char list[LIST_TEXT_MAX];
	const char *text;
	int rc = json_place_string(place, &text);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; words[i]; i++) {
		if (!strcmp(words[i], text)) {
			*choice = i;
			return 0;
		}
	}
	words_write(words, "\"", list);
	return json_place_error(place, -EINVAL, "\"%s\" is not known here; use one of %s",
				json_shown(text).text, list);
}
