/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_FRAME_H
#define FL_API_FRAME_H
/*
 * The frames in which logs, attach and exec carry two streams in one, where there is no TTY. Pure.
 *
 *     0        1                 4                        8
 *     +--------+-----------------+------------------------+----- - -
 *     | stream | 0, 0, 0         | size, big endian       | bytes
 *     +--------+-----------------+------------------------+----- - -
 */
#include <stddef.h>
#include <stdint.h>

enum api_frame_stream {
	API_FRAME_STDIN = 0,
	API_FRAME_STDOUT = 1,
	API_FRAME_STDERR = 2,
	API_FRAME_SYSTEM = 3, /* an error that the daemon puts into the stream */
};

enum { API_FRAME_HEADER_BYTES = 8 };

void api_frame_encode(enum api_frame_stream stream, uint32_t size,
		      uint8_t header[API_FRAME_HEADER_BYTES]);
/* -EBADMSG: no such stream, or the zeroes are none. */
int api_frame_decode(const uint8_t header[API_FRAME_HEADER_BYTES], enum api_frame_stream *stream,
		     uint32_t *size);
#endif
