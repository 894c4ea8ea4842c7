/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_SNAPSHOTS_H
#define FL_RAFT_SNAPSHOTS_H
/*
 * The snapshots in the folder: the one in force (which the log's mark names), new ones that are
 * whole but not yet marked, older ones that somebody still reads, and the one that comes in.
 *
 * All but snapshots_receive and snapshots_force may be called from any thread.
 */
#include "core.h"
#include "snapshot_file.h"

struct snapshot_info {
	uint64_t index, term;
	uint32_t key_id;
	uint32_t pins; /* open readers */
};

struct snapshots {
	struct disk_folder *folder;
	pthread_mutex_t mutex; /* of what follows, up to the line */
	struct snapshot_info list[DISK_SNAPSHOTS_MAX];
	size_t count;
	uint64_t mark_index, mark_term; /* in force; 0: none */
	uint32_t drafts;                /* names local snapshots on their way */
	/* -- the log's thread alone */
	struct snapshot_writer *incoming;
	uint64_t received_index, received_term, received_size; /* the last one that became whole */
};

void snapshots_init(struct snapshots *s, struct disk_folder *folder);
void snapshots_close(struct snapshots *s);

/* There is this file, whole and lasting. -ENOSPC: too many of them. */
int snapshots_add(struct snapshots *s, const struct raft_snapshot *snapshot, uint32_t key_id);
bool snapshots_has(struct snapshots *s, uint64_t index, uint64_t term);
/* The log's mark names it now: older and other ones go, when nobody reads them. */
void snapshots_force(struct snapshots *s, uint64_t index, uint64_t term);

/* A local one, for snapshot_writer_add; then commit, or snapshot_writer_close to give it up. */
int snapshots_begin(struct snapshots *s, const struct raft_snapshot *snapshot,
		    struct snapshot_writer **out);
/* On 0 w is gone, after an error it is still there. -ESTALE: a newer one is in force. */
int snapshots_commit(struct snapshots *s, struct snapshot_writer *w);

/* A piece of what comes in. What is there already is passed over, so that a batch may be tried
 * again. 0, -ENOSPC, -EIO, or -EINVAL: it does not follow what came before. */
int snapshots_receive(struct snapshots *s, const struct raft_chunk_in *chunk);

/* index 0: the one in force. The file stays until the reader is closed. -ENOENT. */
int snapshots_open(struct snapshots *s, uint64_t index, struct snapshot_reader **out,
		   struct raft_error *error);
void snapshots_release(struct snapshots *s, struct snapshot_reader *r);
/* Calls with every key that a file here is sealed with. */
void snapshots_keys(struct snapshots *s, void (*each)(void *argument, uint32_t key_id),
		    void *argument);
#endif
