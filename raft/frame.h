/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_FRAME_H
#define FL_RAFT_FRAME_H
/*
 * Cuts a stream of bytes into frames (see wire.h). A length is judged before anything is allocated
 * for it, and memory grows with what has come, not with what was announced.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct frame_reader {
	uint8_t *data; /* of a frame that is not whole; NULL: none */
	size_t size, capacity;
};

struct frame {
	const uint8_t *payload; /* valid until the next call; NULL: not whole yet */
	size_t size;
};

/* Takes bytes up to the end of a frame and says how many. -EMSGSIZE: larger than payload_max;
 * -ENOMEM. */
ssize_t frame_reader_feed(struct frame_reader *reader, size_t payload_max, const uint8_t *data,
			  size_t size, struct frame *frame);
void frame_reader_free(struct frame_reader *reader);
#endif
