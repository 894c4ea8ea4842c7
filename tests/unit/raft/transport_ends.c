/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport_ends.h"

#include <stdlib.h>

const char cluster[] = "harbour";

uv_loop_t loop;
struct pki *pki;

struct end a, b;

static void received(void *context, struct raft_message *message)
{
	struct end *end = context;

	if (message->type == RAFT_APPEND) {
		end->disorder |= message->index != end->indexes;
		end->indexes++;
	}
	end->received++;
	raft_message_clear(&end->last);
	end->last = *message;
	*message = (struct raft_message){0};
}

static void unreachable(void *context, uint64_t id)
{
	struct end *end = context;

	assert_true(id);
	end->unreachable++;
}

static void said(void *context, const char *line)
{
	struct end *end = context;
	const size_t used = strlen(end->log);

	if (used + strlen(line) + 2 < sizeof(end->log)) {
		strcpy(end->log + used, line);
		strcat(end->log, "\n");
	}
}

struct transport_options options_of(struct end *end, const char *ca)
{
	return (struct transport_options){
	    .loop = &loop,
	    .pem = {ca, end->pair.certificate, end->pair.key},
	    .listen = "127.0.0.1:0",
	    .events = {.received = received,
		       .unreachable = unreachable,
		       .said = said,
		       .context = end},
	};
}

void open_with(struct end *end, const char *ca, struct pki_pair pair)
{
	struct raft_error error;
	struct transport_options options;

	memset(end, 0, sizeof(*end));
	end->pair = pair;
	options = options_of(end, ca);
	if (transport_open(&options, &end->transport, &error))
		fail_msg("%s", error.text);
}

void open_end(struct end *end, uint64_t id)
{
	open_with(end, pki_ca(pki), pki_member(pki, cluster, id));
}

void close_end(struct end *end)
{
	transport_close(end->transport);
	end->transport = NULL;
	raft_message_clear(&end->last);
	pki_pair_free(&end->pair);
}

void introduce(struct end *to, uint64_t id, const struct end *end)
{
	assert_int_equal(transport_set_peer(to->transport, id, transport_address(end->transport)),
			 0);
}

void wake_loop(uv_timer_t *timer)
{
	(void)timer;
}

int send_plain(struct end *end, uint64_t from, uint64_t to, uint8_t type, uint64_t index)
{
	struct raft_message message = {
	    .type = type, .from = from, .to = to, .term = 1, .index = index};

	return transport_send(end->transport, &message);
}

int send_append(struct end *end, uint64_t from, uint64_t to, uint64_t index, size_t size)
{
	struct raft_message message = {.type = RAFT_APPEND,
				       .from = from,
				       .to = to,
				       .term = 1,
				       .index = index,
				       .entry_count = 1,
				       .entries = calloc(1, sizeof(struct raft_entry))};

	message.entries[0] = (struct raft_entry){.index = index + 1,
						 .term = 1,
						 .type = RAFT_ENTRY_COMMAND,
						 .data = raft_bytes_new(NULL, size)};
	return transport_send(end->transport, &message);
}

int set_up_ends(void **state)
{
	(void)state;
	pki = pki_new();
	return uv_loop_init(&loop);
}

int tear_down_ends(void **state)
{
	(void)state;
	pki_free(pki);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

uint16_t port_of(const struct end *end)
{
	return (uint16_t)atoi(strchr(transport_address(end->transport), ':') + 1);
}

void open_both(void)
{
	open_end(&a, 0xa);
	open_end(&b, 0xb);
	introduce(&a, 0xb, &b);
}

void close_both(void)
{
	close_end(&a);
	close_end(&b);
}
