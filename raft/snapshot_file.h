/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_SNAPSHOT_FILE_H
#define FL_RAFT_SNAPSHOT_FILE_H
/*
 * One snapshot in a file. Written from front to back under a temporary name; the header comes
 * last, since it says how much there is; then sync and rename.
 *
 *    0                           8             12            16
 *   +---------------------------+-------------+-------------+
 *   | "FLRAFTS1"                | CRC         | key id      |   CRC-32C of the first 8 KiB from 12
 *   +---------------------------+-------------+-------------+
 *   | index                     | term                      |
 *   +---------------------------+-------------+-------------+
 *   | size of the state         | block size  | members'    |   bytes of the sealed members
 *   +---------------------------+-------------+-------------+
 *   | salt, 32                                              |   for the file's key
 *   |                                                       |
 *   +-------------------------------------------------------+
 *   | tag, 16                                               |   seals the above and the members
 *   +-------------------------------------------------------+
 *   | members, sealed (raft_members_encode); zeros to 8 KiB |
 *   +-------------------------------------------------------+
 *   | block 0, sealed                             | tag, 16 |   64 KiB each, the last one shorter
 *   +-------------------------------------------------------+
 *   | block 1 ...                                           |
 *
 * Block i is sealed with nonce i + 1 and bound to i, the header with nonce 0: with the size in the
 * header, no block can be changed, moved, left out or taken from another snapshot.
 *
 * A writer or a reader is used by one thread at a time, any thread.
 */
#include "disk_folder.h"

void snapshot_name(uint64_t index, uint64_t term, char name[DISK_NAME_MAX]);
bool snapshot_parse_name(const char *name, uint64_t *index, uint64_t *term);

/* The header as it lies on disk. Pure; for fuzzing apart from files. */
struct snapshot_header {
	struct raft_snapshot snapshot;
	uint32_t key_id;
	uint8_t salt[DISK_SALT_SIZE];
};
/* 0, -ENOMEM. */
int snapshot_header_encode(const struct snapshot_header *header, struct seal *seal,
			   uint8_t to[DISK_SNAPSHOT_HEADER_SIZE]);
/* What is said in the clear: all but the members. -EBADMSG. */
int snapshot_header_decode(const uint8_t *from, size_t size, struct snapshot_header *header);
/* Then the members, with the key. Decrypts in place. -EKEYREJECTED, -EBADMSG. */
int snapshot_header_open(uint8_t *from, struct seal *seal, struct snapshot_header *header);
/* Of the whole file. */
uint64_t snapshot_file_size(uint64_t state_size);

struct snapshot_writer;
/* snapshot->size is not looked at. temporary: the name until it is finished. */
int snapshot_writer_open(struct disk_folder *f, const char *temporary,
			 const struct raft_snapshot *snapshot, struct snapshot_writer **out);
uint64_t snapshot_writer_size(const struct snapshot_writer *w);
const struct raft_snapshot *snapshot_writer_snapshot(const struct snapshot_writer *w);
uint32_t snapshot_writer_key(const struct snapshot_writer *w);
/* 0, -ENOSPC (*taken of the bytes were taken over; go on with the rest or give up), -EIO. */
int snapshot_writer_add(struct snapshot_writer *w, const void *data, size_t size, size_t *taken);
/* Header, sync and rename. May be called again after -ENOSPC. */
int snapshot_writer_finish(struct snapshot_writer *w);
/* Without finish, the file is removed. */
void snapshot_writer_close(struct snapshot_writer *w);

struct snapshot_reader;
int snapshot_reader_open(struct disk_folder *f, const char *name, struct snapshot_reader **out,
			 struct raft_error *error);
const struct raft_snapshot *snapshot_reader_snapshot(const struct snapshot_reader *r);
uint32_t snapshot_reader_key(const struct snapshot_reader *r);
/* *got is less than size at the end alone. -EBADMSG: damaged; -EIO. */
int snapshot_reader_read(struct snapshot_reader *r, uint64_t offset, void *to, size_t size,
			 size_t *got, struct raft_error *error);
void snapshot_reader_close(struct snapshot_reader *r);
#endif
