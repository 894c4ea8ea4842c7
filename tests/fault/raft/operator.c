/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator.h"

#include "world.h"

enum { EXTRA_MEMBERS_MAX = 2, RETIRE_PER_MILLE = 100 };

static bool is_gone(const struct member *m)
{
	return !m || m->state == MEMBER_DESTROYED || m->state == MEMBER_RETIRED;
}

static unsigned count_role(const struct raft_members *members, enum raft_role role)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < members->count; i++)
		count += members->member[i].role == role;
	return count;
}

/* With member number i as a voter or not: is a majority of the voters alive? */
static bool is_safe(struct world *world, const struct raft_members *members, uint32_t changed,
		    bool votes)
{
	unsigned voters = 0, alive = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		if (i == changed ? !votes : members->member[i].role != RAFT_VOTER)
			continue;
		voters++;
		alive += !faults_is_lost(world_find(world, members->member[i].id));
	}
	return voters && alive > voters / 2;
}

static void add(struct world *world, struct member *leader)
{
	struct member *m = world_add_member(world);

	if (!m)
		return;
	if (member_change(leader, RAFT_ADD_LEARNER, m->id))
		m->state = MEMBER_RETIRED; /* its id was not used, and will not be */
	else
		member_start(m);
}

/* Something for no reason. */
static void churn(struct world *world, struct member *leader, const struct raft_members *members,
		  uint32_t which)
{
	const uint64_t id = members->member[which].id;
	const bool votes = members->member[which].role == RAFT_VOTER;
	const enum raft_change_type type = (enum raft_change_type)sim_random_between(
	    &world->random, RAFT_ADD_LEARNER, RAFT_SET_ADDRESS);

	if (type == RAFT_ADD_LEARNER) {
		if (members->count < world->options.members + EXTRA_MEMBERS_MAX)
			add(world, leader);
	} else if (type == RAFT_SET_ADDRESS || type == RAFT_PROMOTE) {
		if (type == RAFT_SET_ADDRESS || is_safe(world, members, which, true))
			member_change(leader, type, id);
	} else if (!votes || is_safe(world, members, which, false)) {
		member_change(leader, type, id);
	}
}

/* Members whose machines are lost go, and new ones come for them. */
static bool repair(struct world *world, struct member *leader, const struct raft_members *members)
{
	for (uint32_t i = 0; i < members->count; i++) {
		const struct member *m = world_find(world, members->member[i].id);

		if (is_gone(m) && is_safe(world, members, i, false)) {
			member_change(leader, RAFT_REMOVE, members->member[i].id);
			world->coverage.members_replaced += m->state == MEMBER_DESTROYED;
			return true;
		}
	}
	if (count_role(members, RAFT_VOTER) >= world->options.members)
		return false;
	for (uint32_t i = 0; i < members->count; i++)
		if (members->member[i].role == RAFT_LEARNER && is_safe(world, members, i, true)) {
			member_change(leader, RAFT_PROMOTE, members->member[i].id);
			return true;
		}
	if (members->count < world->options.members + EXTRA_MEMBERS_MAX)
		add(world, leader);
	return true;
}

/* Is it a member as far as anybody knows? */
static bool is_known(struct world *world, uint64_t id)
{
	if (raft_members_find(&world->ledger.commit_members, id))
		return true;
	for (uint32_t i = 0; i < world->member_count; i++)
		if (raft_members_find(&world->members[i]->status.members, id))
			return true;
	return false;
}

/* Machines that were removed are switched off some day. */
static void retire(struct world *world)
{
	for (uint32_t i = 0; i < world->member_count; i++) {
		struct member *m = world->members[i];

		if (is_gone(m) || is_known(world, m->id) || !faults_may_lose(world, m) ||
		    !sim_random_chance(&world->random, RETIRE_PER_MILLE))
			continue;
		world_trace(world, m->id, "is switched off for good");
		member_stop(m, MEMBER_RETIRED);
	}
}

static struct member *choose_leader(struct world *world)
{
	struct member *found = NULL;
	unsigned seen = 0;

	for (uint32_t i = 0; i < world->member_count; i++)
		if (member_is_leader(world->members[i]) &&
		    !sim_random_below(&world->random, ++seen))
			found = world->members[i];
	return found;
}

void operator_act(struct world *world)
{
	struct member *leader;
	struct raft_members members;

	if (world->is_healed)
		return;
	world_after(world, sim_random_between(&world->random, 5000, 100000),
		    (struct event){.type = EVENT_OPERATOR});
	retire(world);
	leader = choose_leader(world);
	if (!leader || leader->paused_until_us > world->now_us)
		return;
	members = leader->status.members;
	if (world->faults.has_churn && members.count && sim_random_chance(&world->random, 500))
		churn(world, leader, &members,
		      (uint32_t)sim_random_below(&world->random, members.count));
	else
		repair(world, leader, &members);
}
