/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JSON_SHAPE_H
#define FL_JSON_SHAPE_H
/*
 * What encoding and decoding need to know of each message, worked out once from descriptors and
 * rules.
 */
#include <stdbool.h>
#include <stdint.h>

#include "json_map.h"
#include "json_rules.h"

enum json_kind {
	JSON_KIND_STRING,
	JSON_KIND_BOOL,
	JSON_KIND_INTEGER,
	JSON_KIND_REAL,
	JSON_KIND_TIME,
	JSON_KIND_BYTES,
	JSON_KIND_ENUM,
	JSON_KIND_MESSAGE,
	JSON_KIND_MAP,     /* repeated KeyValue */
	JSON_KIND_LIST,    /* repeated StringList */
	JSON_KIND_VERSION, /* an integer that is shown as {"Index": n} */
};

struct json_field {
	const ProtobufCFieldDescriptor *field;
	const struct json_shape *shape; /* of a message */
	const struct json_enum_rule *words;
	enum json_kind kind;
	enum json_emit emit;
	bool repeated;
	const char *go_type; /* NULL: by kind */
	char key[32];
};

struct json_shape {
	const ProtobufCMessageDescriptor *descriptor;
	const char *go_type; /* "swarm.ServiceSpec" */
	size_t count;
	struct json_field *fields; /* those that JSON knows, in order of number */
	struct json_shape *next;
};

struct json_map {
	struct json_shape *shapes;
};

/* Of a type that is in control/proto/; asserted. */
const struct json_shape *json_shape_find(const struct json_map *map,
					 const ProtobufCMessageDescriptor *descriptor);

/* The place of a field's value and of its count or has_ in a message. */
static inline void *json_field_at(const struct json_field *field, const ProtobufCMessage *message)
{
	return (char *)(uintptr_t)message + field->field->offset;
}

static inline void *json_field_quantifier(const struct json_field *field,
					  const ProtobufCMessage *message)
{
	return (char *)(uintptr_t)message + field->field->quantifier_offset;
}
#endif
