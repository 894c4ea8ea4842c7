/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_TYPES_H
#define FL_RAFT_TYPES_H
/*
 * What the parts of raft/ hand to each other: entries, memberships, messages. Section numbers are
 * of Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended
 * version); "thesis" is Ongaro, "Consensus: Bridging Theory and Practice" (2014).
 *
 * A member's id is random, never 0 and never used again: a removed machine that comes back is
 * another member.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RAFT_MEMBERS_MAX = 16,  /* voters and learners; Swarm advises 7 managers */
	RAFT_ADDRESS_MAX = 272, /* "host:port" with its NUL: a DNS name has 253 bytes at most */
	RAFT_ENTRY_SIZE_MAX = 4 << 20,
	RAFT_MESSAGE_ENTRIES_MAX = 1024,
	RAFT_MESSAGE_SIZE_MAX =
	    RAFT_ENTRY_SIZE_MAX + (1 << 20), /* as the wire carries it, headers and all */
	RAFT_SNAPSHOT_CHUNK_MAX = 1 << 20,
};

/*
 * Bytes that several parts hold at once (the log, messages on their way, the disk's writer, which
 * may be another thread). Immutable after it is made. raft_bytes_new gives the one reference to the
 * caller.
 */
struct raft_bytes {
	uint32_t references; /* atomic */
	uint32_t size;
	uint8_t data[];
};
struct raft_bytes *raft_bytes_new(const void *data,
				  size_t size); /* NULL: no memory. data NULL: zeros */
struct raft_bytes *raft_bytes_hold(struct raft_bytes *bytes); /* NULL gives NULL */
void raft_bytes_release(struct raft_bytes *bytes);            /* NULL is fine */

enum raft_entry_type {
	RAFT_ENTRY_COMMAND = 1, /* a proposal's bytes */
	RAFT_ENTRY_EMPTY = 2,   /* a leader's first (section 8); data NULL */
	RAFT_ENTRY_MEMBERS =
	    3, /* a whole membership (raft_members_encode), in force once it is in the log */
};

struct raft_entry {
	uint64_t index; /* from 1, no gaps */
	uint64_t term;
	struct raft_bytes *data; /* NULL: none */
	uint8_t type;
};

/* What must be on disk before anybody is answered (figure 2), and how far was known to be
 * committed, which only saves time after a restart. */
struct raft_hard_state {
	uint64_t term;
	uint64_t vote; /* 0: nobody in this term */
	uint64_t commit;
};

enum raft_role { RAFT_VOTER = 1, RAFT_LEARNER = 2 };

struct raft_member {
	uint64_t id;
	uint8_t role;
	char address[RAFT_ADDRESS_MAX]; /* where it listens; the core only carries it */
};

/* Sorted by id, no id twice. A fixed struct, so that it can be copied by assignment. */
struct raft_members {
	uint32_t count;
	struct raft_member member[RAFT_MEMBERS_MAX];
};
/* Counts, roles and addresses are in bounds, ids ascend: of a struct that somebody else filled. */
bool raft_members_valid(const struct raft_members *members);
const struct raft_member *raft_members_find(const struct raft_members *members, uint64_t id);
/* The bytes of a RAFT_ENTRY_MEMBERS. Decoding trusts nothing: -EBADMSG, *members unchanged. */
struct raft_bytes *raft_members_encode(const struct raft_members *members);
int raft_members_decode(const void *data, size_t size, struct raft_members *members);

/* A snapshot stands for the log up to and including index. */
struct raft_snapshot {
	uint64_t index, term;
	uint64_t size;               /* bytes of the state, all chunks together */
	struct raft_members members; /* in force at index */
};

enum raft_message_type {
	RAFT_PREVOTE = 1, /* thesis 9.6 */
	RAFT_PREVOTE_REPLY,
	RAFT_VOTE,
	RAFT_VOTE_REPLY,
	RAFT_APPEND,
	RAFT_APPEND_REPLY,
	RAFT_HEARTBEAT,
	RAFT_HEARTBEAT_REPLY,
	RAFT_SNAPSHOT, /* one chunk */
	RAFT_SNAPSHOT_REPLY,
	RAFT_TIMEOUT_NOW, /* thesis 3.10 */
	RAFT_READ,        /* a follower asks for a read index (thesis 6.4) */
	RAFT_READ_REPLY,
	RAFT_MESSAGE_TYPES,
};

/* clang-format off */
/*
 * One struct for all messages, so that a simulator, a codec and a trace need to know one shape.
 * What a message does not use is 0.
 *
 *   field      (PRE)VOTE    APPEND         APPEND_REPLY         HEARTBEAT (_REPLY)  SNAPSHOT         its REPLY
 *   index      last of log  before first   last that holds;     -                   of the snapshot  the same
 *                                          refused: hint (1)
 *   log_term   its term     its term       refused: hint's      -                   its term         the same
 *   commit     -            leader's       -                    min(match, commit)  -                -
 *   reject     reply: no    -              does not fit         -                   -                start again
 *   context    -            -              -                    round of reads (2)  -                offset of the chunk
 *   offset     -            -              refused: index of    -                   of the chunk     next wanted
 *                                          the APPEND
 *   snapshot   -            -              -                    -                   yes              -
 *
 * (1) The last entry that may agree with the leader's log; the leader goes on before the first
 *     entry of a higher term than that. An APPEND_REPLY that refuses in a higher term than the
 *     APPEND's says only that there is one.
 * (2) The reply gives back what the heartbeat had.
 *
 * A yes to a PREVOTE has the term that was asked for, any other reply the sender's own.
 * READ and READ_REPLY carry context (the asker's) and, in the reply, index; reject: no leader here.
 * A SNAPSHOT that is whole, or needless, is answered with an APPEND_REPLY.
 * Who makes a message owns it and what hangs on it, until raft_message_clear.
 */
/* clang-format on */
struct raft_message {
	uint8_t type;
	bool reject;
	bool transfer; /* (PRE)VOTE: the leader asked for it; no lease stands in its way */
	bool last;     /* SNAPSHOT: the chunk ends it */
	uint64_t from, to;
	uint64_t term;
	uint64_t index, log_term, commit;
	uint64_t context;
	uint64_t offset;
	uint32_t entry_count;
	struct raft_entry *entries;     /* malloc'ed; each holds its data */
	struct raft_snapshot *snapshot; /* SNAPSHOT; malloc'ed */
	struct raft_bytes *chunk;       /* SNAPSHOT */
};
/* Gives back what hangs on it and zeroes it. */
void raft_message_clear(struct raft_message *message);
/* A copy that shares the bytes. -ENOMEM: *copy is zeroed. */
int raft_message_copy(const struct raft_message *message, struct raft_message *copy);
#endif
