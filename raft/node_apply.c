/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Committed entries go into the store in order. A snapshot that came in takes its place in that
 * order: nothing behind it is applied before the store is restored, in pieces that the pool reads.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "node_internal.h"

static void read_piece(struct raft_node *node);

/* -- the queue --------------------------------------------------------------------------------- */

int node_apply_reserve(struct raft_node *node)
{
	for (int i = 0; i < 2; i++) {
		if (!node->spare[i])
			node->spare[i] = calloc(1, sizeof(*node->spare[i]));
		if (!node->spare[i])
			return -ENOMEM;
	}
	return 0;
}

static struct apply_item *add_item(struct raft_node *node)
{
	struct apply_item **spare = &node->spare[!node->spare[0]];
	struct apply_item *item = *spare;

	assert(item);
	*spare = NULL;
	*node->apply_end = item;
	node->apply_end = &item->next;
	return item;
}

static void free_item(struct apply_item *item)
{
	for (size_t i = 0; i < item->count; i++)
		raft_bytes_release(item->entries[i].data);
	free(item->entries);
	free(item);
}

static void drop_first(struct raft_node *node)
{
	struct apply_item *item = node->apply_first;

	node->apply_first = item->next;
	if (!item->next)
		node->apply_end = &node->apply_first;
	free_item(item);
}

void node_apply_queue(struct raft_node *node, struct raft_effects *effects)
{
	struct apply_item *item;

	/* What it replaces may still stand before it; what stands behind it has higher indexes. */
	if (effects->has_install)
		add_item(node)->install = effects->install;
	if (!effects->committed_count)
		return;
	item = add_item(node);
	item->entries = effects->committed;
	item->count = effects->committed_count;
	effects->committed = NULL;
	effects->committed_count = 0;
}

void node_apply_free(struct raft_node *node)
{
	while (node->apply_first)
		drop_first(node);
	free(node->spare[0]);
	free(node->spare[1]);
	if (node->restore.reader)
		disk_reader_close(node->disk, node->restore.reader);
	free(node->restore.piece);
}

/* -- entries ----------------------------------------------------------------------------------- */

/* Proposals up to this entry have their answer. */
static void answer_proposals(struct raft_node *node, uint64_t index, uint64_t term, uint64_t result)
{
	struct waiter waiter;

	while (waiters_take(&node->proposals, index, &waiter)) {
		if (waiter.index < index) /* a snapshot stands for it */
			waiter.done(waiter.context, RAFT_UNKNOWN, waiter.index, 0);
		else if (waiter.term != term) /* another entry has its place, for good */
			waiter.done(waiter.context, RAFT_NOT_LEADER, index, 0);
		else
			waiter.done(waiter.context, 0, index, result);
	}
}

static void answer_reads(struct raft_node *node)
{
	struct waiter waiter;

	while (waiters_take(&node->reads, node->applied, &waiter))
		waiter.done(waiter.context, 0, node->applied, 0);
}

static void apply_entry(struct raft_node *node, const struct raft_entry *entry)
{
	const struct raft_bytes *data = entry->data;
	uint64_t result = 0;

	if (entry->index <= node->applied)
		return; /* of before a snapshot that came in */
	assert(entry->index == node->applied + 1);
	if (entry->type == RAFT_ENTRY_COMMAND)
		result = node->store.apply(node->store.context, entry->index,
					   data ? data->data : NULL, data ? data->size : 0);
	else if (entry->type == RAFT_ENTRY_MEMBERS &&
		 raft_members_decode(data->data, data->size, &node->applied_members))
		node_fail(node, -EBADMSG, "entry %" PRIu64 ": not a membership", entry->index);
	node->applied = entry->index;
	node->applied_term = entry->term;
	node->log_bytes += sizeof(*entry) + (data ? data->size : 0);
	answer_proposals(node, entry->index, entry->term, result);
}

static void apply_entries(struct raft_node *node, struct apply_item *item)
{
	while (item->done < item->count && !node->failed) {
		struct raft_entry *entry = &item->entries[item->done++];

		apply_entry(node, entry);
		raft_bytes_release(entry->data);
		entry->data = NULL;
	}
}

/* -- a snapshot that came in ------------------------------------------------------------------- */

static void end_restore(struct raft_node *node)
{
	disk_reader_close(node->disk, node->restore.reader);
	free(node->restore.piece);
	node->restore = (struct restore_job){0};
}

static int restored(struct raft_node *node, const struct raft_snapshot *snapshot)
{
	const int err = node->store.restore_end(node->store.context, snapshot->index);

	if (err)
		return err;
	node->applied = snapshot->index;
	node->applied_term = snapshot->term;
	node->applied_members = snapshot->members;
	node->log_bytes = 0;
	return 0;
}

static void piece_read(uv_work_t *work, int status)
{
	struct raft_node *node = work->data;
	struct restore_job *restore = &node->restore;
	int err;

	(void)status;
	restore->busy = false;
	if (node_job_done(node))
		return;
	if (restore->err) {
		node_fail(node, restore->err, "%s", restore->error.text);
		return;
	}
	err = restore->got
		  ? node->store.restore_chunk(node->store.context, restore->piece, restore->got)
		  : 0;
	if (err) {
		node_fail(node, err, "the store refuses a piece of a snapshot");
		return;
	}
	restore->offset += restore->got;
	if (restore->got == NODE_PIECE_SIZE) {
		read_piece(node);
		return;
	}
	assert(node->apply_first && !node->apply_first->entries);
	err = restored(node, &node->apply_first->install);
	end_restore(node);
	if (err) {
		node_fail(node, err, "the store refuses a snapshot");
		return;
	}
	drop_first(node);
	node_wake(node);
}

static void read_in_pool(uv_work_t *work)
{
	struct raft_node *node = work->data;
	struct restore_job *restore = &node->restore;

	restore->err = disk_reader_read(restore->reader, restore->offset, restore->piece,
					NODE_PIECE_SIZE, &restore->got, &restore->error);
}

static void read_piece(struct raft_node *node)
{
	node->restore.work.data = node;
	node->restore.busy = true;
	node->jobs++;
	uv_queue_work(node->loop, &node->restore.work, read_in_pool, piece_read);
}

static int begin_restore(struct raft_node *node, const struct raft_snapshot *snapshot,
			 struct raft_error *error)
{
	struct restore_job *restore = &node->restore;
	int err;

	restore->piece = malloc(NODE_PIECE_SIZE);
	if (!restore->piece)
		return -ENOMEM;
	err = disk_reader_open(node->disk, snapshot->index, &restore->reader, error);
	if (!err)
		err = node->store.restore_begin(node->store.context,
						disk_reader_snapshot(restore->reader)->size);
	if (err) {
		if (restore->reader)
			disk_reader_close(node->disk, restore->reader);
		free(restore->piece);
		*restore = (struct restore_job){0};
	}
	return err;
}

void node_apply_installed(struct raft_node *node, const struct raft_snapshot *snapshot)
{
	for (struct apply_item *item = node->apply_first; item; item = item->next)
		if (!item->entries && item->install.index == snapshot->index)
			item->installed = true;
}

/* true: it stands in the way until the store is restored. */
static bool restore_first(struct raft_node *node, struct apply_item *item)
{
	struct raft_error error = {.text = "cannot be read"};
	int err;

	if (item->install.index <= node->applied)
		return false;
	if (node->restore.reader || !item->installed)
		return true;
	/* A newer one is there already: this one may be gone from the disk. */
	for (struct apply_item *later = item->next; later; later = later->next)
		if (!later->entries && later->installed)
			return false;
	err = begin_restore(node, &item->install, &error);
	if (err == -ENOMEM)
		return true; /* again with the next tick */
	if (err)
		node_fail(node, err, "snapshot at %" PRIu64 ": %s", item->install.index,
			  error.text);
	else
		read_piece(node);
	return true;
}

void node_apply(struct raft_node *node)
{
	while (node->apply_first && !node->failed) {
		struct apply_item *item = node->apply_first;

		if (item->entries)
			apply_entries(node, item);
		else if (restore_first(node, item))
			break;
		if (!node->failed)
			drop_first(node);
	}
	if (!node->failed)
		answer_reads(node);
}

/* When opening: there is nothing yet that could be held up. */
int node_restore_now(struct raft_node *node, const struct raft_snapshot *snapshot,
		     struct raft_error *error)
{
	struct restore_job *restore = &node->restore;
	int err = begin_restore(node, snapshot, &restore->error);

	if (err)
		return raft_error_set(error, err, "snapshot at %" PRIu64 ": %s", snapshot->index,
				      restore->error.text);
	do {
		err = disk_reader_read(restore->reader, restore->offset, restore->piece,
				       NODE_PIECE_SIZE, &restore->got, &restore->error);
		if (!err && restore->got)
			err = node->store.restore_chunk(node->store.context, restore->piece,
							restore->got);
		restore->offset += restore->got;
	} while (!err && restore->got == NODE_PIECE_SIZE);
	if (!err)
		err = restored(node, snapshot);
	if (err)
		raft_error_set(error, err, "snapshot at %" PRIu64 ": %s", snapshot->index,
			       restore->error.text[0] ? restore->error.text
						      : "the store refuses it");
	end_restore(node);
	return err;
}
