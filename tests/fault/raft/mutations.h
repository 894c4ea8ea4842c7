/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_MUTATIONS_H
#define FL_SIM_MUTATIONS_H
/*
 * Seeded bugs of the part around the core, which the simulator plays: what the runtime and the disk
 * can do wrong. Those of the core are in raft/mutation.h. One at a time.
 */
#include <stdbool.h>

#define SIM_MUTATIONS(X)                                                                           \
	X(runtime_lost_fsync, "a batch is called persisted before it is")                          \
	X(runtime_reply_before_disk, "messages of `later` leave at once")                          \
	X(runtime_entries_before_hard_state, "a batch is written in the wrong order")              \
	X(runtime_no_cut_before_append, "entries after a rewritten one stay on disk")              \
	X(runtime_torn_tail_kept, "a torn record is taken for a whole one")                        \
	X(runtime_damage_cut, "damage in what was synced is cut like a torn tail")                 \
	X(runtime_vote_not_restored, "the vote is not read back after a restart")                  \
	X(runtime_install_keeps_log, "an installed snapshot leaves the old log on disk")           \
	X(runtime_apply_out_of_order, "two committed entries are applied the wrong way round")     \
	X(runtime_apply_before_install, "an installed snapshot is not given to the state machine") \
	X(runtime_snapshot_without_members, "a snapshot has the members of the last but one")      \
	X(runtime_snapshot_newer_state, "a snapshot's state is newer than its index")              \
	X(runtime_snapshot_without_sessions, "a snapshot forgets what clients have had done")      \
	X(runtime_answer_before_commit, "a client is answered when its command is in the log")     \
	X(runtime_answer_by_index, "a client is answered for whatever entry took its index")       \
	X(runtime_read_before_apply, "a read does not wait until its index is applied")

enum sim_mutation {
	SIM_MUTATION_NONE,
#define SIM_MUTATION_ID(name, what) SIM_##name,
	SIM_MUTATIONS(SIM_MUTATION_ID)
#undef SIM_MUTATION_ID
	    SIM_MUTATION_COUNT
};

/* "runtime_...": of this list; NULL past its end. From 1. */
const char *sim_mutation_name(unsigned number);
/* Chooses one of this list or of the core's by name; NULL: none. false: there is no such name. */
bool sim_mutation_choose(const char *name);
bool sim_mutated(enum sim_mutation mutation);
#endif
