/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_RECORD_H
#define FL_RAFT_RECORD_H
/*
 * One record of a log segment: what one write and one fdatasync put there. Pure: bytes in memory.
 *
 *    0             4             8             12            16
 *   +-------------+-------------+-------------+-------------+
 *   | header's    | sealed      | sealed size | key id      |   CRC-32C of the header from 4 on,
 *   | CRC         | part's CRC  |             |             |   and of all that follows it
 *   +-------------+-------------+-------------+---+---+---+-+
 *   | position in the file      | counter     |typ| 0 | 0 |5a|
 *   +---------------------------+-------------+---+---+---+-+
 *   | payload, sealed                         | tag, 16     |   sealed size: both
 *   +-----------------------------------------+-------------+
 *   | 0 to 7 zeros, a5                                      |   to a multiple of 8
 *   +-------------------------------------------------------+
 *
 * Sealed with the counter as nonce, bound to the header from 8 on and to the tag of the record (or
 * segment header) before it: a record cannot be moved, replayed, left out or changed in order.
 *
 * A file is zeros, or ends, where nothing was written yet, and no byte of it is written twice.
 * Disks write sectors as a whole. So a write that a crash interrupted leaves a sector of zeros, or
 * ends early; 5a and a5 make the latter visible to the byte. Whatever else does not add up is
 * damage.
 *
 * The payload is a run of items:
 *
 *    0      1        4          8
 *   +------+--------+----------+---------
 *   | type | zeros  | size     | body ...
 *   +------+--------+----------+---------
 *   HARD_STATE  term 8, vote 8, commit 8
 *   ENTRY       index 8, term 8, type 1, has data 1, zeros 6, data
 *   CUT         index 8                  entries from it on are gone
 *   SNAPSHOT    index 8, term 8          stands for the entries up to index; later ones stay
 *   INSTALL     index 8, term 8          stands for the log, all of which is gone
 *   KEY         from 4, to 4             the data key was changed
 */
#include "seal.h"

enum record_type {
	RECORD_BASE = 1,  /* the first of a segment: the state it begins with */
	RECORD_BATCH = 2, /* one or more batches */
	RECORD_END = 3,   /* empty: there is a next segment */
};

enum {
	RECORD_HEADER_SIZE = 32,
	RECORD_HEADER_MARK = 0x5a,
	RECORD_MARK = 0xa5,
	RECORD_ALIGN = 8,
	RECORD_OVERHEAD_MAX = RECORD_HEADER_SIZE + DISK_TAG_SIZE + RECORD_ALIGN,
};

struct record_header {
	uint32_t header_crc, sealed_crc;
	uint32_t sealed_size;
	uint32_t key_id;
	uint64_t position;
	uint32_t counter;
	uint8_t type;
};

/* On disk, of a payload of so many bytes. */
size_t record_size(size_t payload_size);
/* Where the record after this one begins. */
uint64_t record_next(const struct record_header *header);

/* The payload lies at record + RECORD_HEADER_SIZE with record_size() of room. Fills in type,
 * position, counter and key id from *header, which it completes. chain: the tag before; then this
 * one's. 0 or -ENOMEM. */
int record_close(struct seal *seal, struct record_header *header, uint8_t *record,
		 size_t payload_size, uint8_t chain[DISK_TAG_SIZE]);

enum record_verdict {
	RECORD_GOOD,   /* the checksums are right */
	RECORD_ABSENT, /* zeros, or the end of the file */
	RECORD_TORN,   /* an interrupted write can look like this */
	RECORD_DAMAGED,
};
/* What lies at position of a file of size bytes. *header is filled when it is good. */
enum record_verdict record_look(const uint8_t *file, size_t size, size_t position,
				struct record_header *header);
/* Where after position a good record begins, 0: nowhere. */
size_t record_search(const uint8_t *file, size_t size, size_t position);
/* Opens in place what record_look found good; the payload has *payload_size bytes at
 * position + RECORD_HEADER_SIZE. -EBADMSG. chain as above. */
int record_open(struct seal *seal, const struct record_header *header, uint8_t *file,
		uint8_t chain[DISK_TAG_SIZE], size_t *payload_size);

enum record_item_type {
	ITEM_HARD_STATE = 1,
	ITEM_ENTRY = 2,
	ITEM_CUT = 3,
	ITEM_SNAPSHOT = 4,
	ITEM_INSTALL = 5,
	ITEM_KEY = 6,
};
enum { ITEM_HEADER_SIZE = 8, ITEM_ENTRY_SIZE = 24, ITEM_BODY_MAX = 24 };

struct record_item {
	uint8_t type;
	union {
		struct raft_hard_state hard_state;
		struct {
			uint64_t index, term;
			uint8_t type;
			bool has_data;
			const uint8_t *data; /* into the payload */
			uint32_t size;
		} entry;
		struct {
			uint64_t index, term; /* CUT: index alone */
		} at;
		struct {
			uint32_t from, to;
		} key;
	};
};
size_t record_item_size(const struct record_item *item);
/* Writes record_item_size() bytes and returns where the next one goes. */
uint8_t *record_item_encode(uint8_t *to, const struct record_item *item);
/* The next item of a payload. 1; 0 at its end; -EBADMSG. */
struct cursor;
int record_item_decode(struct cursor *c, struct record_item *item);
#endif
