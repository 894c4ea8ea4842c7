/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "raft.pb-c.h"
#include "wire_check.h"

typedef Fairlead__Raft__Message WireMessage;
typedef Fairlead__Raft__Entry WireEntry;
typedef Fairlead__Raft__Snapshot WireSnapshot;
typedef Fairlead__Raft__Member WireMember;

enum {
	BUFFER_MIN = 4096,
	/* More than any message's fields, keys and lengths take: 15 fields of 10 + 2 bytes. */
	MESSAGE_OVERHEAD = 256,
	ENTRY_OVERHEAD = 32,
	/* What protobuf-c may keep of a message beside its bytes: structs of entries, its own
	   tables; a thousand entries need some 200 KiB. */
	UNPACK_OVERHEAD = 1 << 20,
};

void wire_buffer_free(struct wire_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct wire_buffer){0};
}

int wire_buffer_reserve(struct wire_buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_MIN;
	uint8_t *data;

	while (capacity < buffer->size + size)
		capacity *= 2;
	if (capacity == buffer->capacity)
		return 0;
	data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

size_t wire_size_guess(const struct raft_message *message)
{
	size_t size = WIRE_HEADER + MESSAGE_OVERHEAD;

	for (uint32_t i = 0; i < message->entry_count; i++)
		size += ENTRY_OVERHEAD +
			(message->entries[i].data ? message->entries[i].data->size : 0);
	if (message->chunk)
		size += message->chunk->size;
	if (message->snapshot)
		size += sizeof(*message->snapshot) + MESSAGE_OVERHEAD;
	return size;
}

/* -- encoding ---------------------------------------------------------------------------------- */

static ProtobufCBinaryData borrow(struct raft_bytes *bytes)
{
	return (ProtobufCBinaryData){.len = bytes ? bytes->size : 0,
				     .data = bytes ? bytes->data : NULL};
}

struct wire_snapshot {
	WireSnapshot snapshot;
	WireMember members[RAFT_MEMBERS_MAX];
	WireMember *pointers[RAFT_MEMBERS_MAX];
};

static int fill_snapshot(const struct raft_snapshot *from, struct wire_snapshot *to)
{
	if (from->members.count > RAFT_MEMBERS_MAX)
		return -EMSGSIZE;
	fairlead__raft__snapshot__init(&to->snapshot);
	to->snapshot.index = from->index;
	to->snapshot.term = from->term;
	to->snapshot.size = from->size;
	to->snapshot.n_members = from->members.count;
	to->snapshot.members = to->pointers;
	for (uint32_t i = 0; i < from->members.count; i++) {
		const struct raft_member *member = &from->members.member[i];

		fairlead__raft__member__init(&to->members[i]);
		to->members[i].id = member->id;
		to->members[i].role = member->role;
		to->members[i].address =
		    (ProtobufCBinaryData){.len = strnlen(member->address, RAFT_ADDRESS_MAX - 1),
					  .data = (uint8_t *)(uintptr_t)member->address};
		to->pointers[i] = &to->members[i];
	}
	return 0;
}

static int fill_entries(const struct raft_message *from, WireMessage *to)
{
	WireEntry *entries;

	if (!from->entry_count)
		return 0;
	if (from->entry_count > RAFT_MESSAGE_ENTRIES_MAX)
		return -EMSGSIZE;
	to->entries = malloc(from->entry_count * (sizeof(*to->entries) + sizeof(*entries)));
	if (!to->entries)
		return -ENOMEM;
	to->n_entries = from->entry_count;
	entries = (WireEntry *)(to->entries + from->entry_count);
	for (uint32_t i = 0; i < from->entry_count; i++) {
		const struct raft_entry *entry = &from->entries[i];

		if (entry->index != from->index + 1 + i)
			return -EINVAL;
		if (entry->data && entry->data->size > RAFT_ENTRY_SIZE_MAX)
			return -EMSGSIZE;
		fairlead__raft__entry__init(&entries[i]);
		entries[i].term = entry->term;
		entries[i].type = entry->type;
		entries[i].data = borrow(entry->data);
		to->entries[i] = &entries[i];
	}
	return 0;
}

static void fill_numbers(const struct raft_message *from, WireMessage *to)
{
	fairlead__raft__message__init(to);
	to->type = from->type;
	to->from = from->from;
	to->to = from->to;
	to->term = from->term;
	to->index = from->index;
	to->log_term = from->log_term;
	to->commit = from->commit;
	to->context = from->context;
	to->offset = from->offset;
	to->reject = from->reject;
	to->transfer = from->transfer;
	to->last = from->last;
	to->chunk = borrow(from->chunk);
}

static int append_frame(const WireMessage *wire, struct wire_buffer *frames)
{
	const size_t size = fairlead__raft__message__get_packed_size(wire);
	const uint32_t header = htobe32((uint32_t)size);
	uint8_t *at;

	if (size > WIRE_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (wire_buffer_reserve(frames, WIRE_HEADER + size))
		return -ENOMEM;
	at = frames->data + frames->size;
	memcpy(at, &header, WIRE_HEADER);
	fairlead__raft__message__pack(wire, at + WIRE_HEADER);
	frames->size += WIRE_HEADER + size;
	return 0;
}

int wire_encode(const struct raft_message *message, struct wire_buffer *frames)
{
	struct wire_snapshot snapshot;
	WireMessage wire;
	int err;

	assert(message->type && message->type < RAFT_MESSAGE_TYPES);
	if (message->chunk && message->chunk->size > RAFT_SNAPSHOT_CHUNK_MAX)
		return -EMSGSIZE;
	fill_numbers(message, &wire);
	err = message->snapshot ? fill_snapshot(message->snapshot, &snapshot) : 0;
	if (!err && message->snapshot)
		wire.snapshot = &snapshot.snapshot;
	if (!err)
		err = fill_entries(message, &wire);
	if (!err)
		err = append_frame(&wire, frames);
	free(wire.entries);
	return err;
}

/* -- decoding ---------------------------------------------------------------------------------- */

/* protobuf-c allocates in proportion to what it reads; that it does is not left to trust. */
struct budget {
	size_t left;
	bool no_memory;
};

static void *budget_alloc(void *data, size_t size)
{
	struct budget *budget = data;
	void *pointer;

	if (size > budget->left)
		return NULL;
	budget->left -= size;
	pointer = malloc(size);
	if (!pointer && size)
		budget->no_memory = true;
	return pointer;
}

static void budget_free(void *data, void *pointer)
{
	(void)data;
	free(pointer);
}

static bool is_member(const WireMember *wire)
{
	return wire->id && (wire->role == RAFT_VOTER || wire->role == RAFT_LEARNER) &&
	       wire->address.len < RAFT_ADDRESS_MAX &&
	       (!wire->address.len || !memchr(wire->address.data, 0, wire->address.len));
}

static int take_snapshot(const WireSnapshot *wire, struct raft_message *message)
{
	struct raft_snapshot *snapshot;

	if (message->type != RAFT_SNAPSHOT && message->type != RAFT_SNAPSHOT_REPLY)
		return -EBADMSG;
	if (wire->n_members > RAFT_MEMBERS_MAX)
		return -EBADMSG;
	snapshot = message->snapshot = calloc(1, sizeof(*snapshot));
	if (!snapshot)
		return -ENOMEM;
	snapshot->index = wire->index;
	snapshot->term = wire->term;
	snapshot->size = wire->size;
	for (size_t i = 0; i < wire->n_members; i++) {
		struct raft_member *member = &snapshot->members.member[i];

		if (!is_member(wire->members[i]) ||
		    (i && wire->members[i - 1]->id >= wire->members[i]->id))
			return -EBADMSG;
		member->id = wire->members[i]->id;
		member->role = (uint8_t)wire->members[i]->role;
		if (wire->members[i]->address.len)
			memcpy(member->address, wire->members[i]->address.data,
			       wire->members[i]->address.len);
		snapshot->members.count++;
	}
	return 0;
}

static bool is_entry(const WireEntry *wire)
{
	switch (wire->type) {
	case RAFT_ENTRY_COMMAND:
	case RAFT_ENTRY_MEMBERS:
		return wire->term;
	case RAFT_ENTRY_EMPTY:
		return wire->term && !wire->data.len;
	}
	return false;
}

static int take_entries(const WireMessage *wire, struct raft_message *message)
{
	if (!wire->n_entries)
		return 0;
	if (message->type != RAFT_APPEND || wire->n_entries > RAFT_MESSAGE_ENTRIES_MAX ||
	    wire->index > UINT64_MAX - RAFT_MESSAGE_ENTRIES_MAX)
		return -EBADMSG;
	message->entries = calloc(wire->n_entries, sizeof(*message->entries));
	if (!message->entries)
		return -ENOMEM;
	for (size_t i = 0; i < wire->n_entries; i++) {
		const WireEntry *from = wire->entries[i];
		struct raft_entry *entry = &message->entries[i];

		if (!is_entry(from))
			return -EBADMSG;
		entry->index = message->index + 1 + i;
		entry->term = from->term;
		entry->type = (uint8_t)from->type;
		message->entry_count++;
		if (entry->type == RAFT_ENTRY_EMPTY)
			continue;
		entry->data = raft_bytes_new(from->data.data, from->data.len);
		if (!entry->data)
			return -ENOMEM;
	}
	return 0;
}

static int take_message(const WireMessage *wire, struct raft_message *message)
{
	int err;

	if (!wire->type || wire->type >= RAFT_MESSAGE_TYPES || !wire->from || !wire->to)
		return -EBADMSG;
	message->type = (uint8_t)wire->type;
	message->from = wire->from;
	message->to = wire->to;
	message->term = wire->term;
	message->index = wire->index;
	message->log_term = wire->log_term;
	message->commit = wire->commit;
	message->context = wire->context;
	message->offset = wire->offset;
	message->reject = wire->reject;
	message->transfer = wire->transfer;
	message->last = wire->last;
	if (wire->chunk.len && message->type != RAFT_SNAPSHOT)
		return -EBADMSG;
	if (message->type == RAFT_SNAPSHOT) {
		if (!wire->snapshot)
			return -EBADMSG;
		message->chunk = raft_bytes_new(wire->chunk.data, wire->chunk.len);
		if (!message->chunk)
			return -ENOMEM;
	}
	err = wire->snapshot ? take_snapshot(wire->snapshot, message) : 0;
	return err ? err : take_entries(wire, message);
}

int wire_decode(const uint8_t *payload, size_t size, struct raft_message *message)
{
	struct budget budget = {.left = UNPACK_OVERHEAD + 2 * size};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
	WireMessage *wire;
	int err;

	*message = (struct raft_message){0};
	if (wire_check(payload, size))
		return -EBADMSG;
	wire = fairlead__raft__message__unpack(&allocator, size, payload);
	if (!wire)
		return budget.no_memory ? -ENOMEM : -EBADMSG;
	err = take_message(wire, message);
	fairlead__raft__message__free_unpacked(wire, &allocator);
	if (err)
		raft_message_clear(message);
	return err;
}
