/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

static const char *const default_groups[] = {"docker", "fairlead", NULL};

static void run(struct api_server *server);

void api_server_log(const struct api_server *server, const char *format, ...)
{
	char message[API_MESSAGE_BYTES_MAX];
	va_list args;

	if (!server->config.log)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	server->config.log(server->config.context, message);
}

static void on_mhd_log(void *argument, const char *format, va_list args)
{
	const struct api_server *server = argument;
	char message[API_MESSAGE_BYTES_MAX];

	vsnprintf(message, sizeof(message), format, args);
	message[strcspn(message, "\n")] = '\0';
	api_server_log(server, "%s", message);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_epoll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

/* MHD says after each run when it wants the next at the latest. */
static void rearm(struct api_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	if (server->awake)
		uv_timer_start(&server->timer, on_timer, 0, 0);
	else if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&server->timer, on_timer, timeout_ms, 0);
	else
		uv_timer_stop(&server->timer);
}

void api_server_wake(struct api_server *server)
{
	if (server->awake || server->stopping)
		return;
	server->awake = true;
	if (!server->running)
		rearm(server);
}

static void free_server(struct api_server *server)
{
	void (*on_stopped)(void *) = server->on_stopped;
	void *argument = server->argument;

	free(server->tables);
	free(server->path);
	free(server);
	if (on_stopped)
		on_stopped(argument);
}

void api_server_handle_opened(struct api_server *server)
{
	server->handles++;
}

void api_server_handle_closed(struct api_server *server)
{
	assert(server->handles);
	if (--server->handles == 0)
		free_server(server);
}

static void on_closed(uv_handle_t *handle)
{
	api_server_handle_closed(handle->data);
}

static void stop(struct api_server *server)
{
	struct link *item;

	server->stopping = true;
	api_listen_remove(server->path, &server->listener);
	/* MHD will not stop over connections that are suspended, or upgraded and not closed. */
	for (item = server->requests.next; item != &server->requests; item = item->next)
		api_request_lose((struct api_request *)item);
	MHD_stop_daemon(server->daemon);
	server->daemon = NULL;
	assert(server->requests.next == &server->requests);
	assert(server->connections.next == &server->connections);
	uv_close((uv_handle_t *)&server->epoll, on_closed);
	uv_close((uv_handle_t *)&server->timer, on_closed);
	uv_close((uv_handle_t *)&server->sweep, on_closed);
}

static void run(struct api_server *server)
{
	assert(!server->running);
	server->running = true;
	server->awake = false;
	MHD_run(server->daemon);
	server->running = false;
	if (server->stop_wanted)
		stop(server);
	else
		rearm(server);
}

/* A client whose turn it is for too long: MHD's own timeout takes a byte now and then for activity.
 */
static void on_sweep(uv_timer_t *timer)
{
	struct api_server *server = timer->data;
	const uint64_t now = uv_now(server->loop), max = server->config.timeout_s * UINT64_C(1000);

	for (struct link *item = server->connections.next; item != &server->connections;
	     item = item->next) {
		struct connection *connection = (struct connection *)item;

		if (!connection->clients_turn || now - connection->since_ms < max)
			continue;
		connection->clients_turn = false;
		server->counters.late_total++;
		shutdown(connection->fd, SHUT_RDWR); /* MHD sees the end of it, and closes */
	}
}

static void connection_opened(struct api_server *server, struct MHD_Connection *mhd, void **slot)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = calloc(1, sizeof(*connection));
	const uint64_t period_ms = server->config.timeout_s * UINT64_C(1000) / API_SWEEP_PART;

	*slot = connection;
	if (!connection)
		return; /* its first request will not be taken */
	connection->server = server;
	connection->fd = info->connect_fd;
	connection->clients_turn = true;
	connection->since_ms = uv_now(server->loop);
	if (server->counters.connections++ == 0)
		uv_timer_start(&server->sweep, on_sweep, period_ms, period_ms);
	link_add(&server->connections, &connection->link);
}

static void connection_closed(struct api_server *server, void **slot)
{
	struct connection *connection = *slot;

	*slot = NULL;
	if (!connection)
		return;
	link_remove(&connection->link);
	free(connection);
	if (--server->counters.connections == 0)
		uv_timer_stop(&server->sweep);
	api_server_wake(server); /* at its limit MHD looks for room to accept only when it is run */
}

static void on_connection(void *argument, struct MHD_Connection *mhd, void **slot,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_opened(argument, mhd, slot);
	else
		connection_closed(argument, slot);
}

/* Targets are unescaped by path.c and query.c, after they were cut. */
static size_t leave_escaped(void *argument, struct MHD_Connection *mhd, char *text)
{
	(void)argument;
	(void)mhd;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct api_server *server)
{
	return MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0,
	    NULL, NULL, api_request_access, server,                           /* options: */
	    MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, server,                   /* the first */
	    MHD_OPTION_LISTEN_SOCKET, server->listener.fd,                    /* */
	    MHD_OPTION_URI_LOG_CALLBACK, api_request_open, server,            /* */
	    MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,                /* */
	    MHD_OPTION_NOTIFY_COMPLETED, api_request_close, server,           /* */
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,              /* */
	    MHD_OPTION_CONNECTION_LIMIT, server->config.connections_max,      /* */
	    MHD_OPTION_CONNECTION_TIMEOUT, server->config.timeout_s,          /* */
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)API_CONNECTION_BYTES, /* */
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

static int start_handles(struct api_server *server, struct problem *problem)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int rc = info ? uv_poll_init(server->loop, &server->epoll, info->epoll_fd) : UV_EINVAL;

	if (rc < 0)
		return problem_set(problem, rc, "%s: %s", server->path, uv_strerror(rc));
	uv_timer_init(server->loop, &server->timer);
	uv_timer_init(server->loop, &server->sweep);
	server->epoll.data = server->timer.data = server->sweep.data = server;
	server->handles = 3;
	uv_poll_start(&server->epoll, UV_READABLE, on_epoll);
	rearm(server);
	return 0;
}

static void set_defaults(struct api_config *config)
{
	if (!config->groups)
		config->groups = default_groups;
	if (!config->connections_max)
		config->connections_max = API_CONNECTIONS_MAX;
	if (!config->timeout_s)
		config->timeout_s = API_TIMEOUT_S;
	if (!config->body_bytes_max)
		config->body_bytes_max = API_BODY_BYTES_MAX;
}

static bool set_tables(struct api_server *server)
{
	const size_t given = server->config.table_count;

	server->tables = calloc(given + 2, sizeof(*server->tables));
	if (!server->tables)
		return false;
	if (given)
		memcpy(server->tables, server->config.tables, given * sizeof(*server->tables));
	server->tables[given] = (struct api_routes){
	    .routes = api_system_routes, .count = api_system_route_count, .context = server};
	server->tables[given + 1] =
	    (struct api_routes){.routes = api_endpoints, .count = api_endpoint_count};
	server->table_count = given + 2;
	return true;
}

static struct api_server *create(uv_loop_t *loop, const struct api_config *config)
{
	struct api_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->loop = loop;
	server->config = *config;
	server->path = strdup(config->path);
	link_init(&server->connections);
	link_init(&server->requests);
	set_defaults(&server->config);
	if (server->path && set_tables(server))
		return server;
	free(server->path);
	free(server);
	return NULL;
}

int api_server_start(uv_loop_t *loop, const struct api_config *config, struct api_server **out,
		     struct problem *problem)
{
	struct api_server *server = create(loop, config);
	int rc;

	if (!server)
		return problem_set(problem, -ENOMEM, "out of memory");
	rc = api_listen(server->path, server->config.groups, &server->listener, problem);
	if (rc < 0)
		goto no_socket;
	server->daemon = start_daemon(server);
	rc = server->daemon
		 ? start_handles(server, problem)
		 : problem_set(problem, -ENOMEM, "%s: the HTTP server did not start", server->path);
	if (rc == 0) {
		*out = server;
		return 0;
	}
	api_listen_remove(server->path, &server->listener);
	if (server->daemon)
		MHD_stop_daemon(server->daemon); /* closes the socket */
	else
		close(server->listener.fd);
no_socket:
	free(server->tables);
	free(server->path);
	free(server);
	return rc;
}

void api_server_stop(struct api_server *server, void (*on_stopped)(void *argument), void *argument)
{
	assert(!server->stopping && !server->stop_wanted);
	server->on_stopped = on_stopped;
	server->argument = argument;
	if (server->running)
		server->stop_wanted = true;
	else
		stop(server);
}

struct api_counters api_server_counters(const struct api_server *server)
{
	return server->counters;
}
