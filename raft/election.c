/* SPDX-License-Identifier: BSD-2-Clause */
/* Who leads: sections 5.2 and 5.4.1, pre-vote (thesis 9.6), check-quorum (thesis 6.2). */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void reset_timer(struct raft *r)
{
	r->election_elapsed = 0;
	r->election_timeout =
	    r->options.election_ticks +
	    r->options.random(r->options.random_context) % r->options.election_ticks;
}

static void reset(struct raft *r, uint64_t term, uint64_t leader)
{
	if (term != r->term) {
		r->term = term;
		r->vote = 0;
	}
	r->leader = leader;
	r->transfer_to = 0;
	r->round_wanted = false;
	memset(r->votes, VOTE_NONE, sizeof(r->votes));
	reset_timer(r);
}

void election_become_follower(struct raft *r, uint64_t term, uint64_t leader)
{
	assert(term >= r->term);
	/* A read asks one leader, in one term. */
	if (r->state == RAFT_LEADER || r->leader != leader || r->term != term)
		read_fail_all(r);
	r->state = RAFT_FOLLOWER;
	r->progress_count = 0;
	reset(r, term, leader);
}

/*
 * A member whose own removal is in its log, but not committed, may still be needed: nobody with a
 * shorter log can be elected in its place (thesis 4.2.2). It asks for votes and does not count its
 * own.
 */
bool election_promotable(const struct raft *r)
{
	if (r->stalled || r->term >= RAFT_TERM_MAX)
		return false;
	if (members_is_voter(&r->members, r->options.id))
		return true;
	return r->members_index > r->commit && members_is_voter(&r->committed, r->options.id);
}

/* A leader was heard of within the least election timeout, or it is this member. */
bool election_lease_holds(const struct raft *r)
{
	if (RAFT_MUTATION(no_lease))
		return false;
	return r->leader && r->election_elapsed < r->options.election_ticks;
}

static void count_own_vote(struct raft *r)
{
	for (uint32_t i = 0; i < r->members.count; i++)
		if (r->members.member[i].id == r->options.id)
			r->votes[i] = VOTE_YES;
}

static void ask(struct raft *r, uint8_t type, uint64_t term, bool transfer)
{
	/* A PREVOTE promises nothing. A VOTE says what is in the log: were it lost in a crash, and
	 * this member a candidate of the same term again, an old answer would elect a shorter log.
	 */
	bool now = type == RAFT_PREVOTE || RAFT_MUTATION(ask_before_persist);

	for (uint32_t i = 0; i < r->members.count; i++) {
		const struct raft_member *member = &r->members.member[i];
		if (!members_counts(r, i) || member->id == r->options.id)
			continue;
		struct raft_message *m =
		    effects_push(r, now ? &r->now : &r->later, type, member->id);
		m->term = term;
		m->index = raft_log_last(&r->log);
		m->log_term = raft_log_term(&r->log, m->index);
		m->transfer = transfer;
	}
}

void election_campaign(struct raft *r, bool transfer)
{
	read_fail_all(r);
	r->state = RAFT_CANDIDATE;
	reset(r, r->term + 1, 0);
	r->vote = r->options.id;
	ask(r, RAFT_VOTE, r->term, transfer);
	if (RAFT_MUTATION(own_vote_before_persist)) {
		count_own_vote(r);
		election_tally(r);
	}
}

void election_start(struct raft *r)
{
	if (!election_promotable(r)) {
		/* The leader is gone all the same: a lease must not stand in others' way. */
		election_become_follower(r, r->term, 0);
		return;
	}
	read_fail_all(r);
	if (RAFT_MUTATION(no_prevote)) {
		election_campaign(r, false);
		return;
	}
	r->state = RAFT_PRECANDIDATE;
	reset(r, r->term, 0);
	count_own_vote(r);
	ask(r, RAFT_PREVOTE, r->term + 1, false);
	election_tally(r);
}

static void become_leader(struct raft *r)
{
	r->state = RAFT_LEADER;
	reset(r, r->term, r->options.id);
	replication_start(r);
}

/* Decides an election as soon as it can be. */
void election_tally(struct raft *r)
{
	uint32_t voters = members_voters(&r->members), yes = 0, no = 0;

	if (r->state == RAFT_CANDIDATE && r->batches.term == r->term &&
	    r->batches.vote == r->options.id)
		count_own_vote(r);
	for (uint32_t i = 0; i < r->members.count; i++) {
		if (!members_counts(r, i))
			continue;
		yes += r->votes[i] == VOTE_YES;
		no += r->votes[i] == VOTE_NO;
	}
	if (yes > voters / 2) {
		if (r->state == RAFT_PRECANDIDATE)
			election_campaign(r, false);
		else
			become_leader(r);
	} else if (no && no >= voters - voters / 2) {
		election_become_follower(r, r->term, 0);
	}
}

/* Section 5.4.1. */
static bool up_to_date(const struct raft *r, uint64_t index, uint64_t term)
{
	uint64_t last = raft_log_last(&r->log);
	uint64_t last_term = raft_log_term(&r->log, last);

	if (RAFT_MUTATION(stale_log_vote))
		return true;
	return term > last_term || (term == last_term && index >= last);
}

static void answer(struct raft *r, const struct raft_message *m, bool grant)
{
	bool prevote = m->type == RAFT_PREVOTE;
	uint8_t type = prevote ? RAFT_PREVOTE_REPLY : RAFT_VOTE_REPLY;
	bool promises = grant && !prevote && !RAFT_MUTATION(vote_before_persist);
	struct raft_message *reply = effects_push(r, promises ? &r->later : &r->now, type, m->from);

	reply->reject = !grant;
	/* A yes to a pre-vote is for the term that was asked for; a no tells where we are. */
	if (grant)
		reply->term = m->term;
}

void election_step_vote(struct raft *r, const struct raft_message *m)
{
	bool can;

	if (m->term < r->term) {
		answer(r, m, false);
		return;
	}
	if (m->type == RAFT_PREVOTE)
		/* While the disk is stalled no vote could follow. */
		can = m->term > r->term && !r->stalled;
	else
		can = r->vote == m->from || (r->vote == 0 && r->leader == 0) ||
		      RAFT_MUTATION(forget_vote);
	bool grant = can && up_to_date(r, m->index, m->log_term);
	if (grant && m->type == RAFT_VOTE) {
		r->vote = m->from;
		r->election_elapsed = 0;
	}
	answer(r, m, grant);
}

void election_step_vote_reply(struct raft *r, const struct raft_message *m)
{
	bool prevote = m->type == RAFT_PREVOTE_REPLY;
	uint64_t asked = prevote && !m->reject ? r->term + 1 : r->term;

	if (r->state != (prevote ? RAFT_PRECANDIDATE : RAFT_CANDIDATE) || m->term != asked)
		return;
	for (uint32_t i = 0; i < r->members.count; i++)
		if (r->members.member[i].id == m->from && r->votes[i] == VOTE_NONE)
			r->votes[i] = m->reject ? VOTE_NO : VOTE_YES;
	election_tally(r);
}

void election_check_quorum(struct raft *r)
{
	uint32_t voters = members_voters(&r->members), active = 0;

	for (uint32_t i = 0; i < r->members.count; i++) {
		if (!members_counts(r, i))
			continue;
		uint64_t id = r->members.member[i].id;
		const struct progress *progress = replication_find(r, id);
		active += id == r->options.id || (progress && progress->active);
	}
	if (active <= voters / 2 && !RAFT_MUTATION(no_check_quorum)) {
		election_become_follower(r, r->term, 0);
		return;
	}
	for (uint32_t i = 0; i < r->progress_count; i++) {
		struct progress *progress = &r->progress[i];
		/* A stream or a snapshot to somebody silent is given up; the next sign of life
		 * begins anew. */
		if (!progress->active && progress->state != PROGRESS_PROBE) {
			progress_to_probe(progress, progress->match + 1);
			progress->paused = true;
		}
		progress->active = false;
	}
}

int raft_campaign(struct raft *r)
{
	if (r->state == RAFT_LEADER)
		return 0;
	if (!election_promotable(r))
		return RAFT_INVALID;
	if (effects_reserve(r) || raft_log_reserve(&r->log, 1))
		return -ENOMEM;
	election_start(r);
	return 0;
}
