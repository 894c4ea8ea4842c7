/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport_limits.h"

enum { CAPACITY_MIN = 4096 };

void frame_reader_free(struct frame_reader *reader)
{
	free(reader->data);
	*reader = (struct frame_reader){0};
}

static size_t payload_size(const uint8_t *header)
{
	return (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 |
	       header[3];
}

static int keep(struct frame_reader *reader, const uint8_t *data, size_t size)
{
	size_t capacity = reader->capacity ? reader->capacity : CAPACITY_MIN;

	while (capacity < reader->size + size)
		capacity *= 2;
	if (capacity != reader->capacity) {
		uint8_t *grown = realloc(reader->data, capacity);

		if (!grown)
			return -ENOMEM;
		reader->data = grown;
		reader->capacity = capacity;
	}
	memcpy(reader->data + reader->size, data, size);
	reader->size += size;
	return 0;
}

/* Takes from data until the reader holds `wanted` bytes; the count, or -ENOMEM. */
static ssize_t fill(struct frame_reader *reader, size_t wanted, const uint8_t *data, size_t size)
{
	size_t take = wanted - reader->size;

	if (take > size)
		take = size;
	return take && keep(reader, data, take) ? -ENOMEM : (ssize_t)take;
}

ssize_t frame_reader_feed(struct frame_reader *reader, size_t payload_max, const uint8_t *data,
			  size_t size, struct frame *frame)
{
	ssize_t header = 0, body;
	size_t length;

	*frame = (struct frame){0};
	/* The common case: whole, and not copied. */
	if (!reader->size && size >= WIRE_HEADER && payload_size(data) <= payload_max &&
	    size - WIRE_HEADER >= payload_size(data)) {
		*frame = (struct frame){data + WIRE_HEADER, payload_size(data)};
		/* A large frame is rare: its memory is not kept. */
		if (reader->capacity > TRANSPORT_KEEP_BYTES)
			frame_reader_free(reader);
		return (ssize_t)(WIRE_HEADER + frame->size);
	}
	if (reader->size < WIRE_HEADER) {
		header = fill(reader, WIRE_HEADER, data, size);
		if (header < 0 || reader->size < WIRE_HEADER)
			return header;
	}
	length = payload_size(reader->data);
	if (length > payload_max)
		return -EMSGSIZE;
	body = fill(reader, WIRE_HEADER + length, data + header, size - (size_t)header);
	if (body < 0)
		return body;
	if (reader->size == WIRE_HEADER + length) {
		*frame = (struct frame){reader->data + WIRE_HEADER, length};
		reader->size = 0;
	}
	return header + body;
}
