/* SPDX-License-Identifier: BSD-2-Clause */
#include "filters.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api_limits.h"
#include "json_text.h"

struct api_filters {
	json_t *fields; /* name -> object whose keys are the terms, or array of them; NULL: none */
};

/* Go's form: what a term is set to does not matter to dockerd, as long as it is a boolean. */
static bool is_set(const json_t *terms)
{
	const char *term;
	json_t *value;

	if (!json_is_object(terms))
		return false;
	json_object_foreach ((json_t *)terms, term, value)
		if (!json_is_boolean(value))
			return false;
	return true;
}

static bool is_list(const json_t *terms)
{
	size_t index;
	json_t *term;

	if (!json_is_array(terms))
		return false;
	json_array_foreach (terms, index, term)
		if (!json_is_string(term))
			return false;
	return true;
}

static bool is_filters(const json_t *fields)
{
	const char *field;
	json_t *terms;

	if (!json_is_object(fields))
		return json_is_null(fields);
	json_object_foreach ((json_t *)fields, field, terms)
		if (!is_set(terms) && !is_list(terms) && !json_is_null(terms))
			return false;
	return true;
}

int api_filters_parse(const char *text, struct api_filters **filters, struct problem *problem)
{
	struct api_filters *parsed;
	json_t *fields = NULL;

	if (text && *text) {
		const size_t size = strlen(text);
		struct problem inner;

		if (size > API_FILTERS_BYTES_MAX)
			return problem_set(problem, -E2BIG, "invalid filter: it is too long");
		if (api_json_load(text, size, API_FILTERS_DEPTH_MAX, &fields, &inner) < 0)
			return problem_set(problem, inner.code, "invalid filter: %s",
					   inner.message);
		if (!is_filters(fields)) {
			json_decref(fields);
			return problem_set(problem, -EINVAL, "invalid filter");
		}
	}
	parsed = malloc(sizeof(*parsed));
	if (!parsed) {
		json_decref(fields);
		return problem_set(problem, -ENOMEM, "out of memory");
	}
	parsed->fields = fields;
	*filters = parsed;
	return 0;
}

void api_filters_free(struct api_filters *filters)
{
	if (!filters)
		return;
	json_decref(filters->fields);
	free(filters);
}

int api_filters_check(const struct api_filters *filters, const char *const *accepted,
		      struct problem *problem)
{
	const char *field;
	json_t *terms;

	json_object_foreach (filters->fields, field, terms) {
		const char *const *word = accepted;

		while (*word && strcmp(*word, field) != 0)
			word++;
		if (!*word)
			return problem_set(problem, -EINVAL, "Invalid filter '%.128s'", field);
	}
	return 0;
}

size_t api_filters_count(const struct api_filters *filters, const char *field)
{
	const json_t *terms = json_object_get(filters->fields, field);

	return json_is_array(terms) ? json_array_size(terms) : json_object_size(terms);
}

const char *api_filters_term(const struct api_filters *filters, const char *field, size_t index)
{
	json_t *terms = json_object_get(filters->fields, field);
	void *item;

	if (json_is_array(terms))
		return json_string_value(json_array_get(terms, index));
	for (item = json_object_iter(terms); item && index; index--)
		item = json_object_iter_next(terms, item);
	return item ? json_object_iter_key(item) : NULL;
}

bool api_filters_equal(const struct api_filters *filters, const char *field, const char *value)
{
	const char *term;

	for (size_t i = 0; (term = api_filters_term(filters, field, i)); i++)
		if (strcmp(term, value) == 0)
			return true;
	return api_filters_count(filters, field) == 0;
}

bool api_filters_prefix(const struct api_filters *filters, const char *field, const char *value)
{
	const char *term;

	for (size_t i = 0; (term = api_filters_term(filters, field, i)); i++)
		if (strncmp(term, value, strlen(term)) == 0)
			return true;
	return api_filters_count(filters, field) == 0;
}

bool api_filters_labels(const struct api_filters *filters, const char *field,
			const char *(*label)(const void *object, const char *key, size_t key_size),
			const void *object)
{
	const char *term;

	for (size_t i = 0; (term = api_filters_term(filters, field, i)); i++) {
		const size_t key_size = strcspn(term, "=");
		const char *value = label(object, term, key_size);

		if (!value || (term[key_size] && strcmp(term + key_size + 1, value) != 0))
			return false;
	}
	return true;
}

int api_filters_bool(const struct api_filters *filters, const char *field, bool absent, bool *value,
		     struct problem *problem)
{
	const char *term = api_filters_term(filters, field, 0);

	if (!term) {
		*value = absent;
		return 0;
	}
	if (api_filters_count(filters, field) == 1) {
		const bool yes = strcmp(term, "1") == 0 || strcmp(term, "true") == 0;

		if (yes || strcmp(term, "0") == 0 || strcmp(term, "false") == 0) {
			*value = yes;
			return 0;
		}
	}
	return problem_set(problem, -EINVAL, "Invalid filter '%s=[%.128s]'", field, term);
}
