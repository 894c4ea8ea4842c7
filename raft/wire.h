/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_WIRE_H
#define FL_RAFT_WIRE_H
/*
 * struct raft_message as bytes: proto/raft.proto, each message in a frame.
 *
 *    0        4
 *   +--------+------------------ - -
 *   | length | payload: a Message, length bytes
 *   +--------+------------------ - -
 *   big-endian, <= WIRE_PAYLOAD_MAX. Length 0: no message (see TRANSPORT.md).
 *
 * Decoding trusts nothing. Before anything is unpacked, a walk with a bounded cursor has counted
 * fields, entries and members and compared sizes with types.h; a field that may stand once stands
 * once; fields of later versions are skipped, some of them.
 *
 * Empty data of an entry that is no RAFT_ENTRY_EMPTY comes out as bytes of size 0, never as NULL.
 */
#include "types.h"

enum {
	WIRE_HEADER = 4,
	WIRE_PAYLOAD_MAX = RAFT_MESSAGE_SIZE_MAX,
	WIRE_UNKNOWN_MAX = 32, /* fields of later versions in one message of ours */
};

struct wire_buffer {
	uint8_t *data; /* malloc'ed */
	size_t size, capacity;
};
void wire_buffer_free(struct wire_buffer *buffer);
/* Room for size more bytes behind data + size. 0 or -ENOMEM. */
int wire_buffer_reserve(struct wire_buffer *buffer, size_t size);

/* Appends a frame. -EMSGSIZE: larger than WIRE_PAYLOAD_MAX or than a bound of types.h; -EINVAL:
 * entries that do not follow message->index; -ENOMEM. *frames is then as it was. */
int wire_encode(const struct raft_message *message, struct wire_buffer *frames);
/* A payload. 0, -EBADMSG or -ENOMEM; *message, which the caller clears, is zeroed on failure. */
int wire_decode(const uint8_t *payload, size_t size, struct raft_message *message);

/* About what wire_encode makes of it, for the accounts of queues; never less. */
size_t wire_size_guess(const struct raft_message *message);
#endif
