/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_CORE_INTERNAL_H
#define FL_RAFT_CORE_INTERNAL_H
/*
 * What the files of the core share. Only they include it.
 *
 * How -ENOMEM leaves no trace: a call from outside first makes room for all that it may queue
 * (effects_reserve, raft_log_reserve), and only then changes anything; nothing below it allocates.
 * APPENDs, whose number has no such bound, are made by raft_take: one that cannot be made stays
 * to be made.
 */
#include "batches.h"
#include "core.h"
#include "log.h"
#include "mutation.h"
#include "progress.h"
#include "types.h"

/* Half of the range: a term or an index that came in can be counted on from. */
#define RAFT_TERM_MAX  (UINT64_MAX / 2)
#define RAFT_INDEX_MAX (UINT64_MAX / 2)

enum {
	/* A member that is being removed is still told so until that is committed. */
	RAFT_PROGRESS_MAX = RAFT_MEMBERS_MAX + 1,
	RAFT_READS_MAX = 16384, /* that wait, of all askers together */
	/* Messages that one call may queue, besides one for each read that waits: twice to
	 * everybody (commit and farewell), and a few. */
	RAFT_PUSH_MAX = 2 * RAFT_PROGRESS_MAX + 6,
};

struct message_queue {
	struct raft_message *items;
	size_t count, capacity;
};

struct read {
	uint64_t from;    /* leader: who asked; 0: this member's own caller */
	uint64_t context; /* the asker's */
	uint64_t token;   /* follower: what the leader knows it by */
	uint64_t index;   /* leader: the commit index when it came; 0: none of this term yet */
	uint64_t round;   /* leader: the round of heartbeats that proves it */
	uint64_t since;   /* tick */
};
struct read_queue {
	struct read *items;
	size_t count, capacity;
};
struct done_queue {
	struct raft_read_done *items;
	size_t count, capacity;
};
struct chunk_queue {
	struct raft_chunk_in *items;
	size_t count, capacity;
};

/* A snapshot on its way in. */
struct incoming {
	bool open;
	uint64_t from, term; /* another leader's file need not be the same, byte for byte */
	struct raft_snapshot snapshot;
	uint64_t offset; /* next wanted */
};

enum vote { VOTE_NONE, VOTE_YES, VOTE_NO };

struct raft {
	struct raft_options options;
	uint64_t term, vote, leader;
	enum raft_state state;
	uint64_t commit, applied;
	bool stalled;

	struct raft_log log;
	struct batches batches;
	uint64_t sequence;            /* of the last batch */
	struct raft_hard_state taken; /* as the last batch has it */
	uint64_t snapshot_index;      /* of the newest snapshot here */

	struct raft_members members;   /* in force: the last in the log */
	uint64_t members_index;        /* of the entry that carries them; 0: not in memory */
	struct raft_members committed; /* the last that is known to be committed */
	struct raft_members base;      /* in force at log.before */

	uint64_t ticks;
	uint32_t election_elapsed, election_timeout, heartbeat_elapsed;
	uint8_t votes[RAFT_MEMBERS_MAX]; /* enum vote, as members.member is ordered */

	/* Leader. By id; this member is not among them. */
	struct progress progress[RAFT_PROGRESS_MAX];
	struct inflight *inflight_rings;
	uint32_t progress_count;
	uint64_t uncommitted_bytes;
	uint64_t commit_at_heartbeat; /* what a learner has to have to count as caught up */
	uint64_t transfer_to;
	uint32_t transfer_elapsed;
	uint64_t round; /* of heartbeats, for reads */
	bool round_wanted;

	struct read_queue reads; /* leader: wait for a round */
	struct read_queue asked; /* follower: wait for the leader */
	uint64_t token;
	struct incoming incoming;

	/* Effects since the last raft_take. */
	struct message_queue now, later;
	struct done_queue done;
	struct chunk_queue chunks;
	bool installing;
	struct raft_snapshot install;
};

/* effects.c */
int effects_reserve(struct raft *r);
struct raft_message *effects_push(struct raft *r, struct message_queue *queue, uint8_t type,
				  uint64_t to);
void effects_read_done(struct raft *r, uint64_t context, uint64_t index, int err);
void effects_free(struct raft *r);

/* election.c */
void election_become_follower(struct raft *r, uint64_t term, uint64_t leader);
void election_start(struct raft *r);
void election_campaign(struct raft *r, bool transfer); /* at once, without a pre-vote */
void election_tally(struct raft *r);
bool election_promotable(const struct raft *r);
bool election_lease_holds(const struct raft *r);
void election_step_vote(struct raft *r, const struct raft_message *m);
void election_step_vote_reply(struct raft *r, const struct raft_message *m);
void election_check_quorum(struct raft *r);

/* replication.c: the leader's side */
struct progress *replication_find(struct raft *r, uint64_t id);
void replication_start(struct raft *r);
void replication_sync(struct raft *r); /* after the members changed */
void replication_append(struct raft *r, uint8_t type, struct raft_bytes *data);
void replication_maybe_commit(struct raft *r);
void replication_commit(struct raft *r, uint64_t index); /* on any member */
void replication_step_append_reply(struct raft *r, const struct raft_message *m);
void replication_step_heartbeat_reply(struct raft *r, const struct raft_message *m);
void replication_heartbeat(struct raft *r, const struct progress *progress);
int replication_send(struct raft *r); /* -ENOMEM: what was made stays made */

/* append.c: the follower's side */
bool append_valid(const struct raft_message *m);
void append_step(struct raft *r, const struct raft_message *m);
void append_step_heartbeat(struct raft *r, const struct raft_message *m);
void append_accept(struct raft *r, uint64_t to, uint64_t index);

/* members.c */
uint32_t members_voters(const struct raft_members *members);
bool members_is_voter(const struct raft_members *members, uint64_t id);
bool members_counts(const struct raft *r, uint32_t position); /* in a quorum */
void members_adopt(struct raft *r, const struct raft_entry *entry);
void members_rollback(struct raft *r);
void members_committed(struct raft *r, uint64_t before);
void members_before_drop(struct raft *r, uint64_t index);
void members_reset(struct raft *r, const struct raft_members *members);
bool members_entry_valid(const struct raft_entry *entry);

/* read.c */
void read_step(struct raft *r, const struct raft_message *m);
void read_step_reply(struct raft *r, const struct raft_message *m);
void read_term_committed(struct raft *r);
void read_advance(struct raft *r);
void read_round(struct raft *r); /* begins one if a read wants it */
void read_fail_all(struct raft *r);
void read_tick(struct raft *r);

/* snapshot.c */
bool snapshot_valid(const struct raft_message *m);
int snapshot_reserve(struct raft *r);
void snapshot_step(struct raft *r, const struct raft_message *m);
void snapshot_step_reply(struct raft *r, const struct raft_message *m);
void snapshot_heartbeat_answered(struct raft *r, struct progress *progress);

/* transfer.c */
void transfer_advance(struct raft *r, const struct progress *progress);
void transfer_tick(struct raft *r);
void transfer_give_up_lead(struct raft *r); /* steps down, and says who may lead at once */
void transfer_step_timeout_now(struct raft *r, const struct raft_message *m);
#endif
