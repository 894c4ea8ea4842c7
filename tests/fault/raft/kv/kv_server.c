/* SPDX-License-Identifier: BSD-2-Clause */
#include "kv_server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

enum {
	LINE_MAX_SIZE = 4096,
	OUTPUT_MAX = 1 << 20,   /* then the client is cut off: it does not read */
	OUTSTANDING_MAX = 4096, /* then it is not read from for a while */
	TAG_SIZE = 24,
	WORDS_MAX = 5,
	BACKLOG = 128,
};

struct client {
	struct client *next;
	struct kv_server *server;
	uv_tcp_t tcp;
	char line[LINE_MAX_SIZE];
	size_t line_size;
	struct wire_buffer output; /* not written yet */
	struct wire_buffer writing;
	uv_write_t write;
	uint32_t outstanding;
	bool reading, busy, closing, closed;
};

struct request {
	struct client *client;
	uint64_t key;
	enum { REQUEST_GET, REQUEST_PUT, REQUEST_CAS, REQUEST_CHANGE } kind;
	char tag[TAG_SIZE];
};

struct kv_server {
	uv_loop_t *loop;
	uv_tcp_t tcp;
	struct kv_store *store;
	struct raft_node *node; /* NULL: not yet, or no longer */
	struct client *clients;
};

/* -- clients come and go ----------------------------------------------------------------------- */

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char shared[64 << 10];

	(void)handle, (void)suggested;
	*buffer = uv_buf_init(shared, sizeof(shared));
}

static void free_client(struct client *client)
{
	if (!client->closed || client->outstanding)
		return;
	wire_buffer_free(&client->output);
	wire_buffer_free(&client->writing);
	free(client);
}

static void client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;

	client->closed = true;
	free_client(client);
}

static void drop(struct client *client)
{
	struct client **at = &client->server->clients;

	if (client->closing)
		return;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->closing = true;
	uv_close((uv_handle_t *)&client->tcp, client_closed);
}

/* -- answers ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void answer(struct client *client, const char *tag,
							 const char *format, ...)
{
	char text[LINE_MAX_SIZE];
	va_list arguments;
	int size;

	if (client->closing)
		return;
	size = snprintf(text, sizeof(text), "%s ", tag);
	va_start(arguments, format);
	size += vsnprintf(text + size, sizeof(text) - (size_t)size - 1, format, arguments);
	va_end(arguments);
	text[size++] = '\n';
	if (client->output.size + (size_t)size > OUTPUT_MAX ||
	    wire_buffer_reserve(&client->output, (size_t)size)) {
		drop(client);
		return;
	}
	memcpy(client->output.data + client->output.size, text, (size_t)size);
	client->output.size += (size_t)size;
}

static void wrote(uv_write_t *write, int status)
{
	struct client *client = write->data;

	client->busy = false;
	if (status < 0)
		drop(client);
}

static void write_out(struct client *client)
{
	struct wire_buffer done = client->writing;
	uv_buf_t buffer;
	int written;

	if (client->busy || !client->output.size)
		return;
	buffer = uv_buf_init((char *)client->output.data, (unsigned int)client->output.size);
	written = uv_try_write((uv_stream_t *)&client->tcp, &buffer, 1);
	if (written == (int)buffer.len) {
		client->output.size = 0;
		return;
	}
	client->writing = client->output;
	client->output = done;
	client->output.size = 0;
	client->busy = true;
	client->write.data = client;
	written = written < 0 ? 0 : written;
	buffer = uv_buf_init((char *)client->writing.data + written,
			     (unsigned int)client->writing.size - (unsigned int)written);
	if (uv_write(&client->write, (uv_stream_t *)&client->tcp, &buffer, 1, wrote)) {
		client->busy = false;
		drop(client);
	}
}

static void read_some(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

void kv_server_flush(struct kv_server *server)
{
	for (struct client *client = server->clients, *next; client; client = next) {
		next = client->next;
		if (!client->reading && client->outstanding < OUTSTANDING_MAX / 2) {
			client->reading = true;
			uv_read_start((uv_stream_t *)&client->tcp, lend, read_some);
		}
		write_out(client);
	}
}

static void redirect(struct client *client, const char *tag)
{
	struct raft_status status;
	const struct raft_member *leader;
	struct address address;

	raft_node_get_status(client->server->node, &status);
	leader = raft_members_find(&status.members, status.leader);
	if (leader && leader->id != status.id && !address_parse(leader->address, &address))
		answer(client, tag, "redirect %s:%d", address.host, atoi(address.port) + 1);
	else
		answer(client, tag, "redirect -");
}

static void refuse(struct client *client, const char *tag, int err)
{
	switch (err) {
	case RAFT_NOT_LEADER:
		redirect(client, tag);
		break;
	case RAFT_UNKNOWN:
		answer(client, tag, "unknown");
		break;
	case RAFT_BUSY:
	case RAFT_FULL:
	case RAFT_NOT_YET:
	case -ENOMEM:
		answer(client, tag, "busy");
		break;
	default:
		answer(client, tag, "error %s", strerror(-err));
	}
}

static void done(void *context, int err, uint64_t index, uint64_t result)
{
	struct request *request = context;
	struct client *client = request->client;

	(void)index;
	client->outstanding--;
	if (err) {
		refuse(client, request->tag, err);
	} else {
		switch (request->kind) {
		case REQUEST_GET:
			answer(client, request->tag, "%" PRIu64,
			       kv_store_get(client->server->store, request->key));
			break;
		case REQUEST_CAS:
			answer(client, request->tag, "%" PRIu64, result);
			break;
		case REQUEST_PUT:
		case REQUEST_CHANGE:
			answer(client, request->tag, "ok");
		}
	}
	if (client->closing)
		free_client(client);
	free(request);
}

/* -- requests ---------------------------------------------------------------------------------- */

static void show_status(struct client *client, const char *tag)
{
	static const char *const states[] = {"follower", "precandidate", "candidate", "leader"};
	struct raft_status status;
	char members[2][RAFT_MEMBERS_MAX * 18 + 1] = {"", ""};

	raft_node_get_status(client->server->node, &status);
	for (uint32_t i = 0; i < status.members.count; i++) {
		char *list = members[status.members.member[i].role == RAFT_LEARNER];

		sprintf(list + strlen(list), "%s%" PRIx64, *list ? "," : "",
			status.members.member[i].id);
	}
	answer(client, tag,
	       "id=%" PRIx64 " term=%" PRIu64 " state=%s leader=%" PRIx64 " commit=%" PRIu64
	       " applied=%" PRIu64 " first=%" PRIu64 " last=%" PRIu64
	       " stalled=%d voters=%s learners=%s",
	       status.id, status.term, states[status.state], status.leader, status.commit,
	       raft_node_applied(client->server->node), status.first, status.last, status.stalled,
	       members[0], members[1]);
}

static bool parse_change(char *words[], size_t count, struct raft_change *change)
{
	static const struct {
		const char *name;
		enum raft_change_type type;
	} names[] = {{"learner", RAFT_ADD_LEARNER},
		     {"promote", RAFT_PROMOTE},
		     {"demote", RAFT_DEMOTE},
		     {"remove", RAFT_REMOVE},
		     {"move", RAFT_SET_ADDRESS}};

	*change = (struct raft_change){0};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(words[1], names[i].name))
			change->type = names[i].type;
	if (!change->type || count < 3)
		return false;
	change->member.id = strtoull(words[2], NULL, 16);
	if (count > 3 && strlen(words[3]) < sizeof(change->member.address))
		strcpy(change->member.address, words[3]);
	return true;
}

/* text: the line behind the tag, before it was cut into words. */
static int start(struct request *request, char *words[], size_t count, const char *text,
		 size_t size)
{
	struct raft_node *node = request->client->server->node;
	struct raft_bytes *command;
	struct raft_change change;
	int err;

	if (!strcmp(words[1], "get") && count == 3) {
		request->kind = REQUEST_GET;
		request->key = strtoull(words[2], NULL, 10);
		return raft_node_read(node, done, request);
	}
	if ((!strcmp(words[1], "put") && count >= 4) || (!strcmp(words[1], "cas") && count >= 5)) {
		request->kind = words[1][0] == 'p' ? REQUEST_PUT : REQUEST_CAS;
		command = raft_bytes_new(text, size);
		if (!command)
			return -ENOMEM;
		err = raft_node_propose(node, command, done, request);
		raft_bytes_release(command);
		return err;
	}
	request->kind = REQUEST_CHANGE;
	if (parse_change(words, count, &change))
		return raft_node_change(node, &change, done, request);
	return -EINVAL;
}

static void take_line(struct client *client, char *line, size_t size)
{
	char *words[WORDS_MAX], *rest, copy[LINE_MAX_SIZE];
	struct request *request;
	size_t count = 0, tag;
	int err;

	memcpy(copy, line, size + 1);
	for (char *word = strtok_r(line, " ", &rest); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (count < 2 || strlen(words[0]) >= TAG_SIZE) {
		drop(client);
		return;
	}
	if (!strcmp(words[1], "status")) {
		show_status(client, words[0]);
		return;
	}
	if (!strcmp(words[1], "transfer") && count == 3) {
		err = raft_node_transfer(client->server->node, strtoull(words[2], NULL, 16));
		if (err)
			refuse(client, words[0], err);
		else
			answer(client, words[0], "ok");
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		drop(client);
		return;
	}
	request->client = client;
	strcpy(request->tag, words[0]);
	tag = strlen(words[0]) + 1;
	client->outstanding++;
	err = start(request, words, count, copy + tag, size - tag);
	if (!err)
		return;
	client->outstanding--;
	refuse(client, request->tag, err);
	free(request);
}

static void take_lines(struct client *client, const char *data, size_t size)
{
	while (size && !client->closing) {
		const char *end = memchr(data, '\n', size);
		const size_t take = end ? (size_t)(end - data) : size;

		if (client->line_size + take >= LINE_MAX_SIZE) {
			drop(client);
			return;
		}
		memcpy(client->line + client->line_size, data, take);
		client->line_size += take;
		data += take + !!end;
		size -= take + !!end;
		if (!end)
			return;
		client->line[client->line_size] = 0;
		take_line(client, client->line, client->line_size);
		client->line_size = 0;
	}
}

static void read_some(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct client *client = stream->data;

	if (size < 0) {
		drop(client);
		return;
	}
	take_lines(client, buffer->base, (size_t)size);
	if (client->closing)
		return;
	/* Refused at once, without a turn of the node's. */
	write_out(client);
	if (client->outstanding >= OUTSTANDING_MAX) {
		client->reading = false;
		uv_read_stop(stream);
	}
}

/* -- life -------------------------------------------------------------------------------------- */

static void somebody_came(uv_stream_t *listener, int status)
{
	struct kv_server *server = listener->data;
	struct client *client;

	if (status < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	client->server = server;
	client->tcp.data = client;
	client->next = server->clients;
	server->clients = client;
	uv_tcp_init(server->loop, &client->tcp);
	if (uv_accept(listener, (uv_stream_t *)&client->tcp)) {
		drop(client);
		return;
	}
	uv_tcp_nodelay(&client->tcp, 1);
	client->reading = true;
	uv_read_start((uv_stream_t *)&client->tcp, lend, read_some);
}

int kv_server_open(uv_loop_t *loop, const char *address, struct kv_store *store,
		   struct kv_server **out)
{
	struct kv_server *server = calloc(1, sizeof(*server));
	struct address parsed;
	int err;

	if (!server)
		return -ENOMEM;
	if (address_parse(address, &parsed) || !parsed.numeric) {
		free(server);
		return -EINVAL;
	}
	server->loop = loop;
	server->store = store;
	server->tcp.data = server;
	uv_tcp_init(loop, &server->tcp);
	err = uv_tcp_bind(&server->tcp, (const struct sockaddr *)&parsed.sockaddr, 0);
	*out = server;
	return err;
}

void kv_server_serve(struct kv_server *server, struct raft_node *node)
{
	server->node = node;
	if (uv_listen((uv_stream_t *)&server->tcp, BACKLOG, somebody_came))
		abort();
}

static void server_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void kv_server_close(struct kv_server *server)
{
	while (server->clients)
		drop(server->clients);
	uv_close((uv_handle_t *)&server->tcp, server_closed);
}
