/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_NETWORK_H
#define FL_SIM_NETWORK_H
/* Links between members: each message has its own delay, so they overtake each other; some are
 * lost, doubled or held up; links can be cut, one way or both. */
#include <stdbool.h>
#include <stdint.h>

#include "../../../raft/types.h"

struct world;

enum { NETWORK_SLOTS_MAX = 40 };

struct network {
	uint64_t delay_min_us, delay_max_us;
	unsigned lost_per_mille, doubled_per_mille, held_up_per_mille;
	uint64_t held_up_max_us;
	bool is_cut[NETWORK_SLOTS_MAX][NETWORK_SLOTS_MAX]; /* from, to */
	/* A script's eye: true drops the message. NULL: none. */
	bool (*filter)(void *context, const struct raft_message *message);
	void *filter_context;
};

void network_choose(struct world *world);
void network_heal(struct world *world); /* fast and whole */
void network_join(struct world *world); /* no link is cut */
/* Takes what hangs on the message; *message is zeroed. */
void network_send(struct world *world, uint32_t from, struct raft_message *message);
/* Two sides; a bit of `side` for each slot. */
void network_split(struct world *world, uint64_t side, bool one_way);
#endif
