/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pieces of the snapshot in force, for followers that are too far behind for entries. The snapshot
 * that a transfer began with stays open, and so on disk, until the transfer is over.
 */
#include <errno.h>
#include <inttypes.h>

#include "node_internal.h"

static void send_next(struct send_transfer *transfer);

static void end_transfer(struct send_transfer *transfer)
{
	if (transfer->reader)
		disk_reader_close(transfer->node->disk, transfer->reader);
	*transfer = (struct send_transfer){0};
}

/* -- in the pool ------------------------------------------------------------------------------- */

static int open_reader(struct send_transfer *transfer)
{
	const struct raft_chunk_wanted *wanted = &transfer->wanted;
	struct disk *disk = transfer->node->disk;
	int err = -ENOENT;

	if (transfer->reader && wanted->index &&
	    disk_reader_snapshot(transfer->reader)->index == wanted->index)
		return 0;
	if (transfer->reader)
		disk_reader_close(disk, transfer->reader);
	transfer->reader = NULL;
	if (wanted->index)
		err = disk_reader_open(disk, wanted->index, &transfer->reader, &transfer->error);
	if (!err)
		return 0;
	/* Anew, with the one in force. */
	transfer->offset = 0;
	return disk_reader_open(disk, 0, &transfer->reader, &transfer->error);
}

static void read_in_pool(uv_work_t *work)
{
	struct send_transfer *transfer = work->data;
	size_t got;

	transfer->err = open_reader(transfer);
	if (transfer->err)
		return;
	transfer->piece = raft_bytes_new(NULL, NODE_PIECE_SIZE);
	if (!transfer->piece) {
		transfer->err = -ENOMEM;
		return;
	}
	transfer->err = disk_reader_read(transfer->reader, transfer->offset, transfer->piece->data,
					 NODE_PIECE_SIZE, &got, &transfer->error);
	if (!transfer->err)
		transfer->piece->size = (uint32_t)got; /* nobody else has it yet */
}

/* -- on the loop ------------------------------------------------------------------------------- */

static void piece_read(uv_work_t *work, int status)
{
	struct send_transfer *transfer = work->data;
	struct raft_node *node = transfer->node;
	struct raft_bytes *piece = transfer->piece;
	const struct raft_snapshot *snapshot;

	(void)status;
	transfer->piece = NULL;
	transfer->busy = false;
	if (node_job_done(node)) {
		raft_bytes_release(piece);
		return;
	}
	if (transfer->err) {
		node_say(node, "snapshot for %016" PRIx64 ": %s", transfer->to,
			 transfer->error.text[0] ? transfer->error.text
						 : uv_strerror(transfer->err));
		raft_unreachable(node->raft, transfer->to); /* it will be wanted again */
	} else if (!transfer->again) {
		snapshot = disk_reader_snapshot(transfer->reader);
		(void)raft_send_chunk(node->raft, transfer->to, snapshot, transfer->offset, piece,
				      transfer->offset + piece->size >= snapshot->size);
		node_wake(node);
	}
	raft_bytes_release(piece);
	if (transfer->again)
		send_next(transfer);
}

static void send_next(struct send_transfer *transfer)
{
	transfer->again = false;
	transfer->busy = true;
	transfer->offset = transfer->wanted.offset;
	transfer->error.text[0] = 0;
	transfer->work.data = transfer;
	transfer->node->jobs++;
	uv_queue_work(transfer->node->loop, &transfer->work, read_in_pool, piece_read);
}

static struct send_transfer *find(struct raft_node *node, uint64_t to)
{
	struct send_transfer *unused = NULL;

	for (unsigned int i = 0; i < RAFT_MEMBERS_MAX; i++) {
		struct send_transfer *transfer = &node->transfers[i];

		if (transfer->to == to)
			return transfer;
		if (!transfer->to)
			unused = transfer;
	}
	return unused;
}

void node_send_wanted(struct raft_node *node, const struct raft_chunk_wanted *wanted)
{
	struct send_transfer *transfer = find(node, wanted->to);

	if (!transfer) {
		raft_unreachable(node->raft, wanted->to); /* its turn comes */
		return;
	}
	transfer->node = node;
	transfer->to = wanted->to;
	transfer->wanted = *wanted;
	if (transfer->busy)
		transfer->again = true;
	else
		send_next(transfer);
}

/* Lets go of snapshots whose transfer is over. */
void node_send_look(struct raft_node *node)
{
	for (unsigned int i = 0; i < RAFT_MEMBERS_MAX; i++) {
		struct send_transfer *transfer = &node->transfers[i];
		struct raft_progress progress;

		if (!transfer->to || transfer->busy)
			continue;
		if (raft_get_progress(node->raft, transfer->to, &progress) || !progress.snapshot)
			end_transfer(transfer);
	}
}

void node_send_free(struct raft_node *node)
{
	for (unsigned int i = 0; i < RAFT_MEMBERS_MAX; i++)
		end_transfer(&node->transfers[i]);
}
