/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_REPLAY_H
#define FL_RAFT_REPLAY_H
/*
 * What the items of a log add up to. Pure. Whatever does not follow from what came before is
 * refused: a log is never mended by guessing.
 */
#include "record.h"

struct replay {
	struct raft_hard_state hard_state;
	uint64_t mark_index, mark_term; /* of the snapshot in force; 0: none */
	uint64_t start; /* of the first entry held; those before it, back to the mark,
			 * were in segments that are gone */
	struct raft_entry *entries;
	size_t count, room;
};

void replay_init(struct replay *r);
void replay_clear(struct replay *r);
uint64_t replay_last(const struct replay *r);

/* The state that a segment begins with: set by the first, to be met by the others. */
struct replay_base {
	struct raft_hard_state hard_state;
	uint64_t mark_index, mark_term;
	uint64_t last;
};
/* 0, or -EBADMSG and why. */
int replay_begin(struct replay *r, const struct replay_base *base, const char **why);
int replay_continue(const struct replay *r, const struct replay_base *base, const char **why);
/* The payload of a RECORD_BATCH. 0, -ENOMEM, or -EBADMSG and why. */
int replay_batch(struct replay *r, const uint8_t *payload, size_t size, const char **why);
/* The payload of a RECORD_BASE. *key_from, *key_to: 0 unless the key was changed there. */
int replay_base_decode(const uint8_t *payload, size_t size, struct replay_base *base,
		       uint32_t *key_from, uint32_t *key_to);
/* After the last segment: entries that the snapshot stands for are dropped. -EBADMSG: entries
 * between the snapshot and the first one held are missing. */
int replay_finish(struct replay *r, const char **why);
#endif
