/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_WAL_H
#define FL_RAFT_WAL_H
/*
 * The log's writer: segments NNNNNNNNNNNNNNNN.wal (their number in hexadecimal) in the folder.
 *
 * A segment is made under a temporary name, allocated, given its header and BASE record, synced and
 * renamed; so a visible one is whole up to there. It is appended to by the process that made it and
 * nobody else: after opening, the first write begins a new segment, whose header says where the
 * one before it ends. What a crash left behind that place was never promised to anybody.
 *
 * When there is no room for a segment of the usual size, a smaller one is tried, and for small
 * things (votes, marks: wal_make_room's `small`) the file "reserve" is given up to make room. It
 * comes back with the next segment of the usual size.
 *
 * One thread.
 */
#include "disk_folder.h"
#include "segment.h"

struct wal_segment {
	uint64_t number;
	uint64_t base_last; /* of the log, when it began */
	uint32_t key_id;
};

/* What the log adds up to; replay.h. */
struct wal_state {
	struct raft_hard_state hard_state;
	uint64_t mark_index, mark_term;
	uint64_t last, last_term;
};

struct wal {
	struct disk_folder *folder;
	uint32_t segment_size;
	struct wal_segment *segments; /* oldest first */
	size_t count, room;
	struct wal_state state;
	uint64_t end;               /* of the newest segment's good records */
	uint8_t tag[DISK_TAG_SIZE]; /* of the last one */

	int handle; /* of the newest segment, if it may be written to; else -1 */
	uint64_t size;
	uint32_t counter, key_id;
	struct seal *seal;
	bool reserve;
	uint64_t refused, records; /* writes for which there was no room; records written */

	uint8_t *buffer; /* the record that is being made */
	size_t buffer_size;
};

void wal_name(uint64_t number, char name[DISK_NAME_MAX]);
bool wal_parse_name(const char *name, uint64_t *number);

void wal_init(struct wal *w, struct disk_folder *folder, uint32_t segment_size);
/* For recovery: there is this segment, newer than those before. 0 or -ENOMEM. */
int wal_add_segment(struct wal *w, const struct wal_segment *segment);
void wal_close(struct wal *w);

/* Makes sure that a payload of this size can be written, and that there is a segment. 0, -ENOSPC
 * (nothing has changed), -EIO, -ENOMEM, -ENOKEY. */
int wal_make_room(struct wal *w, size_t payload_size, bool small);
/* Where to put a payload of this size, which wal_append then writes. NULL: no memory. */
uint8_t *wal_payload(struct wal *w, size_t payload_size);
/* Writes and syncs it, after wal_make_room. 0: it is on disk, and the state is *after. -ENOSPC:
 * the log is as before, and so is the state. -EIO, -ENOMEM. */
int wal_append(struct wal *w, size_t payload_size, const struct wal_state *after);
/* Ends the segment; the next one is made with the active key now. Errors as wal_make_room. */
int wal_rotate(struct wal *w);
/* Removes the segments whose entries the snapshot in force stands for. */
void wal_compact(struct wal *w);
#endif
