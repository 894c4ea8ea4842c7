/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_INTERNAL_H
#define FL_API_INTERNAL_H
/*
 * What server.c, request.c, reply.c, watch.c, upload.c, stream.c and hijack.c share.
 *
 * How a request goes: MHD calls api_request_open with its first line, api_request_access with its
 * head, with each piece of its body, and after that until it is given a response; api_request_close
 * when it is over, one way or the other. A request that cannot go on (the handler has not answered,
 * the upload is paused, the stream is empty) is suspended: MHD then looks away from its socket, and
 * watch.c looks for the client's hang-up in its place.
 */
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "api_limits.h"
#include "listen.h"
#include "path.h"
#include "request.h"
#include "route.h"
#include "server.h"
#include "stream.h"
#include "upload.h"

struct link {
	struct link *next, *previous;
};

static inline void link_init(struct link *head)
{
	head->next = head->previous = head;
}

static inline void link_add(struct link *head, struct link *item)
{
	item->next = head;
	item->previous = head->previous;
	head->previous->next = item;
	head->previous = item;
}

static inline void link_remove(struct link *item)
{
	item->next->previous = item->previous;
	item->previous->next = item->next;
	link_init(item);
}

struct api_server {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	char *path;
	struct api_listener listener;
	struct api_config config;
	struct api_routes *tables; /* config's, and our own */
	size_t table_count;
	uv_poll_t epoll;  /* MHD's epoll set is readable */
	uv_timer_t timer; /* MHD wants to be run */
	uv_timer_t sweep; /* looks for late clients */
	unsigned handles; /* of the loop, that are not closed yet */
	bool running;     /* inside MHD_run: nothing may run or stop it */
	bool awake;       /* it is to be run soon */
	bool stop_wanted; /* when that is over */
	bool stopping;
	struct link connections; /* struct connection */
	struct link requests;    /* struct api_request */
	struct api_counters counters;
	void (*on_stopped)(void *argument);
	void *argument;
};

/* MHD's connection: what it is not told itself is kept here. */
struct connection {
	struct link link; /* the first, for a cast */
	struct api_server *server;
	int fd;
	bool clients_turn; /* to send the next head, or the body of a request */
	bool untimed;      /* MHD's timeout was taken off, for a stream */
	uint64_t since_ms; /* that it is the client's turn */
};

enum request_phase {
	REQUEST_HEAD,
	REQUEST_BODY,     /* arriving; with the handler already where it is an upload */
	REQUEST_HANDLER,  /* complete, and not answered */
	REQUEST_ANSWERED, /* with a response, which MHD may not have yet */
};

struct watch;

struct api_request {
	struct link link;              /* of the server's requests; the first, for a cast */
	struct api_server *server;     /* NULL: the connection is over; so is ... */
	struct MHD_Connection *mhd;    /* ... this */
	struct connection *connection; /* and this */
	bool owed;                     /* the handler's share: it has not answered, or not ended */
	enum request_phase phase;
	bool suspended, gone;
	bool answered;
	size_t passed_over; /* of a body that came after the answer */
	struct watch *watch;

	char *target; /* the path, unescaped in place, and its query */
	const char *method;
	struct api_path path;
	const struct api_route *route;
	void *context; /* the route's */
	struct api_params params;
	char *values[API_PARAMS_MAX];
	struct api_query query;

	char *body;
	size_t body_size, body_room;

	const struct api_upload_events *upload;
	void *upload_argument;
	bool upload_paused;

	void (*on_gone)(void *argument);
	void *gone_argument;

	unsigned status;
	struct MHD_Response *response; /* owned until it is queued */
	struct api_stream *stream;     /* owned; at most one of the two */
	struct api_hijack *hijack;
};

/* request.c */
void *api_request_open(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result api_request_access(void *server, struct MHD_Connection *mhd, const char *url,
				   const char *method, const char *version, const char *data,
				   size_t *size, void **context);
void api_request_close(void *server, struct MHD_Connection *mhd, void **context,
		       enum MHD_RequestTerminationCode how);
void api_request_suspend(struct api_request *request);
void api_request_resume(struct api_request *request);
/* The client hung up, or the server stops: tells the handler, and has MHD end it. */
void api_request_lose(struct api_request *request);
/* The handler's share ends. Frees the request where MHD's has ended too. */
void api_request_settle(struct api_request *request);

/* reply.c: the answer is this response, which may be NULL (no memory: the connection is closed).
 * Takes it. Does not settle. */
void api_reply_with(struct api_request *request, unsigned status, struct MHD_Response *response);
/* Has the headers that every answer has. NULL: no memory; the response is gone. */
struct MHD_Response *api_reply_add_headers(struct MHD_Response *response, const char *content_type);

/* watch.c. NULL: no memory; then a hang-up is noticed when the request goes on. */
struct watch *api_watch_start(struct api_request *request);
void api_watch_stop(struct watch *watch); /* NULL is fine */

/* upload.c */
void api_upload_data(struct api_request *request, const char *data, size_t size);
void api_upload_end(struct api_request *request);

/* stream.c, hijack.c: the request is over as far as MHD is concerned; and no one needs it any more.
 */
void api_stream_lose(struct api_stream *stream);
void api_stream_free(struct api_stream *stream);
void api_hijack_lose(struct api_hijack *hijack);
void api_hijack_free(struct api_hijack *hijack);

/* server.c. After MHD_resume_connection and MHD_UPGRADE_ACTION_CLOSE, which MHD acts upon when it
 * is run: without a thread of its own it wakes nobody. */
void api_server_wake(struct api_server *server);
void api_server_log(const struct api_server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void api_server_handle_opened(struct api_server *server);
void api_server_handle_closed(struct api_server *server);

/* endpoints.c: every endpoint that docker's client knows. system.c: those that are answered here.
 */
extern const struct api_route api_endpoints[];
extern const size_t api_endpoint_count;
extern const struct api_route api_system_routes[];
extern const size_t api_system_route_count;
#endif
