/* SPDX-License-Identifier: BSD-2-Clause */
/* What members say to each other, and when they have to be silent. */
#include <inttypes.h>
#include <string.h>

#include "checks.h"
#include "checks_internal.h"
#include "trace.h"
#include "world.h"

enum { ENTRY_BYTES_MAX = 4096 };

static void check_vote(struct member *m, const struct raft_message *message, uint64_t voted_for)
{
	/* A newer term on disk keeps it from voting again in this one, too. */
	if (m->disk.hard.term <= message->term &&
	    ledger_find(&m->world->ledger.votes, m->id, message->term) != voted_for)
		world_fail(m->world, "persist-before-reply",
			   "member %" PRIu64 " says %s in term %" PRIu64
			   ", but its disk knows of no such vote",
			   m->id, trace_message_type(message->type), message->term);
}

/* "All up to index agrees with you, the leader of this term, and will not be lost." */
static void check_append_reply(struct member *m, const struct raft_message *message)
{
	const struct journal *disk = &m->disk.journal;
	const struct member *leader = world_find(m->world, message->to);

	/* In a newer term it may have cut them again, and does not vote in this one any more. */
	if (m->disk.hard.term < message->term ||
	    (m->disk.hard.term == message->term && journal_last(disk) < message->index))
		world_fail(m->world, "persist-before-reply",
			   "member %" PRIu64 " has entries up to %" PRIu64 " in term %" PRIu64
			   ", its disk up to %" PRIu64 " in term %" PRIu64,
			   m->id, message->index, message->term, journal_last(disk),
			   m->disk.hard.term);
	else if (leader && member_is_leader(leader) && leader->status.term == message->term &&
		 message->index > leader->log.base &&
		 !checks_has(m, message->index, journal_chain(&leader->log, message->index)))
		world_fail(m->world, "log-matching",
			   "member %" PRIu64 " says it agrees with leader %" PRIu64
			   " up to %" PRIu64 ", and does not",
			   m->id, leader->id, message->index);
}

static void check_timeout_now(struct member *m, const struct raft_message *message)
{
	struct raft_progress progress;

	if (raft_get_progress(m->raft, message->to, &progress))
		return; /* it does not lead any more: nothing to protect */
	if (m->status.transferring && progress.match != m->status.last)
		world_fail(m->world, "transfer",
			   "leader %" PRIu64 " hands over to %" PRIu64 ", which has %" PRIu64
			   " of %" PRIu64,
			   m->id, message->to, progress.match, m->status.last);
}

static void note_append(struct member *m, const struct raft_message *message)
{
	const struct member *to = world_find(m->world, message->to);
	struct member_flow *flow;

	if (!to || !member_is_leader(m) || message->term != m->status.term)
		return;
	flow = &m->flows[to->slot];
	if (!flow->high)
		*flow = (struct member_flow){message->index + 1, message->index};
	if (message->index + 1 < flow->low)
		flow->low = message->index + 1;
	if (message->index + message->entry_count > flow->high)
		flow->high = message->index + message->entry_count;
	if (journal_bytes(&m->log, message->index + 1, message->index + message->entry_count) >
		m->world->raft.message_bytes_max &&
	    message->entry_count > 1)
		world_fail(m->world, "flow",
			   "leader %" PRIu64 " sends more than a message may have", m->id);
}

void checks_sending(struct member *m, const struct raft_message *message)
{
	switch ((enum raft_message_type)message->type) {
	case RAFT_VOTE:
		check_vote(m, message, m->id);
		break;
	case RAFT_VOTE_REPLY:
		if (!message->reject)
			check_vote(m, message, message->to);
		break;
	case RAFT_APPEND_REPLY:
		if (!message->reject)
			check_append_reply(m, message);
		break;
	case RAFT_TIMEOUT_NOW:
		check_timeout_now(m, message);
		break;
	case RAFT_APPEND:
		if (message->entry_count)
			note_append(m, message);
		break;
	default:
		break;
	}
}

void checks_unreachable(struct member *m, uint64_t id)
{
	const struct member *to = world_find(m->world, id);

	if (to)
		m->flows[to->slot] = (struct member_flow){0};
}

static void note_append_reply(struct member *m, const struct raft_message *message, uint32_t slot)
{
	struct member_flow *flow = &m->flows[slot];

	if (message->reject || message->index >= flow->high)
		*flow = (struct member_flow){0};
	else if (message->index >= flow->low)
		flow->low = message->index + 1;
}

static bool is_from_leader(const struct raft_message *message)
{
	return message->type == RAFT_APPEND || message->type == RAFT_HEARTBEAT ||
	       message->type == RAFT_SNAPSHOT;
}

/* Messages that any member of an older term has to follow. */
static bool is_binding(const struct raft_message *message)
{
	return is_from_leader(message) || message->type == RAFT_APPEND_REPLY ||
	       message->type == RAFT_HEARTBEAT_REPLY || message->type == RAFT_VOTE_REPLY;
}

/* A leader need not listen to whom it has removed. */
static bool is_stranger(const struct member *m, const struct raft_message *message)
{
	return member_is_leader(m) && !raft_members_find(&m->status.members, message->from);
}

static bool has_lease(const struct member *m)
{
	return m->before.leader && m->before.leader != m->id && m->leader_heard &&
	       m->ticks - m->leader_heard + 1 < m->world->raft.election_ticks;
}

static void check_campaign(struct member *m, bool is_allowed)
{
	if (m->status.state == RAFT_CANDIDATE &&
	    (m->before.state != RAFT_CANDIDATE || m->before.term != m->status.term) && !is_allowed)
		world_fail(m->world, "term",
			   "member %" PRIu64 " campaigns in term %" PRIu64 " without a pre-vote",
			   m->id, m->status.term);
}

void checks_received(struct member *m, const struct raft_message *message)
{
	const struct member *from = world_find(m->world, message->from);

	if (is_binding(message) && m->status.term < message->term && !is_stranger(m, message))
		world_fail(m->world, "term",
			   "member %" PRIu64 " stays in term %" PRIu64 ", though %s says %" PRIu64,
			   m->id, m->status.term, trace_message_type(message->type), message->term);
	if (message->type == RAFT_VOTE && !message->transfer && has_lease(m) &&
	    m->status.term > m->before.term)
		world_fail(m->world, "term",
			   "member %" PRIu64 " leaves its live leader %" PRIu64 " for %" PRIu64,
			   m->id, m->before.leader, message->from);
	check_campaign(m, message->type == RAFT_PREVOTE_REPLY || message->type == RAFT_TIMEOUT_NOW);
	if (!from)
		return;
	if (is_from_leader(message) && message->term == m->status.term &&
	    m->status.leader == message->from)
		m->leader_heard = m->ticks + 1;
	if (message->term == m->status.term)
		m->heard[from->slot] = m->ticks;
	if (message->type == RAFT_APPEND_REPLY && message->term == m->status.term &&
	    member_is_leader(m))
		note_append_reply(m, message, from->slot);
}

static bool hears_of_majority(const struct member *m)
{
	const struct raft_members *members = &m->status.members;
	unsigned voters = 0, heard = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct member *other = world_find(m->world, members->member[i].id);

		if (members->member[i].role != RAFT_VOTER)
			continue;
		voters++;
		heard +=
		    other && (other == m ||
			      m->heard[other->slot] + m->world->raft.election_ticks >= m->ticks);
	}
	return heard > voters / 2;
}

static unsigned count_voters(const struct raft_members *members)
{
	unsigned voters = 0;

	for (uint32_t i = 0; i < members->count; i++)
		voters += members->member[i].role == RAFT_VOTER;
	return voters;
}

void checks_ticked(struct member *m)
{
	m->commits[++m->ticks % MEMBER_COMMITS] = m->status.commit;
	check_campaign(m, count_voters(&m->status.members) <= 1);
	m->deaf_ticks = member_is_leader(m) && !hears_of_majority(m) ? m->deaf_ticks + 1 : 0;
	if (m->deaf_ticks > 2 * m->world->raft.election_ticks)
		world_fail(m->world, "check-quorum",
			   "leader %" PRIu64 " in term %" PRIu64
			   " goes on though it hears of no majority",
			   m->id, m->status.term);
}

void checks_flow_begin(struct member *m)
{
	memset(m->flows, 0, WORLD_MEMBERS_MAX * sizeof(*m->flows));
	for (uint32_t i = 0; i < WORLD_MEMBERS_MAX; i++)
		m->heard[i] = m->ticks;
}

static void check_follower(struct member *m, const struct member *to)
{
	const struct raft_options *options = &m->world->raft;
	const struct member_flow *flow = &m->flows[to->slot];
	struct raft_progress progress;
	uint64_t wire;

	if (raft_get_progress(m->raft, to->id, &progress))
		return;
	wire = journal_bytes(&m->log, flow->low, flow->high);
	if (progress.inflight_bytes > options->inflight_bytes_max + ENTRY_BYTES_MAX ||
	    progress.inflight_messages > options->inflight_messages_max ||
	    wire > options->inflight_bytes_max + options->message_bytes_max + ENTRY_BYTES_MAX)
		world_fail(m->world, "flow",
			   "leader %" PRIu64 " has %u messages, %u bytes (on the wire %" PRIu64
			   ") in flight to %" PRIu64,
			   m->id, progress.inflight_messages, progress.inflight_bytes, wire,
			   to->id);
	if (progress.match > m->log.base && m == world_leader(m->world) &&
	    to->disk.hard.term <= m->status.term &&
	    !checks_has(to, progress.match, journal_chain(&m->log, progress.match)))
		world_fail(m->world, "persist-before-reply",
			   "leader %" PRIu64 " counts %" PRIu64 " as having %" PRIu64
			   ", which it has not",
			   m->id, to->id, progress.match);
}

void checks_flow(struct member *m)
{
	const struct raft_members *members = &m->status.members;
	const uint64_t first =
	    m->status.commit + 1 > m->lead_from ? m->status.commit + 1 : m->lead_from;

	for (uint32_t i = 0; i < members->count && !m->world->failed_check; i++) {
		const struct member *to = world_find(m->world, members->member[i].id);

		if (to && to != m)
			check_follower(m, to);
	}
	if (journal_bytes(&m->log, first, m->status.last) >
	    (uint64_t)m->world->raft.uncommitted_bytes_max + ENTRY_BYTES_MAX)
		world_fail(m->world, "flow",
			   "leader %" PRIu64 " has too much that is not committed", m->id);
}
