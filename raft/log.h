/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_LOG_H
#define FL_RAFT_LOG_H
/*
 * The part of the log that is in memory: what follows the newest snapshot, and a little before it
 * for followers that lag.
 *
 *    gone (in a snapshot)   before     entries[head] ............ entries[head + count - 1]
 *   ----------------------|----------|---------------------------------------------|
 *                          before_term  before + 1                        before + count
 *
 * The log holds the data of its entries.
 */
#include "types.h"

struct raft_log {
	struct raft_entry *entries;
	size_t head, count, capacity;
	uint64_t before, before_term; /* 0, 0: nothing came before */
};

/* What an entry counts for where bytes are bounded: its data, and what carries it. */
enum { RAFT_ENTRY_OVERHEAD = 32 };
static inline uint32_t raft_entry_bytes(const struct raft_entry *entry)
{
	return (entry->data ? entry->data->size : 0) + RAFT_ENTRY_OVERHEAD;
}

static inline uint64_t raft_log_first(const struct raft_log *log)
{
	return log->before + 1;
}
static inline uint64_t raft_log_last(const struct raft_log *log)
{
	return log->before + log->count;
}

void raft_log_free(struct raft_log *log);
/* Room for more entries, so that raft_log_append cannot fail. -ENOMEM. */
int raft_log_reserve(struct raft_log *log, size_t more);
/* entry->index has to be the last + 1. Takes a reference to its data. */
void raft_log_append(struct raft_log *log, const struct raft_entry *entry);
/* NULL: not in memory. Valid until the log changes. */
const struct raft_entry *raft_log_at(const struct raft_log *log, uint64_t index);
/* 0: not known (gone, or past the end). The term of index 0 is 0 as well: ask raft_log_knows. */
uint64_t raft_log_term(const struct raft_log *log, uint64_t index);
static inline bool raft_log_knows(const struct raft_log *log, uint64_t index)
{
	return index >= log->before && index <= raft_log_last(log);
}
/* The index is here, and of this term (the log matching property, section 5.3). */
bool raft_log_matches(const struct raft_log *log, uint64_t index, uint64_t term);
/* The last index in [before, limit] whose term is not above term; before if none is. */
uint64_t raft_log_last_of_term(const struct raft_log *log, uint64_t limit, uint64_t term);
/* How many entries from first on fit into bytes_max; *bytes: what they count for. */
uint32_t raft_log_fit(const struct raft_log *log, uint64_t first, uint32_t bytes_max,
		      uint32_t *bytes);
/* Drops from and all after it. */
void raft_log_truncate(struct raft_log *log, uint64_t from);
/* Drops what comes up to and including index, which is in memory. */
void raft_log_drop(struct raft_log *log, uint64_t index);
/* An empty log after index. */
void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term);
#endif
