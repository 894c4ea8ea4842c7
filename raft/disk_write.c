/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches into records: how they are grouped, checked and laid out. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "disk_internal.h"

void disk_batch_of(const struct raft_effects *effects, struct disk_batch *batch)
{
	*batch = (struct disk_batch){
	    .hard_state = effects->has_hard_state ? &effects->hard_state : NULL,
	    .entries = effects->entries,
	    .entry_count = effects->entry_count,
	    .chunks = effects->chunks,
	    .chunk_count = effects->chunk_count,
	    .install = effects->has_install ? &effects->install : NULL,
	};
}

static size_t entry_size(const struct raft_entry *e)
{
	return ITEM_HEADER_SIZE + ITEM_ENTRY_SIZE + (e->data ? e->data->size : 0);
}

/* An upper bound of what a batch takes of a payload; an explicit cut may turn out unneeded. */
static size_t batch_size(const struct disk_batch *b)
{
	size_t size = b->hard_state ? ITEM_HEADER_SIZE + 24 : 0;

	if (b->entry_count)
		size += ITEM_HEADER_SIZE + 8;
	for (size_t i = 0; i < b->entry_count; i++)
		size += entry_size(&b->entries[i]);
	return size + (b->install ? ITEM_HEADER_SIZE + 16 : 0);
}

/* Where the items go and what the log will be after them. */
struct packer {
	uint8_t *at;
	struct wal_state state;
};

static void pack(struct packer *p, const struct record_item *item)
{
	p->at = record_item_encode(p->at, item);
}

static int check_entries(const struct wal_state *s, const struct disk_batch *b)
{
	const struct raft_entry *e = b->entries;

	if (e->index <= s->mark_index || e->index > s->last + 1)
		return -EINVAL;
	for (size_t i = 0; i < b->entry_count; i++)
		if (e[i].index != e->index + i || (i && e[i].term < e[i - 1].term) ||
		    e[i].type < RAFT_ENTRY_COMMAND || e[i].type > RAFT_ENTRY_MEMBERS ||
		    (e[i].data && e[i].data->size > RAFT_ENTRY_SIZE_MAX))
			return -EINVAL;
	return 0;
}

/* Entries beyond an install of the same batch were appended after it. */
static bool install_first(const struct disk_batch *b)
{
	return b->install && b->entry_count && b->entries->index > b->install->index;
}

static int follow_entries(struct wal_state *s, const struct disk_batch *b)
{
	const struct raft_entry *last = &b->entries[b->entry_count - 1];

	if (check_entries(s, b))
		return -EINVAL;
	s->last = last->index;
	s->last_term = last->term;
	return 0;
}

/* Follows the batch's effect on the state; nothing is written. */
static int follow(struct wal_state *s, const struct disk_batch *b)
{
	if (b->hard_state) {
		if (b->hard_state->term < s->hard_state.term)
			return -EINVAL;
		s->hard_state = *b->hard_state;
	}
	if (b->entry_count && !install_first(b) && follow_entries(s, b))
		return -EINVAL;
	if (b->install) {
		if (b->install->index <= s->mark_index)
			return -EINVAL;
		s->mark_index = s->last = b->install->index;
		s->mark_term = s->last_term = b->install->term;
	}
	return install_first(b) ? follow_entries(s, b) : 0;
}

static void pack_entry(struct packer *p, const struct raft_entry *e)
{
	struct record_item item = {.type = ITEM_ENTRY,
				   .entry = {.index = e->index,
					     .term = e->term,
					     .type = e->type,
					     .has_data = e->data != NULL,
					     .data = e->data ? e->data->data : NULL,
					     .size = e->data ? e->data->size : 0}};

	pack(p, &item);
}

static void pack_entries(struct packer *p, const struct disk_batch *b)
{
	struct record_item item = {.type = ITEM_CUT, .at = {.index = b->entries->index}};

	if (item.at.index <= p->state.last && !install_first(b))
		pack(p, &item);
	for (size_t i = 0; i < b->entry_count; i++)
		pack_entry(p, &b->entries[i]);
}

static void pack_batch(struct packer *p, const struct disk_batch *b)
{
	struct record_item item = {.type = ITEM_HARD_STATE};

	if (b->hard_state) {
		item.hard_state = *b->hard_state;
		pack(p, &item);
	}
	if (b->entry_count && !install_first(b))
		pack_entries(p, b);
	if (b->install) {
		item.type = ITEM_INSTALL;
		item.at.index = b->install->index;
		item.at.term = b->install->term;
		pack(p, &item);
	}
	if (install_first(b))
		pack_entries(p, b);
	follow(&p->state, b);
}

/* The files first: the log must not name one that is not there. */
static int write_chunks(struct disk *d, const struct disk_batch *b)
{
	int err = 0;

	for (size_t i = 0; i < b->chunk_count && err == 0; i++)
		err = snapshots_receive(&d->snapshots, &b->chunks[i]);
	if (err == 0 && b->install &&
	    !snapshots_has(&d->snapshots, b->install->index, b->install->term))
		err = -EINVAL;
	return err;
}

static void remove_superseded(struct disk *d)
{
	snapshots_force(&d->snapshots, d->wal.state.mark_index, d->wal.state.mark_term);
	wal_compact(&d->wal);
}

/* As one record. */
static int write_group(struct disk *d, const struct disk_batch *batches, size_t count)
{
	struct packer p = {.state = d->wal.state};
	uint64_t mark_before = d->wal.state.mark_index;
	size_t size = 0;
	bool small = true;
	uint8_t *payload;
	int err = 0;

	for (size_t i = 0; i < count && err == 0; i++) {
		size += batch_size(&batches[i]);
		small = small && batches[i].entry_count == 0 && size <= DISK_SMALL_MAX;
		err = follow(&p.state, &batches[i]);
	}
	/* Even for chunks alone: a snapshot's file never comes before the first segment. */
	if (err == 0)
		err = wal_make_room(&d->wal, size, small);
	for (size_t i = 0; i < count && err == 0; i++)
		err = write_chunks(d, &batches[i]);
	if (err || size == 0)
		return err;
	payload = wal_payload(&d->wal, size);
	if (!payload)
		return -ENOMEM;
	p = (struct packer){.at = payload, .state = d->wal.state};
	for (size_t i = 0; i < count; i++)
		pack_batch(&p, &batches[i]);
	err = wal_append(&d->wal, (size_t)(p.at - payload), &p.state);
	if (err == 0 && d->wal.state.mark_index != mark_before)
		remove_superseded(d);
	return err;
}

/* A batch too large for a record: some entries at a time, chunks and install with the last. */
static int write_large(struct disk *d, const struct disk_batch *batch)
{
	struct disk_batch part = {.hard_state = batch->hard_state, .entries = batch->entries};
	size_t left = batch->entry_count;
	size_t spare = DISK_PAYLOAD_MAX / 2 - 256; /* of an entry of any size */
	int err = 0;

	while (err == 0 && left) {
		size_t size = 0;

		for (part.entry_count = 0; left && size < spare; left--)
			size += entry_size(&part.entries[part.entry_count++]);
		if (left == 0) {
			part.chunks = batch->chunks;
			part.chunk_count = batch->chunk_count;
			part.install = batch->install;
		}
		err = write_group(d, &part, 1);
		part.entries += part.entry_count;
		part.hard_state = NULL;
	}
	return err;
}

/* How many of them fit one record; 0: not even the first. */
static size_t fitting(const struct disk_batch *batches, size_t count)
{
	size_t size = 0, n = 0;

	while (n < count && (size += batch_size(&batches[n])) <= DISK_PAYLOAD_MAX)
		n++;
	return n;
}

static int write_some(struct disk *d, const struct disk_batch *batches, size_t count, size_t *done)
{
	size_t n = fitting(batches, count), one = 0;
	int err = n ? write_group(d, batches, n) : write_large(d, batches);

	if (err == 0) {
		*done += n ? n : 1;
		return 0;
	}
	if (n <= 1 || err == -EIO)
		return err;
	/* What fits, fits; and the error is of one batch. */
	do
		err = write_group(d, batches + one, 1);
	while (err == 0 && ++one < n);
	*done += one;
	return err;
}

static int explain(struct disk *d, int err, struct raft_error *error)
{
	if (folder_check(&d->folder, error))
		return -EIO;
	switch (err) {
	case -ENOSPC:
		return raft_error_set(error, err,
				      "%s: the disk is full; what is there is safe. Make room, and "
				      "this manager goes on by itself",
				      d->folder.path);
	case -EINVAL:
		return raft_error_set(error, err,
				      "%s: a batch that does not follow from the log (last entry "
				      "%" PRIu64 ", snapshot %" PRIu64 ")",
				      d->folder.path, d->wal.state.last, d->wal.state.mark_index);
	default:
		return raft_error_set(error, err, "%s: %s", d->folder.path, strerror(-err));
	}
}

int disk_write(struct disk *d, const struct disk_batch *batches, size_t count, size_t *done,
	       struct raft_error *error)
{
	int err = d->folder.failed ? -EIO : 0;

	*done = 0;
	while (err == 0 && *done < count)
		err = write_some(d, batches + *done, count - *done, done);
	return err ? explain(d, err, error) : 0;
}

/* A record of one mark, which is small. */
static int write_mark(struct disk *d, uint8_t type, const struct wal_state *after, bool hard_state)
{
	struct record_item item = {.type = ITEM_HARD_STATE, .hard_state = after->hard_state};
	struct packer p;
	uint8_t *payload;
	int err = wal_make_room(&d->wal, DISK_SMALL_MAX, true);

	if (err)
		return err;
	payload = wal_payload(&d->wal, DISK_SMALL_MAX);
	if (!payload)
		return -ENOMEM;
	p.at = payload;
	if (hard_state)
		pack(&p, &item);
	item.type = type;
	item.at.index = after->mark_index;
	item.at.term = after->mark_term;
	pack(&p, &item);
	err = wal_append(&d->wal, (size_t)(p.at - payload), after);
	if (err == 0)
		remove_superseded(d);
	return err;
}

int disk_compact(struct disk *d, uint64_t index, uint64_t term, struct raft_error *error)
{
	struct wal_state after = d->wal.state;
	int err;

	if (folder_check(&d->folder, error))
		return -EIO;
	if (index <= after.mark_index || index > after.last)
		return explain(d, -EINVAL, error);
	if (!snapshots_has(&d->snapshots, index, term))
		return raft_error_set(error, -ENOENT, "%s: no snapshot at %" PRIu64 " is finished",
				      d->folder.path, index);
	after.mark_index = index;
	after.mark_term = term;
	err = write_mark(d, ITEM_SNAPSHOT, &after, false);
	return err ? explain(d, err, error) : 0;
}

static int write_first_snapshot(struct disk *d, const struct raft_snapshot *snapshot,
				const void *state, size_t size)
{
	struct snapshot_writer *w;
	size_t taken;
	int err = snapshots_begin(&d->snapshots, snapshot, &w);

	if (err)
		return err;
	err = snapshot_writer_add(w, state, size, &taken);
	if (err == 0)
		err = snapshots_commit(&d->snapshots, w);
	if (err)
		snapshot_writer_close(w);
	return err;
}

int disk_bootstrap(struct disk *d, const struct raft_snapshot *snapshot, const void *state,
		   size_t size, struct raft_error *error)
{
	struct wal_state after = {
	    .hard_state = {.term = snapshot->term, .commit = snapshot->index},
	    .mark_index = snapshot->index,
	    .mark_term = snapshot->term,
	    .last = snapshot->index,
	    .last_term = snapshot->term,
	};
	int err;

	if (d->wal.state.last || d->wal.state.hard_state.term)
		return raft_error_set(error, -EEXIST, "%s: a member is in there already",
				      d->folder.path);
	if (snapshot->index == 0)
		return explain(d, -EINVAL, error);
	/* A segment before the snapshot: the other order would look like a log that got lost. */
	err = wal_make_room(&d->wal, DISK_SMALL_MAX, false);
	if (err == 0)
		err = write_first_snapshot(d, snapshot, state, size);
	if (err == 0)
		err = write_mark(d, ITEM_INSTALL, &after, true);
	return err ? explain(d, err, error) : 0;
}
