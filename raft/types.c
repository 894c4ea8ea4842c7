/* SPDX-License-Identifier: BSD-2-Clause */
#include "types.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct raft_bytes *raft_bytes_new(const void *data, size_t size)
{
	if (size > UINT32_MAX)
		return NULL;
	struct raft_bytes *bytes = malloc(sizeof(*bytes) + size);
	if (!bytes)
		return NULL;
	bytes->references = 1;
	bytes->size = (uint32_t)size;
	if (data)
		memcpy(bytes->data, data, size);
	else
		memset(bytes->data, 0, size);
	return bytes;
}

struct raft_bytes *raft_bytes_hold(struct raft_bytes *bytes)
{
	if (bytes)
		__atomic_add_fetch(&bytes->references, 1, __ATOMIC_RELAXED);
	return bytes;
}

void raft_bytes_release(struct raft_bytes *bytes)
{
	/* Release and acquire: who frees has seen what the other holders did before they let go. */
	if (bytes && __atomic_sub_fetch(&bytes->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(bytes);
}

const struct raft_member *raft_members_find(const struct raft_members *members, uint64_t id)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (members->member[i].id == id)
			return &members->member[i];
	return NULL;
}

bool raft_members_valid(const struct raft_members *members)
{
	if (members->count > RAFT_MEMBERS_MAX)
		return false;
	uint64_t before = 0;
	for (uint32_t i = 0; i < members->count; i++) {
		const struct raft_member *member = &members->member[i];
		if (member->id <= before)
			return false;
		if (member->role != RAFT_VOTER && member->role != RAFT_LEARNER)
			return false;
		if (!memchr(member->address, 0, sizeof(member->address)))
			return false;
		before = member->id;
	}
	return true;
}

/*
 * A membership in an entry, integers little-endian:
 *
 *   u8 version (1) | u8 count | count times: u64 id | u8 role | u16 length | length bytes of
 * address
 */
enum {
	MEMBERS_VERSION = 1,
	MEMBERS_HEADER = 2,
	MEMBER_HEADER = 8 + 1 + 2,
};
_Static_assert(RAFT_MEMBERS_MAX <= UINT8_MAX, "the count is one byte");
_Static_assert(RAFT_ADDRESS_MAX <= UINT16_MAX, "a length is two bytes");

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> (8 * i));
	return at;
}

struct raft_bytes *raft_members_encode(const struct raft_members *members)
{
	assert(raft_members_valid(members));
	size_t size = MEMBERS_HEADER;
	for (uint32_t i = 0; i < members->count; i++)
		size += MEMBER_HEADER + strlen(members->member[i].address);

	struct raft_bytes *bytes = raft_bytes_new(NULL, size);
	if (!bytes)
		return NULL;
	uint8_t *at = put(bytes->data, MEMBERS_VERSION, 1);
	at = put(at, members->count, 1);
	for (uint32_t i = 0; i < members->count; i++) {
		const struct raft_member *member = &members->member[i];
		size_t length = strlen(member->address);
		at = put(at, member->id, 8);
		at = put(at, member->role, 1);
		at = put(at, length, 2);
		memcpy(at, member->address, length);
		at += length;
	}
	assert(at == bytes->data + size);
	return bytes;
}

/* What is left to read. Past the end everything is 0 and `short_of` says so. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool short_of;
};

static uint64_t get(struct cursor *cursor, unsigned bytes)
{
	if (cursor->left < bytes) {
		cursor->short_of = true;
		cursor->left = 0;
		return 0;
	}
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)cursor->at[i] << (8 * i);
	cursor->at += bytes;
	cursor->left -= bytes;
	return value;
}

static int get_member(struct cursor *cursor, struct raft_member *member)
{
	member->id = get(cursor, 8);
	member->role = (uint8_t)get(cursor, 1);
	size_t length = get(cursor, 2);
	if (cursor->short_of || length >= RAFT_ADDRESS_MAX || length > cursor->left)
		return -EBADMSG;
	if (memchr(cursor->at, 0, length))
		return -EBADMSG;
	memcpy(member->address, cursor->at, length);
	cursor->at += length;
	cursor->left -= length;
	return 0;
}

int raft_members_decode(const void *data, size_t size, struct raft_members *members)
{
	struct cursor cursor = {.at = data, .left = size};
	struct raft_members found = {0};

	if (get(&cursor, 1) != MEMBERS_VERSION)
		return -EBADMSG;
	found.count = (uint32_t)get(&cursor, 1);
	if (cursor.short_of || found.count > RAFT_MEMBERS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < found.count; i++) {
		int err = get_member(&cursor, &found.member[i]);
		if (err)
			return err;
	}
	if (cursor.left || !raft_members_valid(&found))
		return -EBADMSG;
	*members = found;
	return 0;
}

void raft_message_clear(struct raft_message *message)
{
	if (message->entries)
		for (uint32_t i = 0; i < message->entry_count; i++)
			raft_bytes_release(message->entries[i].data);
	free(message->entries);
	free(message->snapshot);
	raft_bytes_release(message->chunk);
	*message = (struct raft_message){0};
}

int raft_message_copy(const struct raft_message *message, struct raft_message *copy)
{
	struct raft_entry *entries = NULL;
	struct raft_snapshot *snapshot = NULL;

	if (message->entry_count) {
		entries = malloc(message->entry_count * sizeof(*entries));
		if (!entries)
			goto no_memory;
	}
	if (message->snapshot) {
		snapshot = malloc(sizeof(*snapshot));
		if (!snapshot)
			goto no_memory;
		*snapshot = *message->snapshot;
	}
	*copy = *message;
	for (uint32_t i = 0; i < message->entry_count; i++) {
		entries[i] = message->entries[i];
		raft_bytes_hold(entries[i].data);
	}
	copy->entries = entries;
	copy->snapshot = snapshot;
	raft_bytes_hold(copy->chunk);
	return 0;

no_memory:
	free(entries);
	free(snapshot);
	*copy = (struct raft_message){0};
	return -ENOMEM;
}
