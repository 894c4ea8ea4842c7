/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A view as bytes:
 *
 *   head     "FLSTORE1" | index u64 | objects u64
 *   record   table u8 | size u32 | the object as in control/proto/objects.proto
 *   ...      by table, then id: strictly ascending
 *   end      0 u8 | 0 u32 | sum u64
 *
 * Numbers are little-endian. The sum is FNV-1a, 64 bits, of all bytes before it.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "store.h"
#include "view.h"

enum {
	HEAD_SIZE = 8 + 8 + 8,
	RECORD_HEAD_SIZE = 1 + 4,
	SUM_SIZE = 8,
};
static const char magic[8] = "FLSTORE1";
static const uint64_t fnv_basis = 0xcbf29ce484222325, fnv_prime = 0x100000001b3;

static uint64_t fnv_add(uint64_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * fnv_prime;
	return sum;
}

static void put_u64(uint8_t *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, 8);
}

static uint64_t get_u64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, 8);
	return le64toh(value);
}

static void put_record_head(uint8_t *to, unsigned table, size_t size)
{
	const uint32_t value = htole32((uint32_t)size);

	to[0] = (uint8_t)table;
	memcpy(to + 1, &value, 4);
}

struct store_snapshot {
	const struct store_view *view;
	struct store_iterator iterator;
	unsigned table; /* that is being iterated; 0: none yet; STORE_TABLES: the end was made */
	uint64_t sum;
	uint8_t *bytes; /* of the record that is being read out */
	size_t size, capacity, at;
};

struct store_snapshot *store_snapshot_new(const struct store_view *view)
{
	struct store_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	uint64_t count = 0;

	if (!snapshot)
		return NULL;
	snapshot->capacity = 4096;
	snapshot->bytes = malloc(snapshot->capacity);
	if (!snapshot->bytes) {
		free(snapshot);
		return NULL;
	}
	for (size_t table = 1; table < STORE_TABLES; table++)
		count += view->count[table];
	snapshot->view = store_view_hold(view);
	memcpy(snapshot->bytes, magic, 8);
	put_u64(snapshot->bytes + 8, view->index);
	put_u64(snapshot->bytes + 16, count);
	snapshot->size = HEAD_SIZE;
	snapshot->sum = fnv_add(fnv_basis, snapshot->bytes, HEAD_SIZE);
	return snapshot;
}

void store_snapshot_free(struct store_snapshot *snapshot)
{
	if (!snapshot)
		return;
	store_view_release(snapshot->view);
	free(snapshot->bytes);
	free(snapshot);
}

static const void *next_object(struct store_snapshot *snapshot)
{
	const void *object = NULL;

	while (snapshot->table < STORE_TABLES) {
		if (snapshot->table)
			object = store_next(&snapshot->iterator);
		if (object || ++snapshot->table == STORE_TABLES)
			return object;
		store_iterate(snapshot->view, (enum store_table)snapshot->table,
			      &snapshot->iterator);
	}
	return NULL;
}

static int make_record(struct store_snapshot *snapshot, const ProtobufCMessage *object)
{
	const size_t size = protobuf_c_message_get_packed_size(object);

	if (RECORD_HEAD_SIZE + size > snapshot->capacity) {
		uint8_t *bytes = realloc(snapshot->bytes, RECORD_HEAD_SIZE + size);

		if (!bytes)
			return -ENOMEM;
		snapshot->bytes = bytes;
		snapshot->capacity = RECORD_HEAD_SIZE + size;
	}
	put_record_head(snapshot->bytes, snapshot->table, size);
	protobuf_c_message_pack(object, snapshot->bytes + RECORD_HEAD_SIZE);
	snapshot->size = RECORD_HEAD_SIZE + size;
	snapshot->sum = fnv_add(snapshot->sum, snapshot->bytes, snapshot->size);
	return 0;
}

static void make_end(struct store_snapshot *snapshot)
{
	put_record_head(snapshot->bytes, 0, 0);
	snapshot->sum = fnv_add(snapshot->sum, snapshot->bytes, RECORD_HEAD_SIZE);
	put_u64(snapshot->bytes + RECORD_HEAD_SIZE, snapshot->sum);
	snapshot->size = RECORD_HEAD_SIZE + SUM_SIZE;
}

/* The next record into the buffer; size 0: there is none. */
static int make_next(struct store_snapshot *snapshot)
{
	const struct store_iterator before = snapshot->iterator;
	const unsigned table = snapshot->table;
	const void *object;
	int rc = 0;

	if (table == STORE_TABLES) {
		snapshot->size = snapshot->at = 0;
		return 0;
	}
	object = next_object(snapshot);
	if (object)
		rc = make_record(snapshot, object);
	else
		make_end(snapshot);
	if (rc) { /* again at the next call */
		snapshot->iterator = before;
		snapshot->table = table;
		return rc;
	}
	snapshot->at = 0;
	return 0;
}

int store_snapshot_read(struct store_snapshot *snapshot, void *bytes, size_t size, size_t *got)
{
	size_t done = 0;

	while (done < size) {
		const size_t left = snapshot->size - snapshot->at;
		const size_t part = left < size - done ? left : size - done;

		memcpy((uint8_t *)bytes + done, snapshot->bytes + snapshot->at, part);
		snapshot->at += part;
		done += part;
		if (snapshot->at < snapshot->size)
			break;
		if (make_next(snapshot)) {
			if (!done)
				return -ENOMEM;
			break;
		}
		if (!snapshot->size)
			break;
	}
	*got = done;
	return 0;
}

struct store_restore {
	struct store_view *view;
	uint64_t expected, done; /* objects */
	uint64_t sum;
	enum { AT_HEAD, AT_RECORD, AT_SUM, AT_END, AT_FAULT } state;
	int fault;
	unsigned table; /* of the last record, and its id */
	char id[ID_SIZE];
	uint8_t *bytes; /* what has come of a record */
	size_t size, capacity;
};

struct store_restore *store_restore_new(void)
{
	struct store_restore *restore = calloc(1, sizeof(*restore));

	if (!restore)
		return NULL;
	restore->sum = fnv_basis;
	restore->capacity = 4096;
	restore->bytes = malloc(restore->capacity);
	restore->view = view_new();
	if (!restore->bytes || !restore->view) {
		store_restore_free(restore);
		return NULL;
	}
	return restore;
}

void store_restore_free(struct store_restore *restore)
{
	if (!restore)
		return;
	store_view_release(restore->view);
	free(restore->bytes);
	free(restore);
}

static size_t record_size(const struct store_restore *restore)
{
	uint32_t size;

	memcpy(&size, restore->bytes + 1, 4);
	return le32toh(size);
}

/* Of what the buffer is to hold next, as far as its beginning tells. */
static size_t wanted(const struct store_restore *restore)
{
	switch (restore->state) {
	case AT_HEAD:
		return HEAD_SIZE;
	case AT_RECORD:
		if (restore->size < RECORD_HEAD_SIZE)
			return RECORD_HEAD_SIZE;
		return RECORD_HEAD_SIZE + record_size(restore);
	case AT_SUM:
		return SUM_SIZE;
	case AT_END:
	case AT_FAULT:
		break;
	}
	return 0;
}

static int take_head(struct store_restore *restore)
{
	if (memcmp(restore->bytes, magic, 8))
		return -EBADMSG;
	restore->view->index = get_u64(restore->bytes + 8);
	restore->expected = get_u64(restore->bytes + 16);
	restore->state = AT_RECORD;
	return 0;
}

/* In order, new, with what every object has, and of a name of its own. */
static bool fits(const struct store_restore *restore, unsigned table,
		 const struct object_message *message)
{
	if (!message->id || !id_is_prefix(message->id) || !message->version ||
	    message->version > restore->view->index || table < restore->table)
		return false;
	return table > restore->table || strcmp(message->id, restore->id) > 0;
}

static int take_object(struct store_restore *restore, unsigned table)
{
	static const ProtobufCMessageDescriptor *const types[STORE_TABLES] = {
	    [STORE_CLUSTER] = &fl__cluster__descriptor, [STORE_NODE] = &fl__node__descriptor,
	    [STORE_NETWORK] = &fl__network__descriptor, [STORE_SERVICE] = &fl__service__descriptor,
	    [STORE_TASK] = &fl__task__descriptor,       [STORE_SECRET] = &fl__secret__descriptor,
	    [STORE_CONFIG] = &fl__config__descriptor,   [STORE_VOLUME] = &fl__volume__descriptor,
	};
	ProtobufCMessage *message;
	struct object *object = NULL;
	int rc = -EBADMSG;

	if (table >= STORE_TABLES || restore->done == restore->expected)
		return -EBADMSG;
	message = protobuf_c_message_unpack(types[table], NULL, restore->size - RECORD_HEAD_SIZE,
					    restore->bytes + RECORD_HEAD_SIZE);
	if (!message)
		return -EBADMSG; /* or no memory: either way this restore is over */
	if (fits(restore, table, (const struct object_message *)message)) {
		object = view_object_new(restore->view, (enum store_table)table, message, NULL);
		rc = !object ? -ENOMEM : view_namesake(restore->view, object) ? -EBADMSG : 0;
	}
	protobuf_c_message_free_unpacked(message, NULL);
	if (!rc)
		rc = view_put(restore->view, object, NULL);
	if (!rc) {
		restore->table = table;
		restore->done++;
		memcpy(restore->id, object_message(object)->id,
		       strlen(object_message(object)->id) + 1);
	}
	object_release(object);
	return rc;
}

static int take_record(struct store_restore *restore)
{
	const unsigned table = restore->bytes[0];

	if (table)
		return take_object(restore, table);
	if (restore->size != RECORD_HEAD_SIZE || restore->done != restore->expected)
		return -EBADMSG;
	restore->state = AT_SUM;
	return 0;
}

/* The buffer holds a whole head, record or sum. */
static int take(struct store_restore *restore)
{
	int rc = 0;

	if (restore->state == AT_SUM) {
		if (get_u64(restore->bytes) != restore->sum)
			return -EBADMSG;
		restore->state = AT_END;
	} else {
		restore->sum = fnv_add(restore->sum, restore->bytes, restore->size);
		rc = restore->state == AT_HEAD ? take_head(restore) : take_record(restore);
	}
	restore->size = 0;
	return rc;
}

/* Room for what is to come. A size that cannot be is refused before memory is taken for it. */
static int make_room(struct store_restore *restore, size_t size)
{
	uint8_t *bytes;

	if (size > RECORD_HEAD_SIZE + STORE_OBJECT_SIZE_MAX + 4096)
		return -EBADMSG;
	if (size <= restore->capacity)
		return 0;
	bytes = realloc(restore->bytes, size);
	if (!bytes)
		return -ENOMEM;
	restore->bytes = bytes;
	restore->capacity = size;
	return 0;
}

static int restore_write(struct store_restore *restore, const uint8_t *bytes, size_t size)
{
	while (size) {
		const size_t all = wanted(restore);
		const size_t part = all - restore->size < size ? all - restore->size : size;
		int rc = all ? make_room(restore, all) : -EBADMSG; /* more after the end */

		if (rc)
			return rc;
		memcpy(restore->bytes + restore->size, bytes, part);
		restore->size += part;
		bytes += part;
		size -= part;
		/* A record's head may say that there is more to it. */
		if (restore->size == wanted(restore))
			rc = take(restore);
		if (rc)
			return rc;
	}
	return 0;
}

int store_restore_write(struct store_restore *restore, const void *bytes, size_t size)
{
	if (restore->state != AT_FAULT) {
		restore->fault = restore_write(restore, bytes, size);
		if (restore->fault)
			restore->state = AT_FAULT;
	}
	return restore->fault;
}

int store_restore_finish(struct store_restore *restore, struct store *store)
{
	if (restore->state != AT_END)
		return restore->fault ? restore->fault : -EBADMSG;
	store_view_release(store->now);
	store->now = restore->view;
	restore->view = NULL;
	restore->state = AT_FAULT; /* it has been used */
	restore->fault = -EBADMSG;
	return 0;
}
