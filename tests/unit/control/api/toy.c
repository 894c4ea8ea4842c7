/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An Engine API with toys behind it, for api_test.py: toy SOCKET [timeout_s [connections [body]]].
 * Ends on SIGTERM; GET /toy/counters says what is held.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/errors.h"
#include "api/hijack.h"
#include "api/request.h"
#include "api/server.h"
#include "api/stream.h"
#include "api/upload.h"

enum { TICK_MS = 10, SPIN_FRAME = 32 << 10 };

struct toy {
	uv_loop_t loop;
	uv_signal_t signals;
	struct api_server *server;
	size_t later, gone, refused, drained, uploaded, overrun, ended;
	enum api_swarm_state state;
};

/* Answers after a while, from the loop, as a store that commits does. */
struct later {
	uv_timer_t timer; /* the first, for a cast */
	struct toy *toy;
	struct api_request *request;
};

static void free_timer(uv_handle_t *handle)
{
	free(handle);
}

static void answer_later(uv_timer_t *timer)
{
	struct later *later = (struct later *)timer;

	later->toy->later--;
	api_reply_json(later->request, 200, json_pack("{s:b}", "Later", 1));
	uv_close((uv_handle_t *)timer, free_timer);
}

static void count_gone(void *argument)
{
	struct toy *toy = argument;

	toy->gone++;
}

static void handle_later(struct api_request *request, void *context)
{
	struct later *later = calloc(1, sizeof(*later));
	int64_t delay_ms = TICK_MS;

	api_query_int64(api_request_query(request), "ms", TICK_MS, &delay_ms, NULL);
	later->toy = context;
	later->request = request;
	later->toy->later++;
	api_request_on_gone(request, count_gone, context);
	uv_timer_init(&later->toy->loop, &later->timer);
	uv_timer_start(&later->timer, answer_later, (uint64_t)delay_ms, 0);
}

/* Gives back what it was asked, so that a test sees how it was understood. */
static void handle_echo(struct api_request *request, void *context)
{
	const struct api_query *query = api_request_query(request);
	const struct api_version version = api_request_version(request);
	struct api_filters *filters = NULL;
	struct problem problem;
	json_t *pairs = json_array();
	size_t size;

	(void)context;
	if (api_request_filters(request, &filters, &problem) < 0) {
		json_decref(pairs);
		api_reply_problem(request, &problem);
		return;
	}
	api_filters_free(filters);
	for (size_t i = 0; i < query->count; i++)
		json_array_append_new(
		    pairs, json_pack("[s,s]", query->pairs[i].name, query->pairs[i].value));
	api_request_body(request, &size);
	api_reply_json(request, 200,
		       json_pack("{s:s, s:o, s:i, s:i}", "Id", api_request_param(request, "id"),
				 "Query", pairs, "Minor", (int)version.minor, "Body", (int)size));
}

static void handle_json(struct api_request *request, void *context)
{
	struct problem problem;
	json_t *json;

	(void)context;
	if (api_request_json(request, &json, &problem) < 0)
		api_reply_problem(request, &problem);
	else
		api_reply_json(request, 201, json);
}

static void handle_empty(struct api_request *request, void *context)
{
	(void)context;
	api_reply_empty(request, 204);
}

static void handle_stale(struct api_request *request, void *context)
{
	(void)context;
	api_reply_out_of_sequence(request);
}

static void handle_nodes(struct api_request *request, void *context)
{
	const struct toy *toy = context;

	if (toy->state == API_SWARM_MANAGER)
		api_reply_json(request, 200, json_array());
	else
		api_reply_not_manager(request, toy->state);
}

static void handle_counters(struct api_request *request, void *context)
{
	const struct toy *toy = context;
	const struct api_counters counters = api_server_counters(toy->server);
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
	    {"Connections", counters.connections},
	    {"Requests", counters.requests},
	    {"Total", counters.requests_total},
	    {"Late", counters.late_total},
	    {"Later", toy->later},
	    {"Gone", toy->gone},
	    {"Refused", toy->refused},
	    {"Drained", toy->drained},
	    {"Uploaded", toy->uploaded},
	    {"Overrun", toy->overrun},
	    {"Ended", toy->ended},
	};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_object_set_new(json, all[i].name, json_integer((json_int_t)all[i].value));
	api_reply_json(request, 200, json);
}

/* Events: one each tick, `count` of them, or for ever. */
struct follower {
	uv_timer_t timer; /* the first, for a cast */
	struct toy *toy;
	struct api_stream *stream;
	int64_t left;
};

static void end_follower(struct follower *follower)
{
	api_stream_end(follower->stream, false);
	uv_close((uv_handle_t *)&follower->timer, free_timer);
}

static void send_event(uv_timer_t *timer)
{
	struct follower *follower = (struct follower *)timer;
	json_t *event = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:s, s:i, s:I}", "Type", "service",
				  "Action", "create", "Actor", "ID", "gb4pclpy478oszkepydvvfhpe",
				  "Attributes", "name", "web", "scope", "swarm", "time", 1795244872,
				  "timeNano", (json_int_t)1795244872960678299);
	int rc = api_stream_json(follower->stream, event);

	json_decref(event);
	if (rc < 0 || --follower->left == 0)
		end_follower(follower);
}

static void lose_follower(void *argument)
{
	struct follower *follower = argument;

	follower->toy->gone++;
	end_follower(follower);
}

static void handle_events(struct api_request *request, void *context)
{
	static const struct api_stream_events events = {.on_gone = lose_follower};
	struct follower *follower = calloc(1, sizeof(*follower));

	follower->toy = context;
	api_query_int64(api_request_query(request), "count", 0, &follower->left, NULL);
	if (api_query_get(api_request_query(request), "since"))
		follower->left = 3; /* docker's CLI has no count */
	uv_timer_init(&follower->toy->loop, &follower->timer);
	follower->stream = api_stream_start(request, 200, "application/json", &events, follower);
	if (follower->stream)
		uv_timer_start(&follower->timer, send_event, TICK_MS, TICK_MS);
	else
		uv_close((uv_handle_t *)&follower->timer, free_timer);
}

/* Logs, as fast as they are taken: `bytes` of them in frames. */
struct spin {
	struct toy *toy;
	struct api_stream *stream;
	int64_t left;
};

static void end_spin(struct spin *spin, bool broken)
{
	api_stream_end(spin->stream, broken);
	free(spin);
}

static void fill_spin(void *argument)
{
	static const char bytes[SPIN_FRAME];
	struct spin *spin = argument;

	while (spin->left > 0) {
		const size_t size = spin->left < SPIN_FRAME ? (size_t)spin->left : SPIN_FRAME;
		int rc = api_stream_frame(spin->stream, API_FRAME_STDOUT, bytes, size);

		if (rc == -ENOBUFS) {
			spin->toy->refused++;
			return;
		}
		spin->left -= (int64_t)size;
	}
	end_spin(spin, false);
}

static void drain_spin(void *argument)
{
	struct spin *spin = argument;

	spin->toy->drained++;
	fill_spin(spin);
}

static void lose_spin(void *argument)
{
	struct spin *spin = argument;

	spin->toy->gone++;
	end_spin(spin, false);
}

static void handle_spin(struct api_request *request, void *context)
{
	static const struct api_stream_events events = {.on_drain = drain_spin,
							.on_gone = lose_spin};
	struct spin *spin = calloc(1, sizeof(*spin));

	spin->toy = context;
	api_query_int64(api_request_query(request), "bytes", 0, &spin->left, NULL);
	spin->stream =
	    api_stream_start(request, 200, "application/vnd.docker.raw-stream", &events, spin);
	if (spin->stream)
		fill_spin(spin);
	else
		free(spin);
}

static void handle_broken(struct api_request *request, void *context)
{
	static const struct api_stream_events events = {0};
	struct api_stream *stream = api_stream_start(request, 200, "text/plain", &events, NULL);

	(void)context;
	if (!stream)
		return;
	api_stream_write(stream, "half of", 7);
	api_stream_end(stream, true);
}

/* exec: gives back in frames what it is given, the end as well. */
struct echo {
	struct toy *toy;
	struct api_hijack *hijack;
	char *kept; /* refused, for want of room */
	size_t kept_size;
	bool eof;
};

static void end_echo(struct echo *echo)
{
	echo->toy->ended++;
	api_hijack_end(echo->hijack);
	free(echo->kept);
	free(echo);
}

static void echo_data(void *argument, const void *bytes, size_t size)
{
	struct echo *echo = argument;

	if (api_hijack_frame(echo->hijack, API_FRAME_STDOUT, bytes, size) != -ENOBUFS)
		return;
	echo->toy->refused++;
	echo->kept = malloc(size);
	memcpy(echo->kept, bytes, size);
	echo->kept_size = size;
	api_hijack_pause(echo->hijack, true);
}

static void echo_eof(void *argument)
{
	struct echo *echo = argument;

	api_hijack_frame(echo->hijack, API_FRAME_STDERR, "bye", 3);
	end_echo(echo);
}

static void echo_drain(void *argument)
{
	struct echo *echo = argument;
	char *kept = echo->kept;

	echo->toy->drained++;
	echo->kept = NULL;
	api_hijack_frame(echo->hijack, API_FRAME_STDOUT, kept, echo->kept_size);
	free(kept);
	api_hijack_pause(echo->hijack, false);
}

static void echo_gone(void *argument)
{
	struct echo *echo = argument;

	echo->toy->gone++;
	end_echo(echo);
}

static void handle_exec_start(struct api_request *request, void *context)
{
	static const struct api_hijack_events events = {echo_data, echo_eof, echo_drain, echo_gone};
	struct echo *echo;

	if (!api_request_wants_upgrade(request)) {
		api_reply_error(request, 400, "no upgrade wanted");
		return;
	}
	echo = calloc(1, sizeof(*echo));
	echo->toy = context;
	echo->hijack =
	    api_hijack_start(request, "application/vnd.docker.raw-stream", &events, echo);
	if (!echo->hijack)
		free(echo);
	else
		api_hijack_frame(echo->hijack, API_FRAME_STDOUT, "hello ", 6);
}

static void handle_container(struct api_request *request, void *context)
{
	const char *id = api_request_param(request, "id");

	(void)context;
	if (strcmp(id, "toy") != 0)
		api_reply_not_found(request, "container", id);
	else
		api_reply_json(
		    request, 200,
		    json_pack("{s:s, s:s, s:{s:b}, s:{s:b}, s:{}}", "Id",
			      "1cbab66fc05b4135c0369e39357027bd85865499198cf07421ed5b5283c30b3c",
			      "Name", "/toy", "State", "Running", 1, "Config", "Tty", 0,
			      "HostConfig"));
}

static void handle_exec_create(struct api_request *request, void *context)
{
	(void)context;
	api_reply_json(request, 201, json_pack("{s:s}", "Id", "0a634a847b87fcd5f20a"));
}

static void handle_exec_inspect(struct api_request *request, void *context)
{
	(void)context;
	api_reply_json(request, 200,
		       json_pack("{s:s, s:b, s:i}", "ID", api_request_param(request, "id"),
				 "Running", 0, "ExitCode", 3));
}

/* image load: counts, and stops to breathe at each piece. */
struct load {
	uv_timer_t timer; /* the first, for a cast */
	struct toy *toy;
	struct api_request *request;
	int64_t fail_at;
	size_t size;
};

static void breathe(uv_timer_t *timer)
{
	api_upload_pause(((struct load *)timer)->request, false);
}

static void load_data(void *argument, const void *bytes, size_t size)
{
	struct load *load = argument;

	(void)bytes;
	load->size += size;
	load->toy->uploaded += size;
	load->toy->overrun += uv_is_active((uv_handle_t *)&load->timer) != 0; /* it is paused */
	if (load->fail_at && load->size >= (size_t)load->fail_at) {
		api_reply_error(load->request, 500, "no space left on device");
		uv_close((uv_handle_t *)&load->timer, free_timer);
		return;
	}
	api_upload_pause(load->request, true);
	uv_timer_start(&load->timer, breathe, 0, 0);
}

static void load_end(void *argument)
{
	struct load *load = argument;
	char size[32];

	snprintf(size, sizeof(size), "%zu", load->size);
	api_reply_json(load->request, 200, json_pack("{s:s}", "stream", size));
	uv_close((uv_handle_t *)&load->timer, free_timer);
}

static void load_gone(void *argument)
{
	struct load *load = argument;

	load->toy->gone++;
	api_reply_empty(load->request, 500);
	uv_close((uv_handle_t *)&load->timer, free_timer);
}

static void handle_load(struct api_request *request, void *context)
{
	static const struct api_upload_events events = {load_data, load_end};
	struct load *load = calloc(1, sizeof(*load));

	load->toy = context;
	load->request = request;
	api_query_int64(api_request_query(request), "fail", 0, &load->fail_at, NULL);
	uv_timer_init(&load->toy->loop, &load->timer);
	api_request_on_gone(request, load_gone, load);
	api_upload_start(request, &events, load);
}

/* The server stops in the midst of a request of its own. */
static void handle_stop(struct api_request *request, void *context)
{
	struct toy *toy = context;

	api_server_stop(toy->server, NULL, NULL);
	uv_close((uv_handle_t *)&toy->signals, NULL);
	api_reply_empty(request, 200);
}

static const struct api_route routes[] = {
    {"GET", "/toy/later", "later", handle_later, 0},
    {"GET", "/toy/empty", "empty", handle_empty, 0},
    {"GET", "/toy/spin", "spin", handle_spin, 0},
    {"GET", "/toy/broken", "broken", handle_broken, 0},
    {"GET", "/toy/counters", "counters", handle_counters, 0},
    {"POST", "/toy/json", "json", handle_json, API_ROUTE_JSON},
    {"POST", "/toy/stale", "stale", handle_stale, 0},
    {"POST", "/toy/stop", "stop", handle_stop, 0},
    {"GET", "/toy/echo/{id...}", "echo", handle_echo, 0},
    {"POST", "/toy/echo/{id...}", "echo", handle_echo, 0},
    {"POST", "/images/load", "image load", handle_load, API_ROUTE_UPLOAD},
    {"GET", "/nodes", "node ls", handle_nodes, 0},
    {"GET", "/events", "events", handle_events, 0},
    {"GET", "/containers/{id}/json", "container inspect", handle_container, 0},
    {"POST", "/containers/{id}/exec", "container exec", handle_exec_create, API_ROUTE_JSON},
    {"POST", "/exec/{id}/start", "exec start", handle_exec_start, API_ROUTE_JSON},
    {"GET", "/exec/{id}/json", "exec inspect", handle_exec_inspect, 0},
};

static enum api_swarm_state give_state(void *context)
{
	return ((struct toy *)context)->state;
}

static void on_signal(uv_signal_t *signals, int number)
{
	struct toy *toy = signals->data;

	(void)number;
	api_server_stop(toy->server, NULL, NULL);
	uv_close((uv_handle_t *)signals, NULL);
}

static void on_log(void *context, const char *message)
{
	(void)context;
	fprintf(stderr, "%s\n", message);
}

static unsigned argument_or_0(int argc, char **argv, int index)
{
	return argc > index ? (unsigned)strtoul(argv[index], NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	struct toy toy = {.state = API_SWARM_WORKER};
	const struct api_routes tables[] = {
	    {.routes = routes, .count = sizeof(routes) / sizeof(routes[0]), .context = &toy}};
	const struct api_config config = {
	    .path = argc > 1 ? argv[1] : "toy.sock",
	    .tables = tables,
	    .table_count = 1,
	    .swarm_state = give_state,
	    .log = on_log,
	    .context = &toy,
	    .git_commit = "5d6db84",
	    .build_time = "2026-05-07T21:09:36.000000000+00:00",
	    .timeout_s = argument_or_0(argc, argv, 2),
	    .connections_max = argument_or_0(argc, argv, 3),
	    .body_bytes_max = argument_or_0(argc, argv, 4),
	};
	struct problem problem;

	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&toy.loop);
	if (api_server_start(&toy.loop, &config, &toy.server, &problem) < 0) {
		fprintf(stderr, "%s\n", problem.message);
		uv_loop_close(&toy.loop);
		return 1;
	}
	uv_signal_init(&toy.loop, &toy.signals);
	toy.signals.data = &toy;
	uv_signal_start(&toy.signals, on_signal, SIGTERM);
	puts("ready");
	fflush(stdout);
	uv_run(&toy.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&toy.loop) == 0 ? 0 : 2; /* 2: a handle was left open */
}
