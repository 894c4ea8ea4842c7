/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_NODE_INTERNAL_H
#define FL_RAFT_NODE_INTERNAL_H
/*
 * What the parts of a running member share:
 *
 *   node.c           life, ticks, what callers ask
 *   node_turn.c      the end of a turn of the loop: effects in, effects out
 *   node_apply.c     committed entries into the store, in order, and a snapshot that came in
 *   node_snapshot.c  snapshots of the store, written beside
 *   node_send.c      pieces of a snapshot for followers
 */
#include "disk_writer.h"
#include "node.h"
#include "waiters.h"

enum {
	NODE_READS_MAX = 64, /* rounds of reads that are under way; callers share them */
	NODE_PIECE_SIZE = 256 << 10,
	NODE_LOOK_TICKS = 100, /* between looks at transfers that nobody wants any more */
};

/* Callers of raft_node_read that share one question to the leader. */
struct read_round {
	uint64_t context;
	bool asked;
	struct waiters callers; /* their index: 0 */
};

/* Something to apply. */
struct apply_item {
	struct apply_item *next;
	struct raft_entry *entries; /* NULL: the snapshot */
	size_t count, done;
	struct raft_snapshot install;
	bool installed; /* it is on disk */
};

struct send_transfer {
	struct raft_node *node;
	uint64_t to; /* 0: free */
	struct snapshot_reader *reader;
	struct raft_chunk_wanted wanted;
	bool busy, again; /* again: wanted is newer than what is being read */
	uv_work_t work;
	/* Of the read under way. */
	uint64_t offset;
	struct raft_bytes *piece;
	int err;
	struct raft_error error;
};

/* A snapshot of the store that is being written. */
struct snapshot_job {
	uv_work_t work;
	struct raft_node *node;
	void *view;
	struct raft_snapshot snapshot;
	struct snapshot_writer *writer;
	int err;
	struct raft_error error;
};

/* A snapshot that came in, on its way into the store. */
struct restore_job {
	uv_work_t work;
	bool busy;
	struct snapshot_reader *reader; /* NULL: no restore under way */
	uint64_t offset;
	uint8_t *piece;
	size_t got;
	int err;
	struct raft_error error;
};

struct raft_node {
	uv_loop_t *loop;
	struct raft_store store;
	struct raft_node_events events;
	struct raft *raft;
	struct disk *disk;
	struct disk_writer *writer;
	struct transport *transport;
	uint64_t id, random;

	uv_timer_t tick;
	uv_prepare_t turn;
	uv_idle_t hurry; /* runs while there is something to do: the loop must not sleep */
	uint32_t tick_ms, election_ticks, look_ticks;
	uint64_t ticked_at; /* ns */

	uint64_t persisted; /* sequence that the core had no memory to hear of; 0: none */
	bool failed, closing;
	unsigned int handles, jobs; /* open libuv handles, requests in the pool */
	void (*closed)(void *context);
	void *closed_context;

	struct raft_status status; /* as of the last turn */
	struct waiters proposals;
	struct waiters reads; /* whose index is known */
	struct read_round rounds[NODE_READS_MAX];
	uint64_t read_context; /* of the newest round */

	struct apply_item *apply_first, **apply_end;
	struct apply_item *spare[2]; /* for what the next raft_take may bring */
	uint64_t applied, applied_term;
	struct raft_members applied_members;
	struct restore_job restore;

	struct snapshot_job *snapshot; /* under way */
	uint64_t snapshot_bytes, kept_entries, log_bytes;
	struct send_transfer transfers[RAFT_MEMBERS_MAX];
};

/* There is something for the end of this turn. */
void node_wake(struct raft_node *node);
void node_say(struct raft_node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The end of it: nothing is done any more. */
void node_fail(struct raft_node *node, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A request came back from the pool. true: the node is closing, touch nothing but own memory. */
bool node_job_done(struct raft_node *node);

/* node_turn.c */
void node_turn(struct raft_node *node);
void node_written(struct raft_node *node, struct raft_effects *effects);
/* Everybody who waits: err. */
void node_answer_all(struct raft_node *node, int err);

/* node_apply.c */
int node_apply_reserve(struct raft_node *node); /* for one node_apply_queue; 0 or -ENOMEM */
void node_apply_queue(struct raft_node *node, struct raft_effects *effects); /* steals committed */
void node_apply_installed(struct raft_node *node, const struct raft_snapshot *snapshot);
void node_apply(struct raft_node *node);
int node_restore_now(struct raft_node *node, const struct raft_snapshot *snapshot,
		     struct raft_error *error);
void node_apply_free(struct raft_node *node);

/* node_snapshot.c */
void node_snapshot_consider(struct raft_node *node);
void node_snapshot_compacted(struct raft_node *node, int err);

/* node_send.c */
void node_send_wanted(struct raft_node *node, const struct raft_chunk_wanted *wanted);
void node_send_look(struct raft_node *node);
void node_send_free(struct raft_node *node);
#endif
