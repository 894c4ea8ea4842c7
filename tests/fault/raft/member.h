/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_MEMBER_H
#define FL_SIM_MEMBER_H
/*
 * One machine: a core, its disk, its copy of the state machine, and the loop around them, as core.h
 * describes it. What a real runtime must do right is done here, or wrongly, if mutations.h says so.
 */
#include "../../../raft/core.h"
#include "disk.h"
#include "journal.h"
#include "store.h"

struct world;
struct client_request;
struct event;

enum { MEMBER_SNAPSHOTS = 4, MEMBER_WAITING_MAX = 256, MEMBER_COMMITS = 4 };

enum member_state {
	MEMBER_DOWN,
	MEMBER_UP,
	MEMBER_DESTROYED, /* its disk is damaged: it refused to open, and never comes back */
	MEMBER_RETIRED,   /* it was removed, and its machine is gone */
};

/* A client's request that waits for its entry, or for its read to become safe. */
struct member_waiting {
	uint64_t context; /* read; 0: a command */
	uint64_t index;   /* command: its entry's; read: 0 until it is safe */
	uint64_t term;    /* command */
	uint64_t floor;   /* read: what was committed when it came */
	uint64_t client, attempt;
	uint8_t key;
};

struct member_snapshot {
	struct raft_snapshot meta;
	struct raft_bytes *state;
};

/* A leader's entries on their way to a follower, as seen on the wire: low .. high. */
struct member_flow {
	uint64_t low, high; /* high 0: none */
};

struct member {
	struct world *world;
	uint64_t id;
	uint32_t slot;
	enum member_state state;
	uint32_t incarnation;
	struct raft *raft;                 /* while up */
	struct raft_status status, before; /* after the last call, and the one before that */
	struct sim_random random;          /* the core's */
	struct disk disk;
	bool is_writing;
	struct journal log; /* as in memory */

	struct store store;
	uint64_t applied, applied_term;
	struct raft_members members, members_before; /* at applied; the last but one */
	struct member_snapshot snapshots[MEMBER_SNAPSHOTS];
	uint32_t snapshot_count;
	bool is_snapshotting;

	struct member_waiting waiting[MEMBER_WAITING_MAX];
	uint32_t waiting_count;

	uint32_t tick_us;
	uint64_t paused_until_us;
	uint64_t transfer_to, transfer_us;
	uint64_t commit_seen;      /* by checks.c */
	uint64_t leads_in;         /* the term in which it was last seen leading */
	struct member_flow *flows; /* by slot */
	uint64_t ticks;            /* of its own clock */
	uint64_t *heard;           /* by slot: when it last heard of it, in ticks */
	uint32_t deaf_ticks;       /* in a row as a leader that heard of no majority */
	uint64_t leader_heard;     /* when it last heard of the leader of its term; 0: not yet */
	uint64_t lead_from;        /* the first index of its own term, while it leads */
	uint64_t taken_in;         /* the term it led in when effects were last taken; 0: none */
	uint64_t commits[MEMBER_COMMITS]; /* its commit index at the last ticks */
};

struct member *member_new(struct world *world, uint32_t slot);
void member_free(struct member *m);
/* From what is on disk. */
void member_start(struct member *m);
void member_crash(struct member *m);
/* For good. */
void member_stop(struct member *m, enum member_state state);
/* Ticks, messages and the rest of what concerns a member that is up. Takes nothing over. */
void member_handle(struct member *m, struct event *event);
void member_request(struct member *m, const struct client_request *request);
void member_snapshot(struct member *m);
int member_transfer(struct member *m, uint64_t to);
int member_change(struct member *m, enum raft_change_type type, uint64_t id);
void member_campaign(struct member *m);
/* For scripts, where clocks stand still otherwise. */
void member_tick(struct member *m, unsigned ticks);
/* Proposes a write of nobody's. Its index; 0: refused. */
uint64_t member_probe(struct member *m);
void member_disk_free(struct member *m);
/* The disk fails a write: the member is stopped, and opened again. */
void member_disk_failed(struct member *m);
bool member_is_leader(const struct member *m);
#endif
