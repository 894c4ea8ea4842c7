/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in a member's log, in memory and on disk. */
#include <inttypes.h>
#include <string.h>

#include "checks.h"
#include "checks_internal.h"
#include "world.h"

enum { INDEX_MAX = 1 << 22 };

/* All logs with an entry of this index and term agree up to it. */
static void check_matching(struct member *m, uint64_t index)
{
	struct ledger *ledger = &m->world->ledger;
	const uint64_t term = journal_term(&m->log, index);
	const uint64_t chain = journal_chain(&m->log, index);

	if (index > INDEX_MAX || !term)
		world_fail(m->world, "log", "member %" PRIu64 ": index %" PRIu64 " term %" PRIu64,
			   m->id, index, term);
	else if (ledger_note(&ledger->logs, index, term, chain) != chain)
		world_fail(m->world, "log-matching",
			   "member %" PRIu64 " at index %" PRIu64 " term %" PRIu64
			   ": its log differs from another with the same entry",
			   m->id, index, term);
	else if (term < journal_term(&m->log, index - 1))
		world_fail(m->world, "log-matching",
			   "member %" PRIu64 ": terms fall at index %" PRIu64, m->id, index);
}

static unsigned voters_changed(const struct raft_members *from, const struct raft_members *to)
{
	unsigned changed = 0;

	for (uint32_t i = 0; i < from->count; i++) {
		const struct raft_member *other = raft_members_find(to, from->member[i].id);

		changed +=
		    from->member[i].role == RAFT_VOTER && (!other || other->role != RAFT_VOTER);
	}
	for (uint32_t i = 0; i < to->count; i++) {
		const struct raft_member *other = raft_members_find(from, to->member[i].id);

		changed +=
		    to->member[i].role == RAFT_VOTER && (!other || other->role != RAFT_VOTER);
	}
	return changed;
}

/* A leader has put a new membership into its log. */
static void check_change(struct member *m, uint64_t index)
{
	const uint64_t last = journal_members_index(&m->log, index - 1);
	struct raft_members from, to;

	if (!journal_members(&m->log, index - 1, &from) || !journal_members(&m->log, index, &to)) {
		world_fail(m->world, "membership", "member %" PRIu64 ": no membership at %" PRIu64,
			   m->id, index);
		return;
	}
	if (last > m->status.commit)
		world_fail(m->world, "membership",
			   "leader %" PRIu64 " changes members at %" PRIu64 ", but the change at "
			   "%" PRIu64 " is not committed",
			   m->id, index, last);
	else if (journal_term(&m->log, m->status.commit) != m->status.term)
		world_fail(m->world, "membership",
			   "leader %" PRIu64 " changes members at %" PRIu64
			   " before anything of its term is committed",
			   m->id, index);
	else if (voters_changed(&from, &to) > 1)
		world_fail(m->world, "membership",
			   "leader %" PRIu64 " changes two voters at once, at %" PRIu64, m->id,
			   index);
}

void checks_promoted(struct member *m, uint64_t id)
{
	const uint64_t commit = m->commits[(m->ticks + 1) % MEMBER_COMMITS];
	const struct member *learner = world_find(m->world, id);

	if (!learner || journal_last(&learner->disk.journal) < commit)
		world_fail(m->world, "membership",
			   "leader %" PRIu64 " promotes %" PRIu64 ", which is behind: %" PRIu64
			   " was committed",
			   m->id, id, commit);
}

static void take_entry(struct member *m, const struct raft_entry *entry, bool is_leader)
{
	struct world *world = m->world;
	const bool overwrites = entry->index <= journal_last(&m->log);
	const uint64_t before = journal_chain(&m->log, entry->index);

	if (!journal_append(&m->log, entry, true)) {
		world_fail(world, "log",
			   "member %" PRIu64 ": entry %" PRIu64 " does not follow %" PRIu64, m->id,
			   entry->index, journal_last(&m->log));
		return;
	}
	world->coverage.conflicts_truncated +=
	    overwrites && before != journal_chain(&m->log, entry->index);
	check_matching(m, entry->index);
	if (overwrites && entry->index <= m->commit_seen &&
	    before != journal_chain(&m->log, entry->index))
		world_fail(world, "state-machine-safety",
			   "member %" PRIu64 " rewrites index %" PRIu64 ", %" PRIu64
			   " was committed",
			   m->id, entry->index, m->commit_seen);
	if (is_leader && entry->type == RAFT_ENTRY_MEMBERS && entry->term == m->status.term &&
	    !world->failed_check)
		check_change(m, entry->index);
}

static void take_install(struct member *m, const struct raft_snapshot *snapshot)
{
	struct ledger *ledger = &m->world->ledger;
	const uint64_t chain = ledger_find(&ledger->logs, snapshot->index, snapshot->term);

	if (!chain || ledger_at(ledger, snapshot->index)->chain != chain)
		world_fail(m->world, "snapshot",
			   "member %" PRIu64 " installs a snapshot of %" PRIu64 "/%" PRIu64
			   ", which is not committed",
			   m->id, snapshot->index, snapshot->term);
	journal_reset(&m->log, snapshot, chain);
	if (m->commit_seen < snapshot->index)
		m->commit_seen = snapshot->index;
}

void checks_taken(struct member *m, const struct raft_effects *effects)
{
	const bool is_leader = m->status.state == RAFT_LEADER;

	if (is_leader && m->taken_in == m->status.term && effects->entry_count &&
	    effects->entries[0].index <= journal_last(&m->log))
		world_fail(m->world, "leader-append-only",
			   "leader %" PRIu64 " rewrites index %" PRIu64 " of its log", m->id,
			   effects->entries[0].index);
	for (size_t i = 0; i < effects->entry_count && !m->world->failed_check; i++)
		take_entry(m, &effects->entries[i], is_leader);
	if (effects->has_install && !m->world->failed_check)
		take_install(m, &effects->install);
	m->taken_in = is_leader ? m->status.term : 0;
}

static bool is_same(const struct raft_members *a, const struct raft_members *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->member[i].id != b->member[i].id || a->member[i].role != b->member[i].role ||
		    strcmp(a->member[i].address, b->member[i].address) != 0)
			return false;
	return true;
}

static void check_status(struct member *m)
{
	const uint64_t last = journal_last(&m->log);
	const struct raft_status *status = &m->status;
	struct raft_members members;

	if (status->last != last)
		world_fail(m->world, "status",
			   "member %" PRIu64 ": its log ends at %" PRIu64
			   ", its effects at %" PRIu64,
			   m->id, status->last, last);
	else if (!journal_members(&m->log, last, &members) || !is_same(&members, &status->members))
		world_fail(m->world, "status",
			   "member %" PRIu64 ": its members are not those of its log", m->id);
	else if (m->applied > status->commit || status->commit > last)
		world_fail(m->world, "status",
			   "member %" PRIu64 ": applied %" PRIu64 ", commit %" PRIu64
			   ", last %" PRIu64,
			   m->id, m->applied, status->commit, last);
	else if (status->persisted > journal_last(&m->disk.journal))
		world_fail(m->world, "status",
			   "member %" PRIu64 ": %" PRIu64 " is not on its disk, only %" PRIu64,
			   m->id, status->persisted, journal_last(&m->disk.journal));
}

void checks_settled(struct member *m)
{
	check_status(m);
	if (!m->world->failed_check)
		checks_commit(m);
	if (!m->world->failed_check && member_is_leader(m))
		checks_flow(m);
}

void checks_disk(struct member *m)
{
	const struct raft_hard_state *hard = &m->disk.hard;

	if (hard->vote &&
	    ledger_note(&m->world->ledger.votes, m->id, hard->term, hard->vote) != hard->vote)
		world_fail(m->world, "votes",
			   "member %" PRIu64 " votes for %" PRIu64 " in term %" PRIu64
			   ", and voted for %" PRIu64,
			   m->id, hard->vote, hard->term,
			   ledger_find(&m->world->ledger.votes, m->id, hard->term));
	checks_quorum(m->world);
}

void checks_snapshot(struct member *m, const struct raft_snapshot *snapshot, uint64_t state)
{
	struct ledger *ledger = &m->world->ledger;
	const struct ledger_commit *commit = ledger_at(ledger, snapshot->index);
	const struct raft_members *members = ledger_members_at(ledger, snapshot->index);
	const char *wrong = NULL;

	if (!commit->chain || commit->term != snapshot->term)
		wrong = "is not of what was committed";
	else if (commit->state && commit->state != state)
		wrong = "has another state than the one at its index";
	else if (!members || !is_same(members, &snapshot->members))
		wrong = "has other members than those at its index";
	if (wrong)
		world_fail(m->world, "snapshot",
			   "member %" PRIu64 ": the snapshot at %" PRIu64 " %s", m->id,
			   snapshot->index, wrong);
}

void checks_opened(struct member *m)
{
	m->commit_seen = m->log.base;
	m->leads_in = m->taken_in = m->leader_heard = 0;
	m->ticks = m->deaf_ticks = 0;
	memset(m->commits, 0, sizeof(m->commits));
	memset(m->flows, 0, WORLD_MEMBERS_MAX * sizeof(*m->flows));
	for (uint64_t i = m->log.base + 1; i <= journal_last(&m->log); i++)
		check_matching(m, i);
	checks_disk(m);
}
