/* SPDX-License-Identifier: BSD-2-Clause */
#include "member.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "member_internal.h"
#include "mutations.h"
#include "trace.h"
#include "world.h"

static uint32_t next_random(void *context)
{
	return (uint32_t)(sim_random_next(context) >> 32);
}

/* For scripts: the longest timeout, so that nobody campaigns unasked. */
static uint32_t no_random(void *context)
{
	(void)context;
	return WORLD_ELECTION_TICKS - 1;
}

struct member *member_new(struct world *world, uint32_t slot)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->flows = calloc(WORLD_MEMBERS_MAX, sizeof(*m->flows));
	m->heard = calloc(WORLD_MEMBERS_MAX, sizeof(*m->heard));
	if (!m->flows || !m->heard)
		abort();
	m->world = world;
	m->slot = slot;
	m->id = slot + 1;
	m->random.state = sim_random_next(&world->random);
	m->tick_us = WORLD_TICK_US;
	return m;
}

static void drop_snapshots(struct member *m)
{
	for (uint32_t i = 0; i < m->snapshot_count; i++)
		raft_bytes_release(m->snapshots[i].state);
	m->snapshot_count = 0;
}

static void close_core(struct member *m)
{
	if (m->raft)
		raft_close(m->raft);
	m->raft = NULL;
	m->incarnation++;
	m->is_writing = m->is_snapshotting = false;
	m->waiting_count = 0;
	memset(&m->status, 0, sizeof(m->status));
	memset(&m->before, 0, sizeof(m->before));
	drop_snapshots(m);
}

void member_free(struct member *m)
{
	close_core(m);
	disk_free(&m->disk);
	journal_free(&m->log);
	free(m->flows);
	free(m->heard);
	free(m);
}

bool member_is_leader(const struct member *m)
{
	return m->state == MEMBER_UP && m->status.state == RAFT_LEADER;
}

static void later(struct member *m, uint64_t delay_us, enum event_type type, uint64_t number,
		  void *payload)
{
	world_after(m->world, delay_us,
		    (struct event){.type = (uint8_t)type,
				   .member = m->slot,
				   .incarnation = m->incarnation,
				   .number = number,
				   .payload = payload});
}

static void called(struct member *m)
{
	m->before = m->status;
	raft_get_status(m->raft, &m->status);
	if (m->before.state != m->status.state || m->before.term != m->status.term)
		world_trace(m->world, m->id, "is %s in term %" PRIu64, trace_state(m->status.state),
			    m->status.term);
	checks_called(m);
}

/* Newest last. The oldest goes: a transfer that still needs it begins anew. */
static void keep_snapshot(struct member *m, const struct raft_snapshot *meta,
			  struct raft_bytes *state)
{
	if (m->snapshot_count == MEMBER_SNAPSHOTS) {
		raft_bytes_release(m->snapshots[0].state);
		memmove(m->snapshots, m->snapshots + 1,
			--m->snapshot_count * sizeof(*m->snapshots));
	}
	m->snapshots[m->snapshot_count].meta = *meta;
	m->snapshots[m->snapshot_count++].state = raft_bytes_hold(state);
}

static void write_later(struct member *m)
{
	if (m->is_writing || !m->disk.first || m->disk.is_full)
		return;
	m->is_writing = true;
	later(m, 1 + sim_random_below(&m->world->random, m->world->faults.disk_delay_max_us),
	      EVENT_DISK, 0, NULL);
}

/* A snapshot of what is applied here. */
void member_snapshot(struct member *m)
{
	struct world *world = m->world;
	struct disk_batch *batch;

	if (m->state != MEMBER_UP || m->is_snapshotting || !m->applied ||
	    m->applied <= m->disk.snapshot.index)
		return;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		abort();
	batch->is_snapshot = true;
	batch->state = store_snapshot(
	    &m->store,
	    (uint32_t)sim_random_below(&world->random, world->faults.snapshot_padding_max));
	if (sim_mutated(SIM_runtime_snapshot_without_sessions))
		memset(batch->state->data + offsetof(struct store, sessions), 0,
		       sizeof(m->store.sessions));
	batch->snapshot = (struct raft_snapshot){.index = m->applied,
						 .term = m->applied_term,
						 .size = batch->state->size,
						 .members = m->members};
	if (sim_mutated(SIM_runtime_snapshot_without_members) && m->members_before.count)
		batch->snapshot.members = m->members_before;
	if (sim_mutated(SIM_runtime_snapshot_newer_state) &&
	    journal_term(&m->log, m->applied - 1) == m->applied_term)
		batch->snapshot.index--;
	world_trace(world, m->id, "takes a snapshot at %" PRIu64, batch->snapshot.index);
	m->is_snapshotting = true;
	disk_queue(&m->disk, batch);
	write_later(m);
}

static void apply_members(struct member *m, const struct raft_entry *entry)
{
	m->members_before = m->members;
	if (entry->data)
		raft_members_decode(entry->data->data, entry->data->size, &m->members);
}

static void apply(struct member *m, const struct raft_entry *entry)
{
	uint64_t result = 0;
	bool again = false;

	checks_applying(m, entry);
	if (m->world->failed_check)
		return;
	if (entry->type == RAFT_ENTRY_COMMAND) {
		result = store_apply(&m->store, entry->data, &again);
		m->world->coverage.commands_applied++;
		m->world->coverage.commands_seen_before += again;
	} else if (entry->type == RAFT_ENTRY_MEMBERS) {
		apply_members(m, entry);
	}
	m->applied = entry->index;
	m->applied_term = entry->term;
	checks_applied(m);
	member_answer_command(m, entry, result);
	if (sim_random_chance(&m->world->random, m->world->faults.snapshot_per_mille))
		member_snapshot(m);
}

static void apply_all(struct member *m, const struct raft_effects *effects)
{
	size_t count = effects->committed_count;

	if (sim_mutated(SIM_runtime_apply_out_of_order) && count >= 2) {
		apply(m, &effects->committed[count - 1]);
		count--;
	}
	for (size_t i = 0; i < count && !m->world->failed_check; i++)
		apply(m, &effects->committed[i]);
}

static void send(struct member *m, struct raft_message *messages, size_t count)
{
	for (size_t i = 0; i < count && !m->world->failed_check; i++) {
		if (messages[i].type == RAFT_SNAPSHOT)
			m->world->coverage.chunks_sent++;
		checks_sending(m, &messages[i]);
		network_send(m->world, m->slot, &messages[i]);
	}
}

static void want_chunk(struct member *m, const struct raft_chunk_wanted *wanted)
{
	struct raft_chunk_wanted *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	*copy = *wanted;
	later(m, sim_random_below(&m->world->random, m->world->faults.disk_delay_max_us),
	      EVENT_CHUNK, 0, copy);
}

static void act_on(struct member *m, const struct disk_batch *taken)
{
	const struct raft_effects *effects = &taken->effects;
	struct disk_batch *batch;

	send(m, effects->now, effects->now_count);
	if (!effects->sequence || sim_mutated(SIM_runtime_reply_before_disk))
		send(m, effects->later, effects->later_count);
	apply_all(m, effects);
	for (size_t i = 0; i < effects->read_count; i++)
		member_read_done(m, &effects->reads[i]);
	for (size_t i = 0; i < effects->wanted_count; i++)
		want_chunk(m, &effects->wanted[i]);
	batch = malloc(sizeof(*batch));
	if (!batch)
		abort();
	*batch = *taken;
	if (effects->sequence) {
		disk_queue(&m->disk, batch);
		write_later(m);
	} else {
		disk_batch_free(batch);
	}
}

static bool is_empty(const struct raft_effects *effects)
{
	return !effects->sequence && !effects->now_count && !effects->later_count &&
	       !effects->committed_count && !effects->read_count && !effects->wanted_count;
}

static void take_all(struct member *m)
{
	struct disk_batch taken;

	while (m->raft && !m->world->failed_check) {
		memset(&taken, 0, sizeof(taken));
		if (raft_take(m->raft, &taken.effects)) {
			world_fail(m->world, "log", "raft_take failed");
			return;
		}
		called(m);
		if (is_empty(&taken.effects)) {
			raft_effects_clear(&taken.effects);
			break;
		}
		checks_taken(m, &taken.effects);
		act_on(m, &taken);
	}
	if (m->world->failed_check)
		return;
	member_answer_reads(m);
	checks_settled(m);
}

/* A loop that is busy gives its core several inputs before it takes the effects. */
void member_settle(struct member *m)
{
	called(m);
	if (!sim_random_chance(&m->world->random, m->world->faults.lazy_per_mille))
		take_all(m);
}

static bool set_state(struct member *m, const struct raft_snapshot *snapshot,
		      const struct raft_bytes *state)
{
	memset(&m->store, 0, sizeof(m->store));
	if (snapshot->index && !store_restore(&m->store, state)) {
		world_fail(m->world, "snapshot",
			   "member %" PRIu64 ": the state at %" PRIu64 " is not whole", m->id,
			   snapshot->index);
		return false;
	}
	m->applied = snapshot->index;
	m->applied_term = snapshot->term;
	m->members = snapshot->members;
	m->members_before.count = 0;
	if (snapshot->index)
		checks_snapshot(m, snapshot, store_hash(&m->store));
	return !m->world->failed_check;
}

static int open_core(struct member *m)
{
	struct raft_options options = m->world->raft;
	const struct journal *journal = &m->disk.journal;
	struct raft_entry *entries = calloc(journal->count + 1, sizeof(*entries));
	const struct raft_restored restored = {.hard_state = m->disk.hard,
					       .snapshot = m->disk.snapshot,
					       .entries = entries,
					       .entry_count = journal->count};
	int err;

	if (!entries)
		abort();
	for (size_t i = 0; i < journal->count; i++)
		entries[i] = (struct raft_entry){.index = journal->base + 1 + i,
						 .term = journal->entries[i].term,
						 .type = journal->entries[i].type,
						 .data = journal->entries[i].data};
	options.id = m->id;
	options.random = m->world->options.is_scripted ? no_random : next_random;
	options.random_context = &m->random;
	err = raft_open(&options, &restored, &m->raft);
	free(entries);
	return err;
}

void member_start(struct member *m)
{
	struct world *world = m->world;
	int err;

	if (m->state != MEMBER_DOWN)
		return;
	err = disk_open(&m->disk, &world->coverage);
	if (err == -EBADMSG) {
		world->coverage.damaged_disks_refused++;
		world_trace(world, m->id, "finds its disk damaged, and stays away");
		m->state = MEMBER_DESTROYED;
		return;
	}
	if (!err)
		err = open_core(m);
	if (err) {
		world_fail(world, "open", "member %" PRIu64 ": %s", m->id, strerror(-err));
		return;
	}
	m->state = MEMBER_UP;
	journal_copy(&m->disk.journal, &m->log);
	if (!set_state(m, &m->disk.snapshot, m->disk.state))
		return;
	if (m->disk.snapshot.index)
		keep_snapshot(m, &m->disk.snapshot, m->disk.state);
	world_trace(world, m->id,
		    "opens: term %" PRIu64 " vote %" PRIu64 " log %" PRIu64 "..%" PRIu64,
		    m->disk.hard.term, m->disk.hard.vote, m->log.base + 1, journal_last(&m->log));
	checks_opened(m);
	if (!world->options.is_scripted)
		later(m, sim_random_below(&world->random, m->tick_us), EVENT_TICK, 0, NULL);
	called(m);
	take_all(m);
}

void member_stop(struct member *m, enum member_state state)
{
	if (m->state == MEMBER_UP) {
		close_core(m);
		disk_crash(&m->disk, &m->world->random, &m->world->coverage);
	}
	m->state = state;
}

void member_crash(struct member *m)
{
	if (m->state != MEMBER_UP)
		return;
	world_trace(m->world, m->id, "crashes");
	m->world->coverage.crashes++;
	member_stop(m, MEMBER_DOWN);
}

void member_disk_failed(struct member *m)
{
	if (m->state != MEMBER_UP)
		return;
	world_trace(m->world, m->id, "cannot write (EIO): it stops and opens again");
	m->world->coverage.disks_failed++;
	member_stop(m, MEMBER_DOWN);
	later(m, sim_random_between(&m->world->random, 1000, 50000), EVENT_START, 0, NULL);
}

void member_disk_free(struct member *m)
{
	if (!m->disk.is_full)
		return;
	m->disk.is_full = false;
	world_trace(m->world, m->id, "has room on its disk again");
	write_later(m);
}

static void stall(struct member *m)
{
	world_trace(m->world, m->id, "has no room on its disk");
	m->is_writing = false;
	raft_stall(m->raft, true);
	member_settle(m);
}

static void installed(struct member *m, const struct raft_snapshot *snapshot)
{
	m->world->coverage.snapshots_installed++;
	m->disk.journal.base_chain =
	    ledger_find(&m->world->ledger.logs, snapshot->index, snapshot->term);
	world_trace(m->world, m->id, "installed the snapshot at %" PRIu64, snapshot->index);
	if (m->applied >= snapshot->index)
		world_fail(m->world, "applied-order",
			   "member %" PRIu64 " applied %" PRIu64
			   " and installs a snapshot at %" PRIu64,
			   m->id, m->applied, snapshot->index);
	drop_snapshots(m);
	keep_snapshot(m, &m->disk.snapshot, m->disk.state);
	if (!sim_mutated(SIM_runtime_apply_before_install))
		set_state(m, snapshot, m->disk.state);
}

static void snapshot_written(struct member *m, const struct disk_batch *batch)
{
	m->is_snapshotting = false;
	if (batch->snapshot.index < m->disk.snapshot.index)
		return;
	m->world->coverage.snapshots_taken++;
	keep_snapshot(m, &batch->snapshot, batch->state);
	if (m->status.applied != m->applied)
		return; /* a newer one is being installed */
	if (raft_compact(m->raft, &batch->snapshot, sim_random_below(&m->world->random, 30)))
		world_fail(m->world, "snapshot",
			   "member %" PRIu64 ": raft_compact at %" PRIu64 " failed", m->id,
			   batch->snapshot.index);
}

static void written(struct member *m)
{
	const char *problem;
	struct disk_batch *batch = disk_write(&m->disk, &problem);

	m->is_writing = false;
	if (!batch) {
		world_fail(m->world, "log", "member %" PRIu64 ": %s", m->id, problem);
		return;
	}
	if (m->status.stalled)
		raft_stall(m->raft, false);
	if (batch->is_snapshot) {
		snapshot_written(m, batch);
	} else {
		if (batch->effects.has_install)
			installed(m, &batch->effects.install);
		checks_disk(m);
		if (raft_persisted(m->raft, batch->effects.sequence))
			world_fail(m->world, "log", "raft_persisted failed");
		if (!sim_mutated(SIM_runtime_reply_before_disk))
			send(m, batch->effects.later, batch->effects.later_count);
	}
	disk_batch_free(batch);
	write_later(m);
	if (!m->world->failed_check)
		member_settle(m);
}

static void send_chunk(struct member *m, const struct raft_chunk_wanted *wanted)
{
	const struct member_snapshot *snapshot = NULL;
	struct raft_bytes *data;
	uint64_t offset = wanted->offset, size;

	for (uint32_t i = 0; i < m->snapshot_count; i++)
		if (m->snapshots[i].meta.index == wanted->index)
			snapshot = &m->snapshots[i];
	if (!snapshot && m->snapshot_count)
		snapshot = &m->snapshots[m->snapshot_count - 1];
	if (!snapshot)
		return;
	if (snapshot->meta.index != wanted->index || offset > snapshot->meta.size)
		offset = 0;
	size = snapshot->meta.size - offset;
	if (size > m->world->raft.chunk_bytes)
		size = m->world->raft.chunk_bytes;
	data = raft_bytes_new(snapshot->state->data + offset, size);
	if (!data)
		abort();
	if (raft_send_chunk(m->raft, wanted->to, &snapshot->meta, offset, data,
			    offset + size == snapshot->meta.size))
		world_trace(m->world, m->id, "has a chunk nobody wants any more");
	raft_bytes_release(data);
	member_settle(m);
}

static void receive(struct member *m, const struct raft_message *message)
{
	m->world->coverage.messages_delivered++;
	trace_message(m->world, message);
	if (raft_step(m->raft, message))
		world_fail(m->world, "log", "raft_step failed");
	called(m);
	checks_received(m, message);
	member_settle(m);
}

static void tick(struct member *m)
{
	if (raft_tick(m->raft))
		world_fail(m->world, "log", "raft_tick failed");
	called(m);
	checks_ticked(m);
	member_settle(m);
}

void member_handle(struct member *m, struct event *event)
{
	if (m->state != MEMBER_UP)
		return;
	switch ((enum event_type)event->type) {
	case EVENT_TICK:
		later(m, m->tick_us, EVENT_TICK, 0, NULL);
		tick(m);
		break;
	case EVENT_MESSAGE:
		receive(m, event->payload);
		break;
	case EVENT_DISK:
		if (m->disk.is_full)
			stall(m);
		else
			written(m);
		break;
	case EVENT_CHUNK:
		send_chunk(m, event->payload);
		break;
	case EVENT_UNREACHABLE:
		raft_unreachable(m->raft, event->number);
		checks_unreachable(m, event->number);
		member_settle(m);
		break;
	case EVENT_REQUEST:
		member_request(m, event->payload);
		break;
	default:
		break;
	}
}

int member_transfer(struct member *m, uint64_t to)
{
	int err = raft_transfer(m->raft, to);

	world_trace(m->world, m->id, "is to hand leadership to m%" PRIu64 ": %s", to,
		    err ? strerror(-err) : "yes");
	if (!err) {
		m->world->coverage.transfers_asked++;
		m->transfer_to = to;
		m->transfer_us = m->world->now_us;
	}
	member_settle(m);
	return err;
}

int member_change(struct member *m, enum raft_change_type type, uint64_t id)
{
	struct raft_change change = {.type = type, .member.id = id};
	const struct raft_member *old = raft_members_find(&m->status.members, id);
	uint64_t index;
	int err;

	snprintf(change.member.address, sizeof(change.member.address), "m%" PRIu64 ":%u", id,
		 (unsigned)sim_random_below(&m->world->random, 1000));
	change.member.role = old ? old->role : RAFT_LEARNER;
	err = raft_change_members(m->raft, &change, &index);
	world_trace(m->world, m->id, "is to %s m%" PRIu64 ": %s", trace_change(type), id,
		    err ? strerror(-err) : "yes");
	if (!err && type == RAFT_PROMOTE)
		checks_promoted(m, id);
	if (err)
		m->world->coverage.changes_refused++;
	else if (id == m->id && type != RAFT_SET_ADDRESS)
		m->world->coverage.leaders_changed_themselves++;
	member_settle(m);
	return err;
}

void member_campaign(struct member *m)
{
	raft_campaign(m->raft);
	member_settle(m);
}

void member_tick(struct member *m, unsigned ticks)
{
	for (unsigned i = 0; i < ticks && m->state == MEMBER_UP && !m->world->failed_check; i++)
		tick(m);
}
