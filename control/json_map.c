/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "json_shape.h"
#include "objects.pb-c.h"

static const struct json_shape *find(const struct json_map *map,
				     const ProtobufCMessageDescriptor *descriptor)
{
	const struct json_shape *shape = map->shapes;

	while (shape && shape->descriptor != descriptor)
		shape = shape->next;
	return shape;
}

const struct json_shape *json_shape_find(const struct json_map *map,
					 const ProtobufCMessageDescriptor *descriptor)
{
	const struct json_shape *shape = find(map, descriptor);

	assert(shape);
	return shape;
}

/* task_template -> TaskTemplate. Fits: asserted. */
static void make_key(const char *name, char *key, size_t size)
{
	size_t used = 0;

	while (*name) {
		const size_t length = strcspn(name, "_");
		const char *word = json_rule_word(name, length);

		assert(used + length < size);
		memcpy(key + used, word ? word : name, length);
		if (!word)
			key[used] = (char)toupper((unsigned char)key[used]);
		used += length;
		name += length + (name[length] == '_');
	}
	key[used] = '\0';
}

static enum json_kind kind_of(const ProtobufCFieldDescriptor *field, const struct json_rule *rule)
{
	if (rule->go_type && !strcmp(rule->go_type, "swarm.Version"))
		return JSON_KIND_VERSION;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return JSON_KIND_STRING;
	case PROTOBUF_C_TYPE_BOOL:
		return JSON_KIND_BOOL;
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return JSON_KIND_REAL;
	case PROTOBUF_C_TYPE_SFIXED64:
		return JSON_KIND_TIME;
	case PROTOBUF_C_TYPE_BYTES:
		return JSON_KIND_BYTES;
	case PROTOBUF_C_TYPE_ENUM:
		return JSON_KIND_ENUM;
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return JSON_KIND_INTEGER;
	}
	if (field->descriptor == &fl__key_value__descriptor)
		return JSON_KIND_MAP;
	return field->descriptor == &fl__string_list__descriptor ? JSON_KIND_LIST
								 : JSON_KIND_MESSAGE;
}

static struct json_shape *shape_make(struct json_map *map,
				     const ProtobufCMessageDescriptor *descriptor);

static int fill_field(struct json_map *map, struct json_shape *shape,
		      const ProtobufCFieldDescriptor *field)
{
	const struct json_rule *rule = json_rule_find(shape->descriptor->short_name, field->name);
	struct json_field *to = &shape->fields[shape->count];

	to->field = field;
	to->emit = rule->emit;
	to->go_type = rule->go_type;
	to->kind = kind_of(field, rule);
	to->repeated = field->label == PROTOBUF_C_LABEL_REPEATED && to->kind != JSON_KIND_MAP;
	if (rule->key) {
		assert(strlen(rule->key) < sizeof(to->key));
		memcpy(to->key, rule->key, strlen(rule->key) + 1);
	} else {
		make_key(field->name, to->key, sizeof(to->key));
	}
	if (to->kind == JSON_KIND_ENUM) {
		to->words =
		    json_rule_enum(((const ProtobufCEnumDescriptor *)field->descriptor)->name);
		to->go_type = to->words->go_type;
	}
	if (to->kind == JSON_KIND_MESSAGE) {
		to->shape = shape_make(map, field->descriptor);
		if (!to->shape)
			return -1;
		to->go_type = to->shape->go_type;
	}
	shape->count++;
	return 0;
}

static struct json_shape *shape_make(struct json_map *map,
				     const ProtobufCMessageDescriptor *descriptor)
{
	struct json_shape *shape = (struct json_shape *)(uintptr_t)find(map, descriptor);

	if (shape)
		return shape;
	shape = calloc(1, sizeof(*shape));
	if (!shape)
		return NULL;
	shape->next = map->shapes;
	map->shapes = shape;
	shape->descriptor = descriptor;
	shape->go_type = json_rule_go_message(descriptor->short_name);
	shape->fields = calloc(descriptor->n_fields + 1, sizeof(*shape->fields));
	if (!shape->fields)
		return NULL;
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		if (descriptor->fields[i].id < JSON_HIDDEN_FIELDS &&
		    fill_field(map, shape, &descriptor->fields[i]))
			return NULL;
	}
	return shape;
}

struct json_map *json_map_new(void)
{
	static const ProtobufCMessageDescriptor *const roots[] = {
	    &fl__cluster__descriptor,
	    &fl__node__descriptor,
	    &fl__network__descriptor,
	    &fl__service__descriptor,
	    &fl__task__descriptor,
	    &fl__secret__descriptor,
	    &fl__config__descriptor,
	    &fl__volume__descriptor,
	    &fl__swarm_init_request__descriptor,
	    &fl__swarm_join_request__descriptor,
	    &fl__swarm_unlock__descriptor,
	    &fl__network_create_request__descriptor,
	    &fl__network_resource__descriptor,
	    &fl__local_volume__descriptor,
	    &fl__volume_create_request__descriptor,
	};
	struct json_map *map = calloc(1, sizeof(*map));

	for (size_t i = 0; map && i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (!shape_make(map, roots[i])) {
			json_map_free(map);
			map = NULL;
		}
	}
	return map;
}

void json_map_free(struct json_map *map)
{
	while (map && map->shapes) {
		struct json_shape *shape = map->shapes;

		map->shapes = shape->next;
		free(shape->fields);
		free(shape);
	}
	free(map);
}
