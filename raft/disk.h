/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_H
#define FL_RAFT_DISK_H
/*
 * A member's log and snapshots on disk: what core.h's effects ask to be persisted. DISK.md has the
 * formats, the order of things and what an operator sees when something fails.
 *
 * Synchronous. All calls come from one thread (the log's), except those that say otherwise. Every
 * call may fail with -EIO for good (disk_folder.h says when), with -ENOSPC for now, and with
 * -ENOMEM, -EMFILE or -ENFILE, after which things are as before. error may be NULL.
 */
#include "core.h"
#include "raft_error.h"
#include "disk_io.h"
#include "seal.h"

struct disk;

struct disk_options {
	const char *path; /* of the folder; made where missing */
	const struct disk_keyring *keyring;
	uint32_t segment_size;    /* 0: DISK_SEGMENT_SIZE_DEFAULT */
	const struct disk_io *io; /* NULL: the kernel's */
};

/*
 * Opens the folder and reads back what is there: an interrupted write at the end of the log is
 * passed over, leftovers are removed. disk_restored_clear frees *restored, disk_close *out.
 *
 *   -EWOULDBLOCK   another process has it open
 *   -ENOKEY        a file is sealed with a key that is not in the ring; the error names both
 *   -EKEYREJECTED  a key of that id is in the ring, but it is another one
 *   -EBADMSG       damage; the error names file, offset and cure. Nothing was changed
 */
int disk_open(const struct disk_options *options, struct disk **out, struct raft_restored *restored,
	      struct raft_error *error);
void disk_restored_clear(struct raft_restored *restored);
/* Readers and writers of snapshots are closed before. */
void disk_close(struct disk *d);

/* One raft_effects' part for the disk, in this order, but that entries beyond an install come after
 * it. What it points to is looked at only. */
struct disk_batch {
	const struct raft_hard_state *hard_state; /* NULL: as it was */
	const struct raft_entry *entries;         /* the log is cut before the first of them */
	size_t entry_count;
	const struct raft_chunk_in *chunks;
	size_t chunk_count;
	const struct raft_snapshot *install; /* NULL: none */
};
void disk_batch_of(const struct raft_effects *effects, struct disk_batch *batch);

/*
 * Makes batches last, in order; several at once share one write and one fdatasync. *done of them
 * are on disk, also after an error. 0: all.
 *
 *   -ENOSPC   batch *done is not on disk: the log is as before it. Try the same again later. Only
 *             of a batch of more than DISK_PAYLOAD_MAX a part may have been written; that part was
 *             promised to nobody, and trying again writes over it.
 *   -EINVAL   the batch contradicts the log: a gap, a cut below the snapshot, a chunk or an
 *             install out of turn
 */
int disk_write(struct disk *d, const struct disk_batch *batches, size_t count, size_t *done,
	       struct raft_error *error);

/* A new cluster's first member, in a folder where nothing is: this snapshot (size bytes of state),
 * and a hard state of its term and index. -EEXIST: there is something. */
int disk_bootstrap(struct disk *d, const struct raft_snapshot *snapshot, const void *state,
		   size_t size, struct raft_error *error);

/* -- snapshots; of these, all but disk_compact from any thread */

struct snapshot_writer;
/* Of the applied state at snapshot->index, with snapshot->members; size is counted. */
int disk_snapshot_begin(struct disk *d, const struct raft_snapshot *snapshot,
			struct snapshot_writer **out, struct raft_error *error);
/* -ENOSPC: abort it, and try anew some time. */
int disk_snapshot_write(struct disk *d, struct snapshot_writer *w, const void *data, size_t size,
			struct raft_error *error);
/* On 0 the file lasts and w is gone; disk_compact then puts it in force. On an error w is still
 * there, for disk_snapshot_abort. */
int disk_snapshot_finish(struct disk *d, struct snapshot_writer *w, struct raft_error *error);
void disk_snapshot_abort(struct disk *d, struct snapshot_writer *w);

/* Puts a finished snapshot in force, in the log, and removes what it stands for. -ENOENT: it was
 * not finished; -EINVAL: of entries that the log does not have, or older than the one in force. */
int disk_compact(struct disk *d, uint64_t index, uint64_t term, struct raft_error *error);

struct snapshot_reader;
/* index 0: the one in force. While it is open, the snapshot stays, whatever newer ones come. */
int disk_reader_open(struct disk *d, uint64_t index, struct snapshot_reader **out,
		     struct raft_error *error);
const struct raft_snapshot *disk_reader_snapshot(const struct snapshot_reader *r);
/* *got is less than size at the end alone. -EBADMSG: damaged. */
int disk_reader_read(struct snapshot_reader *r, uint64_t offset, void *to, size_t size, size_t *got,
		     struct raft_error *error);
void disk_reader_close(struct disk *d, struct snapshot_reader *r);

/* -- keys */

/* From now on new files are sealed with this key: the log begins a new segment. A key that is in
 * the ring already is only made active. -EINVAL: id 0, or another key of that id; -ENOSPC: too
 * many keys, or no room for the segment: then the old one stays active. */
int disk_rotate_key(struct disk *d, const struct disk_key *key, struct raft_error *error);
/* The ids of the keys that are still needed: of the files on disk, and the active one. What it no
 * longer names may be thrown away. The number of ids, or -EIO. */
int disk_keys_needed(struct disk *d, uint32_t ids[DISK_KEYS_MAX]);
/* -EBUSY: it is needed. -ENOKEY: it is not in the ring. */
int disk_forget_key(struct disk *d, uint32_t id, struct raft_error *error);

/* -- disaster */

/*
 * Makes the member in this folder the only one of its cluster, for when the majority is lost for
 * good. It must not be open. One record is appended: a membership of self alone, in a new term, and
 * a hard state that commits it; a crash leaves the folder before or after that.
 *
 * Entries that were not known to be committed are kept, and so become committed. etcd and SwarmKit
 * drop them; but what is on disk of the commit index is only a hint, and dropping what lies above
 * it could lose what a client was told. What is kept too much was never answered, which may always
 * turn out either way.
 *
 * -ENODATA: there is nothing in the folder. Else as disk_open and disk_write.
 */
int disk_force_new_cluster(const struct disk_options *options, const struct raft_member *self,
			   struct raft_error *error);

struct disk_status {
	struct raft_hard_state hard_state;
	uint64_t snapshot_index, last;
	uint64_t segments;
	uint64_t records; /* written, each with one fdatasync */
	uint64_t refused; /* for lack of room */
	bool torn;        /* an interrupted write was passed over on opening */
	bool reserve;     /* false: the room for votes on a full disk is used up */
	bool failed;
	uint32_t active_key;
};
void disk_get_status(struct disk *d, struct disk_status *status);
#endif
