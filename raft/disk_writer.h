/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_WRITER_H
#define FL_RAFT_DISK_WRITER_H
/*
 * The log's thread. Batches that wait while one fdatasync runs share the next (group commit). On a
 * full disk the same batch is tried again, with growing pauses, until it is written; what comes
 * after it waits. Any other failure is final: the thread writes nothing more.
 *
 * All calls and events: loop thread.
 */
#include <uv.h>

#include "disk.h"

struct disk_writer;

struct disk_writer_events {
	/* In order. The effects are the receiver's to clear. */
	void (*written)(void *context, struct raft_effects *effects);
	void (*compacted)(void *context, uint64_t index, int err);
	/* error: why, when it begins. No written comes in between. */
	void (*stalled)(void *context, bool stalled, const struct raft_error *error);
	void (*failed)(void *context, const struct raft_error *error);
	void *context;
};

/* The disk stays the caller's, who does not write to it as long as the writer is there. */
int disk_writer_open(uv_loop_t *loop, struct disk *disk, const struct disk_writer_events *events,
		     struct disk_writer **out);
/* Memory for one more: what comes out of raft_take cannot be given back. 0 or -ENOMEM. */
int disk_writer_reserve(struct disk_writer *writer);
/* After disk_writer_reserve. Takes the effects over: *effects is zeroed. */
void disk_writer_put(struct disk_writer *writer, struct raft_effects *effects);
/* Behind what was put before. */
int disk_writer_compact(struct disk_writer *writer, uint64_t index, uint64_t term);
bool disk_writer_is_idle(const struct disk_writer *writer);
/* Ends the thread after the write that is under way; what waits is dropped. No event follows. The
 * loop must run on until the handle is closed. */
void disk_writer_close(struct disk_writer *writer);
#endif
