/* SPDX-License-Identifier: BSD-2-Clause */
/* The leader's side of replication: section 5.3, and the commit rule of section 5.4.2. */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct progress *replication_find(struct raft *r, uint64_t id)
{
	for (uint32_t i = 0; i < r->progress_count; i++)
		if (r->progress[i].id == id)
			return &r->progress[i];
	return NULL;
}

/* Slots are swapped, never copied over: each keeps a ring. */
static void swap(struct progress *a, struct progress *b)
{
	struct progress held = *a;
	*a = *b;
	*b = held;
}

static bool wanted(const struct raft *r, uint64_t id)
{
	if (id == r->options.id)
		return false;
	if (raft_members_find(&r->members, id))
		return true;
	return r->members_index > r->commit && raft_members_find(&r->committed, id);
}

static void add(struct raft *r, uint64_t id)
{
	if (!wanted(r, id) || replication_find(r, id))
		return;
	assert(r->progress_count < RAFT_PROGRESS_MAX);
	uint32_t at = r->progress_count++;
	progress_start(&r->progress[at], id, raft_log_last(&r->log) + 1);
	for (; at > 0 && r->progress[at - 1].id > id; at--)
		swap(&r->progress[at - 1], &r->progress[at]);
}

void replication_sync(struct raft *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->progress_count; i++)
		if (wanted(r, r->progress[i].id))
			swap(&r->progress[kept++], &r->progress[i]);
	r->progress_count = kept;
	for (uint32_t i = 0; i < r->members.count; i++)
		add(r, r->members.member[i].id);
	for (uint32_t i = 0; i < r->committed.count; i++)
		add(r, r->committed.member[i].id);
}

void replication_start(struct raft *r)
{
	r->heartbeat_elapsed = 0;
	r->round = 0;
	r->commit_at_heartbeat = r->commit;
	r->progress_count = 0;
	replication_sync(r);
	r->uncommitted_bytes = 0;
	for (uint64_t i = r->commit + 1; i <= raft_log_last(&r->log); i++)
		r->uncommitted_bytes += raft_entry_bytes(raft_log_at(&r->log, i));
	/* What older terms left can only be committed together with an entry of this one. */
	replication_append(r, RAFT_ENTRY_EMPTY, NULL);
}

/* There is room for it: raft_log_reserve. */
void replication_append(struct raft *r, uint8_t type, struct raft_bytes *data)
{
	struct raft_entry entry = {
	    .index = raft_log_last(&r->log) + 1, .term = r->term, .data = data, .type = type};

	raft_log_append(&r->log, &entry);
	r->uncommitted_bytes += raft_entry_bytes(&entry);
	if (type == RAFT_ENTRY_MEMBERS)
		members_adopt(r, &entry);
}

static bool counts_itself(const struct raft *r)
{
	return members_is_voter(&r->members, r->options.id);
}

void replication_maybe_commit(struct raft *r)
{
	uint64_t match[RAFT_MEMBERS_MAX + 1];
	uint32_t count = 0, voters = members_voters(&r->members);
	uint64_t own = RAFT_MUTATION(commit_before_own_persist) ? raft_log_last(&r->log)
								: r->batches.persisted;

	if (r->state != RAFT_LEADER || !voters)
		return;
	for (uint32_t i = 0; i < r->members.count; i++) {
		uint64_t id = r->members.member[i].id;
		const struct progress *progress = replication_find(r, id);
		if (!members_counts(r, i))
			continue;
		match[count++] = id == r->options.id ? own : progress ? progress->match : 0;
	}
	if (RAFT_MUTATION(removed_leader_counts_itself) && !counts_itself(r))
		match[count++] = own;

	/* The highest index that a majority has: descending, the one at voters / 2. */
	for (uint32_t i = 1; i < count; i++)
		for (uint32_t j = i; j > 0 && match[j - 1] < match[j]; j--) {
			uint64_t held = match[j];
			match[j] = match[j - 1];
			match[j - 1] = held;
		}
	uint64_t index = match[voters / 2];
	if (index <= r->commit)
		return;
	if (raft_log_term(&r->log, index) != r->term && !RAFT_MUTATION(commit_old_term))
		return;
	replication_commit(r, index);
}

/*
 * Those who leave are told the commit that makes them leave; nobody tells them later. By an APPEND
 * behind those on their way, for what they have not confirmed yet a heartbeat would not count.
 */
static void bid_farewell(struct raft *r)
{
	for (uint32_t i = 0; i < r->progress_count; i++) {
		const struct progress *progress = &r->progress[i];
		if (wanted(r, progress->id) || progress->state != PROGRESS_REPLICATE)
			continue;
		struct raft_message *m = effects_push(r, &r->now, RAFT_APPEND, progress->id);
		m->index = progress->next - 1;
		m->log_term = raft_log_term(&r->log, m->index);
		m->commit = r->commit;
	}
}

static void leader_committed(struct raft *r, uint64_t before)
{
	bool first_of_term = raft_log_term(&r->log, before) != r->term;

	for (uint64_t i = before + 1; i <= r->commit; i++)
		r->uncommitted_bytes -= raft_entry_bytes(raft_log_at(&r->log, i));
	if (first_of_term)
		read_term_committed(r);
	bid_farewell(r);
	replication_sync(r);
	if (!counts_itself(r) && r->members_index <= r->commit)
		transfer_give_up_lead(r);
}

void replication_commit(struct raft *r, uint64_t index)
{
	uint64_t before = r->commit;

	assert(index <= raft_log_last(&r->log));
	if (index <= before)
		return;
	r->commit = index;
	members_committed(r, before);
	if (r->state == RAFT_LEADER)
		leader_committed(r, before);
}

void replication_heartbeat(struct raft *r, const struct progress *progress)
{
	struct raft_message *m = effects_push(r, &r->now, RAFT_HEARTBEAT, progress->id);

	/* Past match the follower may have other entries than those that are committed. */
	m->commit = r->commit < progress->match || RAFT_MUTATION(heartbeat_commit_past_match)
			? r->commit
			: progress->match;
	m->context = r->round;
}

static int send_append(struct raft *r, struct progress *progress, uint32_t count, uint32_t bytes)
{
	uint64_t before = progress->next - 1;
	struct raft_entry *entries = NULL;

	if (count) {
		entries = malloc(count * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		entries[i] = *raft_log_at(&r->log, progress->next + i);
		raft_bytes_hold(entries[i].data);
	}
	struct raft_message *m = effects_push(r, &r->now, RAFT_APPEND, progress->id);
	m->index = before;
	m->log_term = raft_log_term(&r->log, before);
	m->commit = r->commit;
	m->entries = entries;
	m->entry_count = count;
	progress->commit_sent = r->commit < before + count ? r->commit : before + count;
	progress->poke = false;
	if (progress->state == PROGRESS_PROBE) {
		progress->paused = true;
	} else if (count) {
		inflights_add(&progress->inflights, before + count, bytes);
		progress->next += count;
	}
	return 0;
}

/* How much may go now, from next on. */
static uint32_t fit(const struct raft *r, const struct progress *progress, uint32_t *bytes)
{
	const struct inflights *inflights = &progress->inflights;
	uint32_t bytes_max = r->options.message_bytes_max, left = 0;

	*bytes = 0;
	if (progress->next > raft_log_last(&r->log))
		return 0;
	if (!RAFT_MUTATION(inflight_unbounded)) {
		if (inflights_full(inflights))
			return 0;
		if (inflights->bytes < r->options.inflight_bytes_max)
			left = r->options.inflight_bytes_max - inflights->bytes;
		if (left < bytes_max)
			bytes_max = left;
	}
	uint32_t count = raft_log_fit(&r->log, progress->next, bytes_max, bytes);
	if (!count && !inflights->count) {
		/* One that is larger than the bounds has to go all the same, alone. */
		*bytes = raft_entry_bytes(raft_log_at(&r->log, progress->next));
		count = 1;
	}
	return count;
}

static int send_to(struct raft *r, struct progress *progress)
{
	for (;;) {
		if (progress->state == PROGRESS_SNAPSHOT || progress->paused)
			return 0;
		if (!raft_log_knows(&r->log, progress->next - 1)) {
			progress_to_snapshot(progress);
			return 0;
		}
		uint32_t bytes;
		uint32_t count = fit(r, progress, &bytes);
		uint64_t commit = r->commit < progress->next ? r->commit : progress->next - 1;
		bool tell = progress->poke || progress->commit_sent < commit;
		if (progress->state == PROGRESS_REPLICATE && !count && !tell)
			return 0;
		if (effects_reserve(r))
			return -ENOMEM;
		int err = send_append(r, progress, count, bytes);
		if (err)
			return err;
	}
}

int replication_send(struct raft *r)
{
	if (r->state != RAFT_LEADER)
		return 0;
	for (uint32_t i = 0; i < r->progress_count; i++) {
		int err = send_to(r, &r->progress[i]);
		if (err)
			return err;
	}
	return 0;
}

static void refused(struct raft *r, struct progress *progress, const struct raft_message *m)
{
	uint64_t hint = m->index;

	/* The follower's terms up to its hint are not above the hint's: nor can ours be, where the
	 * two logs agree. This skips a whole term per refusal (section 5.3). */
	if (hint >= m->offset || hint > raft_log_last(&r->log))
		return;
	if (hint >= r->log.before)
		hint = raft_log_last_of_term(&r->log, hint, m->log_term);
	progress_refuse(progress, m->offset, hint);
}

void replication_step_append_reply(struct raft *r, const struct raft_message *m)
{
	struct progress *progress = replication_find(r, m->from);

	if (r->state != RAFT_LEADER || !progress)
		return;
	progress->active = true;
	if (m->reject) {
		refused(r, progress, m);
		return;
	}
	if (m->index > raft_log_last(&r->log))
		return;
	bool news = progress_accept(progress, m->index);
	switch (progress->state) {
	case PROGRESS_PROBE:
		if (news || m->index == progress->match)
			progress_to_replicate(progress);
		break;
	case PROGRESS_SNAPSHOT:
		/* It has what the log here begins after, from whatever source. */
		if (raft_log_knows(&r->log, progress->match))
			progress_to_replicate(progress);
		else if (progress->snapshot_index && progress->match >= progress->snapshot_index)
			/* It has that one, and the log went on without it: a newer one. */
			progress_to_snapshot(progress);
		break;
	case PROGRESS_REPLICATE:
		break;
	}
	if (!news)
		return;
	replication_maybe_commit(r);
	if (r->state == RAFT_LEADER)
		transfer_advance(r, progress);
}

void replication_step_heartbeat_reply(struct raft *r, const struct raft_message *m)
{
	struct progress *progress = replication_find(r, m->from);

	if (r->state != RAFT_LEADER || !progress)
		return;
	progress->active = true;
	progress->paused = false;
	if (progress->state == PROGRESS_REPLICATE && progress->match + 1 < progress->next)
		progress->poke = true;
	if (progress->state == PROGRESS_SNAPSHOT)
		snapshot_heartbeat_answered(r, progress);
	if (m->context > progress->round && m->context <= r->round) {
		progress->round = m->context;
		read_advance(r);
	}
}

void raft_unreachable(struct raft *r, uint64_t id)
{
	struct progress *progress = replication_find(r, id);

	if (r->state != RAFT_LEADER || !progress || progress->state == PROGRESS_SNAPSHOT)
		return;
	progress_to_probe(progress, progress->match + 1);
	progress->paused = true;
}

int raft_propose(struct raft *r, struct raft_bytes *command, uint64_t *index, uint64_t *term)
{
	uint64_t size = (command ? command->size : 0) + (uint64_t)RAFT_ENTRY_OVERHEAD;

	if (size - RAFT_ENTRY_OVERHEAD > RAFT_ENTRY_SIZE_MAX)
		return RAFT_TOO_BIG;
	if (r->state != RAFT_LEADER || r->stalled)
		return RAFT_NOT_LEADER;
	if (r->transfer_to)
		return RAFT_BUSY;
	/* A command larger than the bound goes alone. */
	if (r->uncommitted_bytes && r->uncommitted_bytes + size > r->options.uncommitted_bytes_max)
		return RAFT_FULL;
	if (raft_log_reserve(&r->log, 1))
		return -ENOMEM;
	replication_append(r, RAFT_ENTRY_COMMAND, command);
	*index = raft_log_last(&r->log);
	*term = r->term;
	return 0;
}
