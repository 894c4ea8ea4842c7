/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "wire.h"

enum { LINE_MAX_SIZE = 4096, CHECK_MS = 50, REDIAL_MS = 20 };
#define NS_PER_MS 1000000ULL

struct load;

struct link {
	struct load *load;
	unsigned int number;
	struct address address;
	uv_tcp_t tcp;
	uv_timer_t redial;
	uv_connect_t connect;
	uv_write_t write;
	struct wire_buffer output, writing;
	char line[LINE_MAX_SIZE];
	size_t line_size;
	bool up, busy, open; /* open: the handle is */
};

enum operation { GET, PUT, CAS };

struct client {
	uint64_t id;  /* changes when an outcome is unknown */
	uint64_t tag; /* of the request that is out; 0: none */
	uint64_t called_ns, sent_ns, retry_ns;
	uint64_t key, expected, value;
	enum operation operation;
	unsigned int link;
};

struct load {
	const struct load_options *options;
	struct load_result *result;
	uv_loop_t loop;
	uv_prepare_t flush;
	uv_timer_t check;
	uv_signal_t sigterm;
	struct link links[LOAD_MEMBERS_MAX];
	struct client *clients;
	uint64_t *seen; /* of each key: what it was last known to hold; for cas */
	uint64_t next_tag, next_client, next_value, random, begun_ns;
	unsigned int leader;
	bool ending;
};

static uint64_t draw(struct load *load)
{
	uint64_t value = load->random += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* -- operations -------------------------------------------------------------------------------- */

static void put_text(struct wire_buffer *buffer, const char *text, size_t size)
{
	if (wire_buffer_reserve(buffer, size))
		abort();
	memcpy(buffer->data + buffer->size, text, size);
	buffer->size += size;
}

static void send_request(struct load *load, struct client *client)
{
	struct link *link = &load->links[client->link];
	char line[LOAD_COMMAND_MAX + 64];
	int size, tag;

	if (!link->up) {
		client->tag = 0;
		client->retry_ns = uv_hrtime() + LOAD_PAUSE_MS * NS_PER_MS;
		client->link = load->leader = (client->link + 1) % load->options->member_count;
		return;
	}
	client->tag =
	    ++load->next_tag * load->options->outstanding + (uint64_t)(client - load->clients);
	client->sent_ns = uv_hrtime();
	tag = size = sprintf(line, "%" PRIu64 " ", client->tag);
	switch (client->operation) {
	case GET:
		size += sprintf(line + size, "get %" PRIu64, client->key);
		break;
	case PUT:
		size +=
		    sprintf(line + size, "put %" PRIu64 " %" PRIu64, client->key, client->value);
		break;
	case CAS:
		size += sprintf(line + size, "cas %" PRIu64 " %" PRIu64 " %" PRIu64, client->key,
				client->expected, client->value);
		break;
	}
	if (client->operation != GET && size - tag < (int)load->options->command_bytes) {
		const int more = (int)load->options->command_bytes - (size - tag);

		memset(line + size, 'x', (size_t)more);
		line[size] = ' ';
		size += more;
	}
	line[size++] = '\n';
	put_text(&link->output, line, (size_t)size);
}

static void begin(struct load *load, struct client *client)
{
	const unsigned int dice = (unsigned int)(draw(load) % 100);

	if (load->ending) {
		client->tag = 0;
		client->retry_ns = UINT64_MAX;
		return;
	}
	client->operation = dice < load->options->get_percent                                ? GET
			    : dice < load->options->get_percent + load->options->cas_percent ? CAS
											     : PUT;
	client->key = draw(load) % load->options->keys;
	client->expected = load->seen[client->key];
	client->value = ++load->next_value;
	client->link = client->operation == GET && load->options->gets_anywhere
			   ? (unsigned int)(draw(load) % load->options->member_count)
			   : load->leader;
	client->called_ns = uv_hrtime();
	client->retry_ns = 0;
	send_request(load, client);
}

static void record(struct load *load, const struct client *client, uint64_t returned_ns,
		   uint64_t result)
{
	FILE *out = load->options->history;

	if (!out)
		return;
	fprintf(out, "%" PRIu64 " %" PRIu64 " ", client->id, client->called_ns);
	if (returned_ns)
		fprintf(out, "%" PRIu64 " %" PRIu64 " ", returned_ns, client->key);
	else
		fprintf(out, "- %" PRIu64 " ", client->key);
	switch (client->operation) {
	case GET:
		fprintf(out, "read %" PRIu64 "\n", result);
		return;
	case PUT:
		fprintf(out, "write %" PRIu64 " %s\n", client->value, returned_ns ? "ok" : "?");
		return;
	case CAS:
		fprintf(out, "cas %" PRIu64 " %" PRIu64 " ", client->expected, client->value);
		if (returned_ns)
			fprintf(out, "%" PRIu64 "\n", result);
		else
			fprintf(out, "?\n");
	}
}

static void finish(struct load *load, struct client *client, uint64_t result)
{
	const uint64_t now = uv_hrtime();

	record(load, client, now, result);
	histogram_add(&load->result->latency, now - client->called_ns);
	if (!load->result->finished++)
		load->result->first_ns = client->called_ns;
	load->result->last_ns = now;
	if (client->operation == PUT || (client->operation == CAS && result == client->expected))
		load->seen[client->key] = client->value;
	else
		load->seen[client->key] = result;
	if (load->options->operations && load->result->finished >= load->options->operations)
		load->ending = true;
	begin(load, client);
}

static void lose(struct load *load, struct client *client)
{
	/* What a read would have said is of no interest: it changed nothing. */
	if (client->operation != GET) {
		record(load, client, 0, 0);
		load->result->unknown++;
		client->id = ++load->next_client;
	}
	client->link = load->leader;
	begin(load, client);
}

static void try_again(struct load *load, struct client *client, unsigned int pause_ms)
{
	load->result->retried++;
	client->tag = 0;
	client->link = load->leader;
	client->retry_ns = uv_hrtime() + pause_ms * NS_PER_MS;
	if (!pause_ms)
		send_request(load, client);
}

/* -- answers ----------------------------------------------------------------------------------- */

static bool find_member(struct load *load, const char *address, unsigned int *found)
{
	for (unsigned int i = 0; i < load->options->member_count; i++) {
		if (!strcmp(load->options->members[i], address)) {
			*found = i;
			return true;
		}
	}
	return false;
}

static void take_line(struct link *link, char *line)
{
	struct load *load = link->load;
	char *answer;
	const uint64_t tag = strtoull(line, &answer, 10);
	struct client *client = &load->clients[tag % load->options->outstanding];

	if (*answer != ' ' || client->tag != tag)
		return; /* given up before */
	answer++;
	if (!strcmp(answer, "unknown")) {
		lose(load, client);
	} else if (!strcmp(answer, "busy")) {
		try_again(load, client, LOAD_PAUSE_MS);
	} else if (!strncmp(answer, "redirect ", 9)) {
		const bool known = find_member(load, answer + 9, &load->leader);

		if (!known && load->leader == link->number)
			load->leader = (load->leader + 1) % load->options->member_count;
		try_again(load, client, known ? 0 : LOAD_PAUSE_MS);
	} else if (!strncmp(answer, "error ", 6)) {
		fprintf(stderr, "raft-kv-load: %s\n", answer);
		try_again(load, client, LOAD_PAUSE_MS);
	} else {
		finish(load, client, strtoull(answer, NULL, 10));
	}
}

static void take_lines(struct link *link, const char *data, size_t size)
{
	while (size) {
		const char *end = memchr(data, '\n', size);
		const size_t take = end ? (size_t)(end - data) : size;

		if (link->line_size + take >= LINE_MAX_SIZE)
			abort();
		memcpy(link->line + link->line_size, data, take);
		link->line_size += take;
		data += take + !!end;
		size -= take + !!end;
		if (!end)
			return;
		link->line[link->line_size] = 0;
		link->line_size = 0;
		take_line(link, link->line);
	}
}

/* -- connections ------------------------------------------------------------------------------- */

static void dial(uv_timer_t *timer);

static void link_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;

	link->open = false;
	if (!link->load->ending)
		uv_timer_start(&link->redial, dial, REDIAL_MS, 0);
}

static void hang_up(struct link *link)
{
	struct load *load = link->load;

	if (uv_is_closing((uv_handle_t *)&link->tcp))
		return;
	link->up = false;
	link->line_size = link->output.size = 0;
	uv_close((uv_handle_t *)&link->tcp, link_closed);
	if (load->leader == link->number)
		load->leader = (load->leader + 1) % load->options->member_count;
	for (unsigned int i = 0; i < load->options->outstanding; i++)
		if (load->clients[i].tag && load->clients[i].link == link->number)
			lose(load, &load->clients[i]);
}

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char shared[64 << 10];

	(void)handle, (void)suggested;
	*buffer = uv_buf_init(shared, sizeof(shared));
}

static void read_some(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	if (size < 0)
		hang_up(stream->data);
	else
		take_lines(stream->data, buffer->base, (size_t)size);
}

static void connected(uv_connect_t *connect, int status)
{
	struct link *link = connect->data;

	if (status) {
		hang_up(link);
		return;
	}
	uv_tcp_nodelay(&link->tcp, 1);
	uv_read_start((uv_stream_t *)&link->tcp, lend, read_some);
	link->up = true;
}

static void dial(uv_timer_t *timer)
{
	struct link *link = timer->data;

	uv_tcp_init(&link->load->loop, &link->tcp);
	link->open = true;
	link->tcp.data = link->connect.data = link->write.data = link;
	if (uv_tcp_connect(&link->connect, &link->tcp,
			   (const struct sockaddr *)&link->address.sockaddr, connected))
		hang_up(link);
}

static void wrote(uv_write_t *write, int status)
{
	struct link *link = write->data;

	link->busy = false;
	if (status < 0)
		hang_up(link);
}

static void flush(uv_prepare_t *prepare)
{
	struct load *load = prepare->data;

	for (unsigned int i = 0; i < load->options->member_count; i++) {
		struct link *link = &load->links[i];
		struct wire_buffer done = link->writing;
		uv_buf_t buffer;
		int written;

		if (!link->up || link->busy || !link->output.size)
			continue;
		buffer = uv_buf_init((char *)link->output.data, (unsigned int)link->output.size);
		written = uv_try_write((uv_stream_t *)&link->tcp, &buffer, 1);
		if (written == (int)buffer.len) {
			link->output.size = 0;
			continue;
		}
		written = written < 0 ? 0 : written;
		link->writing = link->output;
		link->output = done;
		link->output.size = 0;
		link->busy = true;
		buffer = uv_buf_init((char *)link->writing.data + written,
				     (unsigned int)link->writing.size - (unsigned int)written);
		if (uv_write(&link->write, (uv_stream_t *)&link->tcp, &buffer, 1, wrote)) {
			link->busy = false;
			hang_up(link);
		}
	}
}

/* -- the run ----------------------------------------------------------------------------------- */

static void end(struct load *load)
{
	/* What is still out may yet be carried out. */
	for (unsigned int i = 0; i < load->options->outstanding; i++) {
		struct client *client = &load->clients[i];

		if ((client->tag || client->retry_ns != UINT64_MAX) && client->operation != GET &&
		    client->called_ns)
			record(load, client, 0, 0);
	}
	uv_stop(&load->loop);
}

static void check(uv_timer_t *timer)
{
	struct load *load = timer->data;
	const uint64_t now = uv_hrtime();
	bool idle = true;

	if (load->options->seconds &&
	    now - load->begun_ns >= load->options->seconds * 1000 * NS_PER_MS)
		load->ending = true;
	for (unsigned int i = 0; i < load->options->outstanding; i++) {
		struct client *client = &load->clients[i];

		if (client->tag && now - client->sent_ns > LOAD_PATIENCE_MS * NS_PER_MS) {
			if (load->leader == client->link)
				load->leader = (load->leader + 1) % load->options->member_count;
			lose(load, client);
		} else if (!client->tag && client->retry_ns <= now) {
			client->link = load->leader;
			send_request(load, client);
		}
		idle &= !client->tag && client->retry_ns == UINT64_MAX;
	}
	/* Those that are out have their patience. */
	if (load->ending && idle)
		end(load);
}

static void stop(uv_signal_t *handle, int number)
{
	struct load *load = handle->data;

	(void)number;
	load->ending = true;
}

static int set_up(struct load *load)
{
	const struct load_options *options = load->options;

	for (unsigned int i = 0; i < options->member_count; i++) {
		struct link *link = &load->links[i];

		if (address_parse(options->members[i], &link->address) || !link->address.numeric)
			return -EINVAL;
		link->load = load;
		link->number = i;
		uv_timer_init(&load->loop, &link->redial);
		link->redial.data = link;
		uv_timer_start(&link->redial, dial, 0, 0);
	}
	load->clients = calloc(options->outstanding, sizeof(*load->clients));
	load->seen = calloc(options->keys, sizeof(*load->seen));
	if (!load->clients || !load->seen)
		return -ENOMEM;
	load->next_value = options->first_value;
	load->next_client = options->first_value;
	load->random = load->begun_ns = uv_hrtime();
	for (unsigned int i = 0; i < options->outstanding; i++) {
		load->clients[i].id = ++load->next_client;
		begin(load, &load->clients[i]);
	}
	uv_prepare_init(&load->loop, &load->flush);
	uv_timer_init(&load->loop, &load->check);
	uv_signal_init(&load->loop, &load->sigterm);
	load->flush.data = load->check.data = load->sigterm.data = load;
	uv_prepare_start(&load->flush, flush);
	uv_timer_start(&load->check, check, LOAD_PAUSE_MS, LOAD_PAUSE_MS);
	uv_signal_start(&load->sigterm, stop, SIGTERM);
	return 0;
}

int load_run(const struct load_options *options, struct load_result *result)
{
	struct load *load = calloc(1, sizeof(*load));
	int err;

	if (!load)
		return -ENOMEM;
	*result = (struct load_result){0};
	load->options = options;
	load->result = result;
	uv_loop_init(&load->loop);
	err = set_up(load);
	if (!err)
		uv_run(&load->loop, UV_RUN_DEFAULT);
	/* The process ends after this: handles may stay open. */
	return err;
}
