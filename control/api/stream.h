/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_STREAM_H
#define FL_API_STREAM_H
/*
 * An answer that goes on: events (JSON lines), logs (frames). Chunked; the headers go at once.
 *
 * What the client does not take waits, up to API_STREAM_BYTES_MAX; a write beyond that is refused
 * whole, and on_drain says when it is worth trying again. A client may be as slow as it likes
 * (somebody reads `docker logs | less`): a producer that cannot wait must drop or end.
 *
 * A stream is valid until api_stream_end, whoever has gone by then. Callbacks come from the loop,
 * none of them after the end; all calls may be made from them.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "frame.h"
#include "request.h"

struct api_stream;

struct api_stream_events {
	void (*on_drain)(void *argument); /* after a refused write: there is room again */
	void (*on_gone)(void *argument);  /* once: writes are -EPIPE from now on */
};

/* The request's answer. NULL: the client has gone, or no memory; the request is given back all the
 * same. */
struct api_stream *api_stream_start(struct api_request *request, unsigned status,
				    const char *content_type,
				    const struct api_stream_events *events, void *argument);
/* 0; -ENOBUFS: too much waits, on_drain will be called; -EPIPE: the client has gone; -ENOMEM;
 * -EMSGSIZE: more than API_STREAM_BYTES_MAX at once. */
int api_stream_write(struct api_stream *stream, const void *bytes, size_t size);
/* The same for one frame, and for a value with the end of its line. */
int api_stream_frame(struct api_stream *stream, enum api_frame_stream which, const void *bytes,
		     size_t size);
int api_stream_json(struct api_stream *stream, const json_t *json);
/* How many bytes wait for the client. */
size_t api_stream_waiting(const struct api_stream *stream);
/* What waits is still sent. With broken, the connection is cut instead, so that the client sees
 * that something is missing. */
void api_stream_end(struct api_stream *stream, bool broken);
#endif
