/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "linear.h"
#include "random.h"

struct raft_bytes *store_encode(const struct store_command *command, uint32_t padding)
{
	struct raft_bytes *bytes = raft_bytes_new(NULL, sizeof(*command) + padding);

	if (!bytes)
		abort();
	memcpy(bytes->data, command, sizeof(*command));
	return bytes;
}

uint64_t store_apply(struct store *store, const struct raft_bytes *bytes, bool *again)
{
	struct store_command command;
	uint64_t before;

	assert(bytes && bytes->size >= sizeof(command));
	memcpy(&command, bytes->data, sizeof(command));
	assert(command.client < STORE_CLIENTS && command.key < STORE_KEYS);
	*again = command.sequence <= store->sessions[command.client].sequence;
	if (*again)
		return store->sessions[command.client].result;
	before = store->registers[command.key];
	if (command.kind == LINEAR_WRITE || before == command.expected)
		store->registers[command.key] = command.value;
	store->sessions[command.client].sequence = command.sequence;
	store->sessions[command.client].result = before;
	return before;
}

struct raft_bytes *store_snapshot(const struct store *store, uint32_t padding)
{
	struct raft_bytes *bytes = raft_bytes_new(NULL, sizeof(*store) + padding);

	if (!bytes)
		abort();
	memcpy(bytes->data, store, sizeof(*store));
	for (uint32_t i = 0; i < padding; i++)
		bytes->data[sizeof(*store) + i] = (uint8_t)(i * 37);
	return bytes;
}

bool store_restore(struct store *store, const struct raft_bytes *bytes)
{
	if (!bytes || bytes->size < sizeof(*store))
		return false;
	for (uint32_t i = 0; i < bytes->size - sizeof(*store); i++)
		if (bytes->data[sizeof(*store) + i] != (uint8_t)(i * 37))
			return false;
	memcpy(store, bytes->data, sizeof(*store));
	return true;
}

uint64_t store_hash(const struct store *store)
{
	uint64_t hash = 1, words[sizeof(*store) / sizeof(uint64_t)];

	static_assert(sizeof(words) == sizeof(*store), "no padding in it");
	memcpy(words, store, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		hash = sim_mix(hash * 31 + words[i] + i);
	return hash;
}
