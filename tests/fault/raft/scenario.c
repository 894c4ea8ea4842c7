/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

#include <stddef.h>

#include "world.h"

enum { A_WHILE_US = 50000, WRITTEN = 8 };

static struct member *at(struct world *world, uint64_t id)
{
	return world_find(world, id);
}

static void wait(struct world *world)
{
	world_run_for(world, A_WHILE_US);
}

/* The leader they heard of last is out of their minds; nobody campaigns by itself yet. */
static void forget_leader(struct world *world)
{
	for (uint32_t i = 0; i < world->member_count; i++)
		if (!member_is_leader(world->members[i]))
			member_tick(world->members[i], WORLD_ELECTION_TICKS);
	wait(world);
}

/* Twice: the first pre-vote may only tell it of a newer term. */
static void campaign(struct world *world, uint64_t id)
{
	forget_leader(world);
	member_campaign(at(world, id));
	wait(world);
	if (!member_is_leader(at(world, id)))
		member_campaign(at(world, id));
	wait(world);
}

/* Nobody hears of the members in `away`, and they of nobody. */
static void only_without(struct world *world, uint64_t away)
{
	network_join(world);
	for (uint32_t i = 0; i < world->member_count; i++)
		if (away >> (i + 1) & 1)
			network_split(world, UINT64_C(1) << i, false);
}

static void write_through(struct world *world, uint64_t id)
{
	struct client *client = &world->clients.client[0];
	const struct client_request request = {
	    .command = {.kind = LINEAR_WRITE, .sequence = 1, .value = WRITTEN}, .attempt = 1};

	client->is_busy = true;
	client->attempt = 1;
	client->op =
	    (struct linear_op){.kind = LINEAR_WRITE, .value = WRITTEN, .return_ns = LINEAR_PENDING};
	member_request(at(world, id), &request);
	wait(world);
}

/* Which entries do not get through. */
struct sieve {
	struct world *world;
	uint64_t term, only_to; /* of this term, to anybody else who could append them */
	uint64_t shut;          /* any, to this member */
};

static bool is_held_back(void *context, const struct raft_message *message)
{
	const struct sieve *sieve = context;

	if (message->type != RAFT_APPEND || !message->entry_count)
		return false;
	if (message->to == sieve->shut)
		return true;
	return message->entries[0].term == sieve->term && message->to != sieve->only_to &&
	       journal_last(&at(sieve->world, message->to)->log) >= message->index;
}

#define BIT(id) (UINT64_C(1) << (id))

/*
 *        index 2   3        (1: the snapshot all begin with, term 1; 2: term 2, on all)
 *   (a)  S1 leads in term 2, and its client's write gets to S2 only
 *   (b)  S5 leads in term 3, elected by S3 and S4, with an entry of its own at index 3
 *   (c)  S5 crashes; S1 leads again, in term 4, and goes on: the write gets to S3. It is on a
 *        majority now, but not committed: S1's own entry of term 4 is on S1 and S2 only
 *   (d)  S1 crashes; S5 leads in term 5, elected by S3 and S4, and rewrites index 3
 */
struct scenario_result scenario_figure8(bool is_checked, FILE *trace)
{
	struct world *world = world_new(&(struct world_options){
	    .members = 5, .is_scripted = true, .is_unchecked = !is_checked, .trace = trace});
	struct sieve sieve = {.world = world};
	struct scenario_result result = {.written = WRITTEN};

	world->network.filter = is_held_back;
	world->network.filter_context = &sieve;
	campaign(world, 1);
	sieve = (struct sieve){.world = world, .term = 2, .only_to = 2};
	write_through(world, 1); /* (a) */

	only_without(world, BIT(1) | BIT(2));
	member_tick(at(world, 1), 2 * WORLD_ELECTION_TICKS); /* it hears of nobody: it gives up */
	sieve = (struct sieve){.world = world, .term = 3};
	campaign(world, 5); /* (b) */

	member_crash(at(world, 5));
	network_join(world);
	sieve = (struct sieve){.world = world, .term = 4, .only_to = 2, .shut = 4};
	campaign(world, 1); /* (c) */
	member_tick(at(world, 1), WORLD_HEARTBEAT_TICKS);
	wait(world);
	result.is_acknowledged = world->coverage.operations_acknowledged > 0;

	member_crash(at(world, 1));
	only_without(world, BIT(2));
	member_start(at(world, 5));
	sieve = (struct sieve){.world = world};
	campaign(world, 5); /* (d) */
	member_tick(at(world, 5), WORLD_HEARTBEAT_TICKS);
	wait(world);

	if (member_is_leader(at(world, 5)))
		result.last_leader_term = at(world, 5)->status.term;
	result.value = at(world, 5)->store.registers[0];
	result.failed_check = world->failed_check;
	world_free(world);
	return result;
}
