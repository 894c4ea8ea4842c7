/* SPDX-License-Identifier: BSD-2-Clause */
#include "request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "json_text.h"

static void set_clients_turn(struct connection *connection, bool clients_turn)
{
	connection->clients_turn = clients_turn;
	connection->since_ms = uv_now(connection->server->loop);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void *api_request_open(void *context, const char *uri, struct MHD_Connection *mhd)
{
	struct api_server *server = context;
	struct connection *connection = connection_of(mhd);
	struct api_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->target = strdup(uri);
	if (!request->target || !connection) {
		free(request->target);
		free(request);
		return NULL;
	}
	request->server = server;
	request->mhd = mhd;
	request->connection = connection;
	if (connection->untimed)
		MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT,
					  server->config.timeout_s);
	connection->untimed = false;
	link_add(&server->requests, &request->link);
	server->counters.requests++;
	server->counters.requests_total++;
	return request;
}

static void request_free(struct api_request *request)
{
	assert(!request->server && !request->owed && !request->watch && !request->response);
	if (request->stream)
		api_stream_free(request->stream);
	if (request->hijack)
		api_hijack_free(request->hijack);
	for (unsigned i = 0; i < request->params.count; i++)
		free(request->values[i]);
	api_query_clear(&request->query);
	free(request->body);
	free(request->target);
	free(request);
}

void api_request_settle(struct api_request *request)
{
	request->owed = false;
	if (!request->server)
		request_free(request);
}

/* The last thing that is done with a request: the handler may give it back. */
static void tell_gone(struct api_request *request)
{
	void (*on_gone)(void *) = request->on_gone;

	if (request->stream) {
		api_stream_lose(request->stream);
	} else if (request->hijack) {
		api_hijack_lose(request->hijack);
	} else if (on_gone && !request->answered) {
		request->on_gone = NULL;
		on_gone(request->gone_argument);
	}
}

void api_request_lose(struct api_request *request)
{
	if (request->gone)
		return;
	request->gone = true;
	api_request_resume(request);
	if (request->owed || request->hijack) /* one that has ended may still be flushing */
		tell_gone(request);
}

void api_request_close(void *context, struct MHD_Connection *mhd, void **slot,
		       enum MHD_RequestTerminationCode how)
{
	struct api_server *server = context;
	struct api_request *request = *slot;
	const bool told = request && request->gone;

	(void)mhd;
	(void)how;
	if (!request)
		return;
	*slot = NULL;
	if (request->response)
		MHD_destroy_response(request->response);
	request->response = NULL;
	api_watch_stop(request->watch);
	request->watch = NULL;
	link_remove(&request->link);
	server->counters.requests--;
	set_clients_turn(request->connection, true);
	request->server = NULL;
	request->mhd = NULL;
	request->connection = NULL;
	request->suspended = false;
	request->gone = true;
	if (!request->owed)
		request_free(request);
	else if (!told)
		tell_gone(request);
}

void api_request_suspend(struct api_request *request)
{
	assert(!request->suspended);
	request->suspended = true;
	MHD_suspend_connection(request->mhd);
	request->watch = api_watch_start(request);
}

void api_request_resume(struct api_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	api_watch_stop(request->watch);
	request->watch = NULL;
	MHD_resume_connection(request->mhd);
	api_server_wake(request->server);
}

/* MHD is given the answer. */
static enum MHD_Result queue(struct api_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	request->phase = REQUEST_ANSWERED;
	request->response = NULL;
	set_clients_turn(request->connection, false);
	result = MHD_queue_response(request->mhd, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static void dispatch(struct api_request *request)
{
	const struct api_route *route = request->route;

	request->owed = true;
	if (route->handler)
		route->handler(request, request->context);
	else
		api_reply_not_implemented(request, route->name);
}

static bool copy_params(struct api_request *request)
{
	for (unsigned i = 0; i < request->params.count; i++) {
		const struct api_span *value = &request->params.items[i].value;

		request->values[i] = strndup(request->path.text + value->start, value->size);
		if (!request->values[i])
			return false;
	}
	return true;
}

static const char *header(const struct api_request *request, const char *name)
{
	return request->mhd ? MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name)
			    : NULL;
}

static bool has_body(const struct api_request *request)
{
	const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
	       (length && strtoull(length, NULL, 10) > 0);
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t size = strcspn(type, ";");

	while (size && (type[size - 1] == ' ' || type[size - 1] == '\t'))
		size--;
	return size == sizeof(json) - 1 && strncasecmp(type, json, size) == 0;
}

/* As dockerd does, in its order: no route, then the version, then the parameters, then the body's
 * type. False: it has been answered. */
static bool find_handler(struct api_request *request, const char *method)
{
	struct api_server *server = request->server;
	const char *type = header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
	char *question = strchr(request->target, '?');
	struct problem problem = {0};
	int rc;

	if (question)
		*question++ = '\0';
	rc = api_path_parse(request->target, &request->path, &problem);
	if (rc == -EINVAL) {
		api_reply_problem(request, &problem);
		return false;
	}
	if (rc == 0)
		request->route =
		    api_route_find(server->tables, server->table_count, method, &request->path,
				   &request->params, &request->context);
	if (!request->route) {
		api_reply_error(request, 404, "page not found");
		return false;
	}
	if (request->path.has_version)
		rc = api_version_check(request->path.version, &problem);
	if (rc == 0 && question)
		rc = api_query_parse(question, &request->query, &problem);
	if (rc == 0 && !copy_params(request))
		rc = problem_set(&problem, -ENOMEM, "out of memory");
	if (rc == 0 && (request->route->flags & API_ROUTE_JSON) && (type || has_body(request)) &&
	    !is_json(type ? type : ""))
		rc = problem_set(&problem, -EINVAL,
				 "Content-Type specified (%.128s) must be 'application/json'",
				 type ? type : "");
	if (rc < 0)
		api_reply_problem(request, &problem);
	return rc == 0;
}

static bool is_upload(const struct api_request *request)
{
	return request->route && (request->route->flags & API_ROUTE_UPLOAD);
}

static enum MHD_Result begin(struct api_request *request, const char *method)
{
	const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const bool found = find_handler(request, method);

	request->phase = REQUEST_BODY;
	set_clients_turn(request->connection, !is_upload(request));
	if (!is_upload(request) && length &&
	    strtoull(length, NULL, 10) > request->server->config.body_bytes_max) {
		if (!request->answered)
			api_reply_error(request, 413, "http: request body too large");
		return queue(request); /* before its body: MHD will close the connection */
	}
	if (found && is_upload(request))
		dispatch(request);
	return MHD_YES;
}

/* False: no memory. */
static bool append_body(struct api_request *request, const char *data, size_t size)
{
	const size_t wanted = request->body_size + size + 1;

	if (wanted > request->body_room) {
		size_t room = request->body_room * 2;
		char *grown = realloc(request->body, room > wanted ? room : wanted);

		if (!grown)
			return false;
		request->body = grown;
		request->body_room = room > wanted ? room : wanted;
	}
	memcpy(request->body + request->body_size, data, size);
	request->body_size += size;
	request->body[request->body_size] = '\0';
	return true;
}

static enum MHD_Result take_body(struct api_request *request, const char *data, size_t *size)
{
	const size_t count = *size, max = request->server->config.body_bytes_max;

	if (request->suspended)
		return MHD_YES; /* MHD gives chunk after chunk of what it has read; this one stays
				   there */
	*size = 0;
	if (is_upload(request)) {
		if (!request->answered)
			api_upload_data(request, data, count);
		return MHD_YES;
	}
	if (!request->answered && count > max - request->body_size) {
		free(request->body);
		request->body = NULL;
		request->body_size = request->body_room = 0;
		api_reply_error(request, 413, "http: request body too large");
	}
	if (request->answered) {
		/* MHD takes an answer only before a body or after it. */
		request->passed_over += count;
		return request->passed_over > API_PASSED_OVER_BYTES_MAX ? MHD_NO : MHD_YES;
	}
	return append_body(request, data, count) ? MHD_YES : MHD_NO;
}

static enum MHD_Result finish_body(struct api_request *request)
{
	set_clients_turn(request->connection, false);
	request->phase = REQUEST_HANDLER;
	if (!request->answered && is_upload(request))
		api_upload_end(request);
	else if (!request->answered)
		dispatch(request);
	if (request->answered)
		return queue(request);
	api_request_suspend(request);
	return MHD_YES;
}

enum MHD_Result api_request_access(void *server, struct MHD_Connection *mhd, const char *url,
				   const char *method, const char *version, const char *data,
				   size_t *size, void **slot)
{
	struct api_request *request = *slot;

	(void)server;
	(void)mhd;
	(void)url;
	(void)version;
	if (!request || request->gone)
		return MHD_NO;
	switch (request->phase) {
	case REQUEST_HEAD:
		return begin(request, method);
	case REQUEST_BODY:
		return *size ? take_body(request, data, size) : finish_body(request);
	case REQUEST_HANDLER:
		return queue(request);
	case REQUEST_ANSWERED:
		break;
	}
	return MHD_NO;
}

const char *api_request_method(const struct api_request *request)
{
	return request->route->method;
}

const char *api_request_pattern(const struct api_request *request)
{
	return request->route->pattern;
}

const char *api_request_param(const struct api_request *request, const char *name)
{
	const char *pattern = request->route->pattern;

	for (unsigned i = 0; i < request->params.count; i++) {
		const struct api_span *span = &request->params.items[i].name;

		if (strlen(name) == span->size &&
		    memcmp(pattern + span->start, name, span->size) == 0)
			return request->values[i];
	}
	assert(0 && "a route's handler asks for a name that its pattern has not");
	return NULL;
}

struct api_version api_request_version(const struct api_request *request)
{
	const struct api_version newest = {API_VERSION_MAJOR, API_MINOR_NEWEST};

	return request->path.has_version ? request->path.version : newest;
}

const struct api_query *api_request_query(const struct api_request *request)
{
	return &request->query;
}

const char *api_request_header(const struct api_request *request, const char *name)
{
	return header(request, name);
}

bool api_request_wants_upgrade(const struct api_request *request)
{
	const char *connection = header(request, MHD_HTTP_HEADER_CONNECTION);

	return header(request, MHD_HTTP_HEADER_UPGRADE) && connection &&
	       strcasestr(connection, "upgrade");
}

const char *api_request_body(const struct api_request *request, size_t *size)
{
	*size = request->body_size;
	return request->body ? request->body : "";
}

int api_request_json(const struct api_request *request, json_t **json, struct problem *problem)
{
	size_t size;
	const char *body = api_request_body(request, &size);
	struct problem inner = {0};
	int rc;

	if (body[strspn(body, " \t\r\n")] == '\0' && strlen(body) == size)
		return problem_set(problem, -EINVAL,
				   "invalid JSON: got EOF while reading request body");
	rc = api_json_load(body, size, API_BODY_DEPTH_MAX, json, &inner);
	return rc < 0 ? problem_set(problem, rc, "invalid JSON: %s", inner.message) : 0;
}

int api_request_filters(const struct api_request *request, struct api_filters **filters,
			struct problem *problem)
{
	return api_filters_parse(api_query_get(&request->query, "filters"), filters, problem);
}

void api_request_on_gone(struct api_request *request, void (*on_gone)(void *argument),
			 void *argument)
{
	request->on_gone = on_gone;
	request->gone_argument = argument;
}
