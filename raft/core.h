/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_CORE_H
#define FL_RAFT_CORE_H
/*
 * One member of a Raft cluster, as a pure state machine: messages, ticks and wishes in, effects
 * out. No clock, no random numbers, no socket, no file, no thread; calls on one struct raft never
 * overlap.
 *
 * The caller's loop:
 *
 *   raft_step / raft_tick / raft_propose / ...      any number of them
 *   raft_take(r, &effects)                          what follows from them
 *     1. persist effects.hard_state, .entries, .chunk and .install, in that order, in one batch
 *     2. send effects.now at any time: they promise nothing that is not on disk
 *     3. when the batch is on disk: raft_persisted(r, effects.sequence), and send effects.later
 *     4. apply effects.committed in order (they are on disk here or on a majority; see there)
 *     5. answer effects.reads
 *   raft_effects_clear(&effects)
 *
 * Several batches may be on their way to the disk; they are persisted in order. A batch with
 * nothing to write only keeps `later` behind the batches before it; without a batch, `later` is
 * empty. "Persist before reply" thus lives in one place: what depends on the disk lies in `later`,
 * and the member's own vote and own copy of an entry count from raft_persisted on.
 *
 * A disk that is full: call raft_stall(r, true) and go on trying the same batch. A leader steps
 * down, nobody campaigns, nothing of `later` leaves; what is committed stays. Once the batch is on
 * disk: raft_stall(r, false) and raft_persisted. A disk that lies or fails (EIO): stop the member,
 * and open it again from what is on disk.
 *
 * Ticks are of the caller's length. Election timeouts are election_ticks .. 2 * election_ticks - 1,
 * by options.random. Pre-vote and check-quorum are always on.
 */
#include "types.h"

struct raft;

enum {
	/* What a wish may be answered with, besides -ENOMEM. */
	RAFT_NOT_LEADER = -66, /* -EREMOTE: raft_status.leader knows who is, if anybody */
	RAFT_BUSY = -16,       /* -EBUSY: another change of members, or a transfer, is under way */
	RAFT_FULL = -105,      /* -ENOBUFS: options.uncommitted_bytes_max */
	RAFT_TOO_BIG = -90,    /* -EMSGSIZE */
	RAFT_NOT_YET = -11, /* -EAGAIN: nothing of this term is committed, or a learner is behind */
	RAFT_INVALID = -22, /* -EINVAL: no such member, the only voter, ... */
};

enum raft_state { RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

struct raft_options {
	uint64_t id;
	uint32_t election_ticks;        /* >= 2 * heartbeat_ticks */
	uint32_t heartbeat_ticks;       /* >= 1 */
	uint32_t message_bytes_max;     /* of entries in one APPEND; one entry always goes */
	uint32_t inflight_bytes_max;    /* of entries per follower, sent and not answered */
	uint32_t inflight_messages_max; /* per follower */
	uint32_t uncommitted_bytes_max; /* in a leader's log: then RAFT_FULL */
	uint32_t chunk_bytes;           /* of a snapshot, <= RAFT_SNAPSHOT_CHUNK_MAX */
	uint32_t (*random)(void *context);
	void *random_context;
};
/* All but id and random, for ticks of 10 ms: heartbeats 50 ms, elections from 250 ms. */
void raft_options_default(struct raft_options *options);

/* What was on disk. A new cluster's first member: a snapshot at index 1, term 1 whose members are
 * itself, and an empty log; a member that joins: all zero (members come from the leader). */
struct raft_restored {
	struct raft_hard_state hard_state;
	struct raft_snapshot snapshot;
	const struct raft_entry
	    *entries; /* follow the snapshot without a gap; the core holds their data */
	size_t entry_count;
};
/* -EINVAL: what was restored contradicts itself (a gap, terms that fall, commit past the end). */
int raft_open(const struct raft_options *options, const struct raft_restored *restored,
	      struct raft **out);
void raft_close(struct raft *r);

/* The message is looked at, not taken over: the caller clears it. Anything may come in, from
 * anyone: what makes no sense changes nothing. 0 or -ENOMEM, after which r is as before. */
int raft_step(struct raft *r, const struct raft_message *message);
int raft_tick(struct raft *r);
/* The core takes references of its own to what it is given here and below. */
int raft_propose(struct raft *r, struct raft_bytes *command, uint64_t *index, uint64_t *term);
/* effects.reads says with the same context when reads at the leader's commit index are safe. On a
 * follower the leader is asked; a question or answer that is lost is given up after an election
 * timeout. */
int raft_read(struct raft *r, uint64_t context);
int raft_campaign(struct raft *r); /* now, without waiting for the timeout; pre-vote first */
int raft_transfer(struct raft *r, uint64_t to);

enum raft_change_type {
	RAFT_ADD_LEARNER = 1,
	RAFT_PROMOTE, /* RAFT_NOT_YET until the learner has caught up */
	RAFT_DEMOTE, /* voter to learner; of the leader itself: it steps down when that is committed
		      */
	RAFT_REMOVE, /* the same */
	RAFT_SET_ADDRESS,
};
struct raft_change {
	enum raft_change_type type;
	struct raft_member member; /* id; address where it matters */
};
/* One at a time, and only after an entry of the leader's term is committed (Ongaro's 2015
 * correction of thesis 4.1). *index: the entry that carries it. */
int raft_change_members(struct raft *r, const struct raft_change *change, uint64_t *index);

/* A snapshot of the applied state at index is on disk: entries up to index may leave memory. Some,
 * keep entries, stay for followers that are a little behind. */
int raft_compact(struct raft *r, const struct raft_snapshot *snapshot, uint64_t keep);

struct raft_read_done {
	uint64_t context;
	uint64_t index; /* read when this is applied */
	int err;        /* 0, or RAFT_NOT_LEADER: ask again */
};
/* A chunk of a snapshot that comes in. offset 0 begins a file anew. */
struct raft_chunk_in {
	struct raft_snapshot snapshot;
	uint64_t offset;
	struct raft_bytes *data; /* NULL: no bytes; a snapshot may be empty */
	bool last;
};
/* A follower needs this piece: raft_send_chunk answers. */
struct raft_chunk_wanted {
	uint64_t to;
	uint64_t index; /* of the snapshot that this transfer began with; 0: the newest, which the
			 * caller has to keep until the transfer is over */
	uint64_t offset;
};

struct raft_effects {
	uint64_t sequence; /* of the batch to persist; 0: there is none, and `later` is empty */
	bool has_hard_state;
	struct raft_hard_state hard_state;
	/* To append, after cutting the log before the first one's index where it has more. */
	struct raft_entry *entries;
	size_t entry_count;
	struct raft_chunk_in *chunks; /* to write */
	size_t chunk_count;
	bool has_install; /* the chunks of this snapshot are whole: it replaces log and state */
	struct raft_snapshot install;

	struct raft_message *now, *later;
	size_t now_count, later_count;

	/* In order, each index once. Never before the batch that carries them here is on disk,
	 * unless install replaced them. A membership entry is among them, for information. */
	struct raft_entry *committed;
	size_t committed_count;
	struct raft_read_done *reads;
	size_t read_count;
	struct raft_chunk_wanted *wanted;
	size_t wanted_count;
};
/* Everything that happened since the last call. -ENOMEM: nothing was taken; call again. */
int raft_take(struct raft *r, struct raft_effects *effects);
void raft_effects_clear(struct raft_effects *effects);

int raft_persisted(struct raft *r, uint64_t sequence);
void raft_stall(struct raft *r, bool stalled);
/* A piece of the snapshot as it was wanted. last: it is the end, offset and size of the piece add
 * up to snapshot->size; before that no piece is empty. data NULL: no bytes. RAFT_INVALID: nobody
 * waits for this piece (any more); drop it. */
int raft_send_chunk(struct raft *r, uint64_t to, const struct raft_snapshot *snapshot,
		    uint64_t offset, struct raft_bytes *data, bool last);
/* The transport lost the peer or could not send: probe it instead of streaming on. */
void raft_unreachable(struct raft *r, uint64_t id);

struct raft_status {
	uint64_t id, term, vote, leader; /* leader 0: not known */
	enum raft_state state;
	uint64_t commit, applied; /* applied: given out in effects.committed */
	uint64_t first, last;     /* of the log in memory; first > last: it is empty */
	uint64_t persisted;       /* last entry known to be on disk */
	bool stalled, transferring;
	struct raft_members members;
};
void raft_get_status(const struct raft *r, struct raft_status *status);
/* A leader's view of a follower. -ENOENT: no such member, or r does not lead. */
struct raft_progress {
	uint64_t match, next;
	uint32_t inflight_messages, inflight_bytes;
	bool active; /* heard of since the last check of the quorum */
	bool probing, snapshot;
};
int raft_get_progress(const struct raft *r, uint64_t id, struct raft_progress *progress);
#endif
