/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_PROGRESS_H
#define FL_RAFT_PROGRESS_H
/*
 * What a leader knows of one follower.
 *
 *   probe      its log is not known: one APPEND, then wait for what it says, or for the next
 *              heartbeat that it answers
 *   replicate  it agrees up to next - 1 as far as was sent: a stream of APPENDs, bounded by
 *              inflights
 *   snapshot   what it needs is no longer in the log: one chunk at a time
 *
 *   probe --accepts--> replicate --refuses, unreachable, silent--> probe
 *   probe, replicate --next is gone--> snapshot --has it--> replicate;  --silent--> probe
 */
#include "types.h"

enum progress_state { PROGRESS_PROBE, PROGRESS_REPLICATE, PROGRESS_SNAPSHOT };

/* Sent and not answered, oldest first; a ring. */
struct inflight {
	uint64_t last; /* index */
	uint32_t bytes;
};
struct inflights {
	struct inflight *ring; /* of capacity; the owner's */
	uint32_t capacity, start, count, bytes;
};

enum snapshot_phase {
	SNAPSHOT_WANT,  /* the caller has to be asked for a chunk */
	SNAPSHOT_ASKED, /* it was */
	SNAPSHOT_SENT,  /* the follower has to answer */
};

struct progress {
	uint64_t id;
	uint64_t match, next; /* match < next, always */
	enum progress_state state;
	bool paused; /* probe: one is on its way */
	bool poke;   /* replicate: say where it should be, in case the last APPEND was lost */
	bool active;
	uint64_t commit_sent; /* the last commit index it was told */
	uint64_t round;       /* of reads: the last heartbeat it answered */
	struct inflights inflights;

	enum snapshot_phase phase;
	uint64_t snapshot_index; /* 0: whatever the caller takes */
	uint64_t snapshot_size, offset;
	uint64_t since; /* tick at which the phase began */
};

void progress_start(struct progress *progress, uint64_t id, uint64_t next);
void progress_to_probe(struct progress *progress, uint64_t next);
void progress_to_replicate(struct progress *progress);
void progress_to_snapshot(struct progress *progress);
/* The follower has everything up to index. false: that was known. */
bool progress_accept(struct progress *progress, uint64_t index);
/* It refused entries after refused, and may agree up to hint. false: that is old news. */
bool progress_refuse(struct progress *progress, uint64_t refused, uint64_t hint);

void inflights_clear(struct inflights *inflights);
bool inflights_full(const struct inflights *inflights);
void inflights_add(struct inflights *inflights, uint64_t last, uint32_t bytes);
/* Answered: all that end at index or before. */
void inflights_free(struct inflights *inflights, uint64_t index);
#endif
