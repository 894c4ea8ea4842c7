/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, the dispatch of messages, time, and what the disk says. */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

_Static_assert(RAFT_NOT_LEADER == -EREMOTE && RAFT_BUSY == -EBUSY && RAFT_FULL == -ENOBUFS &&
		   RAFT_TOO_BIG == -EMSGSIZE && RAFT_NOT_YET == -EAGAIN && RAFT_INVALID == -EINVAL,
	       "core.h spells them out");

void raft_options_default(struct raft_options *options)
{
	*options = (struct raft_options){
	    .election_ticks = 25,
	    .heartbeat_ticks = 5,
	    .message_bytes_max = 1 << 20,
	    .inflight_bytes_max = 8 << 20,
	    .inflight_messages_max = 256,
	    .uncommitted_bytes_max = 64 << 20,
	    .chunk_bytes = 256 << 10,
	};
}

static bool options_valid(const struct raft_options *options)
{
	return options->id && options->random && options->heartbeat_ticks &&
	       options->election_ticks / 2 >= options->heartbeat_ticks &&
	       options->election_ticks <= INT32_MAX && options->message_bytes_max &&
	       options->message_bytes_max <= RAFT_ENTRY_SIZE_MAX && options->inflight_bytes_max &&
	       options->inflight_bytes_max <= INT32_MAX && options->inflight_messages_max &&
	       options->inflight_messages_max <= UINT16_MAX && options->chunk_bytes &&
	       options->chunk_bytes <= RAFT_SNAPSHOT_CHUNK_MAX;
}

static bool restored_valid(const struct raft_restored *restored)
{
	const struct raft_snapshot *snapshot = &restored->snapshot;
	const struct raft_hard_state *hard = &restored->hard_state;
	uint64_t term = snapshot->term;

	if ((snapshot->index == 0) != (snapshot->term == 0) || snapshot->index > RAFT_INDEX_MAX ||
	    snapshot->term > RAFT_TERM_MAX || hard->term > RAFT_TERM_MAX)
		return false;
	if (!raft_members_valid(&snapshot->members) ||
	    (snapshot->index && !members_voters(&snapshot->members)))
		return false;
	for (size_t i = 0; i < restored->entry_count; i++) {
		const struct raft_entry *entry = &restored->entries[i];
		if (entry->index != snapshot->index + 1 + i || !members_entry_valid(entry))
			return false;
		/* A term is on disk before the first entry of it. */
		if (!entry->term || entry->term < term || entry->term > hard->term)
			return false;
		term = entry->term;
	}
	return hard->commit <= snapshot->index + restored->entry_count;
}

static void restore(struct raft *r, const struct raft_restored *restored)
{
	const struct raft_snapshot *snapshot = &restored->snapshot;
	const struct raft_hard_state *hard = &restored->hard_state;

	/* A new cluster's snapshot has a term before anybody has campaigned. */
	bool behind = hard->term < snapshot->term;
	r->term = behind ? snapshot->term : hard->term;
	r->vote = behind ? 0 : hard->vote;
	r->taken = *hard;
	r->snapshot_index = snapshot->index;
	members_reset(r, &snapshot->members);
	for (size_t i = 0; i < restored->entry_count; i++) {
		raft_log_append(&r->log, &restored->entries[i]);
		if (restored->entries[i].type == RAFT_ENTRY_MEMBERS)
			members_adopt(r, &restored->entries[i]);
	}
	r->batches.taken = raft_log_last(&r->log);
	r->batches.persisted = r->batches.taken;
	r->batches.term = hard->term;
	r->batches.vote = hard->vote;
	r->commit = snapshot->index;
	r->applied = snapshot->index;
	replication_commit(r, hard->commit);
}

int raft_open(const struct raft_options *options, const struct raft_restored *restored,
	      struct raft **out)
{
	if (!options_valid(options) || !restored_valid(restored))
		return -EINVAL;
	struct raft *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->options = *options;
	r->inflight_rings = calloc((size_t)RAFT_PROGRESS_MAX * options->inflight_messages_max,
				   sizeof(*r->inflight_rings));
	raft_log_reset(&r->log, restored->snapshot.index, restored->snapshot.term);
	if (!r->inflight_rings || raft_log_reserve(&r->log, restored->entry_count)) {
		raft_close(r);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < RAFT_PROGRESS_MAX; i++) {
		r->progress[i].inflights.ring =
		    r->inflight_rings + (size_t)i * options->inflight_messages_max;
		r->progress[i].inflights.capacity = options->inflight_messages_max;
	}
	restore(r, restored);
	/* Answers to what an earlier life asked must not be taken for answers to this one's. */
	uint64_t high = options->random(options->random_context);
	r->token = high << 32 | options->random(options->random_context);
	election_become_follower(r, r->term, 0);
	*out = r;
	return 0;
}

void raft_close(struct raft *r)
{
	if (!r)
		return;
	effects_free(r);
	batches_free(&r->batches);
	raft_log_free(&r->log);
	free(r->inflight_rings);
	free(r);
}

static bool message_valid(const struct raft *r, const struct raft_message *m)
{
	if (m->to != r->options.id || !m->from || m->from == m->to)
		return false;
	if (!m->term || m->term > RAFT_TERM_MAX || m->index > RAFT_INDEX_MAX)
		return false;
	switch (m->type) {
	case RAFT_APPEND:
		return append_valid(m);
	case RAFT_SNAPSHOT:
		return snapshot_valid(m);
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		return m->log_term < m->term || (m->log_term == m->term && !m->index);
	default:
		return m->type > 0 && m->type < RAFT_MESSAGE_TYPES;
	}
}

static bool from_leader(const struct raft_message *m)
{
	return m->type == RAFT_APPEND || m->type == RAFT_HEARTBEAT || m->type == RAFT_SNAPSHOT;
}

/* Of an older term: whoever asks learns of the newer one. false: nothing more to do. */
static bool step_older(struct raft *r, const struct raft_message *m)
{
	if (m->type == RAFT_APPEND && RAFT_MUTATION(no_term_check_on_append))
		return true;
	if (from_leader(m))
		effects_push(r, &r->now, RAFT_APPEND_REPLY, m->from)->reject = true;
	else if (m->type == RAFT_PREVOTE || m->type == RAFT_VOTE)
		election_step_vote(r, m);
	else if (m->type == RAFT_READ)
		read_step(r, m);
	return false;
}

static bool step_newer(struct raft *r, const struct raft_message *m)
{
	switch (m->type) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		if (!m->transfer && election_lease_holds(r))
			return false;
		if (m->type == RAFT_PREVOTE)
			return true;
		break;
	case RAFT_PREVOTE_REPLY:
		/* A yes is for a term that nobody is in yet. */
		if (!m->reject)
			return true;
		break;
	case RAFT_APPEND_REPLY:
	case RAFT_HEARTBEAT_REPLY:
	case RAFT_SNAPSHOT_REPLY:
	case RAFT_READ:
		/* Whoever was removed has no say in who leads. */
		if (r->state == RAFT_LEADER && !replication_find(r, m->from))
			return false;
		break;
	default:
		break;
	}
	if (r->state == RAFT_LEADER && RAFT_MUTATION(no_step_down_on_higher_term))
		return false;
	election_become_follower(r, m->term, from_leader(m) ? m->from : 0);
	return true;
}

/* In this term, and its leader speaks. false: it is not its leader. */
static bool hear_leader(struct raft *r, const struct raft_message *m)
{
	if (r->state == RAFT_LEADER)
		return false;
	if (r->leader && r->leader != m->from && !RAFT_MUTATION(no_term_check_on_append))
		return false;
	if (r->state != RAFT_FOLLOWER || r->leader != m->from)
		election_become_follower(r, r->term, m->from);
	r->election_elapsed = 0;
	return true;
}

static void dispatch(struct raft *r, const struct raft_message *m)
{
	if (from_leader(m) && !hear_leader(r, m))
		return;
	switch (m->type) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		election_step_vote(r, m);
		break;
	case RAFT_PREVOTE_REPLY:
	case RAFT_VOTE_REPLY:
		election_step_vote_reply(r, m);
		break;
	case RAFT_APPEND:
		append_step(r, m);
		break;
	case RAFT_APPEND_REPLY:
		replication_step_append_reply(r, m);
		break;
	case RAFT_HEARTBEAT:
		append_step_heartbeat(r, m);
		break;
	case RAFT_HEARTBEAT_REPLY:
		replication_step_heartbeat_reply(r, m);
		break;
	case RAFT_SNAPSHOT:
		snapshot_step(r, m);
		break;
	case RAFT_SNAPSHOT_REPLY:
		snapshot_step_reply(r, m);
		break;
	case RAFT_TIMEOUT_NOW:
		transfer_step_timeout_now(r, m);
		break;
	case RAFT_READ:
		read_step(r, m);
		break;
	case RAFT_READ_REPLY:
		read_step_reply(r, m);
		break;
	default:
		break;
	}
}

int raft_step(struct raft *r, const struct raft_message *m)
{
	if (!message_valid(r, m))
		return 0;
	/* One more entry: this message may make a leader. */
	if (effects_reserve(r) || snapshot_reserve(r) ||
	    raft_log_reserve(&r->log, (m->type == RAFT_APPEND ? m->entry_count : 0) + 1))
		return -ENOMEM;
	if (m->term < r->term && !step_older(r, m))
		return 0;
	if (m->term > r->term && !step_newer(r, m))
		return 0;
	dispatch(r, m);
	return 0;
}

static void tick_leader(struct raft *r)
{
	r->election_elapsed++;
	transfer_tick(r);
	if (r->election_elapsed >= r->options.election_ticks) {
		r->election_elapsed = 0;
		election_check_quorum(r);
		if (r->state != RAFT_LEADER)
			return;
	}
	if (++r->heartbeat_elapsed < r->options.heartbeat_ticks)
		return;
	r->heartbeat_elapsed = 0;
	r->commit_at_heartbeat = r->commit;
	for (uint32_t i = 0; i < r->progress_count; i++)
		replication_heartbeat(r, &r->progress[i]);
}

static void obey_stall(struct raft *r)
{
	if (!r->stalled || r->state == RAFT_FOLLOWER)
		return;
	if (r->state == RAFT_LEADER)
		transfer_give_up_lead(r);
	else
		election_become_follower(r, r->term, 0);
}

int raft_tick(struct raft *r)
{
	if (effects_reserve(r) || raft_log_reserve(&r->log, 1))
		return -ENOMEM;
	r->ticks++;
	obey_stall(r);
	read_tick(r);
	if (r->state == RAFT_LEADER)
		tick_leader(r);
	else if (++r->election_elapsed >= r->election_timeout) {
		r->election_elapsed = 0;
		election_start(r);
	}
	return 0;
}

int raft_persisted(struct raft *r, uint64_t sequence)
{
	if (effects_reserve(r) || raft_log_reserve(&r->log, 1))
		return -ENOMEM;
	batches_persisted(&r->batches, sequence);
	if (r->state == RAFT_CANDIDATE)
		election_tally(r);
	replication_maybe_commit(r);
	return 0;
}

void raft_stall(struct raft *r, bool stalled)
{
	r->stalled = stalled;
	/* Without memory to say so, the next tick is soon enough to step down. */
	if (!effects_reserve(r))
		obey_stall(r);
}

void raft_get_status(const struct raft *r, struct raft_status *status)
{
	*status = (struct raft_status){
	    .id = r->options.id,
	    .term = r->term,
	    .vote = r->vote,
	    .leader = r->leader,
	    .state = r->state,
	    .commit = r->commit,
	    .applied = r->applied,
	    .first = raft_log_first(&r->log),
	    .last = raft_log_last(&r->log),
	    .persisted = r->batches.persisted,
	    .stalled = r->stalled,
	    .transferring = r->transfer_to != 0,
	    .members = r->members,
	};
}

int raft_get_progress(const struct raft *r, uint64_t id, struct raft_progress *out)
{
	const struct progress *progress = NULL;

	for (uint32_t i = 0; r->state == RAFT_LEADER && i < r->progress_count; i++)
		if (r->progress[i].id == id)
			progress = &r->progress[i];
	if (!progress)
		return -ENOENT;
	*out = (struct raft_progress){
	    .match = progress->match,
	    .next = progress->next,
	    .inflight_messages = progress->inflights.count,
	    .inflight_bytes = progress->inflights.bytes,
	    .active = progress->active,
	    .probing = progress->state == PROGRESS_PROBE,
	    .snapshot = progress->state == PROGRESS_SNAPSHOT,
	};
	return 0;
}
