/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "json_shape.h"
#include "rfc3339.h"
#include "types.pb-c.h"

enum {
	FIELDS_MAX = 48,
	PATH_MAX_DEPTH = 24
}; /* the schema is not recursive; its deepest path has 9 parts */

struct decoder {
	struct problem *problem;
	const struct json_shape *shape; /* the innermost message's */
	const struct json_field *path[PATH_MAX_DEPTH];
	size_t depth;
};

static const char *last_word(const char *go_type)
{
	const char *dot = strrchr(go_type, '.');

	return dot ? dot + 1 : go_type;
}

static const char *go_struct(const struct json_shape *shape)
{
	return shape->go_type ? last_word(shape->go_type) : shape->descriptor->short_name;
}

/* "Spec.TaskTemplate.ContainerSpec.Image" */
static void path_format(const struct decoder *d, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < d->depth; i++) {
		const int rc =
		    snprintf(text + used, size - used, "%s%s", i ? "." : "", d->path[i]->key);

		if (rc < 0 || (size_t)rc >= size - used)
			return;
		used += (size_t)rc;
	}
}

/* "swarm.ServiceSpec", "[]mount.Mount", "map[string]string", "uint64" */
static void type_format(const struct json_field *field, bool whole, char *text, size_t size)
{
	const char *type = field->go_type, *brackets = field->repeated && whole ? "[]" : "";

	if (field->kind == JSON_KIND_MAP)
		type = whole ? "map[string]string" : "string";
	if (field->kind == JSON_KIND_MESSAGE && !type) {
		snprintf(text, size, "%sswarm.%s", brackets, field->shape->descriptor->short_name);
		return;
	}
	if (!type) {
		switch (field->kind) {
		case JSON_KIND_BOOL:
			type = "bool";
			break;
		case JSON_KIND_REAL:
			type = "float32";
			break;
		case JSON_KIND_BYTES:
			type = "[]uint8";
			break;
		case JSON_KIND_TIME:
			type = "time.Time";
			break;
		case JSON_KIND_LIST:
			type = "[]string";
			break;
		case JSON_KIND_INTEGER:
			type = field->field->type == PROTOBUF_C_TYPE_UINT32   ? "uint32"
			       : field->field->type == PROTOBUF_C_TYPE_UINT64 ? "uint64"
									      : "int64";
			break;
		default:
			type = "string";
		}
	}
	snprintf(text, size, "%s%s", brackets, type);
}

/* As Go names what it found. A number that is of the right kind but does not fit is named itself.
 */
static void value_format(const json_t *json, bool misfit, char *text, size_t size)
{
	static const char *const names[] = {
	    [JSON_OBJECT] = "object",  [JSON_ARRAY] = "array", [JSON_STRING] = "string",
	    [JSON_INTEGER] = "number", [JSON_REAL] = "number", [JSON_TRUE] = "bool",
	    [JSON_FALSE] = "bool",     [JSON_NULL] = "null",
	};

	if (misfit && json_is_integer(json))
		snprintf(text, size, "number %" JSON_INTEGER_FORMAT, json_integer_value(json));
	else if (misfit && json_is_real(json))
		snprintf(text, size, "number %.15g", json_real_value(json));
	else
		snprintf(text, size, "%s", names[json_typeof(json)]);
}

/* whole: the field's own value is wrong, not one inside its list or map. */
static int refuse(struct decoder *d, const json_t *json, bool misfit, bool whole)
{
	char value[64], path[256], type[96];

	value_format(json, misfit, value, sizeof(value));
	path_format(d, path, sizeof(path));
	type_format(d->path[d->depth - 1], whole, type, sizeof(type));
	return problem_set(d->problem, -EINVAL,
			   "json: cannot unmarshal %s into Go struct field %s.%s of type %s", value,
			   go_struct(d->shape), path, type);
}

static int no_memory(struct decoder *d)
{
	return problem_set(d->problem, -ENOMEM, "out of memory");
}

static int decode_string(struct decoder *d, const json_t *json, bool whole, char **text)
{
	if (json_is_null(json)) {
		*text = strdup("");
		return *text ? 0 : no_memory(d);
	}
	if (!json_is_string(json))
		return refuse(d, json, false, whole);
	*text = strdup(json_string_value(json));
	return *text ? 0 : no_memory(d);
}

static int decode_integer(struct decoder *d, const struct json_field *field, const json_t *json,
			  void *at)
{
	const ProtobufCType type = field->field->type;
	const int64_t value = json_integer_value(json);
	const bool is_unsigned = type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_UINT64;

	if (!json_is_integer(json))
		return refuse(d, json, json_is_real(json), !field->repeated);
	if ((is_unsigned && value < 0) ||
	    (type == PROTOBUF_C_TYPE_UINT32 && value > (int64_t)UINT32_MAX) ||
	    (type == PROTOBUF_C_TYPE_INT32 && (value < INT32_MIN || value > INT32_MAX)))
		return refuse(d, json, true, !field->repeated);
	if (type == PROTOBUF_C_TYPE_UINT32)
		*(uint32_t *)at = (uint32_t)value;
	else if (type == PROTOBUF_C_TYPE_INT32)
		*(int32_t *)at = (int32_t)value;
	else
		*(int64_t *)at = value;
	return 0;
}

static int decode_real(struct decoder *d, const struct json_field *field, const json_t *json,
		       void *at)
{
	const double value = json_number_value(json);

	if (!json_is_number(json))
		return refuse(d, json, false, !field->repeated);
	if (field->field->type == PROTOBUF_C_TYPE_DOUBLE)
		*(double *)at = value;
	else if (fabs(value) > (double)3.4e38F)
		return refuse(d, json, true, !field->repeated);
	else
		*(float *)at = (float)value;
	return 0;
}

static int decode_time(struct decoder *d, const json_t *json, int64_t *time_ns)
{
	const char *text = json_string_value(json);
	int rc;

	if (!text)
		return problem_set(d->problem, -EINVAL,
				   "Time.UnmarshalJSON: input is not a JSON string");
	rc = rfc3339_parse(text, time_ns);
	if (rc == -ERANGE)
		return problem_set(d->problem, -EINVAL, "time \"%.64s\" is out of range", text);
	if (rc < 0)
		return problem_set(
		    d->problem, -EINVAL,
		    "parsing time \"%.64s\" as \"2006-01-02T15:04:05Z07:00\": cannot "
		    "parse it",
		    text);
	return 0;
}

static int decode_bytes(struct decoder *d, const json_t *json, ProtobufCBinaryData *data)
{
	size_t bad;
	int rc;

	if (!json_is_string(json))
		return refuse(d, json, false, true);
	rc = base64_decode(json_string_value(json), json_string_length(json), &data->data,
			   &data->len, &bad);
	if (rc == -EINVAL)
		return problem_set(d->problem, rc, "illegal base64 data at input byte %zu", bad);
	return rc < 0 ? no_memory(d) : 0;
}

static bool is_word(const struct json_enum_rule *words, const char *name, const char *word)
{
	for (; *name && *word; name++, word++) {
		const char have = (char)(*word == '-' && !words->underscores ? '_' : *word);

		if (strncasecmp(name, &have, 1))
			return false;
	}
	return *name == *word;
}

/* *has stays as it is where the word says nothing. */
static int decode_enum(struct decoder *d, const struct json_field *field, const json_t *json,
		       int *value, protobuf_c_boolean *has)
{
	const ProtobufCEnumDescriptor *type = field->field->descriptor;
	const char *word = json_string_value(json), *quote = field->words->quoted ? "\"" : "";

	if (!word)
		return refuse(d, json, false, true);
	if (!*word)
		return 0;
	for (unsigned i = 0; i < type->n_values; i++) {
		if (is_word(field->words, type->values[i].name, word)) {
			*value = type->values[i].value;
			*has = true;
			return 0;
		}
	}
	if (!field->words->complaint)
		return 0;
	return problem_set(d->problem, -EINVAL, "%s%s%.64s%s", field->words->complaint, quote, word,
			   quote);
}

static int decode_version(struct decoder *d, const json_t *json, uint64_t *version)
{
	const json_t *index = json_object_get(json, "Index");

	if (!json_is_object(json) || (index && !json_is_null(index) &&
				      (!json_is_integer(index) || json_integer_value(index) < 0)))
		return refuse(d, json, false, true);
	*version = (uint64_t)json_integer_value(index);
	return 0;
}

static int decode_list(struct decoder *d, const json_t *json, Fl__StringList **out)
{
	Fl__StringList *list = calloc(1, sizeof(*list));
	const size_t count = json_array_size(json);
	int rc = 0;

	if (!list)
		return no_memory(d);
	fl__string_list__init(list);
	*out = list;
	if (!json_is_array(json))
		return json_is_null(json) ? 0 : refuse(d, json, false, false);
	list->items = calloc(count + 1, sizeof(*list->items));
	if (!list->items)
		return no_memory(d);
	while (list->n_items < count && !rc) {
		rc = decode_string(d, json_array_get(json, list->n_items), false,
				   &list->items[list->n_items]);
		list->n_items += !rc;
	}
	return rc;
}

static int decode_message(struct decoder *d, const struct json_shape *shape, const json_t *json,
			  ProtobufCMessage **out);

/* One value of a repeated field: those that the schema has are of pointers. *at owns what it gets,
 * on failure too. */
static int decode_element(struct decoder *d, const struct json_field *field, const json_t *json,
			  void **at)
{
	switch (field->kind) {
	case JSON_KIND_STRING:
		return decode_string(d, json, false, (char **)at);
	case JSON_KIND_LIST:
		return decode_list(d, json, (Fl__StringList **)at);
	default:
		assert(field->kind == JSON_KIND_MESSAGE);
		return decode_message(d, field->shape, json, (ProtobufCMessage **)at);
	}
}

static int decode_array(struct decoder *d, const struct json_field *field, const json_t *json,
			ProtobufCMessage *message)
{
	size_t *count = json_field_quantifier(field, message);
	void **items;
	int rc = 0;

	if (!json_is_array(json))
		return refuse(d, json, false, true);
	if (!json_array_size(json))
		return 0;
	items = calloc(json_array_size(json), sizeof(*items));
	if (!items)
		return no_memory(d);
	*(void ***)json_field_at(field, message) = items;
	for (size_t i = 0; i < json_array_size(json) && !rc; i++) {
		rc = decode_element(d, field, json_array_get(json, i), &items[i]);
		*count += items[i] != NULL;
	}
	return rc;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp((*(Fl__KeyValue *const *)a)->key, (*(Fl__KeyValue *const *)b)->key);
}

static int decode_map(struct decoder *d, const struct json_field *field, const json_t *json,
		      ProtobufCMessage *message)
{
	size_t *count = json_field_quantifier(field, message);
	Fl__KeyValue **items;
	const char *key;
	json_t *value;
	int rc = 0;

	if (!json_is_object(json))
		return refuse(d, json, false, true);
	if (!json_object_size(json))
		return 0;
	items = calloc(json_object_size(json), sizeof(*items));
	if (!items)
		return no_memory(d);
	*(Fl__KeyValue ***)json_field_at(field, message) = items;
	json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
		Fl__KeyValue *item = calloc(1, sizeof(*item));

		if (!item)
			return no_memory(d);
		fl__key_value__init(item);
		items[(*count)++] = item;
		item->key = strdup(key);
		if (!item->key)
			return no_memory(d);
		rc = decode_string(d, value, false, &item->value);
		if (rc)
			return rc;
	}
	qsort(items, *count, sizeof(*items), compare_keys);
	return 0;
}

/* An omitempty field that is zero is as good as absent. */
static bool says_nothing(const struct json_field *field, const json_t *json)
{
	if (field->emit == JSON_EMIT_PRESENT)
		return false;
	if (json_is_string(json))
		return !json_string_length(json);
	if (json_is_number(json))
		return fpclassify(json_number_value(json)) == FP_ZERO;
	return json_is_false(json);
}

static int decode_single(struct decoder *d, const struct json_field *field, const json_t *json,
			 ProtobufCMessage *message)
{
	void *at = json_field_at(field, message);
	protobuf_c_boolean *has = json_field_quantifier(field, message);
	int rc = -EINVAL;

	switch (field->kind) {
	case JSON_KIND_MESSAGE:
		return decode_message(d, field->shape, json, at);
	case JSON_KIND_ENUM:
		return decode_enum(d, field, json, at, has);
	case JSON_KIND_STRING:
		if (!json_is_string(json) || !says_nothing(field, json))
			return decode_string(d, json, true, at);
		return 0;
	case JSON_KIND_BOOL:
		*(protobuf_c_boolean *)at = json_is_true(json);
		rc = json_is_boolean(json) ? 0 : refuse(d, json, false, !field->repeated);
		break;
	case JSON_KIND_INTEGER:
		rc = decode_integer(d, field, json, at);
		break;
	case JSON_KIND_REAL:
		rc = decode_real(d, field, json, at);
		break;
	case JSON_KIND_TIME:
		rc = decode_time(d, json, at);
		break;
	case JSON_KIND_BYTES:
		rc = decode_bytes(d, json, at);
		break;
	case JSON_KIND_VERSION:
		rc = decode_version(d, json, at);
		break;
	case JSON_KIND_LIST:
	case JSON_KIND_MAP:
		assert(field->repeated); /* neither comes alone */
	}
	*has = !rc && !says_nothing(field, json);
	if (field->kind == JSON_KIND_TIME)
		*has = !rc && *(const int64_t *)at;
	if (field->kind == JSON_KIND_BYTES)
		*has = !rc && ((const ProtobufCBinaryData *)at)->len;
	return rc;
}

static const struct json_field *field_find(const struct json_shape *shape, const char *key)
{
	for (size_t i = 0; i < shape->count; i++) {
		if (!strcasecmp(shape->fields[i].key, key))
			return &shape->fields[i];
	}
	return NULL;
}

static int decode_fields(struct decoder *d, const json_t *json, ProtobufCMessage *message)
{
	const struct json_shape *shape = d->shape;
	const json_t *chosen[FIELDS_MAX] = {NULL}; /* of a key that comes twice, the last */
	const char *key;
	json_t *value;
	int rc = 0;

	assert(shape->count <= FIELDS_MAX && d->depth < PATH_MAX_DEPTH);
	json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
		const struct json_field *field = field_find(shape, key);

		if (field && !json_is_null(value))
			chosen[field - shape->fields] = value;
	}
	for (size_t i = 0; i < shape->count && !rc; i++) {
		const struct json_field *field = &shape->fields[i];

		if (!chosen[i])
			continue;
		d->path[d->depth++] = field;
		if (field->kind == JSON_KIND_MAP)
			rc = decode_map(d, field, chosen[i], message);
		else if (field->repeated)
			rc = decode_array(d, field, chosen[i], message);
		else
			rc = decode_single(d, field, chosen[i], message);
		d->depth--;
	}
	return rc;
}

/* The message is *out's, on failure too. */
static int decode_message(struct decoder *d, const struct json_shape *shape, const json_t *json,
			  ProtobufCMessage **out)
{
	const struct json_shape *outer = d->shape;
	ProtobufCMessage *message;
	int rc = 0;

	if (!json_is_object(json) && !json_is_null(json)) {
		if (d->depth)
			return refuse(d, json, false,
				      !d->path[d->depth - 1]->repeated || json_is_array(json));
		return problem_set(d->problem, -EINVAL,
				   "json: cannot unmarshal %s into Go value of type %s%s",
				   json_is_array(json)     ? "array"
				   : json_is_string(json)  ? "string"
				   : json_is_boolean(json) ? "bool"
							   : "number",
				   shape->go_type ? "" : "swarm.",
				   shape->go_type ? shape->go_type : go_struct(shape));
	}
	message = malloc(shape->descriptor->sizeof_message);
	if (!message)
		return no_memory(d);
	protobuf_c_message_init(shape->descriptor, message);
	*out = message;
	if (json_is_object(json)) {
		d->shape = shape;
		rc = decode_fields(d, json, message);
		d->shape = outer;
	}
	return rc;
}

int json_map_decode(const struct json_map *map, const ProtobufCMessageDescriptor *type,
		    const json_t *json, ProtobufCMessage **message, struct problem *problem)
{
	struct decoder decoder = {.problem = problem};
	ProtobufCMessage *made = NULL;
	const int rc = decode_message(&decoder, json_shape_find(map, type), json, &made);

	if (rc < 0) {
		protobuf_c_message_free_unpacked(made, NULL);
		return rc;
	}
	*message = made;
	return 0;
}
