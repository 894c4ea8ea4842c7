/* SPDX-License-Identifier: BSD-2-Clause */
#include "segment.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

static const char magic[8] = {'F', 'L', 'R', 'A', 'F', 'T', 'W', '1'};

/* For offsets alone. */
struct segment_layout {
	uint8_t magic[8], crc[4], key_id[4];
	uint8_t number[8], first_index[8];
	uint8_t previous_end[8], zeros[8];
	uint8_t salt[DISK_SALT_SIZE];
	uint8_t previous_tag[DISK_TAG_SIZE];
	uint8_t tag[DISK_TAG_SIZE];
};
_Static_assert(sizeof(struct segment_layout) == SEGMENT_HEADER_SIZE, "drawn in segment.h");
_Static_assert(offsetof(struct segment_layout, salt) == 48, "drawn in segment.h");
_Static_assert(SEGMENT_HEADER_SIZE % RECORD_ALIGN == 0, "records are aligned");

enum {
	CRC_FROM = offsetof(struct segment_layout, key_id),
	AAD_SIZE = offsetof(struct segment_layout, tag),
};

/* The checksum is not part of what is sealed, since the tag is part of what is checked. */
static void make_aad(const uint8_t *header, uint8_t aad[AAD_SIZE])
{
	memcpy(aad, header, AAD_SIZE);
	memset(aad + offsetof(struct segment_layout, crc), 0, 4);
}

int segment_header_encode(struct segment_header *header, struct seal *seal,
			  uint8_t to[SEGMENT_HEADER_SIZE])
{
	struct segment_layout *l = (struct segment_layout *)(void *)to;
	uint8_t aad[AAD_SIZE], none[1];
	int err;

	memset(l, 0, sizeof(*l));
	memcpy(l->magic, magic, sizeof(magic));
	bytes_put32(l->key_id, header->key_id);
	bytes_put64(l->number, header->number);
	bytes_put64(l->first_index, header->first_index);
	bytes_put64(l->previous_end, header->previous_end);
	memcpy(l->salt, header->salt, sizeof(l->salt));
	memcpy(l->previous_tag, header->previous_tag, sizeof(l->previous_tag));
	make_aad(to, aad);
	err = seal_close(seal, 0, aad, sizeof(aad), none, 0, header->tag);
	if (err)
		return err;
	memcpy(l->tag, header->tag, sizeof(l->tag));
	bytes_put32(l->crc, crc32c(to + CRC_FROM, SEGMENT_HEADER_SIZE - CRC_FROM));
	return 0;
}

int segment_header_decode(const uint8_t *from, size_t size, struct segment_header *header)
{
	const struct segment_layout *l = (const struct segment_layout *)(const void *)from;

	if (size < SEGMENT_HEADER_SIZE || memcmp(l->magic, magic, sizeof(magic)) ||
	    bytes_get32(l->crc) != crc32c(from + CRC_FROM, SEGMENT_HEADER_SIZE - CRC_FROM) ||
	    !bytes_zero(l->zeros, sizeof(l->zeros)) || bytes_get64(l->number) == 0 ||
	    bytes_get64(l->first_index) == 0 ||
	    (bytes_get64(l->number) > 1) != (bytes_get64(l->previous_end) > 0))
		return -EBADMSG;
	header->key_id = bytes_get32(l->key_id);
	header->number = bytes_get64(l->number);
	header->first_index = bytes_get64(l->first_index);
	header->previous_end = bytes_get64(l->previous_end);
	memcpy(header->salt, l->salt, sizeof(l->salt));
	memcpy(header->previous_tag, l->previous_tag, sizeof(l->previous_tag));
	memcpy(header->tag, l->tag, sizeof(l->tag));
	return 0;
}

int segment_header_verify(const struct segment_header *header, struct seal *seal,
			  const uint8_t *from)
{
	uint8_t aad[AAD_SIZE], none[1];

	make_aad(from, aad);
	return seal_open(seal, 0, aad, sizeof(aad), none, 0, header->tag) ? -EKEYREJECTED : 0;
}

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

static int replay_record(const struct segment_header *header, const struct record_header *h,
			 const uint8_t *payload, size_t size, bool first, struct replay *r,
			 struct segment_end *end, const char **why)
{
	bool base_wanted = h->position == SEGMENT_HEADER_SIZE;
	struct replay_base base;
	uint32_t from, to;

	if ((h->type == RECORD_BASE) != base_wanted)
		return bad(why, "a record out of place");
	if (!base_wanted)
		return replay_batch(r, payload, size, why);
	if (replay_base_decode(payload, size, &base, &from, &to) ||
	    (to && (to != header->key_id || from == to)))
		return bad(why, "an item that makes no sense");
	base.last = end->base_last = header->first_index - 1;
	return first ? replay_begin(r, &base, why) : replay_continue(r, &base, why);
}

/* What to make of a place where no good record is. 0: the segment may end there. */
static int judge_end(const uint8_t *file, size_t size, uint64_t limit, uint64_t position,
		     enum record_verdict verdict, struct segment_end *end, const char **why)
{
	if (limit)
		return bad(why, verdict == RECORD_ABSENT ? "a record is missing"
							 : "a record is damaged");
	if (position == SEGMENT_HEADER_SIZE)
		return bad(why, "its first record is damaged");
	if (verdict == RECORD_DAMAGED)
		return bad(why, "a record is damaged");
	if (record_search(file, size, position))
		return bad(why, "a record is damaged, and good ones follow");
	end->torn = verdict == RECORD_TORN;
	return 0;
}

int segment_replay(uint8_t *file, size_t size, const struct segment_header *header,
		   struct seal *seal, uint64_t limit, bool first, struct replay *r,
		   struct segment_end *end, const char **why, uint64_t *position)
{
	struct segment_end found = {.position = SEGMENT_HEADER_SIZE};
	uint64_t *at = &found.position;
	uint32_t counter = 0;
	int err = 0;

	memcpy(found.tag, header->tag, sizeof(found.tag));
	if (limit > size || limit % RECORD_ALIGN) {
		*position = size;
		return bad(why, "it is shorter than the next segment says");
	}
	while (err == 0 && !found.successor && (limit == 0 || *at < limit)) {
		struct record_header h;
		enum record_verdict verdict = record_look(file, size, *at, &h);
		size_t payload_size;

		*position = *at;
		if (verdict != RECORD_GOOD) {
			err = judge_end(file, size, limit, *at, verdict, &found, why);
			break;
		}
		if (h.counter <= counter || h.key_id != header->key_id ||
		    record_open(seal, &h, file, found.tag, &payload_size)) {
			err = bad(why, "a record was not written there with this key");
			break;
		}
		counter = h.counter;
		if (h.type == RECORD_END) {
			found.successor = true;
			if (limit)
				err = bad(why, "a record out of place");
			break;
		}
		err = replay_record(header, &h, file + *at + RECORD_HEADER_SIZE, payload_size,
				    first, r, &found, why);
		*at = record_next(&h);
	}
	if (err == 0 && limit && *at != limit)
		err = bad(why, "it does not end where the next segment says");
	if (err == 0 && limit == 0 && *at == SEGMENT_HEADER_SIZE)
		err = bad(why, "its first record is damaged");
	if (err == 0)
		*end = found;
	return err;
}
