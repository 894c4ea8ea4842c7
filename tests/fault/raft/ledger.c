/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

void ledger_free(struct ledger *ledger)
{
	free(ledger->leaders.pairs);
	free(ledger->votes.pairs);
	free(ledger->logs.pairs);
	free(ledger->commits);
	free(ledger->members);
	memset(ledger, 0, sizeof(*ledger));
}

static struct ledger_pair *slot_of(const struct ledger_table *table, uint64_t a, uint64_t b)
{
	size_t i = (size_t)sim_mix(a * 0x9e3779b97f4a7c15 + b) & (table->room - 1);

	while (table->pairs[i].b && (table->pairs[i].a != a || table->pairs[i].b != b))
		i = (i + 1) & (table->room - 1);
	return &table->pairs[i];
}

static void grow(struct ledger_table *table)
{
	struct ledger_table larger = {.room = table->room ? 2 * table->room : 256};

	larger.pairs = calloc(larger.room, sizeof(*larger.pairs));
	if (!larger.pairs)
		abort();
	larger.count = table->count;
	for (size_t i = 0; i < table->room; i++)
		if (table->pairs[i].b)
			*slot_of(&larger, table->pairs[i].a, table->pairs[i].b) = table->pairs[i];
	free(table->pairs);
	*table = larger;
}

uint64_t ledger_note(struct ledger_table *table, uint64_t a, uint64_t b, uint64_t value)
{
	struct ledger_pair *slot;

	if (2 * table->count >= table->room)
		grow(table);
	slot = slot_of(table, a, b);
	if (!slot->b) {
		*slot = (struct ledger_pair){a, b, value};
		table->count++;
	}
	return slot->value;
}

uint64_t ledger_find(const struct ledger_table *table, uint64_t a, uint64_t b)
{
	return table->room && b ? slot_of(table, a, b)->value : 0;
}

struct ledger_commit *ledger_at(struct ledger *ledger, uint64_t index)
{
	size_t room = ledger->commit_room ? ledger->commit_room : 1024;

	while (room <= index)
		room *= 2;
	if (room != ledger->commit_room) {
		ledger->commits = realloc(ledger->commits, room * sizeof(*ledger->commits));
		if (!ledger->commits)
			abort();
		memset(ledger->commits + ledger->commit_room, 0,
		       (room - ledger->commit_room) * sizeof(*ledger->commits));
		ledger->commit_room = room;
	}
	return &ledger->commits[index];
}

void ledger_add_members(struct ledger *ledger, uint64_t index, const struct raft_members *members)
{
	if (ledger->members_count == ledger->members_room) {
		ledger->members_room = ledger->members_room ? 2 * ledger->members_room : 8;
		ledger->members =
		    realloc(ledger->members, ledger->members_room * sizeof(*ledger->members));
		if (!ledger->members)
			abort();
	}
	ledger->members[ledger->members_count].index = index;
	ledger->members[ledger->members_count++].members = *members;
}

const struct raft_members *ledger_members_at(const struct ledger *ledger, uint64_t index)
{
	for (size_t i = ledger->members_count; i-- > 0;)
		if (ledger->members[i].index <= index)
			return &ledger->members[i].members;
	return NULL;
}
