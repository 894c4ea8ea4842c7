/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "operator.h"

enum {
	GROWS_FROM_ONE_PER_MILLE = 100,
	PROBE_US = WORLD_TICK_US / 2,
	LAST_READS_US = 100000,
};

void world_fail(struct world *world, const char *check, const char *format, ...)
{
	va_list arguments;

	if (world->failed_check || world->options.is_unchecked)
		return;
	world->failed_check = check;
	va_start(arguments, format);
	vsnprintf(world->failure, sizeof(world->failure), format, arguments);
	va_end(arguments);
	world_trace(world, 0, "FAILED %s: %s", check, world->failure);
}

void world_trace(struct world *world, uint64_t member, const char *format, ...)
{
	FILE *out = world->options.trace;
	va_list arguments;

	if (!out)
		return;
	fprintf(out, "%9.3f ", (double)world->now_us / 1000);
	if (member)
		fprintf(out, "m%" PRIu64 " ", member);
	va_start(arguments, format);
	vfprintf(out, format, arguments);
	va_end(arguments);
	fputc('\n', out);
}

void world_after(struct world *world, uint64_t delay_us, struct event event)
{
	event.time_us = world->now_us + delay_us;
	queue_push(&world->queue, event);
}

struct member *world_find(struct world *world, uint64_t id)
{
	return id && id <= world->member_count ? world->members[id - 1] : NULL;
}

struct member *world_add_member(struct world *world)
{
	struct member *m;

	if (world->member_count == WORLD_MEMBERS_MAX)
		return NULL;
	m = member_new(world, world->member_count);
	world->members[world->member_count++] = m;
	return m;
}

struct member *world_leader(struct world *world)
{
	struct member *leader = NULL;

	for (uint32_t i = 0; i < world->member_count; i++)
		if (member_is_leader(world->members[i]) &&
		    (!leader || world->members[i]->status.term > leader->status.term))
			leader = world->members[i];
	return leader;
}

static void choose_options(struct world *world)
{
	struct sim_random *random = &world->random;
	const bool is_scripted = world->options.is_scripted;

	raft_options_default(&world->raft);
	world->raft.election_ticks = WORLD_ELECTION_TICKS;
	world->raft.heartbeat_ticks = WORLD_HEARTBEAT_TICKS;
	world->raft.chunk_bytes = is_scripted ? 256 : (uint32_t)sim_random_between(random, 64, 512);
	if (is_scripted)
		world->raft.message_bytes_max = 1; /* one entry in each, to be held back alone */
	if (is_scripted || sim_random_chance(random, 300))
		return;
	world->raft.message_bytes_max = (uint32_t)sim_random_between(random, 64, 2048);
	world->raft.inflight_bytes_max = (uint32_t)sim_random_between(random, 256, 8192);
	world->raft.inflight_messages_max = (uint32_t)sim_random_between(random, 1, 32);
	world->raft.uncommitted_bytes_max = (uint32_t)sim_random_between(random, 512, 16384);
}

/* The first members have the same snapshot, with all of them in it. */
static void found_cluster(struct world *world, unsigned count)
{
	const struct store empty = {0};
	struct raft_bytes *state = store_snapshot(&empty, 0);
	struct raft_snapshot snapshot = {.index = 1, .term = 1, .size = state->size};

	for (unsigned i = 0; i < count; i++) {
		struct raft_member *member = &snapshot.members.member[i];

		*member = (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
		snprintf(member->address, sizeof(member->address), "m%u:0", i + 1);
	}
	snapshot.members.count = count;
	ledger_note(&world->ledger.logs, 1, 1, JOURNAL_CHAIN_FIRST);
	*ledger_at(&world->ledger, 1) =
	    (struct ledger_commit){.chain = JOURNAL_CHAIN_FIRST, .term = 1, .committed_in = 1};
	ledger_at(&world->ledger, 1)->state = store_hash(&empty);
	ledger_add_members(&world->ledger, 1, &snapshot.members);
	world->ledger.commit = 1;
	world->ledger.commit_members = snapshot.members;
	for (unsigned i = 0; i < count; i++)
		disk_format(&world_add_member(world)->disk, &snapshot, state);
	raft_bytes_release(state);
}

struct world *world_new(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof(*world));
	unsigned first = options->members;

	if (!world)
		abort();
	world->options = *options;
	world->random.state = sim_mix(options->seed + 1);
	choose_options(world);
	network_heal(world);
	world->faults.disk_delay_max_us = 500;
	world->clients.is_closed = options->is_scripted;
	if (!options->is_scripted) {
		network_choose(world);
		faults_choose(world);
		clients_start(world);
		if (sim_random_chance(&world->random, GROWS_FROM_ONE_PER_MILLE))
			first = 1;
	}
	found_cluster(world, first);
	for (unsigned i = 0; i < first; i++)
		member_start(world->members[i]);
	return world;
}

static void free_payload(struct event *event)
{
	if (event->type == EVENT_MESSAGE)
		raft_message_clear(event->payload);
	free(event->payload);
}

void world_free(struct world *world)
{
	queue_free(&world->queue, free_payload);
	for (uint32_t i = 0; i < world->member_count; i++)
		member_free(world->members[i]);
	clients_free(world);
	ledger_free(&world->ledger);
	free(world);
}

static bool is_for_member(const struct event *event)
{
	return event->type != EVENT_REPLY && event->type != EVENT_CLIENT &&
	       event->type != EVENT_FAULT && event->type != EVENT_OPERATOR;
}

/* Of a life of the member that is over. */
static bool is_stale(const struct event *event, const struct member *m)
{
	return event->type != EVENT_MESSAGE && event->type != EVENT_REQUEST &&
	       event->type != EVENT_START && event->incarnation != m->incarnation;
}

static void member_event(struct world *world, struct event *event)
{
	struct member *m = world->members[event->member];

	if (is_stale(event, m))
		return;
	if (m->paused_until_us > world->now_us && m->state == MEMBER_UP) {
		struct event again = *event;

		again.time_us = m->paused_until_us;
		queue_push(&world->queue, again);
		event->type = EVENT_TICK; /* the payload lives on */
		event->payload = NULL;
		return;
	}
	if (event->type == EVENT_START)
		member_start(m);
	else if (event->type == EVENT_DISK_FREE)
		member_disk_free(m);
	else
		member_handle(m, event);
}

static void dispatch(struct world *world, struct event *event)
{
	if (is_for_member(event)) {
		member_event(world, event);
		return;
	}
	switch ((enum event_type)event->type) {
	case EVENT_REPLY:
		client_answered(world, event->number, event->payload);
		break;
	case EVENT_CLIENT:
		client_wake(world, event->number);
		break;
	case EVENT_FAULT:
		faults_strike(world);
		break;
	default:
		operator_act(world);
		break;
	}
}

/* false: the world has come to rest, or a check failed. */
static bool step(struct world *world)
{
	struct event event;

	if (world->failed_check || !queue_pop(&world->queue, &event))
		return false;
	assert(event.time_us >= world->now_us);
	world->now_us = event.time_us;
	world->coverage.steps++;
	dispatch(world, &event);
	free_payload(&event);
	return !world->failed_check;
}

void world_run_for(struct world *world, uint64_t time_us)
{
	const uint64_t end = world->now_us + time_us;

	while (world->queue.count && world->queue.heap[0].time_us <= end && step(world))
		;
	world->now_us = end;
}

/* Has everyone in the leader's membership whose machine lives applied index? */
static bool is_applied_everywhere(struct world *world, const struct member *leader, uint64_t index)
{
	const struct raft_members *members = &leader->status.members;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct member *m = world_find(world, members->member[i].id);

		if (m && m->state == MEMBER_UP && m->applied < index)
			return false;
	}
	return leader->applied >= index;
}

static void fail_progress(struct world *world, uint64_t index)
{
	const struct member *leader = world_leader(world);
	const struct raft_members *members = leader ? &leader->status.members : NULL;
	char who[200] = "";

	for (uint32_t i = 0; i < world->member_count; i++) {
		const struct member *m = world->members[i];
		const size_t used = strlen(who);

		if (m->state == MEMBER_UP && m->applied < index &&
		    (!members || raft_members_find(members, m->id)))
			snprintf(who + used, sizeof(who) - used, ", m%" PRIu64 " has %" PRIu64,
				 m->id, m->applied);
	}
	world_fail(world, "progress",
		   "no new write on all live members within %d election timeouts of the healing: "
		   "leader m%" PRIu64 ", write at %" PRIu64 "%s",
		   WORLD_PROGRESS_US / (WORLD_ELECTION_TICKS * WORLD_TICK_US),
		   leader ? leader->id : 0, index, who);
}

static void check_progress(struct world *world)
{
	const uint64_t end = world->now_us + WORLD_PROGRESS_US;
	uint64_t probe_index = 0, probe_term = 0;

	while (world->now_us < end && !world->failed_check) {
		struct member *leader = world_leader(world);

		if (leader && leader->status.term != probe_term) {
			probe_index = member_probe(leader);
			probe_term = probe_index ? leader->status.term : 0;
		} else if (leader && is_applied_everywhere(world, leader, probe_index)) {
			return;
		}
		world_run_for(world, PROBE_US);
	}
	fail_progress(world, probe_index);
}

bool world_run(struct world *world)
{
	while (world->coverage.steps < world->options.steps && step(world))
		;
	if (!world->failed_check) {
		faults_heal(world);
		check_progress(world);
	}
	world->clients.is_closing = true;
	world_run_for(world, LAST_READS_US);
	world->clients.is_closed = true;
	world->coverage.virtual_ms = world->now_us / 1000;
	if (!world->failed_check)
		clients_check(world);
	return !world->failed_check;
}
