/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_MESSAGE_H
#define FL_MESSAGE_H
/*
 * A message and all that hangs on it as one block of memory, by its descriptor: one allocation, not
 * one for each string, and free() gives it all back.
 *
 *   | the message | messages, arrays, unknown fields: aligned to 8 | strings, bytes: not |
 */
#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/* Bytes of the block. */
size_t message_block_size(const ProtobufCMessage *message);
/* block: that many bytes, aligned to 8. What protobuf-c may free must not be called on the copy. */
ProtobufCMessage *message_block_copy(const ProtobufCMessage *message, void *block);
/* Whether they encode to the same bytes. NULL equals NULL alone. -ENOMEM, else 0 or 1. */
int message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);
#endif
