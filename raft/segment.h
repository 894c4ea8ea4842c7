/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_SEGMENT_H
#define FL_RAFT_SEGMENT_H
/*
 * One file of the log, as bytes. Pure.
 *
 *    0                           8             12            16
 *   +---------------------------+-------------+-------------+
 *   | "FLRAFTW1"                | CRC         | key id      |   CRC-32C of all that follows it
 *   +---------------------------+-------------+-------------+
 *   | number                    | first index               |   of the entry that comes next
 *   +---------------------------+---------------------------+
 *   | previous end              | 0                         |   0: there is none before it
 *   +---------------------------+---------------------------+
 *   | salt, 32                                              |   for the file's key
 *   |                                                       |
 *   +-------------------------------------------------------+
 *   | previous tag, 16                                      |   of the last record before `previous
 *   +-------------------------------------------------------+   end', or of the header
 *   | tag, 16                                               |   seals the header: no data, nonce 0
 *   +-------------------------------------------------------+
 *   | records (record.h): a BASE, then BATCHes; zeros       |
 *
 * "Previous end" says how much of the segment before counts: what a crash left after it does not,
 * and if less is found, something is missing.
 */
#include "raft_error.h"
#include "replay.h"

enum { SEGMENT_HEADER_SIZE = 112 };

struct segment_header {
	uint32_t key_id;
	uint64_t number; /* from 1, no gaps */
	uint64_t first_index;
	uint64_t previous_end;
	uint8_t salt[DISK_SALT_SIZE];
	uint8_t previous_tag[DISK_TAG_SIZE];
	uint8_t tag[DISK_TAG_SIZE];
};

/* Fills header->tag. 0 or -ENOMEM. */
int segment_header_encode(struct segment_header *header, struct seal *seal,
			  uint8_t to[SEGMENT_HEADER_SIZE]);
/* Before the key is known. -EBADMSG: not a segment, or its checksum is wrong. */
int segment_header_decode(const uint8_t *from, size_t size, struct segment_header *header);
/* -EKEYREJECTED: the key is another one, although its id is the same. */
int segment_header_verify(const struct segment_header *header, struct seal *seal,
			  const uint8_t *from);

/* Where a segment's good records end. */
struct segment_end {
	uint64_t position;
	uint8_t tag[DISK_TAG_SIZE]; /* of the last one */
	uint64_t base_last;         /* last index of the log when the segment began */
	bool torn;                  /* an interrupted write lies there */
	bool successor;             /* it says that there is a next one */
};

/*
 * Replays a segment. file is decrypted in place. limit: what the next segment says about this
 * one's end; 0: it is the last, and a torn record ends it. first: r is empty and takes over what
 * the segment begins with.
 *
 * 0, -ENOMEM or -EBADMSG; *why and *position then say what is wrong and where.
 */
int segment_replay(uint8_t *file, size_t size, const struct segment_header *header,
		   struct seal *seal, uint64_t limit, bool first, struct replay *r,
		   struct segment_end *end, const char **why, uint64_t *position);
#endif
