/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over what a member reads from another: bytes that come in pieces, cut into frames, and
 * the messages in them. What is a message is one after it was encoded again, and the same.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... && ./raft_wire_fuzz tests/fuzz/corpus/raft_wire
 */
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
	if (!ok)
		abort();
}

static void encode(const struct raft_message *message, struct wire_buffer *frames)
{
	frames->size = 0;
	need(wire_encode(message, frames) == 0);
	need(frames->size <= wire_size_guess(message));
}

static void try_payload(const uint8_t *payload, size_t size)
{
	struct wire_buffer once = {0}, twice = {0};
	struct raft_message message;

	if (wire_decode(payload, size, &message))
		return;
	need(message.type && message.type < RAFT_MESSAGE_TYPES && message.from && message.to);
	need(message.entry_count <= RAFT_MESSAGE_ENTRIES_MAX);
	encode(&message, &once);
	raft_message_clear(&message);
	need(wire_decode(once.data + WIRE_HEADER, once.size - WIRE_HEADER, &message) == 0);
	encode(&message, &twice);
	need(once.size == twice.size && !memcmp(once.data, twice.data, once.size));
	raft_message_clear(&message);
	wire_buffer_free(&once);
	wire_buffer_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader reader = {0};
	size_t piece;

	if (!size)
		return 0;
	/* Both as it is and in frames: a mutation need not get the length right. */
	try_payload(data, size);
	piece = 1 + data[0];
	data++, size--;
	while (size) {
		struct frame frame;
		const ssize_t taken = frame_reader_feed(&reader, WIRE_PAYLOAD_MAX, data,
							piece < size ? piece : size, &frame);

		if (taken < 0)
			break;
		need(taken > 0 && (size_t)taken <= size);
		need(reader.capacity <= 2 * (WIRE_PAYLOAD_MAX + WIRE_HEADER));
		if (frame.payload)
			try_payload(frame.payload, frame.size);
		data += taken;
		size -= (size_t)taken;
	}
	frame_reader_free(&reader);
	return 0;
}
