/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_BATCHES_H
#define FL_RAFT_BATCHES_H
/*
 * What is on its way to the disk, oldest first, and what is there.
 *
 * An entry that is cut off while its batch is on its way must not count as on disk when that batch
 * arrives: another entry may have its index by then, in a later batch. Hence a cut shortens what
 * the batches promise.
 */
#include "types.h"

struct batch {
	uint64_t sequence;
	uint64_t last; /* entry that it brings to the disk; 0: none */
	uint64_t term, vote;
};

struct batches {
	struct batch *items;
	size_t head, count, capacity;
	uint64_t taken;      /* last entry handed to a batch */
	uint64_t persisted;  /* last entry on disk */
	uint64_t term, vote; /* on disk */
};

void batches_free(struct batches *batches);
int batches_reserve(struct batches *batches); /* room for one; -ENOMEM */
void batches_add(struct batches *batches, const struct batch *batch);
/* Entries from this index on are cut off the log. */
void batches_cut(struct batches *batches, uint64_t from);
/* All up to sequence are on disk. Again, or an older one: no effect. */
void batches_persisted(struct batches *batches, uint64_t sequence);
#endif
