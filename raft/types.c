/* SPDX-License-Identifier: BSD-2-Clause */
#include "types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct raft_bytes *raft_bytes_new(const void *data, size_t size)
{
	struct raft_bytes *bytes = calloc(1, sizeof(*bytes) + size);

	if (!bytes)
		return NULL;
	bytes->references = 1;
	bytes->size = (uint32_t)size;
	if (data && size)
		memcpy(bytes->data, data, size);
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
	if (bytes && !__atomic_sub_fetch(&bytes->references, 1, __ATOMIC_ACQ_REL))
		free(bytes);
}

const struct raft_member *raft_members_find(const struct raft_members *members, uint64_t id)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (members->member[i].id == id)
			return &members->member[i];
	return NULL;
}

void raft_message_clear(struct raft_message *message)
{
	for (uint32_t i = 0; i < message->entry_count; i++)
		raft_bytes_release(message->entries[i].data);
	free(message->entries);
	free(message->snapshot);
	raft_bytes_release(message->chunk);
	*message = (struct raft_message){0};
}
