/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_STREAM_H
#define FL_RAFT_STREAM_H
/*
 * A TCP connection that speaks TLS, on a libuv loop; loop thread only. Its owner gets events until
 * stream_close or the closed event, whichever comes first. Owners may call stream_close in any
 * event.
 */
#include <uv.h>

#include "tls.h"
#include "transport_limits.h"

/* What all streams of a loop share: a read lasts no longer than its callback. */
struct stream_home {
	uv_loop_t *loop;
	uint8_t read_buffer[TRANSPORT_READ_BYTES];
};

struct stream_events {
	void (*ready)(void *owner, const struct tls_identity *peer); /* authenticated */
	void (*data)(void *owner, const uint8_t *data, size_t size);
	void (*drained)(void *owner); /* all that was written is with the kernel */
	/* err: negative errno; -EACCES: authentication. Not in answer to stream_close. */
	void (*closed)(void *owner, int err, const char *why);
};

struct stream;
/* timeout_ms: until stream_settle is called. */
int stream_dial(struct stream_home *home, const struct sockaddr *address, struct tls_context *tls,
		unsigned int timeout_ms, const struct stream_events *events, void *owner,
		struct stream **out);
int stream_accept(struct stream_home *home, uv_stream_t *listener, struct tls_context *tls,
		  unsigned int timeout_ms, const struct stream_events *events, void *owner,
		  struct stream **out);
/* The connection is what was wanted; the timeout no longer runs. */
void stream_settle(struct stream *stream);
/* After ready, while not busy. On failure the stream is of no more use: close it. */
int stream_write(struct stream *stream, const void *data, size_t size);
/* Something written is not with the kernel yet; drained will say when it is. */
bool stream_busy(const struct stream *stream);
/* NULL is fine. Frees it. */
void stream_close(struct stream *stream);
#endif
