/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { BLOCK_BYTES = 16 << 10, KEEP_BYTES = 4 << 10 };

struct api_stream {
	struct api_request *request;
	const struct api_stream_events *events;
	void *argument;
	bool ended, broken, refused;
	char *bytes; /* what waits: bytes[start .. start + size), of room */
	size_t start, size, room;
};

static void take(struct api_stream *stream, char *to, size_t size)
{
	memcpy(to, stream->bytes + stream->start, size);
	stream->start += size;
	stream->size -= size;
	if (stream->size)
		return;
	stream->start = 0;
	if (stream->room > KEEP_BYTES) { /* a thousand idle followers should cost nothing */
		free(stream->bytes);
		stream->bytes = NULL;
		stream->room = 0;
	}
}

/* MHD wants bytes. */
static ssize_t on_read(void *argument, uint64_t position, char *to, size_t max)
{
	struct api_stream *stream = argument;
	size_t size = stream->size < max ? stream->size : max;

	(void)position;
	if (stream->request->gone || stream->broken)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (size == 0) {
		if (stream->ended)
			return MHD_CONTENT_READER_END_OF_STREAM;
		api_request_suspend(stream->request);
		return 0;
	}
	take(stream, to, size);
	if (stream->refused && stream->size < API_STREAM_BYTES_LOW) {
		stream->refused = false;
		if (stream->events->on_drain && !stream->ended)
			stream->events->on_drain(stream->argument);
	}
	return (ssize_t)size;
}

static struct MHD_Response *make_response(struct api_stream *stream, const char *content_type)
{
	return api_reply_add_headers(
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, stream, NULL),
	    content_type);
}

struct api_stream *api_stream_start(struct api_request *request, unsigned status,
				    const char *content_type,
				    const struct api_stream_events *events, void *argument)
{
	struct api_stream *stream = request->gone ? NULL : calloc(1, sizeof(*stream));
	struct MHD_Response *response = stream ? make_response(stream, content_type) : NULL;

	if (!response) {
		free(stream);
		api_reply_with(request, status, NULL);
		api_request_settle(request);
		return NULL;
	}
	stream->request = request;
	stream->events = events;
	stream->argument = argument;
	request->stream = stream;
	/* Readers of a stream may stop for as long as they like. */
	MHD_set_connection_option(request->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
	request->connection->untimed = true;
	api_reply_with(request, status, response);
	return stream;
}

/* Room for size more bytes at the end. */
static int reserve(struct api_stream *stream, size_t size)
{
	if (stream->request->gone)
		return -EPIPE;
	if (size > API_STREAM_BYTES_MAX)
		return -EMSGSIZE;
	if (size > API_STREAM_BYTES_MAX - stream->size) {
		stream->refused = true;
		return -ENOBUFS;
	}
	if (stream->start + stream->size + size > stream->room && stream->start) {
		memmove(stream->bytes, stream->bytes + stream->start, stream->size);
		stream->start = 0;
	}
	if (stream->size + size > stream->room) {
		size_t room = stream->room ? stream->room : 256;
		char *grown;

		while (room < stream->size + size)
			room *= 2;
		grown = realloc(stream->bytes, room);
		if (!grown)
			return -ENOMEM;
		stream->bytes = grown;
		stream->room = room;
	}
	return 0;
}

static void append(struct api_stream *stream, const void *bytes, size_t size)
{
	if (size)
		memcpy(stream->bytes + stream->start + stream->size, bytes, size);
	stream->size += size;
	api_request_resume(stream->request);
}

int api_stream_write(struct api_stream *stream, const void *bytes, size_t size)
{
	int rc = reserve(stream, size);

	if (rc == 0 && size)
		append(stream, bytes, size);
	return rc;
}

int api_stream_frame(struct api_stream *stream, enum api_frame_stream which, const void *bytes,
		     size_t size)
{
	uint8_t header[API_FRAME_HEADER_BYTES];
	int rc = size > API_STREAM_BYTES_MAX ? -EMSGSIZE : reserve(stream, sizeof(header) + size);

	if (rc < 0)
		return rc;
	api_frame_encode(which, (uint32_t)size, header);
	append(stream, header, sizeof(header));
	append(stream, bytes, size);
	return 0;
}

int api_stream_json(struct api_stream *stream, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	const size_t size = text ? strlen(text) : 0;
	int rc = text ? reserve(stream, size + 1) : -ENOMEM;

	if (rc == 0) {
		append(stream, text, size);
		append(stream, "\n", 1);
	}
	free(text);
	return rc;
}

size_t api_stream_waiting(const struct api_stream *stream)
{
	return stream->size;
}

void api_stream_end(struct api_stream *stream, bool broken)
{
	stream->ended = true;
	stream->broken = broken;
	if (stream->request->server)
		api_request_resume(stream->request);
	api_request_settle(stream->request);
}

void api_stream_lose(struct api_stream *stream)
{
	if (!stream->ended && stream->events->on_gone)
		stream->events->on_gone(stream->argument);
}

void api_stream_free(struct api_stream *stream)
{
	free(stream->bytes);
	free(stream);
}
