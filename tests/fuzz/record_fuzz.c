/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over the log's records: what recovery makes of a segment.
 *
 * Input: | way | bytes |
 *   way 0  bytes are a payload: items, replayed
 *   way 1  bytes are a segment file, its checksums put right where a header can be told
 *   way 2  | flips | payloads | : a segment of good records with these payloads, each after its
 *          size, 2 bytes; then 4 bytes a flip: offset 2, value, length. Whatever is replayed after
 *          that must be what some first records of the segment say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "crc32c.h"
#include "segment.h"

enum { FILE_MAX = 64 << 10, RECORDS_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct disk_key key = {1, "a key"};

struct outcome {
	struct raft_hard_state hard_state;
	uint64_t mark_index, start, last;
};

static struct outcome outcome_of(const struct replay *r)
{
	return (struct outcome){r->hard_state, r->mark_index, r->start, replay_last(r)};
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->hard_state.term == b->hard_state.term &&
	       a->hard_state.vote == b->hard_state.vote &&
	       a->hard_state.commit == b->hard_state.commit && a->mark_index == b->mark_index &&
	       a->start == b->start && a->last == b->last;
}

static void check_replay(const struct replay *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->entries[i].index != r->start + i)
			abort();
	if (r->mark_index > replay_last(r))
		abort();
}

static void payload_alone(const uint8_t *data, size_t size)
{
	struct replay r;
	struct replay_base base;
	uint32_t from, to;
	const char *why = NULL;

	replay_init(&r);
	if (replay_batch(&r, data, size, &why) == -EBADMSG && !why)
		abort();
	check_replay(&r);
	if (replay_finish(&r, &why) == 0)
		check_replay(&r);
	replay_base_decode(data, size, &base, &from, &to);
	replay_clear(&r);
}

static int replay_file(uint8_t *file, size_t size, struct replay *r)
{
	struct segment_header header;
	struct segment_end end;
	struct seal *seal;
	const char *why = NULL;
	uint64_t position;
	int err = segment_header_decode(file, size, &header);

	if (err)
		return err;
	if (seal_new(&key, SEAL_WAL, header.salt, &seal))
		abort();
	err = segment_header_verify(&header, seal, file);
	if (err == 0 || size % 2)
		err = segment_replay(file, size, &header, seal, 0, true, r, &end, &why, &position);
	seal_free(seal);
	check_replay(r);
	return err;
}

static void mend(uint8_t *file, size_t size)
{
	size_t at = SEGMENT_HEADER_SIZE;

	if (size < at)
		return;
	memcpy(file, "FLRAFTW1", 8);
	bytes_put32(file + 8, crc32c(file + 12, SEGMENT_HEADER_SIZE - 12));
	while (at + RECORD_HEADER_SIZE <= size) {
		uint32_t sealed = bytes_get32(file + at + 8);
		size_t room = ((size_t)sealed + RECORD_ALIGN) & ~(size_t)7;

		bytes_put64(file + at + 16, at);
		file[at + 31] = RECORD_HEADER_MARK;
		if (room <= size - at - RECORD_HEADER_SIZE)
			bytes_put32(file + at + 4, crc32c(file + at + RECORD_HEADER_SIZE, room));
		bytes_put32(file + at, crc32c(file + at + 4, RECORD_HEADER_SIZE - 4));
		if (room > size)
			break;
		at += RECORD_HEADER_SIZE + room;
	}
}

static void raw_file(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size + 1);
	struct replay r;

	if (!file)
		return;
	memcpy(file, data, size);
	mend(file, size);
	replay_init(&r);
	replay_file(file, size, &r);
	replay_clear(&r);
	free(file);
}

/* A segment under construction, and what its first 1, 2, ... records say. */
struct built {
	uint8_t file[FILE_MAX];
	size_t end, count;
	struct seal *seal;
	uint8_t tag[DISK_TAG_SIZE];
	struct replay replay;
	struct outcome outcomes[RECORDS_MAX + 1];
};

static void add_record(struct built *b, uint8_t type, const uint8_t *payload, size_t size)
{
	struct record_header h = {
	    .position = b->end, .counter = (uint32_t)b->count + 1, .key_id = key.id, .type = type};

	if (size)
		memcpy(b->file + b->end + RECORD_HEADER_SIZE, payload, size);
	if (record_close(b->seal, &h, b->file + b->end, size, b->tag))
		abort();
	b->end = record_next(&h);
	b->outcomes[b->count++] = outcome_of(&b->replay);
}

static void begin(struct built *b)
{
	struct segment_header header = {.key_id = key.id, .number = 1, .first_index = 1};

	memset(b, 0, sizeof(*b));
	replay_init(&b->replay);
	if (seal_new(&key, SEAL_WAL, header.salt, &b->seal) ||
	    segment_header_encode(&header, b->seal, b->file))
		abort();
	memcpy(b->tag, header.tag, DISK_TAG_SIZE);
	b->end = SEGMENT_HEADER_SIZE;
	add_record(b, RECORD_BASE, NULL, 0);
}

static void build(struct built *b, const uint8_t *data, size_t size)
{
	const char *why;

	begin(b);
	while (size >= 2 && b->count < RECORDS_MAX) {
		size_t part = data[0] | (size_t)data[1] << 8;

		data += 2;
		size -= 2;
		if (part > size)
			part = size;
		if (b->end + record_size(part) > FILE_MAX / 2 ||
		    replay_batch(&b->replay, data, part, &why))
			break;
		add_record(b, RECORD_BATCH, data, part);
		data += part;
		size -= part;
	}
}

static void flip(struct built *b, const uint8_t *flips, size_t count)
{
	for (size_t i = 0; i < count; i++, flips += 4) {
		size_t offset = flips[0] | (size_t)flips[1] << 8;

		memset(b->file + offset, flips[2], flips[3] < FILE_MAX - offset ? flips[3] : 0);
	}
}

static void flipped_file(const uint8_t *data, size_t size)
{
	static struct built b;
	size_t flips = size ? data[0] % 8 : 0;
	struct replay r;
	struct outcome got;

	if (size < 1 + 4 * flips)
		return;
	build(&b, data + 1 + 4 * flips, size - 1 - 4 * flips);
	flip(&b, data + 1, flips);
	replay_init(&r);
	if (replay_file(b.file, sizeof(b.file), &r) == 0) {
		got = outcome_of(&r);
		for (size_t i = 0; i < b.count; i++)
			if (same(&got, &b.outcomes[i]))
				b.count = 0;
		if (b.count)
			abort();
	} else if (flips == 0) {
		abort();
	}
	replay_clear(&r);
	replay_clear(&b.replay);
	seal_free(b.seal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > FILE_MAX)
		return 0;
	if (data[0] % 3 == 0)
		payload_alone(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		raw_file(data + 1, size - 1);
	else
		flipped_file(data + 1, size - 1);
	return 0;
}
