/* SPDX-License-Identifier: BSD-2-Clause */
/* The follower's side of replication: figure 2, AppendEntries. */
#include "core_internal.h"

#include <assert.h>

/* Entries that follow index without a gap, in terms that do not fall and are not the future's. */
bool append_valid(const struct raft_message *m)
{
	uint64_t term = m->log_term;

	if (m->entry_count > RAFT_MESSAGE_ENTRIES_MAX || (m->entry_count && !m->entries))
		return false;
	if ((m->index == 0) != (m->log_term == 0) || m->log_term > m->term)
		return false;
	for (uint32_t i = 0; i < m->entry_count; i++) {
		const struct raft_entry *entry = &m->entries[i];
		if (entry->index != m->index + 1 + i)
			return false;
		if (!entry->term || entry->term < term || entry->term > m->term)
			return false;
		if (!members_entry_valid(entry))
			return false;
		term = entry->term;
	}
	return true;
}

void append_accept(struct raft *r, uint64_t to, uint64_t index)
{
	struct message_queue *queue = RAFT_MUTATION(append_reply_now) ? &r->now : &r->later;

	effects_push(r, queue, RAFT_APPEND_REPLY, to)->index = index;
}

/* The last entry that may agree with the leader's log: not after what it told of, nor of a later
 * term than that. What is committed agrees. */
static void refuse(struct raft *r, const struct raft_message *m)
{
	uint64_t last = raft_log_last(&r->log);
	uint64_t hint = m->index - 1 < last ? m->index - 1 : last;

	hint = raft_log_last_of_term(&r->log, hint, m->log_term);
	struct raft_message *reply = effects_push(r, &r->now, RAFT_APPEND_REPLY, m->from);
	reply->reject = true;
	reply->index = hint;
	reply->log_term = raft_log_term(&r->log, hint);
	reply->offset = m->index;
}

static void cut(struct raft *r, uint64_t from)
{
	raft_log_truncate(&r->log, from);
	batches_cut(&r->batches, from);
	if (r->members_index >= from)
		members_rollback(r);
}

/* What is committed here is in every later leader's log (leader completeness, section 5.4.3): it
 * agrees, also where it has left memory. */
static bool committed(const struct raft *r, uint64_t index)
{
	return index <= r->commit && !RAFT_MUTATION(truncate_committed);
}

/* How many entries of the message are here already; *conflict: the next one is here, and another.
 */
static uint32_t agree(const struct raft *r, const struct raft_message *m, bool *conflict)
{
	uint32_t same = 0;

	*conflict = false;
	for (; same < m->entry_count; same++) {
		const struct raft_entry *entry = &m->entries[same];
		if (committed(r, entry->index) ||
		    raft_log_matches(&r->log, entry->index, entry->term))
			continue;
		*conflict = entry->index <= raft_log_last(&r->log);
		break;
	}
	return same;
}

/* There is room for all the entries: raft_log_reserve. */
void append_step(struct raft *r, const struct raft_message *m)
{
	uint64_t last = m->index + m->entry_count;
	bool conflict;

	/* A snapshot that is about to replace the log comes first. */
	if (r->installing)
		return;
	if (RAFT_MUTATION(truncate_committed) && m->index <= r->log.before)
		return;
	bool fits = committed(r, m->index) || raft_log_matches(&r->log, m->index, m->log_term);
	if (RAFT_MUTATION(no_log_match_check))
		fits = m->index <= raft_log_last(&r->log);
	if (!fits) {
		refuse(r, m);
		return;
	}
	uint32_t same = agree(r, m, &conflict);
	if (RAFT_MUTATION(truncate_on_every_append) && last < raft_log_last(&r->log) &&
	    last >= r->commit)
		cut(r, last + 1);
	if (conflict)
		cut(r, m->entries[same].index);
	for (uint32_t i = same; i < m->entry_count; i++) {
		raft_log_append(&r->log, &m->entries[i]);
		if (m->entries[i].type == RAFT_ENTRY_MEMBERS)
			members_adopt(r, &m->entries[i]);
	}
	uint64_t known = RAFT_MUTATION(commit_past_match) ? raft_log_last(&r->log) : last;
	replication_commit(r, m->commit < known ? m->commit : known);
	append_accept(r, m->from, last > r->commit ? last : r->commit);
}

void append_step_heartbeat(struct raft *r, const struct raft_message *m)
{
	/* The leader does not tell more than what it knows to be here; what is not, is not its. */
	if (m->commit <= raft_log_last(&r->log))
		replication_commit(r, m->commit);
	else if (RAFT_MUTATION(heartbeat_commit_past_match))
		replication_commit(r, raft_log_last(&r->log));
	effects_push(r, &r->now, RAFT_HEARTBEAT_REPLY, m->from)->context = m->context;
}
