/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_WORLD_H
#define FL_SIM_WORLD_H
/*
 * A cluster, its clients and its misfortunes in virtual time: everything follows from the options.
 *
 *   clients --requests--> members (core + disk + state machine) <--messages--> members
 *                             ^                                     ^
 *                             +----------- faults, operator --------+
 *
 * world_run plays a seed: faults for options.steps events, then everything is healed and the
 * cluster must make progress, then what the clients saw is checked. A scripted world has no
 * clients, faults or chance of its own: a test acts on it and lets time pass.
 */
#include "client.h"
#include "coverage.h"
#include "faults.h"
#include "ledger.h"
#include "member.h"
#include "network.h"
#include "queue.h"
#include "random.h"

enum {
	WORLD_MEMBERS_MAX = 40, /* ever, with those that were replaced */
	WORLD_TICK_US = 10000,
	WORLD_ELECTION_TICKS = 10,
	WORLD_HEARTBEAT_TICKS = 2,
	WORLD_PROGRESS_US = 10 * WORLD_ELECTION_TICKS * WORLD_TICK_US,
};

struct world_options {
	uint64_t seed;
	unsigned members;
	uint64_t steps;
	bool is_scripted;
	bool is_unchecked; /* a test wants to see what becomes of a bug */
	FILE *trace;       /* NULL: none */
};

struct world {
	struct world_options options;
	struct sim_random random;
	uint64_t now_us;
	struct queue queue;
	struct member *members[WORLD_MEMBERS_MAX];
	uint32_t member_count;
	struct raft_options raft;
	struct network network;
	struct clients clients;
	struct faults faults;
	struct ledger ledger;
	struct sim_coverage coverage;
	bool is_healed;
	const char *failed_check; /* NULL: all is well */
	char failure[400];
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);
/* true: all checks held. Else failed_check and failure say what did not. */
bool world_run(struct world *world);
/* Until time_us have passed, or a check fails. */
void world_run_for(struct world *world, uint64_t time_us);

/* For the parts. */
void world_fail(struct world *world, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_trace(struct world *world, uint64_t member, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_after(struct world *world, uint64_t delay_us, struct event event);
struct member *world_find(struct world *world, uint64_t id); /* NULL: no such member */
/* A member with an empty disk, down. NULL: WORLD_MEMBERS_MAX. */
struct member *world_add_member(struct world *world);
/* Who leads in the highest term. NULL: nobody. */
struct member *world_leader(struct world *world);
#endif
