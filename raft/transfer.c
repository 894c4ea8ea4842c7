/* SPDX-License-Identifier: BSD-2-Clause */
/* Handing leadership over (thesis 3.10). */
#include "core_internal.h"

#include <errno.h>

static void tell_to_campaign(struct raft *r, uint64_t to)
{
	effects_push(r, &r->now, RAFT_TIMEOUT_NOW, to);
}

/* Once, when it has all: until then it could not be elected. */
void transfer_advance(struct raft *r, const struct progress *progress)
{
	if (r->transfer_to == progress->id && progress->match == raft_log_last(&r->log))
		tell_to_campaign(r, progress->id);
}

void transfer_tick(struct raft *r)
{
	if (r->transfer_to && ++r->transfer_elapsed >= r->options.election_ticks)
		r->transfer_to = 0;
}

/* The voter that has most, of those heard of lately. */
static uint64_t heir(const struct raft *r)
{
	const struct progress *best = NULL;

	for (uint32_t i = 0; i < r->progress_count; i++) {
		const struct progress *progress = &r->progress[i];
		if (!progress->active || !members_is_voter(&r->members, progress->id))
			continue;
		if (!best || progress->match > best->match)
			best = progress;
	}
	return best ? best->id : 0;
}

void transfer_give_up_lead(struct raft *r)
{
	uint64_t to = heir(r);

	for (uint32_t i = 0; i < r->progress_count; i++)
		replication_heartbeat(r, &r->progress[i]);
	if (to)
		tell_to_campaign(r, to);
	election_become_follower(r, r->term, 0);
}

void transfer_step_timeout_now(struct raft *r, const struct raft_message *m)
{
	if (r->state == RAFT_FOLLOWER && m->from == r->leader && election_promotable(r))
		election_campaign(r, true);
}

int raft_transfer(struct raft *r, uint64_t to)
{
	struct progress *progress = replication_find(r, to);

	if (r->state != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	if (!progress || !members_is_voter(&r->members, to))
		return RAFT_INVALID;
	if (r->transfer_to)
		return RAFT_BUSY;
	if (effects_reserve(r))
		return -ENOMEM;
	r->transfer_to = to;
	r->transfer_elapsed = 0;
	if (RAFT_MUTATION(transfer_without_catchup))
		tell_to_campaign(r, to);
	else
		transfer_advance(r, progress);
	return 0;
}
