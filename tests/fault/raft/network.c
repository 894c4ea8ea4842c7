/* SPDX-License-Identifier: BSD-2-Clause */
#include "network.h"

#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "world.h"

enum { TOLD_UNREACHABLE_PER_MILLE = 200 };

void network_choose(struct world *world)
{
	struct sim_random *random = &world->random;
	struct network *network = &world->network;

	network->delay_min_us = sim_random_between(random, 50, 1000);
	network->delay_max_us = network->delay_min_us + sim_random_below(random, 9000);
	network->lost_per_mille =
	    sim_random_chance(random, 500) ? (unsigned)sim_random_below(random, 150) : 0;
	network->doubled_per_mille =
	    sim_random_chance(random, 500) ? (unsigned)sim_random_below(random, 100) : 0;
	network->held_up_per_mille =
	    sim_random_chance(random, 500) ? (unsigned)sim_random_below(random, 100) : 0;
	network->held_up_max_us = sim_random_between(random, 10000, 400000);
}

void network_join(struct world *world)
{
	memset(world->network.is_cut, 0, sizeof(world->network.is_cut));
}

void network_heal(struct world *world)
{
	struct network *network = &world->network;

	network_join(world);
	network->delay_min_us = 200;
	network->delay_max_us = 1000;
	network->lost_per_mille = network->doubled_per_mille = network->held_up_per_mille = 0;
}

void network_split(struct world *world, uint64_t side, bool one_way)
{
	for (uint32_t from = 0; from < world->member_count; from++)
		for (uint32_t to = 0; to < world->member_count; to++) {
			const bool from_side = side >> from & 1, to_side = side >> to & 1;

			if (from_side != to_side && (from_side || !one_way))
				world->network.is_cut[from][to] = true;
		}
}

static void lose(struct world *world, uint32_t from, struct raft_message *message)
{
	struct member *sender = world->members[from];

	if (sim_random_chance(&world->random, TOLD_UNREACHABLE_PER_MILLE))
		world_after(world, sim_random_below(&world->random, 20000),
			    (struct event){.type = EVENT_UNREACHABLE,
					   .member = from,
					   .incarnation = sender->incarnation,
					   .number = message->to});
	raft_message_clear(message);
}

static void deliver(struct world *world, uint32_t to, struct raft_message *message)
{
	struct network *network = &world->network;
	uint64_t delay =
	    sim_random_between(&world->random, network->delay_min_us, network->delay_max_us);
	struct raft_message *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	if (sim_random_chance(&world->random, network->held_up_per_mille)) {
		delay += sim_random_below(&world->random, network->held_up_max_us);
		world->coverage.messages_held_up++;
	}
	*copy = *message;
	memset(message, 0, sizeof(*message));
	world_after(world, delay,
		    (struct event){.type = EVENT_MESSAGE, .member = to, .payload = copy});
}

void network_send(struct world *world, uint32_t from, struct raft_message *message)
{
	struct network *network = &world->network;
	const struct member *to = world_find(world, message->to);
	struct raft_message copy;

	if (network->filter && network->filter(network->filter_context, message)) {
		raft_message_clear(message);
		return;
	}
	if (!to || network->is_cut[from][to->slot]) {
		world->coverage.messages_cut_off++;
		lose(world, from, message);
		return;
	}
	if (sim_random_chance(&world->random, network->lost_per_mille)) {
		world->coverage.messages_dropped++;
		lose(world, from, message);
		return;
	}
	if (sim_random_chance(&world->random, network->doubled_per_mille)) {
		if (raft_message_copy(message, &copy))
			abort();
		world->coverage.messages_duplicated++;
		deliver(world, to->slot, &copy);
	}
	deliver(world, to->slot, message);
}
