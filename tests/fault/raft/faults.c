/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults.h"

#include <inttypes.h>

#include "world.h"

void faults_choose(struct world *world)
{
	struct sim_random *random = &world->random;
	struct faults *faults = &world->faults;

	for (unsigned i = 0; i < FAULT_COUNT; i++)
		faults->is_enabled[i] = sim_random_chance(random, 500);
	faults->is_enabled[FAULT_JOIN] = true;
	faults->has_churn = sim_random_chance(random, 500);
	faults->gap_us = sim_random_between(random, 10000, 120000);
	faults->disk_delay_max_us = sim_random_chance(random, 300)
					? sim_random_between(random, 5000, 60000)
					: sim_random_between(random, 100, 5000);
	faults->lazy_per_mille =
	    sim_random_chance(random, 300) ? (unsigned)sim_random_below(random, 600) : 0;
	faults->snapshot_per_mille =
	    sim_random_chance(random, 700) ? (unsigned)sim_random_below(random, 150) : 0;
	faults->snapshot_padding_max = (uint32_t)sim_random_between(random, 0, 2000);
	faults->restart_max_us = sim_random_between(random, 5000, 600000);
	world_after(world, faults->gap_us, (struct event){.type = EVENT_FAULT});
	world_after(world, faults->gap_us, (struct event){.type = EVENT_OPERATOR});
}

bool faults_is_lost(const struct member *m)
{
	return !m || m->disk.is_damaged || m->state == MEMBER_DESTROYED ||
	       m->state == MEMBER_RETIRED;
}

/* Has a majority of these voters a future? */
static bool is_enough(struct world *world, const struct raft_members *members,
		      const struct member *lost)
{
	unsigned voters = 0, alive = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		if (members->member[i].role != RAFT_VOTER)
			continue;
		voters++;
		alive += world_find(world, members->member[i].id) != lost &&
			 !faults_is_lost(world_find(world, members->member[i].id));
	}
	return !voters || alive > voters / 2;
}

/* A membership on its way may come into force when its sender has long forgotten it. */
static bool is_enough_under_way(struct world *world, const struct member *lost)
{
	struct raft_members members;

	for (size_t i = 0; i < world->queue.count; i++) {
		const struct raft_message *message = world->queue.heap[i].payload;

		if (world->queue.heap[i].type != EVENT_MESSAGE)
			continue;
		for (uint32_t j = 0; j < message->entry_count; j++) {
			const struct raft_bytes *data = message->entries[j].data;

			if (message->entries[j].type == RAFT_ENTRY_MEMBERS && data &&
			    !raft_members_decode(data->data, data->size, &members) &&
			    !is_enough(world, &members, lost))
				return false;
		}
	}
	return true;
}

bool faults_may_lose(struct world *world, const struct member *lost)
{
	struct raft_members members;

	if (!is_enough(world, &world->ledger.commit_members, lost) ||
	    !is_enough_under_way(world, lost))
		return false;
	for (uint32_t i = 0; i < world->member_count; i++) {
		const struct member *m = world->members[i];

		if (faults_is_lost(m))
			continue;
		if (!is_enough(world, &m->status.members, lost))
			return false;
		if (journal_members(&m->disk.journal, journal_last(&m->disk.journal), &members) &&
		    !is_enough(world, &members, lost))
			return false;
		if (journal_members(&m->log, journal_last(&m->log), &members) &&
		    !is_enough(world, &members, lost))
			return false;
	}
	return true;
}

/* NULL: none is up. */
static struct member *any_up(struct world *world)
{
	struct member *found = NULL;
	unsigned seen = 0;

	for (uint32_t i = 0; i < world->member_count; i++)
		if (world->members[i]->state == MEMBER_UP &&
		    !sim_random_below(&world->random, ++seen))
			found = world->members[i];
	return found;
}

static void crash(struct world *world, struct member *m)
{
	if (!m || m->state != MEMBER_UP)
		return;
	member_crash(m);
	world_after(world, sim_random_below(&world->random, world->faults.restart_max_us),
		    (struct event){.type = EVENT_START, .member = m->slot});
}

static void damage(struct world *world, struct member *m)
{
	if (!faults_may_lose(world, m))
		return;
	crash(world, m);
	disk_damage(&m->disk, &world->random);
}

static void fill(struct world *world, struct member *m)
{
	m->disk.is_full = true;
	world->coverage.disks_full++;
	world_after(world, sim_random_between(&world->random, 1000, 500000),
		    (struct event){
			.type = EVENT_DISK_FREE, .member = m->slot, .incarnation = m->incarnation});
}

static void pause(struct world *world, struct member *m)
{
	m->paused_until_us = world->now_us + sim_random_between(&world->random, 1000, 500000);
	world->coverage.pauses++;
	world_trace(world, m->id, "stands still for %" PRIu64 " ms",
		    (m->paused_until_us - world->now_us) / 1000);
}

static void split(struct world *world, uint64_t side, bool one_way)
{
	world_trace(world, 0, "the network splits%s: side %" PRIx64, one_way ? " one way" : "",
		    side);
	world->coverage.partitions += !one_way;
	world->coverage.partitions_one_way += one_way;
	network_split(world, side, one_way);
}

static void transfer(struct world *world, struct member *leader)
{
	const struct raft_members *members = &leader->status.members;

	if (members->count)
		member_transfer(
		    leader, members->member[sim_random_below(&world->random, members->count)].id);
}

static void strike_member(struct world *world, enum fault fault, struct member *m)
{
	switch (fault) {
	case FAULT_CRASH:
		crash(world, m);
		break;
	case FAULT_DAMAGE:
		damage(world, m);
		break;
	case FAULT_DISK_FULL:
		fill(world, m);
		break;
	case FAULT_DISK_FAILED:
		member_disk_failed(m);
		break;
	case FAULT_PAUSE:
		pause(world, m);
		break;
	case FAULT_CLOCK:
		m->tick_us =
		    (uint32_t)(WORLD_TICK_US * sim_random_between(&world->random, 6, 16) / 10);
		world->coverage.clocks_changed++;
		break;
	case FAULT_SNAPSHOT:
		member_snapshot(m);
		break;
	case FAULT_CAMPAIGN:
		member_campaign(m);
		break;
	default:
		break;
	}
}

static void strike(struct world *world, enum fault fault)
{
	struct member *leader = world_leader(world), *m = any_up(world);

	switch (fault) {
	case FAULT_CRASH_LEADER:
		crash(world, leader);
		break;
	case FAULT_CRASH_ALL:
		for (uint32_t i = 0; i < world->member_count; i++)
			crash(world, world->members[i]);
		break;
	case FAULT_SPLIT:
	case FAULT_SPLIT_ONE_WAY:
		split(world, sim_random_next(&world->random), fault == FAULT_SPLIT_ONE_WAY);
		break;
	case FAULT_ISOLATE_LEADER:
		if (leader)
			split(world, UINT64_C(1) << leader->slot,
			      sim_random_chance(&world->random, 300));
		break;
	case FAULT_JOIN:
		world_trace(world, 0, "the network is whole again");
		network_join(world);
		break;
	case FAULT_WEATHER:
		network_choose(world);
		break;
	case FAULT_TRANSFER:
		if (leader)
			transfer(world, leader);
		break;
	default:
		if (m)
			strike_member(world, fault, m);
		break;
	}
}

void faults_strike(struct world *world)
{
	struct faults *faults = &world->faults;
	enum fault fault = (enum fault)sim_random_below(&world->random, FAULT_COUNT);

	if (world->is_healed)
		return;
	/* A split must not outlive too many other faults. */
	if (sim_random_chance(&world->random, 150))
		fault = FAULT_JOIN;
	if (faults->is_enabled[fault])
		strike(world, fault);
	world_after(world, sim_random_between(&world->random, 1000, 2 * faults->gap_us),
		    (struct event){.type = EVENT_FAULT});
}

void faults_heal(struct world *world)
{
	world_trace(world, 0, "all is healed");
	world->coverage.heals++;
	world->is_healed = true;
	network_heal(world);
	world->faults.disk_delay_max_us = 500;
	world->faults.lazy_per_mille = world->faults.snapshot_per_mille = 0;
	world->clients.lost_per_mille = 0;
	for (uint32_t i = 0; i < world->member_count && !world->failed_check; i++) {
		struct member *m = world->members[i];

		m->paused_until_us = 0;
		m->tick_us = WORLD_TICK_US;
		member_disk_free(m);
		member_start(m);
	}
}
