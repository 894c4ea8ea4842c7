/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who counts: single-server changes (thesis 4.1). A membership is in force once it is in the log,
 * committed or not, and out of force when its entry is cut off.
 */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

uint32_t members_voters(const struct raft_members *members)
{
	uint32_t voters = 0;

	for (uint32_t i = 0; i < members->count; i++)
		voters += members->member[i].role == RAFT_VOTER;
	return voters;
}

bool members_is_voter(const struct raft_members *members, uint64_t id)
{
	const struct raft_member *member = raft_members_find(members, id);

	return member && member->role == RAFT_VOTER;
}

bool members_counts(const struct raft *r, uint32_t position)
{
	return r->members.member[position].role == RAFT_VOTER || RAFT_MUTATION(learner_in_quorum);
}

static int decode(const struct raft_entry *entry, struct raft_members *members)
{
	if (!entry->data)
		return -EBADMSG;
	return raft_members_decode(entry->data->data, entry->data->size, members);
}

/* An entry from the disk or from a peer. */
bool members_entry_valid(const struct raft_entry *entry)
{
	struct raft_members members;

	if (entry->data && entry->data->size > RAFT_ENTRY_SIZE_MAX)
		return false;
	switch (entry->type) {
	case RAFT_ENTRY_COMMAND:
		return true;
	case RAFT_ENTRY_EMPTY:
		return !entry->data;
	case RAFT_ENTRY_MEMBERS:
		return !decode(entry, &members) && members_voters(&members) > 0;
	default:
		return false;
	}
}

void members_adopt(struct raft *r, const struct raft_entry *entry)
{
	int err = decode(entry, &r->members);

	assert(!err);
	(void)err;
	r->members_index = entry->index;
	if (r->state == RAFT_LEADER)
		replication_sync(r);
}

/* The last membership at index or before it, as far as the log here tells. */
static uint64_t last_before(const struct raft *r, uint64_t index, struct raft_members *members)
{
	for (; index > r->log.before; index--) {
		const struct raft_entry *entry = raft_log_at(&r->log, index);
		if (entry->type != RAFT_ENTRY_MEMBERS)
			continue;
		int err = decode(entry, members);
		assert(!err);
		(void)err;
		return index;
	}
	*members = r->base;
	return 0;
}

/* After the log was cut. */
void members_rollback(struct raft *r)
{
	if (RAFT_MUTATION(no_members_rollback)) {
		r->members_index = 0;
		return;
	}
	r->members_index = last_before(r, raft_log_last(&r->log), &r->members);
}

/* The commit index went on from before. */
void members_committed(struct raft *r, uint64_t before)
{
	if (r->members_index <= before)
		return;
	for (uint64_t index = r->commit; index > before; index--) {
		const struct raft_entry *entry = raft_log_at(&r->log, index);
		if (entry->type != RAFT_ENTRY_MEMBERS)
			continue;
		int err = decode(entry, &r->committed);
		assert(!err);
		(void)err;
		return;
	}
}

/* Entries up to and including index are about to leave memory. */
void members_before_drop(struct raft *r, uint64_t index)
{
	last_before(r, index, &r->base);
	if (r->members_index <= index)
		r->members_index = 0;
}

void members_reset(struct raft *r, const struct raft_members *members)
{
	r->members = *members;
	r->committed = *members;
	r->base = *members;
	r->members_index = 0;
}

static int insert(struct raft_members *members, const struct raft_member *member)
{
	uint32_t at = members->count;

	if (!member->id || raft_members_find(members, member->id) || at == RAFT_MEMBERS_MAX)
		return RAFT_INVALID;
	members->count++;
	for (; at > 0 && members->member[at - 1].id > member->id; at--)
		members->member[at] = members->member[at - 1];
	/* Not by assignment: what follows an address would be told to everybody. */
	members->member[at] = (struct raft_member){.id = member->id, .role = RAFT_LEARNER};
	strcpy(members->member[at].address, member->address);
	return 0;
}

static void take_out(struct raft_members *members, const struct raft_member *member)
{
	size_t at = (size_t)(member - members->member);

	memmove(&members->member[at], &members->member[at + 1],
		(members->count - at - 1) * sizeof(*member));
	members->count--;
	members->member[members->count] = (struct raft_member){0};
}

/* It had, a heartbeat ago at most, all that was committed then (thesis 4.2.1: a voter that lags
 * would stop commits for as long as it takes to catch up). */
static bool caught_up(struct raft *r, uint64_t id)
{
	const struct progress *progress = replication_find(r, id);

	if (RAFT_MUTATION(promote_laggard))
		return true;
	return progress && progress->active && progress->state == PROGRESS_REPLICATE &&
	       progress->match >= r->commit_at_heartbeat;
}

static int change_existing(struct raft *r, const struct raft_change *change,
			   struct raft_members *members)
{
	const struct raft_member *found = raft_members_find(members, change->member.id);

	if (!found)
		return RAFT_INVALID;
	struct raft_member *member = &members->member[found - members->member];
	bool only_voter = member->role == RAFT_VOTER && members_voters(members) == 1;

	switch (change->type) {
	case RAFT_PROMOTE:
		if (member->role != RAFT_LEARNER)
			return RAFT_INVALID;
		if (!caught_up(r, member->id))
			return RAFT_NOT_YET;
		member->role = RAFT_VOTER;
		return 0;
	case RAFT_DEMOTE:
		if (member->role != RAFT_VOTER || only_voter)
			return RAFT_INVALID;
		member->role = RAFT_LEARNER;
		return 0;
	case RAFT_REMOVE:
		if (only_voter)
			return RAFT_INVALID;
		take_out(members, member);
		return 0;
	case RAFT_SET_ADDRESS:
		memset(member->address, 0, sizeof(member->address));
		strcpy(member->address, change->member.address);
		return 0;
	case RAFT_ADD_LEARNER:
		break;
	}
	return RAFT_INVALID;
}

static int may_change(const struct raft *r)
{
	if (r->state != RAFT_LEADER || r->stalled)
		return RAFT_NOT_LEADER;
	if (r->transfer_to)
		return RAFT_BUSY;
	/* Until then another leader's change may still come to be committed, unknown to this one,
	 * and two changes at once need not overlap in a quorum. */
	if (raft_log_term(&r->log, r->commit) != r->term &&
	    !RAFT_MUTATION(change_before_term_commit))
		return RAFT_NOT_YET;
	if (r->members_index > r->commit && !RAFT_MUTATION(two_changes_at_once))
		return RAFT_BUSY;
	return 0;
}

int raft_change_members(struct raft *r, const struct raft_change *change, uint64_t *index)
{
	struct raft_members members = r->members;
	int err = may_change(r);

	if (err)
		return err;
	if (!memchr(change->member.address, 0, sizeof(change->member.address)))
		return RAFT_INVALID;
	err = change->type == RAFT_ADD_LEARNER ? insert(&members, &change->member)
					       : change_existing(r, change, &members);
	if (err)
		return err;

	struct raft_bytes *data = raft_members_encode(&members);
	if (!data || raft_log_reserve(&r->log, 1)) {
		raft_bytes_release(data);
		return -ENOMEM;
	}
	replication_append(r, RAFT_ENTRY_MEMBERS, data);
	raft_bytes_release(data);
	*index = raft_log_last(&r->log);
	return 0;
}
