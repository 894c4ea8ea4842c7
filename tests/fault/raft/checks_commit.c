/* SPDX-License-Identifier: BSD-2-Clause */
/* Who leads, what is committed, and what is applied. */
#include <inttypes.h>
#include <string.h>

#include "checks.h"
#include "checks_internal.h"
#include "world.h"

enum { TRANSFER_US = 1000000 };

bool checks_has(const struct member *m, uint64_t index, uint64_t chain)
{
	const struct journal *journal = &m->disk.journal;

	return journal->base > index || journal_chain(journal, index) == chain;
}

static void check_on_disks(struct world *world, uint64_t index, uint64_t chain,
			   const struct raft_members *members)
{
	unsigned voters = 0, have = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct member *m = world_find(world, members->member[i].id);

		if (members->member[i].role != RAFT_VOTER)
			continue;
		voters++;
		have += m && checks_has(m, index, chain);
	}
	if (have <= voters / 2)
		world_fail(world, "quorum-on-disk",
			   "index %" PRIu64 " is committed, and on %u of %u voters' disks", index,
			   have, voters);
}

void checks_quorum(struct world *world)
{
	struct ledger *ledger = &world->ledger;

	check_on_disks(world, ledger->commit, ledger_at(ledger, ledger->commit)->chain,
		       &ledger->commit_members);
}

static void count_changes(struct sim_coverage *coverage, const struct raft_members *from,
			  const struct raft_members *to)
{
	for (uint32_t i = 0; i < to->count; i++) {
		const struct raft_member *now = &to->member[i];
		const struct raft_member *before = raft_members_find(from, now->id);

		coverage->learners_added += !before;
		if (!before)
			continue;
		coverage->learners_promoted +=
		    before->role == RAFT_LEARNER && now->role == RAFT_VOTER;
		coverage->voters_demoted += before->role == RAFT_VOTER && now->role == RAFT_LEARNER;
		coverage->addresses_set += strcmp(before->address, now->address) != 0;
	}
	for (uint32_t i = 0; i < from->count; i++)
		coverage->members_removed += !raft_members_find(to, from->member[i].id);
}

/* m says that index is committed. */
static void note_commit(struct member *m, uint64_t index)
{
	struct ledger *ledger = &m->world->ledger;
	struct ledger_commit *commit = ledger_at(ledger, index);
	const struct journal_entry *entry = journal_at(&m->log, index);
	struct raft_members members;

	if (!entry)
		return; /* a snapshot stands for it */
	if (commit->chain && commit->chain != entry->chain) {
		world_fail(m->world, "state-machine-safety",
			   "member %" PRIu64 " commits at index %" PRIu64
			   " an entry of term %" PRIu64 ", but another, of term %" PRIu64
			   ", was committed there",
			   m->id, index, entry->term, commit->term);
		return;
	}
	if (commit->chain)
		return;
	commit->chain = entry->chain;
	commit->term = entry->term;
	commit->committed_in = m->status.term;
	if (entry->type == RAFT_ENTRY_MEMBERS && journal_members(&m->log, index, &members)) {
		count_changes(&m->world->coverage, ledger_members_at(ledger, index), &members);
		ledger_add_members(ledger, index, &members);
	}
}

void checks_commit(struct member *m)
{
	struct world *world = m->world;
	struct ledger *ledger = &world->ledger;
	const uint64_t commit = m->status.commit;

	if (commit <= m->commit_seen)
		return;
	while (m->commit_seen < commit && !world->failed_check)
		note_commit(m, ++m->commit_seen);
	if (world->failed_check)
		return;
	if (member_is_leader(m) && journal_at(&m->log, commit))
		check_on_disks(world, commit, journal_chain(&m->log, commit), &m->status.members);
	if (commit > ledger->commit) {
		ledger->commit = commit;
		ledger->commit_members = m->status.members;
	}
}

/* Leader completeness: all that was committed in earlier terms is in its log. */
static void check_complete(struct member *m)
{
	struct ledger *ledger = &m->world->ledger;
	uint64_t index = ledger->commit;

	while (index && ledger_at(ledger, index)->committed_in >= m->status.term)
		index--;
	if (index > m->log.base && journal_chain(&m->log, index) != ledger_at(ledger, index)->chain)
		world_fail(m->world, "leader-completeness",
			   "member %" PRIu64 " leads in term %" PRIu64 " without index %" PRIu64
			   ", committed in term %" PRIu64,
			   m->id, m->status.term, index, ledger_at(ledger, index)->committed_in);
}

static void count_leaders(struct member *m)
{
	struct world *world = m->world;

	world->coverage.elections++;
	for (uint32_t i = 0; i < world->member_count; i++) {
		struct member *other = world->members[i];

		if (other == m)
			continue;
		world->coverage.stale_leaders += member_is_leader(other);
		if (other->transfer_to == m->id &&
		    world->now_us - other->transfer_us < TRANSFER_US) {
			world->coverage.transfers_done++;
			other->transfer_to = 0;
		}
	}
}

static void check_leader(struct member *m)
{
	const uint64_t id = ledger_note(&m->world->ledger.leaders, 0, m->status.term, m->id);

	if (id != m->id) {
		world_fail(m->world, "election-safety",
			   "members %" PRIu64 " and %" PRIu64 " lead in term %" PRIu64, id, m->id,
			   m->status.term);
		return;
	}
	if (m->leads_in == m->status.term)
		return;
	m->leads_in = m->status.term;
	m->lead_from = m->status.last;
	checks_flow_begin(m);
	count_leaders(m);
	check_complete(m);
}

void checks_called(struct member *m)
{
	const struct raft_status *status = &m->status;

	if (status->state == RAFT_LEADER)
		check_leader(m);
	if (status->stalled && status->state != RAFT_FOLLOWER)
		world_fail(m->world, "stall", "member %" PRIu64 " is %d with a full disk", m->id,
			   (int)status->state);
	if (status->term < m->before.term || status->commit < m->before.commit)
		world_fail(m->world, "status",
			   "member %" PRIu64 ": term %" PRIu64 " to %" PRIu64 ", commit %" PRIu64
			   " to %" PRIu64,
			   m->id, m->before.term, status->term, m->before.commit, status->commit);
	if (status->state == RAFT_LEADER && !m->world->failed_check)
		checks_commit(m);
}

void checks_applying(struct member *m, const struct raft_entry *entry)
{
	const struct journal *disk = &m->disk.journal;

	if (entry->index != m->applied + 1)
		world_fail(m->world, "applied-order",
			   "member %" PRIu64 " is to apply %" PRIu64 " after %" PRIu64, m->id,
			   entry->index, m->applied);
	else if (disk->base < entry->index && journal_term(disk, entry->index) != entry->term)
		world_fail(m->world, "applied-order",
			   "member %" PRIu64 " is to apply %" PRIu64 ", which is not on its disk",
			   m->id, entry->index);
	else if (journal_at(&m->log, entry->index) &&
		 journal_term(&m->log, entry->index) != entry->term)
		world_fail(m->world, "state-machine-safety",
			   "member %" PRIu64 " is to apply at %" PRIu64
			   " another entry than its log has",
			   m->id, entry->index);
	else
		note_commit(m, entry->index);
}

void checks_applied(struct member *m)
{
	struct ledger_commit *commit = ledger_at(&m->world->ledger, m->applied);
	const uint64_t hash = store_hash(&m->store);

	if (commit->state && commit->state != hash)
		world_fail(m->world, "state-machine-safety",
			   "member %" PRIu64 " has another state at %" PRIu64 " than others had",
			   m->id, m->applied);
	commit->state = hash;
}

void checks_read(struct member *m, uint64_t floor, uint64_t index)
{
	if (index < floor)
		world_fail(m->world, "read-index",
			   "member %" PRIu64 " may read at %" PRIu64 ", but %" PRIu64
			   " was committed when it was asked",
			   m->id, index, floor);
}
