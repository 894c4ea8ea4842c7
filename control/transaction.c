/* SPDX-License-Identifier: BSD-2-Clause */
#include "transaction.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"
#include "store.pb-c.h"

enum {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_32 = 5,
	CHANGES_FIELD = 3,
	CHANGES_TAG = CHANGES_FIELD << 3 | WIRE_BYTES,
	VARINT_MAX = 10, /* bytes */
};

struct transaction {
	uint8_t *bytes;
	size_t size, capacity;
	size_t count;
};

static int reserve(struct transaction *transaction, size_t size)
{
	size_t capacity = transaction->capacity ? transaction->capacity : 512;
	uint8_t *bytes;

	if (transaction->size + size <= transaction->capacity)
		return 0;
	while (capacity < transaction->size + size)
		capacity *= 2;
	bytes = realloc(transaction->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	transaction->bytes = bytes;
	transaction->capacity = capacity;
	return 0;
}

struct transaction *transaction_new(int64_t time, bool atomic)
{
	Fl__TransactionProposal head = FL__TRANSACTION_PROPOSAL__INIT;
	struct transaction *transaction = calloc(1, sizeof(*transaction));

	head.has_time = true;
	head.time = time;
	head.has_atomic = atomic;
	head.atomic = atomic;
	if (transaction && reserve(transaction, fl__transaction_proposal__get_packed_size(&head))) {
		free(transaction);
		return NULL;
	}
	if (transaction)
		transaction->size = fl__transaction_proposal__pack(&head, transaction->bytes);
	return transaction;
}

void transaction_free(struct transaction *transaction)
{
	if (!transaction)
		return;
	free(transaction->bytes);
	free(transaction);
}

/* A message's encoding may be put together from those of its parts: the repeated field `changes` is
 * tag, length, change, as often as there are changes. */
static int append(struct transaction *transaction, const Fl__Change *change)
{
	const size_t size = fl__change__get_packed_size(change);
	int rc;

	if (transaction->count == STORE_CHANGES_MAX ||
	    transaction->size + 1 + VARINT_MAX + size > STORE_TRANSACTION_SIZE_MAX)
		return -ENOSPC;
	rc = reserve(transaction, 1 + VARINT_MAX + size);
	if (rc)
		return rc;
	transaction->bytes[transaction->size++] = CHANGES_TAG;
	for (size_t rest = size; rest; rest >>= 7) /* never 0: it has an action */
		transaction->bytes[transaction->size++] =
		    (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
	transaction->size += fl__change__pack(change, transaction->bytes + transaction->size);
	transaction->count++;
	return 0;
}

/* Object has a member for each table, of the table's number. */
static int append_object(struct transaction *transaction, Fl__Change__Action action,
			 const ProtobufCMessage *message)
{
	const struct object_message *object = (const struct object_message *)message;
	const enum store_table table = store_table_of(message->descriptor);
	Fl__Object wrapped = FL__OBJECT__INIT;
	Fl__Change change = FL__CHANGE__INIT;

	assert(table && object->id);
	if (protobuf_c_message_get_packed_size(message) > STORE_OBJECT_SIZE_MAX)
		return -EMSGSIZE;
	*(const ProtobufCMessage **)((char *)&wrapped +
				     fl__object__descriptor.fields[table - 1].offset) = message;
	change.has_action = true;
	change.action = action;
	change.has_base_version = action == FL__CHANGE__ACTION__UPDATE;
	change.base_version = object->version;
	change.object = &wrapped;
	return append(transaction, &change);
}

int transaction_create(struct transaction *transaction, const ProtobufCMessage *object)
{
	return append_object(transaction, FL__CHANGE__ACTION__CREATE, object);
}

int transaction_update(struct transaction *transaction, const ProtobufCMessage *object)
{
	return append_object(transaction, FL__CHANGE__ACTION__UPDATE, object);
}

static int append_id(struct transaction *transaction, Fl__Change__Action action,
		     enum store_table table, const char *id, uint64_t version)
{
	Fl__Change change = FL__CHANGE__INIT;

	assert(table > 0 && table < STORE_TABLES);
	change.has_action = true;
	change.action = action;
	change.has_base_version = version > 0;
	change.base_version = version;
	change.has_table = true;
	change.table = table;
	change.id = (char *)(uintptr_t)id;
	return append(transaction, &change);
}

int transaction_delete(struct transaction *transaction, enum store_table table, const char *id,
		       uint64_t version)
{
	return append_id(transaction, FL__CHANGE__ACTION__DELETE, table, id, version);
}

int transaction_check(struct transaction *transaction, enum store_table table, const char *id,
		      uint64_t version)
{
	return append_id(transaction, FL__CHANGE__ACTION__CHECK, table, id, version);
}

size_t transaction_count(const struct transaction *transaction)
{
	return transaction->count;
}

const void *transaction_bytes(const struct transaction *transaction, size_t *size)
{
	*size = transaction->size;
	return transaction->bytes;
}

static int take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < VARINT_MAX && *at < end; i++) {
		const uint8_t byte = *(*at)++;

		*value |= (uint64_t)(byte & 127) << (7 * i);
		if (byte < 128)
			return 0;
	}
	return -EBADMSG;
}

static int skip(const uint8_t **at, const uint8_t *end, unsigned wire)
{
	uint64_t size = wire == WIRE_64 ? 8 : 4, ignored;

	if (wire == WIRE_VARINT)
		return take_varint(at, end, &ignored);
	if (wire != WIRE_64 && wire != WIRE_32 && wire != WIRE_BYTES)
		return -EBADMSG;
	if (wire == WIRE_BYTES && take_varint(at, end, &size))
		return -EBADMSG;
	if (size > (size_t)(end - *at))
		return -EBADMSG;
	*at += size;
	return 0;
}

int transaction_scan(const void *bytes, size_t size)
{
	const uint8_t *at = bytes, *end = at + size;
	int count = 0;

	if (size > STORE_TRANSACTION_SIZE_MAX)
		return -EBADMSG;
	while (at < end) {
		uint64_t tag;

		if (take_varint(&at, end, &tag) || skip(&at, end, tag & 7))
			return -EBADMSG;
		if (tag >> 3 == CHANGES_FIELD && ++count > STORE_CHANGES_MAX)
			return -EBADMSG;
	}
	return count;
}
