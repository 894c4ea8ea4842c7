/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire_check.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "wire.h"

enum wire_type { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum {
	FIELDS_MAX = 16,      /* of one message's table */
	NUMBER_SHIFT = 3,     /* a key is number << 3 | wire type */
	VARINT_SIZE_MAX = 10, /* of 64 bits */
};
#define NUMBER_MAX ((1ULL << 29) - 1)

struct field_rule {
	uint32_t number;
	enum wire_type type;
	uint32_t count_max;
	uint32_t size_max;                  /* of BYTES */
	const struct message_rule *message; /* BYTES that hold another message */
};

struct message_rule {
	uint32_t field_count;
	const struct field_rule *fields;
};

#define ONE(number_, type_)                                                                        \
	{                                                                                          \
		.number = (number_), .type = (type_), .count_max = 1                               \
	}
#define BLOB(number_, size_)                                                                       \
	{                                                                                          \
		.number = (number_), .type = BYTES, .count_max = 1, .size_max = (size_)            \
	}
#define NESTED(number_, count_, rule_)                                                             \
	{                                                                                          \
		.number = (number_), .type = BYTES, .count_max = (count_),                         \
		.size_max = WIRE_PAYLOAD_MAX, .message = (rule_)                                   \
	}
#define RULE(fields_)                                                                              \
	{                                                                                          \
		.field_count = sizeof(fields_) / sizeof((fields_)[0]), .fields = (fields_)         \
	}

static const struct field_rule entry_fields[] = {ONE(1, VARINT), ONE(2, VARINT),
						 BLOB(3, RAFT_ENTRY_SIZE_MAX)};
static const struct message_rule entry_rule = RULE(entry_fields);

static const struct field_rule member_fields[] = {ONE(1, FIXED64), ONE(2, VARINT),
						  BLOB(3, RAFT_ADDRESS_MAX - 1)};
static const struct message_rule member_rule = RULE(member_fields);

static const struct field_rule snapshot_fields[] = {ONE(1, VARINT), ONE(2, VARINT), ONE(3, VARINT),
						    NESTED(4, RAFT_MEMBERS_MAX, &member_rule)};
static const struct message_rule snapshot_rule = RULE(snapshot_fields);

static const struct field_rule message_fields[] = {
    ONE(1, VARINT),
    ONE(2, FIXED64),
    ONE(3, FIXED64),
    ONE(4, VARINT),
    ONE(5, VARINT),
    ONE(6, VARINT),
    ONE(7, VARINT),
    ONE(8, VARINT),
    ONE(9, VARINT),
    ONE(10, VARINT),
    ONE(11, VARINT),
    ONE(12, VARINT),
    NESTED(13, RAFT_MESSAGE_ENTRIES_MAX, &entry_rule),
    NESTED(14, 1, &snapshot_rule),
    BLOB(15, RAFT_SNAPSHOT_CHUNK_MAX),
};
static const struct message_rule message_rule = RULE(message_fields);
_Static_assert(sizeof(message_fields) / sizeof(message_fields[0]) <= FIELDS_MAX, "counts[]");

struct cursor {
	const uint8_t *at, *end;
};

static bool take_varint(struct cursor *cursor, uint64_t *value)
{
	uint64_t result = 0;

	for (unsigned int i = 0; i < VARINT_SIZE_MAX && cursor->at < cursor->end; i++) {
		const uint8_t byte = *cursor->at++;

		result |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*value = result;
			return true;
		}
	}
	return false;
}

static bool take(struct cursor *cursor, uint64_t size)
{
	if (size > (uint64_t)(cursor->end - cursor->at))
		return false;
	cursor->at += size;
	return true;
}

/* Steps over a value; *body is what a BYTES holds. */
static bool take_value(struct cursor *cursor, enum wire_type type, struct cursor *body)
{
	uint64_t value;

	switch (type) {
	case VARINT:
		return take_varint(cursor, &value);
	case FIXED64:
		return take(cursor, 8);
	case FIXED32:
		return take(cursor, 4);
	case BYTES:
		if (!take_varint(cursor, &value))
			return false;
		body->at = cursor->at;
		if (!take(cursor, value))
			return false;
		body->end = cursor->at;
		return true;
	}
	return false; /* groups, which nobody sends */
}

static const struct field_rule *find_rule(const struct message_rule *rule, uint64_t number)
{
	for (uint32_t i = 0; i < rule->field_count; i++)
		if (rule->fields[i].number == number)
			return &rule->fields[i];
	return NULL;
}

/* Recursion ends with the tables: three levels. */
static bool keeps_rule(struct cursor cursor, const struct message_rule *rule)
{
	uint32_t counts[FIELDS_MAX] = {0}, unknown = 0;

	assert(rule->field_count <= FIELDS_MAX);
	while (cursor.at < cursor.end) {
		struct cursor body = {NULL, NULL};
		const struct field_rule *field;
		uint64_t key;
		enum wire_type type;

		if (!take_varint(&cursor, &key) || !(key >> NUMBER_SHIFT) ||
		    key >> NUMBER_SHIFT > NUMBER_MAX)
			return false;
		type = (enum wire_type)(key & ((1 << NUMBER_SHIFT) - 1));
		if (!take_value(&cursor, type, &body))
			return false;
		field = find_rule(rule, key >> NUMBER_SHIFT);
		if (!field) {
			if (++unknown > WIRE_UNKNOWN_MAX)
				return false;
			continue;
		}
		if (type != field->type || ++counts[field - rule->fields] > field->count_max)
			return false;
		if (type == BYTES && body.end - body.at > field->size_max)
			return false;
		if (field->message && !keeps_rule(body, field->message))
			return false;
	}
	return true;
}

int wire_check(const uint8_t *payload, size_t size)
{
	const struct cursor cursor = {payload, payload + size};

	if (!size || size > WIRE_PAYLOAD_MAX)
		return -EBADMSG;
	return keeps_rule(cursor, &message_rule) ? 0 : -EBADMSG;
}
