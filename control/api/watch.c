/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "internal.h"

/*
 * MHD looks away from a suspended connection, so that a client's hang-up has to be noticed here.
 *
 * A client that merely closed its sending half (`printf ... | nc -N`) still waits for its answer,
 * and a unix socket tells the two apart: EPOLLHUP, which epoll gives unasked, is both halves
 * closed. Asked for is something that never comes, for libuv takes no empty set. (TCP would need
 * UV_DISCONNECT.)
 */
struct watch {
	uv_poll_t poll;
	struct api_request *request; /* NULL: it is being closed */
	struct api_server *server;
};

static void on_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	struct api_server *server = watch->server;

	free(watch);
	api_server_handle_closed(server);
}

static void on_hangup(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	(void)status; /* UV_EBADF is EPOLLERR: gone too */
	(void)events;
	if (watch->request)
		api_request_lose(watch->request);
}

struct watch *api_watch_start(struct api_request *request)
{
	struct watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct watch){.request = request, .server = request->server};
	if (uv_poll_init(request->server->loop, &watch->poll, request->connection->fd) < 0) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	api_server_handle_opened(watch->server);
	if (uv_poll_start(&watch->poll, UV_PRIORITIZED, on_hangup) < 0) {
		api_watch_stop(watch);
		return NULL;
	}
	return watch;
}

void api_watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	watch->request = NULL;
	uv_close((uv_handle_t *)&watch->poll, on_closed);
}
