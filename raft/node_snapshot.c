/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots of the store: viewed here, written in the pool, put in force by the log's thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "node_internal.h"

static void write_all(struct snapshot_job *job, uint8_t *piece)
{
	struct raft_node *node = job->node;
	ssize_t size;

	job->err = disk_snapshot_begin(node->disk, &job->snapshot, &job->writer, &job->error);
	while (!job->err && (size = node->store.snapshot_read(job->view, piece, NODE_PIECE_SIZE))) {
		job->err = size < 0 ? (int)size
				    : disk_snapshot_write(node->disk, job->writer, piece,
							  (size_t)size, &job->error);
		job->snapshot.size += size > 0 ? (uint64_t)size : 0;
	}
	if (!job->err)
		job->err = disk_snapshot_finish(node->disk, job->writer, &job->error);
	if (job->err && job->writer)
		disk_snapshot_abort(node->disk, job->writer);
}

static void write_in_pool(uv_work_t *work)
{
	struct snapshot_job *job = work->data;
	uint8_t *piece = malloc(NODE_PIECE_SIZE);

	if (piece)
		write_all(job, piece);
	else
		job->err = -ENOMEM;
	free(piece);
}

static void snapshot_written(uv_work_t *work, int status)
{
	struct snapshot_job *job = work->data;
	struct raft_node *node = job->node;

	(void)status;
	node->store.snapshot_end(job->view);
	if (node_job_done(node))
		return;
	if (job->err == -EIO) {
		node_fail(node, -EIO, "%s", job->error.text);
		return;
	}
	if (!job->err)
		job->err =
		    disk_writer_compact(node->writer, job->snapshot.index, job->snapshot.term);
	if (job->err)
		node_snapshot_compacted(node, job->err);
}

/* It is in force, or there is none this time: the log goes on growing until the next try. */
void node_snapshot_compacted(struct raft_node *node, int err)
{
	struct snapshot_job *job = node->snapshot;

	node->snapshot = NULL;
	if (!err)
		err = raft_compact(node->raft, &job->snapshot, node->kept_entries);
	/* -ESTALE, -EINVAL: a snapshot that came in has overtaken it. */
	if (err && err != -ESTALE && err != -EINVAL)
		node_say(node, "no snapshot at %" PRIu64 ": %s", job->snapshot.index,
			 job->error.text[0] ? job->error.text : uv_strerror(err));
	free(job);
}

void node_snapshot_consider(struct raft_node *node)
{
	struct snapshot_job *job;

	if (node->snapshot || node->log_bytes < node->snapshot_bytes || node->restore.reader ||
	    node->status.stalled)
		return;
	job = calloc(1, sizeof(*job));
	if (!job)
		return;
	job->view = node->store.snapshot_begin(node->store.context);
	if (!job->view) {
		free(job);
		return;
	}
	job->node = node;
	job->work.data = job;
	job->snapshot = (struct raft_snapshot){
	    .index = node->applied, .term = node->applied_term, .members = node->applied_members};
	node->snapshot = job;
	node->log_bytes = 0;
	node->jobs++;
	uv_queue_work(node->loop, &job->work, write_in_pool, snapshot_written);
}
