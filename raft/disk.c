/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "disk_internal.h"

static int open_parts(struct disk *d, const struct disk_options *options,
		      struct raft_restored *restored, struct raft_error *error)
{
	uint32_t segment_size =
	    options->segment_size ? options->segment_size : DISK_SEGMENT_SIZE_DEFAULT;
	struct raft_snapshot snapshot;
	struct replay replay;
	int err;

	wal_init(&d->wal, &d->folder, segment_size);
	snapshots_init(&d->snapshots, &d->folder);
	replay_init(&replay);
	err = disk_recover(d, &replay, &snapshot, error);
	if (err) {
		replay_clear(&replay);
		wal_close(&d->wal);
		snapshots_close(&d->snapshots);
		return err;
	}
	restored->hard_state = replay.hard_state;
	/* A batch of several records may have been interrupted between them. */
	if (restored->hard_state.commit > d->wal.state.last)
		restored->hard_state.commit = d->wal.state.last;
	restored->snapshot = snapshot;
	restored->entries = replay.entries;
	restored->entry_count = replay.count;
	return 0;
}

int disk_open(const struct disk_options *options, struct disk **out, struct raft_restored *restored,
	      struct raft_error *error)
{
	struct disk *d;
	int err;

	if (options->segment_size > DISK_SEGMENT_SIZE_MAX)
		return raft_error_set(error, -EINVAL,
				      "%s: segments of %" PRIu32 " bytes are larger than %d",
				      options->path, options->segment_size, DISK_SEGMENT_SIZE_MAX);
	d = calloc(1, sizeof(*d));
	if (!d)
		return raft_error_set(error, -ENOMEM, "%s: no memory", options->path);
	err = folder_open(&d->folder, options->path, options->io ? options->io : &disk_io_kernel,
			  options->keyring, error);
	if (err == 0) {
		err = open_parts(d, options, restored, error);
		if (err)
			folder_close(&d->folder);
	}
	if (err)
		free(d);
	else
		*out = d;
	return err;
}

void disk_restored_clear(struct raft_restored *restored)
{
	for (size_t i = 0; i < restored->entry_count; i++)
		raft_bytes_release(restored->entries[i].data);
	free((void *)restored->entries);
	memset(restored, 0, sizeof(*restored));
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	wal_close(&d->wal);
	snapshots_close(&d->snapshots);
	folder_close(&d->folder);
	free(d);
}

/* What to say when a call only gave a number. */
static int explain(struct disk *d, int err, struct raft_error *error)
{
	if (err == 0 || folder_check(&d->folder, error))
		return err;
	if (err == -ENOSPC)
		return raft_error_set(error, err,
				      "%s: the disk is full; what is there is safe. Make room, and "
				      "this manager goes on by itself",
				      d->folder.path);
	return raft_error_set(error, err, "%s: %s", d->folder.path, strerror(-err));
}

int disk_snapshot_begin(struct disk *d, const struct raft_snapshot *snapshot,
			struct snapshot_writer **out, struct raft_error *error)
{
	return explain(d, snapshots_begin(&d->snapshots, snapshot, out), error);
}

int disk_snapshot_write(struct disk *d, struct snapshot_writer *w, const void *data, size_t size,
			struct raft_error *error)
{
	size_t taken;

	return explain(d, snapshot_writer_add(w, data, size, &taken), error);
}

int disk_snapshot_finish(struct disk *d, struct snapshot_writer *w, struct raft_error *error)
{
	return explain(d, snapshots_commit(&d->snapshots, w), error);
}

void disk_snapshot_abort(struct disk *d, struct snapshot_writer *w)
{
	(void)d;
	snapshot_writer_close(w);
}

int disk_reader_open(struct disk *d, uint64_t index, struct snapshot_reader **out,
		     struct raft_error *error)
{
	return snapshots_open(&d->snapshots, index, out, error);
}

const struct raft_snapshot *disk_reader_snapshot(const struct snapshot_reader *r)
{
	return snapshot_reader_snapshot(r);
}

int disk_reader_read(struct snapshot_reader *r, uint64_t offset, void *to, size_t size, size_t *got,
		     struct raft_error *error)
{
	return snapshot_reader_read(r, offset, to, size, got, error);
}

void disk_reader_close(struct disk *d, struct snapshot_reader *r)
{
	if (r)
		snapshots_release(&d->snapshots, r);
}

static bool same_key(const struct disk_key *a, const struct disk_key *b)
{
	return CRYPTO_memcmp(a->bytes, b->bytes, DISK_KEY_SIZE) == 0;
}

/* Makes the key active. *before: what was. */
static int activate_key(struct disk_folder *f, const struct disk_key *key, uint32_t *before)
{
	const struct disk_key *known;
	int err = 0;

	pthread_mutex_lock(&f->mutex);
	known = disk_keyring_find(&f->ring, key->id);
	if (key->id == 0 || (known && !same_key(known, key)))
		err = -EINVAL;
	else if (!known && f->ring.count == DISK_KEYS_MAX)
		err = -ENOSPC;
	else if (!known)
		f->ring.keys[f->ring.count++] = *key;
	if (err == 0) {
		*before = f->ring.active;
		f->ring.active = key->id;
	}
	pthread_mutex_unlock(&f->mutex);
	return err;
}

int disk_rotate_key(struct disk *d, const struct disk_key *key, struct raft_error *error)
{
	uint32_t before;
	int err = activate_key(&d->folder, key, &before);

	if (err == -EINVAL)
		return raft_error_set(
		    error, err, "key %" PRIu32 ": the id is 0, or another key has it", key->id);
	if (err)
		return raft_error_set(error, err,
				      "key %" PRIu32
				      ": the keyring has %d keys already; forget one "
				      "that is not needed any more",
				      key->id, DISK_KEYS_MAX);
	if (before == key->id && d->wal.handle >= 0 && d->wal.key_id == key->id)
		return 0;
	err = wal_rotate(&d->wal);
	if (err) {
		pthread_mutex_lock(&d->folder.mutex);
		d->folder.ring.active = before;
		pthread_mutex_unlock(&d->folder.mutex);
	}
	return explain(d, err, error);
}

struct key_set {
	uint32_t *ids;
	int count;
};

static void add_key(void *argument, uint32_t id)
{
	struct key_set *set = argument;

	for (int i = 0; i < set->count; i++)
		if (set->ids[i] == id)
			return;
	assert(set->count < DISK_KEYS_MAX); /* all of them were in the ring once, and stay */
	set->ids[set->count++] = id;
}

int disk_keys_needed(struct disk *d, uint32_t ids[DISK_KEYS_MAX])
{
	struct key_set set = {ids, 0};
	int err = folder_settle(&d->folder);

	if (err)
		return err;
	pthread_mutex_lock(&d->folder.mutex);
	add_key(&set, d->folder.ring.active);
	pthread_mutex_unlock(&d->folder.mutex);
	for (size_t i = 0; i < d->wal.count; i++)
		add_key(&set, d->wal.segments[i].key_id);
	snapshots_keys(&d->snapshots, add_key, &set);
	return set.count;
}

int disk_forget_key(struct disk *d, uint32_t id, struct raft_error *error)
{
	uint32_t ids[DISK_KEYS_MAX];
	struct disk_keyring *ring = &d->folder.ring;
	int count = disk_keys_needed(d, ids), err = -ENOKEY;

	if (count < 0)
		return explain(d, count, error);
	for (int i = 0; i < count; i++)
		if (ids[i] == id)
			return raft_error_set(error, -EBUSY, "%s: key %" PRIu32 " is still needed",
					      d->folder.path, id);
	pthread_mutex_lock(&d->folder.mutex);
	for (uint32_t i = 0; i < ring->count; i++) {
		if (ring->keys[i].id != id)
			continue;
		ring->keys[i] = ring->keys[--ring->count];
		OPENSSL_cleanse(&ring->keys[ring->count], sizeof(ring->keys[0]));
		err = 0;
	}
	pthread_mutex_unlock(&d->folder.mutex);
	return explain(d, err, error);
}

void disk_get_status(struct disk *d, struct disk_status *status)
{
	const struct wal *w = &d->wal;

	*status = (struct disk_status){
	    .hard_state = w->state.hard_state,
	    .snapshot_index = w->state.mark_index,
	    .last = w->state.last,
	    .segments = w->count,
	    .records = w->records,
	    .refused = w->refused,
	    .torn = d->torn,
	    .reserve = w->reserve,
	    .failed = d->folder.failed,
	};
	pthread_mutex_lock(&d->folder.mutex);
	status->active_key = d->folder.ring.active;
	pthread_mutex_unlock(&d->folder.mutex);
}
