/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linearizable reads without a write (thesis 6.4): the commit index when the question came, once a
 * round of heartbeats that began after it shows that nobody else led by then.
 */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void push(struct read_queue *queue, const struct read *read)
{
	assert(queue->count < queue->capacity);
	queue->items[queue->count++] = *read;
}

static void answer(struct raft *r, const struct read *read, bool ok)
{
	if (!read->from) {
		effects_read_done(r, read->context, ok ? read->index : 0, ok ? 0 : RAFT_NOT_LEADER);
		return;
	}
	struct raft_message *reply = effects_push(r, &r->now, RAFT_READ_REPLY, read->from);
	reply->context = read->context;
	reply->index = ok ? read->index : 0;
	reply->reject = !ok;
}

static void fail(struct raft *r, struct read_queue *queue)
{
	for (size_t i = 0; i < queue->count; i++)
		answer(r, &queue->items[i], false);
	queue->count = 0;
}

void read_fail_all(struct raft *r)
{
	fail(r, &r->reads);
	fail(r, &r->asked);
}

static bool term_committed(const struct raft *r)
{
	return raft_log_term(&r->log, r->commit) == r->term ||
	       RAFT_MUTATION(read_before_term_commit);
}

static void wait_for_round(struct raft *r, struct read *read)
{
	read->index = r->commit;
	read->round = RAFT_MUTATION(read_round_reused) && r->round ? r->round : r->round + 1;
	r->round_wanted = true;
}

/* As the leader. */
static void begin(struct raft *r, uint64_t from, uint64_t context)
{
	struct read read = {.from = from, .context = context, .since = r->ticks};

	if (RAFT_MUTATION(stale_read)) {
		read.index = r->commit;
		answer(r, &read, true);
		return;
	}
	if (term_committed(r))
		wait_for_round(r, &read);
	push(&r->reads, &read);
	/* A single voter needs nobody's word. */
	if (members_voters(&r->members) == 1 && members_is_voter(&r->members, r->options.id))
		read_advance(r);
}

void read_term_committed(struct raft *r)
{
	for (size_t i = 0; i < r->reads.count; i++)
		if (!r->reads.items[i].index)
			wait_for_round(r, &r->reads.items[i]);
	read_advance(r);
}

void read_round(struct raft *r)
{
	if (r->state != RAFT_LEADER || !r->round_wanted)
		return;
	r->round_wanted = false;
	r->round++;
	for (uint32_t i = 0; i < r->progress_count; i++)
		replication_heartbeat(r, &r->progress[i]);
}

static bool proven(struct raft *r, uint64_t round)
{
	uint32_t voters = members_voters(&r->members), have = 0;

	for (uint32_t i = 0; i < r->members.count; i++) {
		if (!members_counts(r, i))
			continue;
		uint64_t id = r->members.member[i].id;
		const struct progress *progress = replication_find(r, id);
		have += id == r->options.id || (progress && progress->round >= round);
	}
	return have > voters / 2;
}

/* Rounds never fall along the queue, and those without an index come last. */
void read_advance(struct raft *r)
{
	size_t done = 0;

	while (done < r->reads.count) {
		const struct read *read = &r->reads.items[done];
		if (!read->index || !proven(r, read->round))
			break;
		answer(r, read, true);
		done++;
	}
	r->reads.count -= done;
	if (done)
		memmove(r->reads.items, r->reads.items + done,
			r->reads.count * sizeof(*r->reads.items));
}

/* Oldest first, in both queues. */
static void expire(struct raft *r, struct read_queue *queue)
{
	size_t done = 0;

	while (done < queue->count &&
	       r->ticks - queue->items[done].since >= r->options.election_ticks)
		answer(r, &queue->items[done++], false);
	queue->count -= done;
	if (done)
		memmove(queue->items, queue->items + done, queue->count * sizeof(*queue->items));
}

void read_tick(struct raft *r)
{
	expire(r, &r->reads);
	expire(r, &r->asked);
}

void read_step(struct raft *r, const struct raft_message *m)
{
	bool known = r->state == RAFT_LEADER && replication_find(r, m->from);

	if (known && r->reads.count < RAFT_READS_MAX) {
		begin(r, m->from, m->context);
		return;
	}
	answer(r, &(struct read){.from = m->from, .context = m->context}, false);
}

void read_step_reply(struct raft *r, const struct raft_message *m)
{
	if (r->state != RAFT_FOLLOWER || m->from != r->leader)
		return;
	for (size_t i = 0; i < r->asked.count; i++) {
		struct read *read = &r->asked.items[i];
		if (read->token != m->context)
			continue;
		read->index = m->index;
		answer(r, read, !m->reject);
		r->asked.count--;
		memmove(read, read + 1, (r->asked.count - i) * sizeof(*read));
		return;
	}
}

int raft_read(struct raft *r, uint64_t context)
{
	if (!r->leader)
		return RAFT_NOT_LEADER;
	if (r->reads.count + r->asked.count >= RAFT_READS_MAX)
		return RAFT_FULL;
	if (effects_reserve(r))
		return -ENOMEM;
	if (r->state == RAFT_LEADER) {
		begin(r, 0, context);
		return 0;
	}
	/* Not the caller's context: the same may come again, and an old answer with it. */
	push(&r->asked, &(struct read){.context = context, .token = ++r->token, .since = r->ticks});
	effects_push(r, &r->now, RAFT_READ, r->leader)->context = r->token;
	return 0;
}
