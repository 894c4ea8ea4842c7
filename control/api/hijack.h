/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_HIJACK_H
#define FL_API_HIJACK_H
/*
 * An answer of 101 after which the connection is the handler's, both ways (attach, exec). Only for
 * requests that api_request_wants_upgrade; the others of docker's clients read a stream (stream.h).
 *
 * Either side may close its half: on_eof is the client's, after which it may still read. Writes
 * wait as a stream's do. Valid until api_hijack_end; callbacks come from the loop, none after the
 * end; all calls may be made from them.
 */
#include <stdbool.h>
#include <stddef.h>

#include "frame.h"
#include "request.h"

struct api_hijack;

struct api_hijack_events {
	void (*on_data)(void *argument, const void *bytes, size_t size);
	void (*on_eof)(void *argument);   /* once; no data after it */
	void (*on_drain)(void *argument); /* after a refused write: there is room again */
	void (*on_gone)(void *argument);  /* once: writes are -EPIPE from now on, nothing comes */
};

/* content_type: application/vnd.docker.raw-stream. NULL: the client has gone, or no memory; the
 * request is given back all the same. */
struct api_hijack *api_hijack_start(struct api_request *request, const char *content_type,
				    const struct api_hijack_events *events, void *argument);
/* 0, -ENOBUFS, -EPIPE, -EMSGSIZE, -ENOMEM. */
int api_hijack_write(struct api_hijack *hijack, const void *bytes, size_t size);
int api_hijack_frame(struct api_hijack *hijack, enum api_frame_stream which, const void *bytes,
		     size_t size);
/* While it is paused nothing is read: the client's writes block in the end. */
void api_hijack_pause(struct api_hijack *hijack, bool paused);
/* What waits is still sent; then the connection is closed. */
void api_hijack_end(struct api_hijack *hijack);
#endif
