/* SPDX-License-Identifier: BSD-2-Clause */
#include "wal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char temporary_name[] = "segment.tmp";
static const char reserve_name[] = "reserve";
static const char suffix[] = ".wal";

enum {
	BASE_SIZE = 3 * (ITEM_HEADER_SIZE + ITEM_BODY_MAX),
	HEAD_SIZE = SEGMENT_HEADER_SIZE + BASE_SIZE + RECORD_OVERHEAD_MAX,
	BUFFER_KEEP_MAX = 1 << 20, /* a larger one is given back after use */
};

void wal_name(uint64_t number, char name[DISK_NAME_MAX])
{
	snprintf(name, DISK_NAME_MAX, "%016" PRIx64 "%s", number, suffix);
}

bool wal_parse_name(const char *name, uint64_t *number)
{
	char again[DISK_NAME_MAX];
	uint64_t found;

	if (strlen(name) != 16 + sizeof(suffix) - 1 || sscanf(name, "%16" SCNx64, &found) != 1 ||
	    found == 0)
		return false;
	wal_name(found, again);
	if (strcmp(name, again))
		return false;
	*number = found;
	return true;
}

void wal_init(struct wal *w, struct disk_folder *folder, uint32_t segment_size)
{
	memset(w, 0, sizeof(*w));
	w->folder = folder;
	w->segment_size = segment_size;
	w->handle = -1;
}

/* No more is written to the newest segment. */
static void leave_segment(struct wal *w)
{
	folder_close_file(w->folder, &w->handle);
	seal_free(w->seal);
	w->seal = NULL;
}

void wal_close(struct wal *w)
{
	/* Gives back what was allocated; the next process writes to another segment. */
	if (w->handle >= 0 && !w->folder->failed)
		w->folder->io.truncate(w->folder->io.context, w->handle, w->end);
	leave_segment(w);
	free(w->segments);
	free(w->buffer);
	w->segments = NULL;
	w->buffer = NULL;
}

int wal_add_segment(struct wal *w, const struct wal_segment *segment)
{
	if (w->count == w->room) {
		size_t room = w->room ? 2 * w->room : 16;
		struct wal_segment *more = reallocarray(w->segments, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->segments = more;
		w->room = room;
	}
	w->segments[w->count++] = *segment;
	return 0;
}

static size_t encode_base(const struct wal *w, uint32_t key_id, uint8_t *to)
{
	const struct wal_state *s = &w->state;
	uint32_t key_before = w->count ? w->segments[w->count - 1].key_id : key_id;
	struct record_item item = {.type = ITEM_HARD_STATE, .hard_state = s->hard_state};
	uint8_t *at = record_item_encode(to, &item);

	if (s->mark_index) {
		item.type = ITEM_SNAPSHOT;
		item.at.index = s->mark_index;
		item.at.term = s->mark_term;
		at = record_item_encode(at, &item);
	}
	if (key_before != key_id) {
		item.type = ITEM_KEY;
		item.key.from = key_before;
		item.key.to = key_id;
		at = record_item_encode(at, &item);
	}
	return (size_t)(at - to);
}

/* A segment on its way to become the newest. */
struct draft {
	struct wal_segment segment;
	struct seal *seal;
	int handle;
	uint64_t size, end;
	uint8_t tag[DISK_TAG_SIZE];
};

static void draft_clear(struct disk_folder *f, struct draft *d)
{
	if (d->handle >= 0)
		folder_unlink(f, temporary_name);
	folder_close_file(f, &d->handle);
	seal_free(d->seal);
}

/* The header and the BASE record, in memory. */
static int draft_head(struct wal *w, struct draft *d, uint8_t *head)
{
	struct segment_header header = {.number = d->segment.number,
					.first_index = w->state.last + 1,
					.previous_end = w->count ? w->end : 0};
	struct record_header record = {
	    .position = SEGMENT_HEADER_SIZE, .counter = 1, .type = RECORD_BASE};
	struct disk_key key;
	size_t base;
	int err;

	memcpy(header.previous_tag, w->tag, DISK_TAG_SIZE);
	err = folder_key(w->folder, 0, &key);
	if (err == 0)
		err = w->folder->io.random(w->folder->io.context, header.salt, DISK_SALT_SIZE);
	if (err == 0)
		err = seal_new(&key, SEAL_WAL, header.salt, &d->seal);
	header.key_id = record.key_id = d->segment.key_id = key.id;
	OPENSSL_cleanse(&key, sizeof(key));
	if (err == 0)
		err = segment_header_encode(&header, d->seal, head);
	if (err)
		return err;
	base = encode_base(w, header.key_id, head + SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE);
	memcpy(d->tag, header.tag, DISK_TAG_SIZE);
	err = record_close(d->seal, &record, head + SEGMENT_HEADER_SIZE, base, d->tag);
	d->end = record_next(&record);
	return err;
}

static int draft_write(struct wal *w, struct draft *d)
{
	struct disk_folder *f = w->folder;
	uint8_t head[HEAD_SIZE];
	char name[DISK_NAME_MAX];
	int err = draft_head(w, d, head);

	if (err)
		return err;
	d->handle = folder_open_file(f, temporary_name, DISK_IO_MAKE_ANEW);
	if (d->handle < 0)
		return d->handle;
	err = folder_allocate(f, d->handle, temporary_name, d->size);
	if (err == 0)
		err = folder_write(f, d->handle, temporary_name, head, d->end, 0);
	if (err == 0)
		err = folder_sync(f, d->handle, temporary_name);
	wal_name(d->segment.number, name);
	return err ? err : folder_rename(f, temporary_name, name);
}

/*
 * Tells the old segment that there is a next one, so that its loss would be noticed. Not synced and
 * free to fail: the next segment's header says the same.
 */
static void say_end(struct wal *w)
{
	uint8_t record[RECORD_OVERHEAD_MAX];
	struct record_header header = {
	    .position = w->end, .counter = w->counter + 1, .type = RECORD_END, .key_id = w->key_id};
	struct disk_io *io = &w->folder->io;

	if (w->size - w->end >= record_size(0) &&
	    record_close(w->seal, &header, record, 0, w->tag) == 0)
		io->pwrite(io->context, w->handle, record, record_size(0), w->end);
	io->truncate(io->context, w->handle, w->end + record_size(0));
}

/* The segment before was another process's: what a crash left at its end takes up room. */
static void trim_older(struct wal *w)
{
	char name[DISK_NAME_MAX];
	int handle;

	wal_name(w->segments[w->count - 1].number, name);
	handle = folder_open_file(w->folder, name, DISK_IO_CREATE);
	if (handle < 0)
		return;
	w->folder->io.truncate(w->folder->io.context, handle, w->end);
	folder_close_file(w->folder, &handle);
}

static int new_segment(struct wal *w, uint64_t size)
{
	struct draft d = {.handle = -1, .size = size};
	int err;

	if (w->count >= DISK_SEGMENTS_MAX)
		return -ENOSPC;
	d.segment.number = w->count ? w->segments[w->count - 1].number + 1 : 1;
	d.segment.base_last = w->state.last;
	err = wal_add_segment(w, &d.segment); /* first, while failing is free */
	if (err)
		return err;
	w->count--;
	err = draft_write(w, &d);
	if (err) {
		draft_clear(w->folder, &d);
		return err;
	}
	if (w->handle >= 0)
		say_end(w);
	else if (w->count)
		trim_older(w);
	leave_segment(w);
	w->segments[w->count++] = d.segment;
	w->handle = d.handle;
	w->seal = d.seal;
	w->size = d.size;
	w->end = d.end;
	w->key_id = d.segment.key_id;
	w->counter = 1;
	memcpy(w->tag, d.tag, DISK_TAG_SIZE);
	return 0;
}

static void restore_reserve(struct wal *w)
{
	struct disk_folder *f = w->folder;
	int handle = folder_open_file(f, reserve_name, DISK_IO_CREATE);

	if (handle < 0)
		return;
	w->reserve = f->io.allocate(f->io.context, handle, DISK_RESERVE_SIZE) == 0;
	folder_close_file(f, &handle);
}

static uint64_t round_up(uint64_t size)
{
	return (size + DISK_SEGMENT_ROUND - 1) / DISK_SEGMENT_ROUND * DISK_SEGMENT_ROUND;
}

/* A segment with room for this much after its head. */
static int begin_segment(struct wal *w, size_t wanted, bool small)
{
	uint64_t least = round_up(HEAD_SIZE + wanted + RECORD_OVERHEAD_MAX);
	uint64_t usual = w->segment_size > least ? w->segment_size : least;
	int err = new_segment(w, usual);

	if (err == 0 && !w->reserve)
		restore_reserve(w);
	if (err == -ENOSPC && least < usual)
		err = new_segment(w, least);
	if (err == -ENOSPC && small) {
		folder_unlink(w->folder, reserve_name);
		w->reserve = false;
		err = new_segment(w, least);
	}
	return err;
}

int wal_make_room(struct wal *w, size_t payload_size, bool small)
{
	size_t wanted = record_size(payload_size);
	int err;

	assert(payload_size <= DISK_PAYLOAD_MAX);
	if (w->folder->failed)
		return -EIO;
	if (w->handle >= 0 && wanted <= w->size - w->end && w->counter < UINT32_MAX - 1)
		return 0;
	err = begin_segment(w, wanted, small);
	if (err == -ENOSPC)
		w->refused++;
	return err;
}

int wal_rotate(struct wal *w)
{
	if (w->folder->failed)
		return -EIO;
	return begin_segment(w, DISK_SMALL_MAX, true);
}

uint8_t *wal_payload(struct wal *w, size_t payload_size)
{
	size_t wanted = record_size(payload_size);

	if (wanted > w->buffer_size) {
		size_t size = round_up(wanted);

		free(w->buffer);
		w->buffer = aligned_alloc(4096, size);
		w->buffer_size = w->buffer ? size : 0;
	}
	return w->buffer ? w->buffer + RECORD_HEADER_SIZE : NULL;
}

static void give_back_buffer(struct wal *w)
{
	if (w->buffer_size <= BUFFER_KEEP_MAX)
		return;
	free(w->buffer);
	w->buffer = NULL;
	w->buffer_size = 0;
}

int wal_append(struct wal *w, size_t payload_size, const struct wal_state *after)
{
	struct record_header header = {
	    .position = w->end, .counter = ++w->counter, .type = RECORD_BATCH, .key_id = w->key_id};
	size_t size = record_size(payload_size);
	uint8_t tag[DISK_TAG_SIZE];
	char name[DISK_NAME_MAX];
	int err;

	assert(w->handle >= 0 && size <= w->size - w->end);
	wal_name(w->segments[w->count - 1].number, name);
	memcpy(tag, w->tag, DISK_TAG_SIZE);
	err = record_close(w->seal, &header, w->buffer, payload_size, tag);
	if (err == 0)
		err = folder_write(w->folder, w->handle, name, w->buffer, size, w->end);
	if (err == -ENOSPC) {
		/* A part of it may lie there, and no byte is written twice: the next record goes to
		 * a new segment, which says that this one ends before it. */
		w->refused++;
		w->folder->io.truncate(w->folder->io.context, w->handle, w->end);
		leave_segment(w);
	}
	if (err == 0)
		err = folder_sync(w->folder, w->handle, name);
	give_back_buffer(w);
	if (err)
		return err;
	w->end = record_next(&header);
	memcpy(w->tag, tag, DISK_TAG_SIZE);
	w->state = *after;
	w->records++;
	return 0;
}

void wal_compact(struct wal *w)
{
	size_t gone = 0;
	char name[DISK_NAME_MAX];

	while (gone + 1 < w->count && w->segments[gone + 1].base_last <= w->state.mark_index) {
		wal_name(w->segments[gone].number, name);
		folder_unlink(w->folder, name);
		gone++;
	}
	if (gone == 0)
		return;
	w->count -= gone;
	memmove(w->segments, w->segments + gone, w->count * sizeof(*w->segments));
}
