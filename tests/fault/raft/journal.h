/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_JOURNAL_H
#define FL_SIM_JOURNAL_H
/*
 * A member's log as the simulator sees it: once as the member has it in memory, once as it is on
 * the disk. Each entry carries a hash of the log up to it (chain), so that two logs are compared
 * by looking at one entry.
 */
#include "../../../raft/types.h"

struct journal_entry {
	uint64_t term;
	uint64_t chain;
	uint64_t bytes;         /* of data, of all entries since the journal began */
	uint64_t members_index; /* of the newest membership up to here; 0: base_members */
	struct raft_bytes *data;
	uint8_t type;
};

struct journal {
	uint64_t base; /* index of the snapshot that entries follow; 0: none */
	uint64_t base_term, base_chain, base_bytes;
	struct raft_members base_members;
	struct journal_entry *entries;
	size_t count, room;
};

/* What a chain is at the snapshot that a cluster begins with. */
#define JOURNAL_CHAIN_FIRST UINT64_C(0x66616972)

void journal_free(struct journal *journal);
/* Drops everything: the log is what follows the snapshot. */
void journal_reset(struct journal *journal, const struct raft_snapshot *snapshot, uint64_t chain);
/* Drops what the snapshot stands for, if it is newer than the base and the log has its entry. */
void journal_compact(struct journal *journal, const struct raft_snapshot *snapshot);
void journal_copy(const struct journal *from, struct journal *to);
/* Cuts the log before entry->index where it has more (if cut), and appends. false: that would leave
 * a gap, or rewrite what the snapshot stands for. */
bool journal_append(struct journal *journal, const struct raft_entry *entry, bool cut);

uint64_t journal_last(const struct journal *journal);
/* NULL: not in it. The base has no entry. */
const struct journal_entry *journal_at(const struct journal *journal, uint64_t index);
/* Term and chain at index, of the base too. 0: not known. */
uint64_t journal_term(const struct journal *journal, uint64_t index);
uint64_t journal_chain(const struct journal *journal, uint64_t index);
/* Bytes of data in entries first .. last. */
uint64_t journal_bytes(const struct journal *journal, uint64_t first, uint64_t last);
/* Index of the newest membership up to index; 0: the snapshot's. */
uint64_t journal_members_index(const struct journal *journal, uint64_t index);
/* The membership in force at index. false: its entry makes no sense. */
bool journal_members(const struct journal *journal, uint64_t index, struct raft_members *members);
#endif
