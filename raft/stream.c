/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HANDLES = 2 };

struct stream {
	struct stream_home *home;
	const struct stream_events *events;
	void *owner;
	struct tls_session *tls;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	size_t unwritten; /* bytes that libuv holds */
	unsigned int handles;
	bool ready, closing;
};

struct pending_write {
	uv_write_t request;
	size_t size;
	uint8_t data[];
};

/* -- the end ----------------------------------------------------------------------------------- */

static void handle_closed(uv_handle_t *handle)
{
	struct stream *stream = handle->data;

	if (--stream->handles)
		return;
	tls_session_free(stream->tls);
	free(stream);
}

void stream_close(struct stream *stream)
{
	if (!stream || stream->closing)
		return;
	stream->closing = true;
	uv_close((uv_handle_t *)&stream->tcp, handle_closed);
	uv_close((uv_handle_t *)&stream->timer, handle_closed);
}

static void fail(struct stream *stream, int err, const char *why)
{
	if (stream->closing)
		return;
	stream_close(stream); /* memory stays until the handles are closed */
	stream->events->closed(stream->owner, err, why);
}

static void timed_out(uv_timer_t *timer)
{
	struct stream *stream = timer->data;

	fail(stream, -ETIMEDOUT, stream->ready ? "no greeting in time" : "no handshake in time");
}

void stream_settle(struct stream *stream)
{
	uv_timer_stop(&stream->timer);
}

/* -- writing ----------------------------------------------------------------------------------- */

static void wrote(uv_write_t *request, int status)
{
	struct pending_write *pending = (struct pending_write *)request;
	struct stream *stream = request->data;

	stream->unwritten -= pending->size;
	free(pending);
	if (status < 0)
		fail(stream, status, "cannot write");
	else if (!stream->unwritten && stream->ready && !stream->closing)
		stream->events->drained(stream->owner);
}

/* The kernel did not take it: a copy waits. */
static int write_later(struct stream *stream, const uint8_t *data, size_t size)
{
	struct pending_write *pending = malloc(sizeof(*pending) + size);
	uv_buf_t buffer;
	int err;

	if (!pending)
		return -ENOMEM;
	pending->size = size;
	memcpy(pending->data, data, size);
	pending->request.data = stream;
	buffer = uv_buf_init((char *)pending->data, (unsigned int)size);
	err = uv_write(&pending->request, (uv_stream_t *)&stream->tcp, &buffer, 1, wrote);
	if (err) {
		free(pending);
		return err;
	}
	stream->unwritten += size;
	return 0;
}

/* Sends what TLS has made. */
static int push(struct stream *stream)
{
	const uint8_t *data;
	size_t size = tls_session_output(stream->tls, &data);
	int result = 0;

	if (!size)
		return 0;
	if (!stream->unwritten) {
		uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned int)size);

		result = uv_try_write((uv_stream_t *)&stream->tcp, &buffer, 1);
		if (result < 0 && result != UV_EAGAIN)
			return result;
	}
	if (result > 0) {
		data += result;
		size -= (size_t)result;
	}
	result = size ? write_later(stream, data, size) : 0;
	tls_session_output_taken(stream->tls);
	return result;
}

int stream_write(struct stream *stream, const void *data, size_t size)
{
	const int err = tls_session_write(stream->tls, data, size);

	assert(stream->ready && !stream->closing);
	return err ? err : push(stream);
}

bool stream_busy(const struct stream *stream)
{
	return stream->unwritten;
}

/* -- reading ----------------------------------------------------------------------------------- */

static void shake_hands(struct stream *stream)
{
	struct tls_identity peer;
	const int result = tls_session_handshake(stream->tls);
	int err;

	/* Also after a failure: the alert tells the other side why. */
	err = push(stream);
	if (result < 0)
		fail(stream, -EACCES, tls_session_error(stream->tls));
	else if (err)
		fail(stream, err, "cannot write");
	else if (result && tls_session_peer(stream->tls, &peer))
		fail(stream, -EACCES, "its certificate names no member");
	else if (result) {
		stream->ready = true;
		stream->events->ready(stream->owner, &peer);
	}
}

static void read_plaintext(struct stream *stream)
{
	uint8_t data[TLS_RECORD_MAX];

	while (!stream->closing) {
		const ssize_t size = tls_session_read(stream->tls, data, sizeof(data));

		if (size < 0)
			/* A dialer learns only here that its certificate was refused. */
			fail(stream, size == -EPROTO ? -EACCES : (int)size,
			     tls_session_error(stream->tls));
		if (size <= 0)
			break;
		stream->events->data(stream->owner, data, (size_t)size);
	}
}

static void read_some(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
	struct stream *stream = handle->data;
	int err;

	if (stream->closing || !size)
		return;
	if (size < 0) {
		fail(stream, size == UV_EOF ? -EPIPE : (int)size,
		     size == UV_EOF ? "ended by the peer" : uv_strerror((int)size));
		return;
	}
	if (tls_session_feed(stream->tls, buffer->base, (size_t)size)) {
		fail(stream, -ENOMEM, "no memory");
		return;
	}
	if (!stream->ready)
		shake_hands(stream);
	if (!stream->ready || stream->closing)
		return;
	read_plaintext(stream);
	if (stream->closing)
		return;
	err = push(stream); /* TLS's own replies */
	if (err)
		fail(stream, err, "cannot write");
	else if (stream->unwritten > WIRE_PAYLOAD_MAX + TRANSPORT_REPLY_BYTES)
		fail(stream, -ENOBUFS, "does not read");
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct stream *stream = handle->data;

	(void)suggested;
	*buffer = uv_buf_init((char *)stream->home->read_buffer, sizeof(stream->home->read_buffer));
}

/* -- the beginning ----------------------------------------------------------------------------- */

static void set_option(int fd, int level, int name, int value)
{
	/* What fails here is only slower to notice a dead peer. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* Opened by now: there is a socket. */
static int begin(struct stream *stream)
{
	uv_os_fd_t fd;
	int err = uv_fileno((uv_handle_t *)&stream->tcp, &fd);

	if (err)
		return err;
	uv_tcp_nodelay(&stream->tcp, 1);
	uv_tcp_keepalive(&stream->tcp, 1, TRANSPORT_PROBE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TRANSPORT_SILENCE_MS);
	set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TRANSPORT_UNSENT_BYTES);
	return uv_read_start((uv_stream_t *)&stream->tcp, lend_buffer, read_some);
}

static void connected(uv_connect_t *request, int status)
{
	struct stream *stream = request->data;
	int err = status;

	if (stream->closing)
		return;
	if (!err)
		err = begin(stream);
	if (err)
		fail(stream, err, uv_strerror(err));
	else
		shake_hands(stream);
}

static int make(struct stream_home *home, struct tls_context *tls, enum tls_side side,
		unsigned int timeout_ms, const struct stream_events *events, void *owner,
		struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	if (tls_session_new(tls, side, &stream->tls)) {
		free(stream);
		return -ENOMEM;
	}
	stream->home = home;
	stream->events = events;
	stream->owner = owner;
	stream->handles = HANDLES;
	uv_tcp_init(home->loop, &stream->tcp);
	uv_timer_init(home->loop, &stream->timer);
	stream->tcp.data = stream->timer.data = stream->connect.data = stream;
	uv_timer_start(&stream->timer, timed_out, timeout_ms, 0);
	*out = stream;
	return 0;
}

int stream_dial(struct stream_home *home, const struct sockaddr *address, struct tls_context *tls,
		unsigned int timeout_ms, const struct stream_events *events, void *owner,
		struct stream **out)
{
	struct stream *stream;
	int err = make(home, tls, TLS_DIALS, timeout_ms, events, owner, &stream);

	if (err)
		return err;
	err = uv_tcp_connect(&stream->connect, &stream->tcp, address, connected);
	if (err)
		stream_close(stream);
	else
		*out = stream;
	return err;
}

int stream_accept(struct stream_home *home, uv_stream_t *listener, struct tls_context *tls,
		  unsigned int timeout_ms, const struct stream_events *events, void *owner,
		  struct stream **out)
{
	struct stream *stream;
	int err = make(home, tls, TLS_ACCEPTS, timeout_ms, events, owner, &stream);

	if (err)
		return err;
	err = uv_accept(listener, (uv_stream_t *)&stream->tcp);
	if (!err)
		err = begin(stream);
	if (err)
		stream_close(stream);
	else
		*out = stream;
	return err;
}
