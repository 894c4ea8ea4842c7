/* SPDX-License-Identifier: BSD-2-Clause */
#include "message.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where the copy is written; with at NULL it is only counted. */
struct block {
	char *at;
	size_t aligned; /* bytes used of the first part */
	size_t packed;  /* and of the second, which begins where the first ends */
	char *strings;
};

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static void *take_aligned(struct block *block, const void *from, size_t size)
{
	char *to = block->at ? block->at + block->aligned : NULL;

	block->aligned += padded(size);
	return to && size ? memcpy(to, from, size) : to;
}

static void *take_packed(struct block *block, const void *from, size_t size)
{
	char *to = block->strings ? block->strings + block->packed : NULL;

	block->packed += size;
	return to && size ? memcpy(to, from, size) : to;
}

static ProtobufCMessage *copy_message(struct block *block, const ProtobufCMessage *message);

static void copy_bytes(struct block *block, const ProtobufCBinaryData *from,
		       ProtobufCBinaryData *to)
{
	uint8_t *data = take_packed(block, from->data, from->len);

	if (to)
		to->data = from->len ? data : NULL;
}

/* One string, message or bytes at from; to is its place in the copy, NULL when counting. */
static void copy_value(struct block *block, ProtobufCType type, const void *from, void *to)
{
	void *copy = NULL;

	if (type == PROTOBUF_C_TYPE_BYTES) {
		copy_bytes(block, from, to);
		return;
	}
	if (type == PROTOBUF_C_TYPE_STRING && *(const char *const *)from)
		copy = take_packed(block, *(const char *const *)from,
				   strlen(*(const char *const *)from) + 1);
	if (type == PROTOBUF_C_TYPE_MESSAGE && *(const ProtobufCMessage *const *)from)
		copy = copy_message(block, *(const ProtobufCMessage *const *)from);
	if (to)
		*(void **)to = copy;
}

static size_t element_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return 4;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_ENUM:
		return sizeof(int);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return sizeof(void *);
}

static bool hangs_on(ProtobufCType type)
{
	return type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE ||
	       type == PROTOBUF_C_TYPE_BYTES;
}

static void copy_repeated(struct block *block, const ProtobufCFieldDescriptor *field,
			  const char *from, char *to)
{
	const size_t count = *(const size_t *)(from + field->quantifier_offset);
	const size_t size = element_size(field->type);
	const char *items = *(const char *const *)(from + field->offset);
	char *copy;

	if (!count)
		return;
	copy = take_aligned(block, items, count * size);
	if (to)
		*(char **)(to + field->offset) = copy;
	for (size_t i = 0; hangs_on(field->type) && i < count; i++)
		copy_value(block, field->type, items + i * size, copy ? copy + i * size : NULL);
}

/* Of a newer version of the schema: kept, so that an old manager's snapshot does not lose them. */
static void copy_unknown(struct block *block, const ProtobufCMessage *from, ProtobufCMessage *to)
{
	ProtobufCMessageUnknownField *fields;

	if (!from->n_unknown_fields)
		return;
	fields =
	    take_aligned(block, from->unknown_fields, from->n_unknown_fields * sizeof(*fields));
	if (to)
		to->unknown_fields = fields;
	for (unsigned i = 0; i < from->n_unknown_fields; i++) {
		uint8_t *data =
		    take_packed(block, from->unknown_fields[i].data, from->unknown_fields[i].len);

		if (fields)
			fields[i].data = data;
	}
}

static ProtobufCMessage *copy_message(struct block *block, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	char *to = take_aligned(block, message, type->sizeof_message);
	const char *from = (const char *)message;

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];

		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			copy_repeated(block, field, from, to);
		else if (hangs_on(field->type))
			copy_value(block, field->type, from + field->offset,
				   to ? to + field->offset : NULL);
	}
	copy_unknown(block, message, (ProtobufCMessage *)to);
	return (ProtobufCMessage *)to;
}

size_t message_block_size(const ProtobufCMessage *message)
{
	struct block block = {0};

	copy_message(&block, message);
	return block.aligned + padded(block.packed);
}

ProtobufCMessage *message_block_copy(const ProtobufCMessage *message, void *at)
{
	struct block count = {0}, block = {.at = at};
	ProtobufCMessage *copy;

	copy_message(&count, message);
	block.strings = block.at + count.aligned;
	copy = copy_message(&block, message);
	assert(block.aligned == count.aligned && block.packed == count.packed);
	return copy;
}

int message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t size;
	uint8_t *bytes;
	int equal;

	if (!a || !b)
		return a == b;
	size = protobuf_c_message_get_packed_size(a);
	if (a->descriptor != b->descriptor || size != protobuf_c_message_get_packed_size(b))
		return 0;
	bytes = malloc(2 * size + 1);
	if (!bytes)
		return -ENOMEM;
	protobuf_c_message_pack(a, bytes);
	protobuf_c_message_pack(b, bytes + size);
	equal = !memcmp(bytes, bytes + size, size);
	free(bytes);
	return equal;
}
