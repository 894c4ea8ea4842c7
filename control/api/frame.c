/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <errno.h>
#include <string.h>

void api_frame_encode(enum api_frame_stream stream, uint32_t size,
		      uint8_t header[API_FRAME_HEADER_BYTES])
{
	const uint8_t bytes[API_FRAME_HEADER_BYTES] = {(uint8_t)stream,
						       0,
						       0,
						       0,
						       (uint8_t)(size >> 24),
						       (uint8_t)(size >> 16),
						       (uint8_t)(size >> 8),
						       (uint8_t)size};

	memcpy(header, bytes, sizeof(bytes));
}

int api_frame_decode(const uint8_t header[API_FRAME_HEADER_BYTES], enum api_frame_stream *stream,
		     uint32_t *size)
{
	if (header[0] > API_FRAME_SYSTEM || header[1] || header[2] || header[3])
		return -EBADMSG;
	*stream = (enum api_frame_stream)header[0];
	*size = (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 |
		header[7];
	return 0;
}
