/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a turn of the loop: what all calls of the turn led to leaves together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node_internal.h"

/* -- answers ----------------------------------------------------------------------------------- */

static void answer(struct waiters *waiters, int err)
{
	struct waiter waiter;

	while (waiters_take(waiters, UINT64_MAX, &waiter))
		waiter.done(waiter.context, err, waiter.index, 0);
}

/* Callers of a round go on their way before the first of them is answered: it may ask anew. */
static void answer_round(struct read_round *round, int err)
{
	struct waiters callers = round->callers;

	*round = (struct read_round){0};
	answer(&callers, err);
	waiters_free(&callers);
}

void node_answer_all(struct raft_node *node, int err)
{
	for (unsigned int i = 0; i < NODE_READS_MAX; i++)
		answer_round(&node->rounds[i], err);
	answer(&node->reads, err);
	answer(&node->proposals, err);
}

/* -- reads ------------------------------------------------------------------------------------- */

static void ask_for_reads(struct raft_node *node)
{
	for (unsigned int i = 0; i < NODE_READS_MAX; i++) {
		struct read_round *round = &node->rounds[i];
		int err;

		if (round->asked || !round->callers.count)
			continue;
		err = raft_read(node->raft, round->context);
		round->asked = !err;
		if (err && err != -ENOMEM && err != RAFT_FULL)
			answer_round(round, err);
	}
}

/* The answer is safe once the store has come to that index. */
static void read_done(struct raft_node *node, const struct raft_read_done *done)
{
	for (unsigned int i = 0; i < NODE_READS_MAX; i++) {
		struct read_round *round = &node->rounds[i];
		struct waiter waiter;

		if (!round->asked || round->context != done->context)
			continue;
		if (done->err) {
			answer_round(round, done->err);
			return;
		}
		while (waiters_take(&round->callers, UINT64_MAX, &waiter)) {
			waiter.index = done->index;
			if (waiters_reserve(&node->reads))
				waiter.done(waiter.context, -ENOMEM, 0, 0);
			else
				waiters_add(&node->reads, &waiter);
		}
		waiters_free(&round->callers);
		*round = (struct read_round){0};
		return;
	}
}

/* -- messages ---------------------------------------------------------------------------------- */

static void send_messages(struct raft_node *node, struct raft_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint64_t to = messages[i].to;

		if (transport_send(node->transport, &messages[i]))
			raft_unreachable(node->raft, to);
	}
}

static void tell_core(struct raft_node *node, uint64_t sequence)
{
	if (sequence < node->persisted)
		sequence = node->persisted;
	node->persisted = sequence && raft_persisted(node->raft, sequence) ? sequence : 0;
}

void node_written(struct raft_node *node, struct raft_effects *effects)
{
	if (node->failed)
		return;
	tell_core(node, effects->sequence);
	send_messages(node, effects->later, effects->later_count);
	if (effects->has_install)
		node_apply_installed(node, &effects->install);
	raft_effects_clear(effects);
	node_wake(node);
}

/* -- what has become of us --------------------------------------------------------------------- */

static bool same_members(const struct raft_members *a, const struct raft_members *b)
{
	return a->count == b->count &&
	       !memcmp(a->member, b->member, a->count * sizeof(a->member[0]));
}

static void look_around(struct raft_node *node)
{
	struct raft_status was = node->status, *now = &node->status;

	raft_get_status(node->raft, now);
	/* A member that joins has none at first, and may know some from elsewhere. */
	if (now->members.count && !same_members(&was.members, &now->members))
		transport_set_peers(node->transport, &now->members);
	if (was.state == RAFT_LEADER && (now->state != RAFT_LEADER || now->term != was.term))
		answer(&node->proposals, RAFT_UNKNOWN);
	if (node->events.changed &&
	    (was.state != now->state || was.term != now->term || was.leader != now->leader ||
	     was.stalled != now->stalled || !same_members(&was.members, &now->members)))
		node->events.changed(node->events.context, now);
}

/* -- the turn ---------------------------------------------------------------------------------- */

/* Entries wait for nothing. That something is committed may wait until our own clients know it. */
static bool has_entries(const struct raft_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (messages[i].entry_count)
			return true;
	return false;
}

static void put_effects(struct raft_node *node, struct raft_effects *effects)
{
	const bool hurry = has_entries(effects->now, effects->now_count);
	struct raft_message *now = effects->now;
	struct raft_read_done *reads = effects->reads;
	struct raft_chunk_wanted *wanted = effects->wanted;
	const size_t now_count = effects->now_count, read_count = effects->read_count,
		     wanted_count = effects->wanted_count;

	/* The disk begins first; the network needs no word from it. */
	effects->now = NULL;
	effects->reads = NULL;
	effects->wanted = NULL;
	effects->now_count = effects->read_count = effects->wanted_count = 0;
	node_apply_queue(node, effects);
	if (effects->sequence)
		disk_writer_put(node->writer, effects);
	send_messages(node, now, now_count);
	if (hurry)
		transport_flush(node->transport);
	for (size_t i = 0; i < read_count; i++)
		read_done(node, &reads[i]);
	for (size_t i = 0; i < wanted_count; i++)
		node_send_wanted(node, &wanted[i]);
	raft_effects_clear(effects);
	for (size_t i = 0; i < now_count; i++)
		raft_message_clear(&now[i]);
	free(now);
	free(reads);
	free(wanted);
}

void node_turn(struct raft_node *node)
{
	struct raft_effects effects;

	uv_idle_stop(&node->hurry);
	if (node->failed)
		return;
	if (node->persisted)
		tell_core(node, node->persisted);
	ask_for_reads(node);
	/* Without memory: again with the next tick. */
	if (node_apply_reserve(node) || disk_writer_reserve(node->writer) ||
	    raft_take(node->raft, &effects))
		return;
	put_effects(node, &effects);
	node_apply(node);
	if (node->failed)
		return;
	look_around(node);
	if (node->events.turned)
		node->events.turned(node->events.context);
	transport_flush(node->transport);
	node_snapshot_consider(node);
}
