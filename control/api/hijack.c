/* SPDX-License-Identifier: BSD-2-Clause */
#include "hijack.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/*
 * MHD owns the socket until MHD_UPGRADE_ACTION_CLOSE; libuv, which wants to own what it reads, is
 * given a copy of the descriptor. The object stays until the handler has ended, MHD has closed the
 * request and libuv has closed the pipe, in whatever order.
 */
struct api_hijack {
	struct api_request *request; /* NULL: nobody needs this object but the pipe */
	struct api_server *server;
	const struct api_hijack_events *events;
	void *argument;
	struct MHD_UpgradeResponseHandle *upgrade; /* NULL: not there yet, or closed */
	uv_pipe_t pipe;
	uv_shutdown_t shutdown;
	bool pipe_open;
	bool paused, reading, refused, eof, ended, gone;
	size_t waiting; /* bytes in writes that libuv has, or early ones */
	char *early;    /* written before the 101 went */
	char *extra;    /* read by MHD behind the head, and not given to the handler yet */
	size_t early_size, extra_size;
};

struct write {
	uv_write_t write;
	struct api_hijack *hijack;
	size_t size;
	char bytes[];
};

static void hijack_destroy(struct api_hijack *hijack)
{
	free(hijack->early);
	free(hijack->extra);
	free(hijack);
}

static void on_closed(uv_handle_t *handle)
{
	struct api_hijack *hijack = handle->data;
	struct api_server *server = hijack->server;

	hijack->pipe_open = false;
	if (!hijack->request)
		hijack_destroy(hijack);
	api_server_handle_closed(server);
}

/* Both halves, at once. MHD closes the request when it is run next. */
static void shut(struct api_hijack *hijack)
{
	struct MHD_UpgradeResponseHandle *upgrade = hijack->upgrade;

	hijack->upgrade = NULL;
	if (!upgrade)
		return;
	uv_close((uv_handle_t *)&hijack->pipe, on_closed);
	MHD_upgrade_action(upgrade, MHD_UPGRADE_ACTION_CLOSE);
	api_server_wake(hijack->server);
}

/* Called last: the handler may end, and with it the object go. */
static void lose(struct api_hijack *hijack)
{
	if (hijack->gone)
		return;
	hijack->gone = true;
	shut(hijack);
	if (!hijack->ended && hijack->events->on_gone)
		hijack->events->on_gone(hijack->argument);
}

static void on_flushed(uv_shutdown_t *shutdown, int status)
{
	struct api_hijack *hijack = shutdown->data;

	(void)status;
	shut(hijack);
}

static void flush_and_shut(struct api_hijack *hijack)
{
	hijack->shutdown.data = hijack;
	if (hijack->upgrade &&
	    uv_shutdown(&hijack->shutdown, (uv_stream_t *)&hijack->pipe, on_flushed) < 0)
		shut(hijack);
}

static void on_written(uv_write_t *request, int status)
{
	struct write *write = (struct write *)request;
	struct api_hijack *hijack = write->hijack;

	hijack->waiting -= write->size;
	free(write);
	if (status < 0) {
		lose(hijack);
	} else if (hijack->refused && hijack->waiting < API_STREAM_BYTES_LOW) {
		hijack->refused = false;
		if (hijack->events->on_drain && !hijack->ended)
			hijack->events->on_drain(hijack->argument);
	}
}

static int send_bytes(struct api_hijack *hijack, const void *head, size_t head_size,
		      const void *bytes, size_t size)
{
	struct write *write = malloc(sizeof(*write) + head_size + size);
	uv_buf_t buffer;
	int rc;

	if (!write)
		return -ENOMEM;
	write->hijack = hijack;
	write->size = head_size + size;
	if (head_size)
		memcpy(write->bytes, head, head_size);
	if (size)
		memcpy(write->bytes + head_size, bytes, size);
	buffer = uv_buf_init(write->bytes, (unsigned)write->size);
	rc = uv_write(&write->write, (uv_stream_t *)&hijack->pipe, &buffer, 1, on_written);
	if (rc < 0) {
		free(write);
		return -EPIPE;
	}
	hijack->waiting += write->size;
	return 0;
}

static int keep_early(struct api_hijack *hijack, const void *head, size_t head_size,
		      const void *bytes, size_t size)
{
	char *grown = realloc(hijack->early, hijack->early_size + head_size + size);

	if (!grown)
		return -ENOMEM;
	hijack->early = grown;
	if (head_size)
		memcpy(grown + hijack->early_size, head, head_size);
	if (size)
		memcpy(grown + hijack->early_size + head_size, bytes, size);
	hijack->early_size += head_size + size;
	hijack->waiting += head_size + size;
	return 0;
}

static int write_parts(struct api_hijack *hijack, const void *head, size_t head_size,
		       const void *bytes, size_t size)
{
	assert(!hijack->ended);
	if (hijack->gone)
		return -EPIPE;
	if (size > API_STREAM_BYTES_MAX - head_size)
		return -EMSGSIZE;
	if (head_size + size > API_STREAM_BYTES_MAX - hijack->waiting) {
		hijack->refused = true;
		return -ENOBUFS;
	}
	if (head_size + size == 0)
		return 0;
	return hijack->upgrade ? send_bytes(hijack, head, head_size, bytes, size)
			       : keep_early(hijack, head, head_size, bytes, size);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	(void)suggested;
	buffer->base = malloc(API_READ_BYTES);
	buffer->len = buffer->base ? API_READ_BYTES : 0; /* 0: libuv gives UV_ENOBUFS to on_read */
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct api_hijack *hijack = stream->data;
	const bool deaf = hijack->ended || hijack->gone;

	if (size == UV_EOF) {
		uv_read_stop(stream);
		hijack->reading = false;
		hijack->eof = true;
		if (!deaf && hijack->events->on_eof)
			hijack->events->on_eof(hijack->argument);
	} else if (size < 0) {
		lose(hijack);
	} else if (size > 0 && !deaf) {
		hijack->events->on_data(hijack->argument, buffer->base, (size_t)size);
	}
	free(buffer->base);
}

/* Gives what MHD had read already; then reads on, unless the handler has paused meanwhile. */
static void read_on(struct api_hijack *hijack)
{
	char *extra = hijack->extra;

	if (extra && !hijack->paused && !hijack->ended) {
		hijack->extra = NULL;
		hijack->events->on_data(hijack->argument, extra, hijack->extra_size);
		free(extra);
	}
	if (hijack->upgrade && !hijack->paused && !hijack->eof && !hijack->reading)
		hijack->reading =
		    uv_read_start((uv_stream_t *)&hijack->pipe, on_alloc, on_read) == 0;
}

static bool open_pipe(struct api_hijack *hijack, int socket)
{
	const int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	uv_pipe_init(hijack->server->loop, &hijack->pipe, 0);
	hijack->pipe.data = hijack;
	hijack->pipe_open = true;
	api_server_handle_opened(hijack->server);
	if (uv_pipe_open(&hijack->pipe, fd) == 0)
		return true;
	close(fd);
	return false;
}

static bool keep_extra(struct api_hijack *hijack, const char *bytes, size_t size)
{
	if (size == 0)
		return true;
	assert(size <= API_EXTRA_BYTES_MAX); /* it was in MHD's connection memory */
	hijack->extra = malloc(size);
	if (!hijack->extra)
		return false;
	memcpy(hijack->extra, bytes, size);
	hijack->extra_size = size;
	return true;
}

static bool send_early(struct api_hijack *hijack)
{
	char *early = hijack->early;
	const size_t size = hijack->early_size;
	int rc = 0;

	hijack->early = NULL;
	hijack->early_size = 0;
	hijack->waiting -= size;
	if (size)
		rc = send_bytes(hijack, NULL, 0, early, size);
	free(early);
	return rc == 0;
}

/* The 101 has gone; the socket is ours. */
static void on_upgrade(void *argument, struct MHD_Connection *mhd, void *slot, const char *extra,
		       size_t extra_size, MHD_socket socket,
		       struct MHD_UpgradeResponseHandle *upgrade)
{
	struct api_hijack *hijack = argument;

	(void)mhd;
	(void)slot;
	if (hijack->gone || !open_pipe(hijack, socket)) {
		if (hijack->pipe_open)
			uv_close((uv_handle_t *)&hijack->pipe, on_closed);
		MHD_upgrade_action(upgrade, MHD_UPGRADE_ACTION_CLOSE);
		api_server_wake(hijack->server);
		return; /* and the request's end is told with its closing */
	}
	hijack->upgrade = upgrade;
	if (!keep_extra(hijack, extra, extra_size) || !send_early(hijack))
		lose(hijack);
	else if (hijack->ended)
		flush_and_shut(hijack);
	else
		read_on(hijack);
}

static struct MHD_Response *make_response(struct api_hijack *hijack, const char *content_type)
{
	struct MHD_Response *response = api_reply_add_headers(
	    MHD_create_response_for_upgrade(on_upgrade, hijack), content_type);

	if (response &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "tcp") != MHD_YES) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

struct api_hijack *api_hijack_start(struct api_request *request, const char *content_type,
				    const struct api_hijack_events *events, void *argument)
{
	struct api_hijack *hijack = request->gone ? NULL : calloc(1, sizeof(*hijack));
	struct MHD_Response *response = hijack ? make_response(hijack, content_type) : NULL;

	if (!response) {
		free(hijack);
		api_reply_with(request, MHD_HTTP_SWITCHING_PROTOCOLS, NULL);
		api_request_settle(request);
		return NULL;
	}
	hijack->request = request;
	hijack->server = request->server;
	hijack->events = events;
	hijack->argument = argument;
	request->hijack = hijack;
	api_reply_with(request, MHD_HTTP_SWITCHING_PROTOCOLS, response);
	return hijack;
}

int api_hijack_write(struct api_hijack *hijack, const void *bytes, size_t size)
{
	return write_parts(hijack, NULL, 0, bytes, size);
}

int api_hijack_frame(struct api_hijack *hijack, enum api_frame_stream which, const void *bytes,
		     size_t size)
{
	uint8_t header[API_FRAME_HEADER_BYTES];

	api_frame_encode(which, (uint32_t)size, header); /* a size that does not fit is refused */
	return write_parts(hijack, header, sizeof(header), bytes, size);
}

void api_hijack_pause(struct api_hijack *hijack, bool paused)
{
	if (hijack->paused == paused)
		return;
	hijack->paused = paused;
	if (paused && hijack->reading) {
		uv_read_stop((uv_stream_t *)&hijack->pipe);
		hijack->reading = false;
	} else if (!paused) {
		read_on(hijack);
	}
}

void api_hijack_end(struct api_hijack *hijack)
{
	assert(!hijack->ended);
	hijack->ended = true;
	if (hijack->upgrade)
		flush_and_shut(hijack);
	api_request_settle(hijack->request);
}

void api_hijack_lose(struct api_hijack *hijack)
{
	lose(hijack);
}

void api_hijack_free(struct api_hijack *hijack)
{
	hijack->request = NULL;
	if (!hijack->pipe_open)
		hijack_destroy(hijack);
}
