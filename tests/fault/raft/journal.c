/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

static uint64_t hash_data(const struct raft_bytes *data)
{
	uint64_t hash = 7;

	for (uint32_t i = 0; data && i < data->size; i += 8) {
		uint64_t word = 0;

		memcpy(&word, data->data + i, data->size - i < 8 ? data->size - i : 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	return hash;
}

void journal_free(struct journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		raft_bytes_release(journal->entries[i].data);
	free(journal->entries);
	memset(journal, 0, sizeof(*journal));
}

static void cut_to(struct journal *journal, size_t count)
{
	while (journal->count > count)
		raft_bytes_release(journal->entries[--journal->count].data);
}

void journal_reset(struct journal *journal, const struct raft_snapshot *snapshot, uint64_t chain)
{
	cut_to(journal, 0);
	journal->base = snapshot->index;
	journal->base_term = snapshot->term;
	journal->base_chain = chain;
	journal->base_bytes = 0;
	journal->base_members = snapshot->members;
}

void journal_compact(struct journal *journal, const struct raft_snapshot *snapshot)
{
	const struct journal_entry *entry = journal_at(journal, snapshot->index);
	size_t gone;

	if (!entry)
		return;
	gone = (size_t)(snapshot->index - journal->base);
	journal->base_term = entry->term;
	journal->base_chain = entry->chain;
	journal->base_bytes = entry->bytes;
	journal->base = snapshot->index;
	journal->base_members = snapshot->members;
	for (size_t i = 0; i < gone; i++)
		raft_bytes_release(journal->entries[i].data);
	journal->count -= gone;
	memmove(journal->entries, journal->entries + gone,
		journal->count * sizeof(*journal->entries));
	for (size_t i = 0; i < journal->count; i++)
		if (journal->entries[i].members_index <= journal->base)
			journal->entries[i].members_index = 0;
}

static void make_room(struct journal *journal)
{
	if (journal->count < journal->room)
		return;
	journal->room = journal->room ? 2 * journal->room : 64;
	journal->entries = realloc(journal->entries, journal->room * sizeof(*journal->entries));
	if (!journal->entries)
		abort();
}

void journal_copy(const struct journal *from, struct journal *to)
{
	journal_free(to);
	*to = *from;
	to->entries = NULL;
	to->count = to->room = 0;
	for (size_t i = 0; i < from->count; i++) {
		make_room(to);
		to->entries[to->count++] = from->entries[i];
		raft_bytes_hold(from->entries[i].data);
	}
}

bool journal_append(struct journal *journal, const struct raft_entry *entry, bool cut)
{
	const uint64_t before = entry->index - 1;
	struct journal_entry *slot;
	size_t position;

	if (entry->index <= journal->base || before > journal_last(journal))
		return false;
	position = (size_t)(before - journal->base);
	if (cut)
		cut_to(journal, position);
	if (position == journal->count) {
		make_room(journal);
		journal->count++;
	} else {
		raft_bytes_release(journal->entries[position].data);
	}
	slot = &journal->entries[position];
	slot->term = entry->term;
	slot->type = entry->type;
	slot->data = raft_bytes_hold(entry->data);
	slot->chain = sim_mix(journal_chain(journal, before) ^
			      sim_mix(entry->term * 5 + entry->type + hash_data(entry->data)));
	slot->bytes = (position ? slot[-1].bytes : journal->base_bytes) +
		      (entry->data ? entry->data->size : 0);
	slot->members_index = entry->type == RAFT_ENTRY_MEMBERS
				  ? entry->index
				  : journal_members_index(journal, before);
	return true;
}

uint64_t journal_last(const struct journal *journal)
{
	return journal->base + journal->count;
}

const struct journal_entry *journal_at(const struct journal *journal, uint64_t index)
{
	if (index <= journal->base || index > journal_last(journal))
		return NULL;
	return &journal->entries[index - journal->base - 1];
}

uint64_t journal_term(const struct journal *journal, uint64_t index)
{
	const struct journal_entry *entry = journal_at(journal, index);

	return entry ? entry->term : index == journal->base ? journal->base_term : 0;
}

uint64_t journal_chain(const struct journal *journal, uint64_t index)
{
	const struct journal_entry *entry = journal_at(journal, index);

	return entry ? entry->chain : index == journal->base ? journal->base_chain : 0;
}

uint64_t journal_bytes(const struct journal *journal, uint64_t first, uint64_t last)
{
	const struct journal_entry *to = journal_at(journal, last);
	const struct journal_entry *from = journal_at(journal, first - 1);

	if (!to || first > last)
		return 0;
	return to->bytes - (from ? from->bytes : journal->base_bytes);
}

uint64_t journal_members_index(const struct journal *journal, uint64_t index)
{
	const struct journal_entry *entry = journal_at(journal, index);

	return entry ? entry->members_index : 0;
}

bool journal_members(const struct journal *journal, uint64_t index, struct raft_members *members)
{
	const uint64_t at = journal_members_index(journal, index);
	const struct journal_entry *entry = at ? journal_at(journal, at) : NULL;

	if (!entry) {
		*members = journal->base_members;
		return true;
	}
	return entry->data && !raft_members_decode(entry->data->data, entry->data->size, members);
}
