/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "json_shape.h"
#include "rfc3339.h"
#include "types.pb-c.h"

/* Bytes of the UTF-8 character at text, or 0 (RFC 3629 section 4). */
static size_t utf8_length(const unsigned char *text)
{
	const unsigned char c = text[0];
	size_t length;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
	    (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0; /* the text's end, too */
	}
	return length;
}

/* With U+FFFD for each byte that is not of a character. */
static char *utf8_repaired(const char *text)
{
	char *copy = malloc(strlen(text) * 3 + 1), *to = copy;

	if (!copy)
		return NULL;
	while (*text) {
		const size_t length = utf8_length((const unsigned char *)text);

		memcpy(to, length ? text : "\xef\xbf\xbd", length ? length : 3);
		to += length ? length : 3;
		text += length ? length : 1;
	}
	*to = '\0';
	return copy;
}

static json_t *string_of(const char *text)
{
	json_t *json = json_string(text ? text : "");
	char *repaired;

	if (json)
		return json;
	repaired = utf8_repaired(text);
	json = repaired ? json_string(repaired) : NULL;
	free(repaired);
	return json;
}

static int set(json_t *object, const char *key, json_t *value)
{
	if (!value)
		return -1;
	if (json_object_set_new_nocheck(object, key, value) == 0)
		return 0;
	return -1;
}

static json_t *map_of(Fl__KeyValue *const *items, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < count; i++) {
		char *key = utf8_repaired(items[i]->key ? items[i]->key : "");

		if (!key || set(object, key, string_of(items[i]->value))) {
			json_decref(object);
			object = NULL;
		}
		free(key);
	}
	return object;
}

static json_t *list_of(const Fl__StringList *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && list && i < list->n_items; i++) {
		if (json_array_append_new(array, string_of(list->items[i]))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *bytes_of(const ProtobufCBinaryData *data)
{
	char *text = base64_encode(data->data, data->len);
	json_t *json = text ? json_string_nocheck(text) : NULL;

	free(text);
	return json;
}

static json_t *word_of(const struct json_field *field, int value)
{
	const ProtobufCEnumValue *found =
	    protobuf_c_enum_descriptor_get_value(field->field->descriptor, value);
	char word[48] = "";

	/* A value of a newer manager's: no word of ours. */
	for (size_t i = 0; found && found->name[i] && i < sizeof(word) - 1; i++) {
		const char c = found->name[i];

		word[i] =
		    (char)(c == '_' && !field->words->underscores ? '-'
								  : tolower((unsigned char)c));
	}
	return json_string_nocheck(word);
}

/* Go writes whole numbers without a point. */
static json_t *real_of(double value)
{
	if (!isfinite(value))
		return json_integer(0);
	if (fabs(value) < 1e15 && value == floor(value))
		return json_integer((json_int_t)value);
	return json_real(value);
}

static bool is_wide(ProtobufCType type)
{
	return type == PROTOBUF_C_TYPE_INT64 || type == PROTOBUF_C_TYPE_SINT64 ||
	       type == PROTOBUF_C_TYPE_UINT64 || type == PROTOBUF_C_TYPE_FIXED64;
}

static bool is_unsigned(ProtobufCType type)
{
	return type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_FIXED32;
}

static int64_t integer_at(ProtobufCType type, const void *at)
{
	if (is_wide(type))
		return *(const int64_t *)at;
	return is_unsigned(type) ? (int64_t) * (const uint32_t *)at : *(const int32_t *)at;
}

static double real_at(ProtobufCType type, const void *at)
{
	float value;
	char text[32];

	if (type == PROTOBUF_C_TYPE_DOUBLE)
		return *(const double *)at;
	/* 0.1f is to be shown as 0.1: go by the shortest decimal that is this float. */
	value = *(const float *)at;
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)value);
		if (strtof(text, NULL) == value)
			break;
	}
	return strtod(text, NULL);
}

static json_t *shape_encode(const struct json_shape *shape, const ProtobufCMessage *message);

static json_t *version_of(uint64_t version)
{
	return version ? json_pack("{s:I}", "Index", (json_int_t)version) : json_object();
}

/* One value, at is its place: never of a JSON_KIND_MAP. */
static json_t *value_at(const struct json_field *field, const void *at)
{
	char time[RFC3339_SIZE];

	switch (field->kind) {
	case JSON_KIND_STRING:
		return string_of(*(const char *const *)at);
	case JSON_KIND_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case JSON_KIND_INTEGER:
		return json_integer(integer_at(field->field->type, at));
	case JSON_KIND_VERSION:
		return version_of(*(const uint64_t *)at);
	case JSON_KIND_REAL:
		return real_of(real_at(field->field->type, at));
	case JSON_KIND_TIME:
		rfc3339_format(*(const int64_t *)at, time);
		return json_string_nocheck(time);
	case JSON_KIND_BYTES:
		return bytes_of(at);
	case JSON_KIND_ENUM:
		return word_of(field, *(const int *)at);
	case JSON_KIND_LIST:
		return list_of(*(const Fl__StringList *const *)at);
	case JSON_KIND_MESSAGE:
		return shape_encode(field->shape, *(const ProtobufCMessage *const *)at);
	case JSON_KIND_MAP:
		break;
	}
	assert(field->kind != JSON_KIND_MAP); /* has no single value */
	return NULL;
}

static size_t element_size(const struct json_field *field)
{
	switch (field->kind) {
	case JSON_KIND_BOOL:
		return sizeof(protobuf_c_boolean);
	case JSON_KIND_INTEGER:
		return is_wide(field->field->type) ? 8 : 4;
	case JSON_KIND_REAL:
		return field->field->type == PROTOBUF_C_TYPE_DOUBLE ? 8 : 4;
	case JSON_KIND_ENUM:
		return sizeof(int);
	case JSON_KIND_BYTES:
		return sizeof(ProtobufCBinaryData);
	case JSON_KIND_TIME:
	case JSON_KIND_VERSION:
		return 8;
	default:
		return sizeof(void *);
	}
}

static json_t *array_at(const struct json_field *field, const ProtobufCMessage *message)
{
	const size_t count = *(const size_t *)json_field_quantifier(field, message);
	const char *at = *(const char *const *)json_field_at(field, message);
	json_t *array = json_array();

	for (size_t i = 0; array && i < count; i++, at += element_size(field)) {
		if (json_array_append_new(array, value_at(field, at))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static bool is_pointer(const struct json_field *field)
{
	return field->kind == JSON_KIND_STRING || field->kind == JSON_KIND_MESSAGE;
}

static bool is_present(const struct json_field *field, const ProtobufCMessage *message)
{
	const void *quantifier = json_field_quantifier(field, message);

	if (field->field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)quantifier > 0;
	if (is_pointer(field))
		return *(const void *const *)json_field_at(field, message) != NULL;
	return *(const protobuf_c_boolean *)quantifier;
}

/* Of a field that is there and not repeated. */
static bool is_zero(const struct json_field *field, const ProtobufCMessage *message)
{
	const void *at = json_field_at(field, message);

	switch (field->kind) {
	case JSON_KIND_STRING:
		return !**(const char *const *)at;
	case JSON_KIND_BOOL:
		return !*(const protobuf_c_boolean *)at;
	case JSON_KIND_INTEGER:
		return !integer_at(field->field->type, at);
	case JSON_KIND_REAL:
		return fpclassify(real_at(field->field->type, at)) == FP_ZERO;
	case JSON_KIND_TIME:
	case JSON_KIND_VERSION:
		return !*(const int64_t *)at;
	case JSON_KIND_BYTES:
		return !((const ProtobufCBinaryData *)at)->len;
	default:
		return false;
	}
}

static json_t *zero_of(const struct json_field *field)
{
	if (field->emit == JSON_EMIT_NULL)
		return json_null();
	if (field->kind == JSON_KIND_MAP)
		return json_object();
	if (field->repeated)
		return json_array();
	if (field->kind == JSON_KIND_ENUM)
		return word_of(field, 0);
	return value_at(field, &(const ProtobufCBinaryData){0}); /* zeros for any kind */
}

/* Whether the field is left out. */
static bool is_omitted(const struct json_field *field, const ProtobufCMessage *message,
		       bool present)
{
	if (field->emit == JSON_EMIT_ALWAYS || field->emit == JSON_EMIT_NULL)
		return false;
	if (!present)
		return true;
	return field->emit == JSON_EMIT_NONZERO &&
	       field->field->label != PROTOBUF_C_LABEL_REPEATED && is_zero(field, message);
}

/* message NULL: of zeros. */
static json_t *shape_encode(const struct json_shape *shape, const ProtobufCMessage *message)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < shape->count; i++) {
		const struct json_field *field = &shape->fields[i];
		const bool present = message && is_present(field, message);
		json_t *value;

		if (is_omitted(field, message, present))
			continue;
		if (!present)
			value = zero_of(field);
		else if (field->kind == JSON_KIND_MAP)
			value = map_of(*(Fl__KeyValue *const *const *)json_field_at(field, message),
				       *(const size_t *)json_field_quantifier(field, message));
		else if (field->repeated)
			value = array_at(field, message);
		else
			value = value_at(field, json_field_at(field, message));
		if (set(object, field->key, value)) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

json_t *json_map_encode(const struct json_map *map, const ProtobufCMessage *message)
{
	return shape_encode(json_shape_find(map, message->descriptor), message);
}

char *json_map_text(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}
