/* SPDX-License-Identifier: BSD-2-Clause */
#include "record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

/* The header as it lies on disk; for its offsets and size alone. */
struct record_layout {
	uint8_t header_crc[4], sealed_crc[4], sealed_size[4], key_id[4];
	uint8_t position[8], counter[4], type, zeros[2], mark;
};
_Static_assert(sizeof(struct record_layout) == RECORD_HEADER_SIZE, "drawn in record.h");
_Static_assert(offsetof(struct record_layout, position) == 16, "drawn in record.h");
_Static_assert(offsetof(struct record_layout, mark) == 31, "drawn in record.h");

enum {
	BOUND_FROM = offsetof(struct record_layout, sealed_size),
	BOUND_SIZE = RECORD_HEADER_SIZE - BOUND_FROM,
	AAD_SIZE = BOUND_SIZE + DISK_TAG_SIZE,
};

static size_t padded(size_t sealed_size)
{
	return (sealed_size + RECORD_ALIGN) & ~(size_t)(RECORD_ALIGN - 1);
}

size_t record_size(size_t payload_size)
{
	return RECORD_HEADER_SIZE + padded(payload_size + DISK_TAG_SIZE);
}

uint64_t record_next(const struct record_header *header)
{
	return header->position + RECORD_HEADER_SIZE + padded(header->sealed_size);
}

static void make_aad(const uint8_t *record, const uint8_t *chain, uint8_t *aad)
{
	memcpy(aad, record + BOUND_FROM, BOUND_SIZE);
	memcpy(aad + BOUND_SIZE, chain, DISK_TAG_SIZE);
}

int record_close(struct seal *seal, struct record_header *header, uint8_t *record,
		 size_t payload_size, uint8_t chain[DISK_TAG_SIZE])
{
	struct record_layout *l = (struct record_layout *)(void *)record;
	uint8_t *payload = record + RECORD_HEADER_SIZE, *tag = payload + payload_size;
	size_t sealed_size = payload_size + DISK_TAG_SIZE, room = padded(sealed_size);
	uint8_t aad[AAD_SIZE];
	int err;

	assert(payload_size <= DISK_PAYLOAD_MAX && header->position % RECORD_ALIGN == 0);
	memset(l, 0, sizeof(*l));
	header->sealed_size = (uint32_t)sealed_size;
	bytes_put32(l->sealed_size, header->sealed_size);
	bytes_put32(l->key_id, header->key_id);
	bytes_put64(l->position, header->position);
	bytes_put32(l->counter, header->counter);
	l->type = header->type;
	l->mark = RECORD_HEADER_MARK;
	make_aad(record, chain, aad);
	err = seal_close(seal, header->counter, aad, sizeof(aad), payload, payload_size, tag);
	if (err)
		return err;
	memcpy(chain, tag, DISK_TAG_SIZE);
	memset(payload + sealed_size, 0, room - sealed_size);
	payload[room - 1] = RECORD_MARK;
	header->sealed_crc = crc32c(payload, room);
	bytes_put32(l->sealed_crc, header->sealed_crc);
	header->header_crc = crc32c(record + 4, RECORD_HEADER_SIZE - 4);
	bytes_put32(l->header_crc, header->header_crc);
	return 0;
}

/* Whether a write of [position, position + size) can have left this when it was interrupted. */
static bool looks_torn(const uint8_t *file, size_t file_size, size_t position, size_t size)
{
	size_t end = position + size;

	if (end > file_size || file[end - 1] == 0)
		return true;
	while (position < end) {
		size_t next = (position / DISK_SECTOR_SIZE + 1) * DISK_SECTOR_SIZE;

		if (next > end)
			next = end;
		if (bytes_zero(file + position, next - position))
			return true;
		position = next;
	}
	return false;
}

/* The header alone, of which all bytes are there. */
static bool header_good(const uint8_t *file, size_t position, struct record_header *out)
{
	const uint8_t *at = file + position;
	struct cursor c = {at, RECORD_HEADER_SIZE, false};
	struct record_header h;

	h.header_crc = cursor_get32(&c);
	h.sealed_crc = cursor_get32(&c);
	h.sealed_size = cursor_get32(&c);
	h.key_id = cursor_get32(&c);
	h.position = cursor_get64(&c);
	if (h.position != position) /* first, because record_search asks at every multiple of 8 */
		return false;
	h.counter = cursor_get32(&c);
	h.type = cursor_get8(&c);
	cursor_skip_zeros(&c, 2);
	if (cursor_get8(&c) != RECORD_HEADER_MARK || c.failed ||
	    h.header_crc != crc32c(at + 4, RECORD_HEADER_SIZE - 4) ||
	    h.sealed_size < DISK_TAG_SIZE || h.sealed_size > DISK_PAYLOAD_MAX + DISK_TAG_SIZE ||
	    h.type < RECORD_BASE || h.type > RECORD_END || h.counter == 0)
		return false;
	*out = h;
	return true;
}

static bool sealed_good(const uint8_t *file, size_t size, const struct record_header *h)
{
	size_t room = padded(h->sealed_size);

	return room <= size - RECORD_HEADER_SIZE - h->position &&
	       crc32c(file + h->position + RECORD_HEADER_SIZE, room) == h->sealed_crc;
}

enum record_verdict record_look(const uint8_t *file, size_t size, size_t position,
				struct record_header *header)
{
	size_t left = size > position ? size - position : 0;
	struct record_header h;

	if (left < RECORD_HEADER_SIZE)
		return bytes_zero(file + position, left) ? RECORD_ABSENT : RECORD_TORN;
	if (bytes_zero(file + position, RECORD_HEADER_SIZE))
		return RECORD_ABSENT;
	if (!header_good(file, position, &h))
		return looks_torn(file, size, position, RECORD_HEADER_SIZE) ? RECORD_TORN
									    : RECORD_DAMAGED;
	if (!sealed_good(file, size, &h))
		return looks_torn(file, size, position, RECORD_HEADER_SIZE + padded(h.sealed_size))
			   ? RECORD_TORN
			   : RECORD_DAMAGED;
	*header = h;
	return RECORD_GOOD;
}

size_t record_search(const uint8_t *file, size_t size, size_t position)
{
	struct record_header h;

	assert(position % RECORD_ALIGN == 0);
	for (position += RECORD_ALIGN; position + RECORD_HEADER_SIZE <= size;
	     position += RECORD_ALIGN)
		if (header_good(file, position, &h))
			return position;
	return 0;
}

int record_open(struct seal *seal, const struct record_header *header, uint8_t *file,
		uint8_t chain[DISK_TAG_SIZE], size_t *payload_size)
{
	uint8_t *record = file + header->position, *payload = record + RECORD_HEADER_SIZE;
	size_t size = header->sealed_size - DISK_TAG_SIZE;
	uint8_t aad[AAD_SIZE];
	int err;

	make_aad(record, chain, aad);
	err = seal_open(seal, header->counter, aad, sizeof(aad), payload, size, payload + size);
	if (err)
		return err;
	memcpy(chain, payload + size, DISK_TAG_SIZE);
	*payload_size = size;
	return 0;
}

static size_t body_size(const struct record_item *item)
{
	switch (item->type) {
	case ITEM_HARD_STATE:
		return 24;
	case ITEM_ENTRY:
		return ITEM_ENTRY_SIZE + item->entry.size;
	case ITEM_SNAPSHOT:
	case ITEM_INSTALL:
		return 16;
	default:
		return 8;
	}
}

size_t record_item_size(const struct record_item *item)
{
	return ITEM_HEADER_SIZE + body_size(item);
}

uint8_t *record_item_encode(uint8_t *to, const struct record_item *item)
{
	size_t size = body_size(item);
	uint8_t *body = to + ITEM_HEADER_SIZE;

	bytes_put32(to, item->type);
	bytes_put32(to + 4, (uint32_t)size);
	switch (item->type) {
	case ITEM_HARD_STATE:
		bytes_put64(body, item->hard_state.term);
		bytes_put64(body + 8, item->hard_state.vote);
		bytes_put64(body + 16, item->hard_state.commit);
		break;
	case ITEM_ENTRY:
		bytes_put64(body, item->entry.index);
		bytes_put64(body + 8, item->entry.term);
		bytes_put64(body + 16, item->entry.type | (uint64_t)item->entry.has_data << 8);
		if (item->entry.size)
			memcpy(body + ITEM_ENTRY_SIZE, item->entry.data, item->entry.size);
		break;
	case ITEM_CUT:
		bytes_put64(body, item->at.index);
		break;
	case ITEM_SNAPSHOT:
	case ITEM_INSTALL:
		bytes_put64(body, item->at.index);
		bytes_put64(body + 8, item->at.term);
		break;
	case ITEM_KEY:
		bytes_put32(body, item->key.from);
		bytes_put32(body + 4, item->key.to);
		break;
	default:
		assert(0 && "an item's type");
	}
	return body + size;
}

static void decode_entry(struct cursor *body, struct record_item *item)
{
	uint8_t has_data;

	item->entry.index = cursor_get64(body);
	item->entry.term = cursor_get64(body);
	item->entry.type = cursor_get8(body);
	has_data = cursor_get8(body);
	cursor_skip_zeros(body, 6);
	item->entry.has_data = has_data == 1;
	item->entry.size = (uint32_t)body->left;
	item->entry.data = cursor_take(body, body->left);
	if (has_data > 1 || (has_data == 0 && item->entry.size) ||
	    item->entry.size > RAFT_ENTRY_SIZE_MAX || item->entry.type < RAFT_ENTRY_COMMAND ||
	    item->entry.type > RAFT_ENTRY_MEMBERS)
		body->failed = true;
}

static void decode_body(struct cursor *body, struct record_item *item)
{
	switch (item->type) {
	case ITEM_HARD_STATE:
		item->hard_state.term = cursor_get64(body);
		item->hard_state.vote = cursor_get64(body);
		item->hard_state.commit = cursor_get64(body);
		break;
	case ITEM_ENTRY:
		decode_entry(body, item);
		break;
	case ITEM_CUT:
		item->at.index = cursor_get64(body);
		break;
	case ITEM_SNAPSHOT:
	case ITEM_INSTALL:
		item->at.index = cursor_get64(body);
		item->at.term = cursor_get64(body);
		break;
	case ITEM_KEY:
		item->key.from = cursor_get32(body);
		item->key.to = cursor_get32(body);
		break;
	default:
		body->failed = true;
	}
}

int record_item_decode(struct cursor *c, struct record_item *item)
{
	struct record_item found = {0};
	struct cursor body = {NULL, 0, false};
	uint32_t size;

	if (c->left == 0 && !c->failed)
		return 0;
	found.type = cursor_get8(c);
	cursor_skip_zeros(c, 3);
	size = cursor_get32(c);
	body.at = cursor_take(c, size);
	if (c->failed)
		return -EBADMSG;
	body.left = size;
	decode_body(&body, &found);
	if (body.failed || body.left)
		return -EBADMSG;
	*item = found;
	return 1;
}
