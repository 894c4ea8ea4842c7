/* SPDX-License-Identifier: BSD-2-Clause */
#include "snapshots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char incoming_name[] = "incoming.tmp";

void snapshots_init(struct snapshots *s, struct disk_folder *folder)
{
	memset(s, 0, sizeof(*s));
	s->folder = folder;
	pthread_mutex_init(&s->mutex, NULL);
}

void snapshots_close(struct snapshots *s)
{
	snapshot_writer_close(s->incoming);
	s->incoming = NULL;
	pthread_mutex_destroy(&s->mutex);
}

static struct snapshot_info *find(struct snapshots *s, uint64_t index, uint64_t term)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].index == index && s->list[i].term == term)
			return &s->list[i];
	return NULL;
}

/* Files that are of no more use. A new one, past the mark, waits for its mark. */
static void remove_old(struct snapshots *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct snapshot_info *info = &s->list[i];
		bool in_force = info->index == s->mark_index && info->term == s->mark_term;
		char name[DISK_NAME_MAX];

		if (in_force || info->pins || info->index > s->mark_index) {
			s->list[kept++] = *info;
			continue;
		}
		snapshot_name(info->index, info->term, name);
		folder_unlink(s->folder, name);
	}
	s->count = kept;
}

int snapshots_add(struct snapshots *s, const struct raft_snapshot *snapshot, uint32_t key_id)
{
	struct snapshot_info *info;
	int err = 0;

	pthread_mutex_lock(&s->mutex);
	info = find(s, snapshot->index, snapshot->term);
	if (info)
		info->key_id = key_id; /* written anew over the old name */
	else if (s->count == DISK_SNAPSHOTS_MAX)
		err = -ENOSPC;
	else
		s->list[s->count++] = (struct snapshot_info){
		    .index = snapshot->index, .term = snapshot->term, .key_id = key_id};
	pthread_mutex_unlock(&s->mutex);
	return err;
}

bool snapshots_has(struct snapshots *s, uint64_t index, uint64_t term)
{
	bool has;

	pthread_mutex_lock(&s->mutex);
	has = find(s, index, term);
	pthread_mutex_unlock(&s->mutex);
	return has;
}

void snapshots_force(struct snapshots *s, uint64_t index, uint64_t term)
{
	pthread_mutex_lock(&s->mutex);
	s->mark_index = index;
	s->mark_term = term;
	remove_old(s);
	pthread_mutex_unlock(&s->mutex);
}

int snapshots_begin(struct snapshots *s, const struct raft_snapshot *snapshot,
		    struct snapshot_writer **out)
{
	char name[DISK_NAME_MAX];

	pthread_mutex_lock(&s->mutex);
	snprintf(name, sizeof(name), "local-%u.tmp", s->drafts++);
	pthread_mutex_unlock(&s->mutex);
	return snapshot_writer_open(s->folder, name, snapshot, out);
}

static bool has_room(struct snapshots *s)
{
	bool has;

	pthread_mutex_lock(&s->mutex);
	has = s->count < DISK_SNAPSHOTS_MAX - 2; /* two may be on their way at once */
	pthread_mutex_unlock(&s->mutex);
	return has;
}

static int finish(struct snapshots *s, struct snapshot_writer *w)
{
	int err = has_room(s) ? snapshot_writer_finish(w) : -ENOSPC;

	return err ? err : snapshots_add(s, snapshot_writer_snapshot(w), snapshot_writer_key(w));
}

int snapshots_commit(struct snapshots *s, struct snapshot_writer *w)
{
	uint64_t index = snapshot_writer_snapshot(w)->index;
	bool stale;
	int err;

	pthread_mutex_lock(&s->mutex);
	stale = index <= s->mark_index;
	pthread_mutex_unlock(&s->mutex);
	err = stale ? -ESTALE : finish(s, w);
	if (err == 0)
		snapshot_writer_close(w);
	return err;
}

/* The transfer that a chunk belongs to: a new one, or the one under way. */
static int incoming_of(struct snapshots *s, const struct raft_chunk_in *chunk)
{
	const struct raft_snapshot *now;

	if (chunk->offset == 0) {
		snapshot_writer_close(s->incoming);
		s->incoming = NULL;
		return snapshot_writer_open(s->folder, incoming_name, &chunk->snapshot,
					    &s->incoming);
	}
	if (!s->incoming)
		return -EINVAL;
	now = snapshot_writer_snapshot(s->incoming);
	return now->index == chunk->snapshot.index && now->term == chunk->snapshot.term &&
		       now->size == chunk->snapshot.size
		   ? 0
		   : -EINVAL;
}

static bool is_received(const struct snapshots *s, const struct raft_chunk_in *chunk, size_t size)
{
	return s->received_index && s->received_index == chunk->snapshot.index &&
	       s->received_term == chunk->snapshot.term &&
	       s->received_size == chunk->snapshot.size && chunk->offset + size <= s->received_size;
}

int snapshots_receive(struct snapshots *s, const struct raft_chunk_in *chunk)
{
	size_t size = chunk->data ? chunk->data->size : 0, skip, taken;
	uint64_t there;
	int err;

	if (is_received(s, chunk, size))
		return 0;
	err = incoming_of(s, chunk);
	if (err)
		return err;
	there = snapshot_writer_size(s->incoming);
	if (chunk->offset > there)
		return -EINVAL;
	skip = there - chunk->offset < size ? (size_t)(there - chunk->offset) : size;
	/* With nothing to add it still writes a block that is due. */
	err = snapshot_writer_add(s->incoming, chunk->data ? chunk->data->data + skip : NULL,
				  size - skip, &taken);
	if (err || !chunk->last)
		return err;
	if (snapshot_writer_size(s->incoming) != chunk->snapshot.size)
		return -EINVAL;
	err = finish(s, s->incoming);
	if (err)
		return err;
	s->received_index = chunk->snapshot.index;
	s->received_term = chunk->snapshot.term;
	s->received_size = chunk->snapshot.size;
	snapshot_writer_close(s->incoming);
	s->incoming = NULL;
	return 0;
}

int snapshots_open(struct snapshots *s, uint64_t index, struct snapshot_reader **out,
		   struct raft_error *error)
{
	struct snapshot_info *info = NULL;
	char name[DISK_NAME_MAX];
	int err = -ENOENT;

	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < s->count && !info; i++)
		if (index ? s->list[i].index == index
			  : s->mark_index && s->list[i].index == s->mark_index &&
				s->list[i].term == s->mark_term)
			info = &s->list[i];
	if (info) {
		snapshot_name(info->index, info->term, name);
		err = snapshot_reader_open(s->folder, name, out, error);
		if (err == 0)
			info->pins++;
	} else {
		raft_error_set(error, err, "%s: there is no such snapshot", s->folder->path);
	}
	pthread_mutex_unlock(&s->mutex);
	return err;
}

void snapshots_release(struct snapshots *s, struct snapshot_reader *r)
{
	const struct raft_snapshot *snapshot = snapshot_reader_snapshot(r);
	struct snapshot_info *info;

	pthread_mutex_lock(&s->mutex);
	info = find(s, snapshot->index, snapshot->term);
	if (info && info->pins) {
		info->pins--;
		remove_old(s);
	}
	pthread_mutex_unlock(&s->mutex);
	snapshot_reader_close(r);
}

void snapshots_keys(struct snapshots *s, void (*each)(void *argument, uint32_t key_id),
		    void *argument)
{
	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < s->count; i++)
		each(argument, s->list[i].key_id);
	pthread_mutex_unlock(&s->mutex);
}
