/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots (section 7), a chunk at a time: the leader asks its caller for the piece that the
 * follower wants next, sends it, and waits for the answer, which echoes the piece's offset.
 */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* The sender's side. */

static void want(struct progress *progress, uint64_t offset)
{
	progress->phase = SNAPSHOT_WANT;
	progress->offset = offset;
}

/* The follower is alive. What has not been answered for long is lost. */
void snapshot_heartbeat_answered(struct raft *r, struct progress *progress)
{
	if (progress->phase == SNAPSHOT_WANT ||
	    r->ticks - progress->since < r->options.election_ticks)
		return;
	if (progress->phase == SNAPSHOT_ASKED)
		/* The caller seems not to have that snapshot any more. */
		progress_to_snapshot(progress);
	else
		want(progress, progress->offset);
}

static bool piece_valid(const struct raft_snapshot *snapshot, uint64_t offset, uint64_t size,
			bool last)
{
	if (size > RAFT_SNAPSHOT_CHUNK_MAX || offset > snapshot->size ||
	    size > snapshot->size - offset)
		return false;
	/* Short of the end, an empty piece would go on for ever. */
	return last ? offset + size == snapshot->size : size > 0;
}

int raft_send_chunk(struct raft *r, uint64_t to, const struct raft_snapshot *snapshot,
		    uint64_t offset, struct raft_bytes *data, bool last)
{
	struct progress *progress = replication_find(r, to);

	if (r->state != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	if (!progress || progress->state != PROGRESS_SNAPSHOT || progress->phase != SNAPSHOT_ASKED)
		return RAFT_INVALID;
	if (offset != progress->offset || !snapshot->index || snapshot->index > r->applied ||
	    (progress->snapshot_index && progress->snapshot_index != snapshot->index) ||
	    !raft_members_valid(&snapshot->members) || !members_voters(&snapshot->members) ||
	    !piece_valid(snapshot, offset, data ? data->size : 0, last))
		return RAFT_INVALID;

	struct raft_snapshot *copy = malloc(sizeof(*copy));
	if (!copy || effects_reserve(r)) {
		free(copy);
		return -ENOMEM;
	}
	*copy = *snapshot;
	struct raft_message *m = effects_push(r, &r->now, RAFT_SNAPSHOT, to);
	m->index = snapshot->index;
	m->log_term = snapshot->term;
	m->offset = offset;
	m->last = last;
	m->snapshot = copy;
	m->chunk = raft_bytes_hold(data);
	progress->phase = SNAPSHOT_SENT;
	progress->since = r->ticks;
	progress->snapshot_index = snapshot->index;
	progress->snapshot_size = snapshot->size;
	return 0;
}

void snapshot_step_reply(struct raft *r, const struct raft_message *m)
{
	struct progress *progress = replication_find(r, m->from);

	if (r->state != RAFT_LEADER || !progress)
		return;
	progress->active = true;
	if (progress->state != PROGRESS_SNAPSHOT || progress->phase != SNAPSHOT_SENT ||
	    m->index != progress->snapshot_index || m->context != progress->offset)
		return;
	if (m->reject)
		progress_to_snapshot(progress);
	else if (m->offset <= progress->snapshot_size)
		want(progress, m->offset);
}

/* The receiver's side. */

bool snapshot_valid(const struct raft_message *m)
{
	const struct raft_snapshot *snapshot = m->snapshot;

	if (!snapshot || !snapshot->index || snapshot->index > RAFT_INDEX_MAX)
		return false;
	if (!snapshot->term || snapshot->term > m->term)
		return false;
	if (!raft_members_valid(&snapshot->members) || !members_voters(&snapshot->members))
		return false;
	return piece_valid(snapshot, m->offset, m->chunk ? m->chunk->size : 0, m->last);
}

static bool continues(const struct raft *r, const struct raft_message *m)
{
	const struct incoming *in = &r->incoming;

	return in->open && in->from == m->from && in->term == m->term &&
	       in->snapshot.index == m->snapshot->index && in->snapshot.term == m->snapshot->term &&
	       in->snapshot.size == m->snapshot->size;
}

static void tell(struct raft *r, const struct raft_message *m, bool again)
{
	struct raft_message *reply = effects_push(r, &r->later, RAFT_SNAPSHOT_REPLY, m->from);

	reply->index = m->snapshot->index;
	reply->log_term = m->snapshot->term;
	reply->context = m->offset;
	reply->offset = again ? 0 : r->incoming.offset;
	reply->reject = again;
}

static void install(struct raft *r, const struct raft_snapshot *snapshot)
{
	/* What is on disk agrees with the snapshot up to the commit index, no further. */
	if (r->commit < snapshot->index)
		batches_cut(&r->batches, r->commit + 1);
	raft_log_reset(&r->log, snapshot->index, snapshot->term);
	r->batches.taken = snapshot->index;
	members_reset(r, &snapshot->members);
	r->commit = snapshot->index;
	r->applied = snapshot->index;
	r->snapshot_index = snapshot->index;
	r->incoming.open = false;
	r->installing = true;
	r->install = *snapshot;
}

/* There is room for a chunk: snapshot_reserve. */
void snapshot_step(struct raft *r, const struct raft_message *m)
{
	const struct raft_snapshot *snapshot = m->snapshot;
	struct incoming *in = &r->incoming;

	if (r->installing)
		return;
	if (snapshot->index <= r->commit && !RAFT_MUTATION(old_snapshot)) {
		append_accept(r, m->from, r->commit);
		return;
	}
	if (raft_log_matches(&r->log, snapshot->index, snapshot->term) &&
	    !RAFT_MUTATION(old_snapshot)) {
		/* The log has all that the snapshot stands for (figure 13, 6). */
		replication_commit(r, snapshot->index);
		append_accept(r, m->from, snapshot->index);
		return;
	}
	if (!continues(r, m)) {
		if (m->offset) {
			in->open = false;
			tell(r, m, true);
			return;
		}
		*in = (struct incoming){
		    .open = true, .from = m->from, .term = m->term, .snapshot = *snapshot};
	}
	if (m->offset != in->offset && !RAFT_MUTATION(snapshot_gap)) {
		tell(r, m, false);
		return;
	}
	r->chunks.items[r->chunks.count++] = (struct raft_chunk_in){
	    .snapshot = *snapshot,
	    .offset = m->offset,
	    .data = raft_bytes_hold(m->chunk),
	    .last = m->last,
	};
	in->offset = m->offset + (m->chunk ? m->chunk->size : 0);
	if (!m->last) {
		tell(r, m, false);
		return;
	}
	install(r, snapshot);
	append_accept(r, m->from, snapshot->index);
}

/* A snapshot of this member's own state. */
int raft_compact(struct raft *r, const struct raft_snapshot *snapshot, uint64_t keep)
{
	uint64_t index = snapshot->index;

	if (index < r->snapshot_index || index > r->applied || index > r->batches.persisted ||
	    (raft_log_knows(&r->log, index) && raft_log_term(&r->log, index) != snapshot->term))
		return RAFT_INVALID;
	r->snapshot_index = index;
	if (index <= keep || index - keep <= r->log.before)
		return 0;
	members_before_drop(r, index - keep);
	raft_log_drop(&r->log, index - keep);
	return 0;
}
