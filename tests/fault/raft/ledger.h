/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_LEDGER_H
#define FL_SIM_LEDGER_H
/* What an all-knowing observer of the cluster has seen: who led in which term, who voted for whom,
 * which logs there were, and what is committed. checks.c compares the members with it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../raft/types.h"

struct ledger_commit {
	uint64_t chain; /* 0: not committed yet */
	uint64_t term;
	uint64_t committed_in; /* the term of the leader that committed it */
	uint64_t state;        /* hash of the state machine once it is applied; 0: not yet */
	uint64_t members_index;
};

struct ledger_members {
	uint64_t index;
	struct raft_members members;
};

struct ledger_pair {
	uint64_t a, b; /* b 0: an empty slot */
	uint64_t value;
};
/* (a, b) to a value: open addressing. */
struct ledger_table {
	struct ledger_pair *pairs;
	size_t count, room;
};

struct ledger {
	struct ledger_table leaders; /* (0, term): id */
	struct ledger_table votes;   /* (member, term): for whom */
	struct ledger_table logs;    /* (index, term): chain of the log up to there */
	struct ledger_commit *commits;
	size_t commit_room;
	uint64_t commit;                    /* the highest index that is committed */
	struct raft_members commit_members; /* whose majority committed it */
	struct ledger_members *members;     /* committed memberships, by index */
	size_t members_count, members_room;
};

void ledger_free(struct ledger *ledger);
/* What was noted for (a, b) before; if nothing, notes value and returns it. b is never 0. */
uint64_t ledger_note(struct ledger_table *table, uint64_t a, uint64_t b, uint64_t value);
/* 0: nothing. */
uint64_t ledger_find(const struct ledger_table *table, uint64_t a, uint64_t b);
/* Of any index, committed or not. */
struct ledger_commit *ledger_at(struct ledger *ledger, uint64_t index);
void ledger_add_members(struct ledger *ledger, uint64_t index, const struct raft_members *members);
/* In force at a committed index. NULL: unknown. */
const struct raft_members *ledger_members_at(const struct ledger *ledger, uint64_t index);
#endif
