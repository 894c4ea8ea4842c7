/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_NODE_H
#define FL_RAFT_NODE_H
/*
 * A running member: core.h's state machine joined with the disk, the transport, the clock and a
 * store, on a libuv loop.
 *
 *   loop thread      everything here, every callback, the store's apply
 *   log's thread     the log's writes: all batches that wait share one fdatasync
 *   libuv's pool     writes snapshots, reads them for followers and when one came in
 *
 * Callbacks enqueue; what follows from a turn of the loop goes out at its end, in one batch.
 *
 * Time is monotonic. A process that did not run for a while (SIGSTOP, a suspended machine) counts
 * the gap as one tick: it cannot know what the others said meanwhile, so it neither campaigns for
 * their silence nor holds that it still leads; reads always ask a majority.
 *
 * Disk full: the member stalls (core.h) and tries again until there is room. A disk that fails, or
 * a store that cannot take a snapshot: events.failed, and nothing more is sent, written or applied;
 * the owner exits, and opens the member again from what is on disk.
 *
 * The program ignores SIGPIPE.
 */
#include <uv.h>

#include "core.h"
#include "disk.h"
#include "raft_error.h"
#include "store.h"
#include "transport.h"

struct raft_node;

enum {
	/* Besides core.h's answers. The entry was in the log of a leader that is none any more: it
	 * may yet be applied, or never. RAFT_NOT_LEADER always means that it never will be. */
	RAFT_UNKNOWN = -103, /* -ECONNABORTED */
};

/* err 0: applied at index; result is what the store's apply returned (0 of a change of members).
 * Comes out of the loop, never out of the call that it answers. */
typedef void raft_node_done(void *context, int err, uint64_t index, uint64_t result);

struct raft_node_events {
	/* State, term, leader or membership changed. */
	void (*changed)(void *context, const struct raft_status *status);
	/* The end of a turn: what it brought was answered. A place to write answers out together.
	 */
	void (*turned)(void *context);
	/* For good. code: negative errno. */
	void (*failed)(void *context, int code, const char *why);
	void (*said)(void *context, const char *line); /* for a log */
	void *context;
};

struct raft_node_options {
	uv_loop_t *loop;
	struct disk_options disk;
	struct tls_pem pem;     /* its certificate says who this member is */
	const char *listen;     /* as in transport.h */
	const char *advertised; /* NULL: as listen */
	struct raft_store store;
	struct raft_node_events events; /* any may be NULL */
	/* Where the folder is empty: the first members of a new cluster, the same on each of them.
	 * NULL: it joins one, whose leader will come. */
	const struct raft_members *bootstrap;

	uint32_t tick_ms;                         /* 10 */
	uint32_t heartbeat_ticks, election_ticks; /* 5, 25 */
	uint64_t snapshot_bytes; /* of log since the last snapshot that bring the next one */
	uint64_t kept_entries;   /* stay in memory behind a snapshot, for who is a little late */
};
/* The numbers; the rest is zero. */
void raft_node_options_default(struct raft_node_options *options);

/* Reads back what is on disk, the store from its snapshot. Talks once the loop runs. */
int raft_node_open(const struct raft_node_options *options, struct raft_node **out,
		   struct raft_error *error);
/* What waits is answered with RAFT_UNKNOWN before this returns, then there are no more events but
 * closed, out of the loop, when all is free. May wait for one write to the disk. */
void raft_node_close(struct raft_node *node, void (*closed)(void *context), void *context);

/*
 * done is called once, unless this fails, which means that nothing was proposed: RAFT_NOT_LEADER
 * (raft_node_leader knows better), RAFT_FULL, RAFT_TOO_BIG, -ENOMEM, -ESHUTDOWN (it has failed).
 */
int raft_node_propose(struct raft_node *node, struct raft_bytes *command, raft_node_done *done,
		      void *context);
/* done: the store now holds whatever was acknowledged to anybody before this call. index: of the
 * last entry applied. Works on followers too, who ask the leader. RAFT_NOT_LEADER: nobody known to
 * lead; try again. */
int raft_node_read(struct raft_node *node, raft_node_done *done, void *context);
/* RAFT_BUSY, RAFT_NOT_YET, RAFT_INVALID besides. done: it is committed. */
int raft_node_change(struct raft_node *node, const struct raft_change *change, raft_node_done *done,
		     void *context);
int raft_node_transfer(struct raft_node *node, uint64_t to); /* no answer: see the status */

void raft_node_get_status(const struct raft_node *node, struct raft_status *status);
/* 0: nobody known. */
uint64_t raft_node_leader(const struct raft_node *node);
uint64_t raft_node_applied(const struct raft_node *node);
/* For a member that joins an existing cluster, before its leader has told it who is in it. */
int raft_node_set_peer(struct raft_node *node, uint64_t id, const char *address);
/* See transport_set_pem. */
int raft_node_set_pem(struct raft_node *node, const struct tls_pem *pem, struct raft_error *error);
const struct transport_counters *raft_node_counters(const struct raft_node *node);
const char *raft_node_address(const struct raft_node *node);
uint64_t raft_node_id(const struct raft_node *node);
#endif
