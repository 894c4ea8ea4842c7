/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_SERVER_H
#define FL_API_SERVER_H
/*
 * The Engine API's HTTP/1.1 server, on a unix socket and a libuv loop: libmicrohttpd without a
 * thread.
 *
 * All of it belongs to the loop's thread. SIGPIPE must be ignored (main does that): libuv writes
 * with write(2).
 */
#include <stddef.h>
#include <uv.h>

#include "errors.h"
#include "problem.h"
#include "route.h"

struct api_server;

struct api_config {
	const char *path; /* of the socket; copied */
	const char *const
	    *groups; /* who may connect, the first that there is; NULL: docker, fairlead */
	const struct api_routes *tables; /* borrowed until it has stopped; asked before our own */
	size_t table_count;
	/* What is said of this node, and by whom; NULL: never in a swarm. */
	enum api_swarm_state (*swarm_state)(void *context);
	/* One line for a log, of a client that misbehaved mostly; NULL: none. */
	void (*log)(void *context, const char *message);
	void *context;                       /* of the two */
	const char *git_commit, *build_time; /* for /version; NULL: not known. Borrowed */
	/* 0: as api_limits.h has them. */
	unsigned connections_max, timeout_s;
	size_t body_bytes_max;
};

int api_server_start(uv_loop_t *loop, const struct api_config *config, struct api_server **server,
		     struct problem *problem);
/*
 * Closes the socket and every connection at once; handlers, streams and hijacks are told that their
 * client has gone, and still owe their answer or end. on_stopped comes from the loop when nothing
 * of the server is left on it; the server is freed before. NULL is fine for on_stopped.
 */
void api_server_stop(struct api_server *server, void (*on_stopped)(void *argument), void *argument);

struct api_counters {
	size_t connections; /* now */
	size_t requests;    /* being answered now, streams and hijacks among them */
	uint64_t requests_total, late_total;
};
struct api_counters api_server_counters(const struct api_server *server);
#endif
