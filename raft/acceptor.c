/* SPDX-License-Identifier: BSD-2-Clause */
#include "acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "frame.h"

struct inbound {
	struct inbound *next;
	struct acceptor *acceptor;
	struct stream *stream;
	struct frame_reader frames;
	uint64_t id; /* 0: a stranger */
	bool introduced;
};

struct acceptor {
	struct acceptor_home *home;
	uv_tcp_t tcp;
	struct inbound *inbound;
	uint32_t strangers;
	uint32_t turn; /* which stranger goes: any, but not always the same */
	uv_tcp_t away; /* takes a connection for which there is no memory, to close it */
	bool turning_away, owed, closing;
};

static void forget(struct inbound *inbound)
{
	struct inbound **at = &inbound->acceptor->inbound;

	while (*at != inbound)
		at = &(*at)->next;
	*at = inbound->next;
	inbound->acceptor->strangers -= !inbound->id;
	frame_reader_free(&inbound->frames);
	stream_close(inbound->stream);
	if (inbound->introduced && !inbound->acceptor->closing)
		inbound->acceptor->home->departed(inbound->acceptor->home->owner, inbound->id);
	free(inbound);
}

static void refuse(struct inbound *inbound, const char *why)
{
	struct acceptor_home *home = inbound->acceptor->home;
	char who[24] = "a stranger";

	if (inbound->id)
		snprintf(who, sizeof(who), "%016llx", (unsigned long long)inbound->id);
	forget(inbound);
	home->refused(home->owner, who, why);
}

void acceptor_disconnect(struct acceptor *acceptor, uint64_t id)
{
	for (struct inbound *at = acceptor->inbound, *next; at; at = next) {
		next = at->next;
		if (at->id == id)
			forget(at);
	}
}

/* -- a connection ------------------------------------------------------------------------------ */

static void became_ready(void *owner, const struct tls_identity *peer)
{
	static const uint8_t greeting[WIRE_HEADER];
	struct inbound *inbound = owner;
	struct acceptor *acceptor = inbound->acceptor;
	const struct tls_identity *own = tls_context_identity(*acceptor->home->tls);

	if (strcmp(peer->cluster, own->cluster) || peer->member == own->member) {
		acceptor->home->counters->rejected++;
		refuse(inbound, peer->member == own->member ? "its certificate is our own"
							    : "of another cluster");
		return;
	}
	acceptor_disconnect(acceptor, peer->member);
	inbound->id = peer->member;
	acceptor->strangers--;
	stream_settle(inbound->stream);
	if (stream_write(inbound->stream, greeting, sizeof(greeting)))
		forget(inbound);
}

static bool take_introduction(struct inbound *inbound, const struct frame *frame)
{
	struct acceptor_home *home = inbound->acceptor->home;
	char text[RAFT_ADDRESS_MAX] = "";
	struct address address;

	if (frame->size >= sizeof(text) || memchr(frame->payload, 0, frame->size))
		return false;
	memcpy(text, frame->payload, frame->size);
	if (text[0] && address_parse(text, &address))
		return false;
	inbound->introduced = true;
	home->introduced(home->owner, inbound->id, text);
	return true;
}

/* false: the connection is gone. */
static bool take_message(struct inbound *inbound, const struct frame *frame)
{
	struct acceptor_home *home = inbound->acceptor->home;
	const struct tls_identity *own = tls_context_identity(*home->tls);
	struct raft_message message;
	const int err = wire_decode(frame->payload, frame->size, &message);

	if (err) {
		home->counters->malformed += err == -EBADMSG;
		refuse(inbound, err == -EBADMSG ? "not a message" : "no memory");
		return false;
	}
	if (message.from != inbound->id || message.to != own->member) {
		raft_message_clear(&message);
		home->counters->impostors++;
		refuse(inbound, "a message from or for somebody else");
		return false;
	}
	home->counters->received++;
	home->counters->received_bytes += WIRE_HEADER + frame->size;
	home->received(home->owner, &message);
	return true;
}

static void take_data(void *owner, const uint8_t *data, size_t size)
{
	struct inbound *inbound = owner;
	/* An address before the first message: nobody need keep five megabytes for that. */
	size_t most = inbound->introduced ? WIRE_PAYLOAD_MAX : RAFT_ADDRESS_MAX;

	while (size) {
		struct frame frame;
		const ssize_t taken = frame_reader_feed(&inbound->frames, most, data, size, &frame);

		if (taken < 0) {
			inbound->acceptor->home->counters->malformed += taken == -EMSGSIZE;
			refuse(inbound, taken == -EMSGSIZE ? "too large a frame" : "no memory");
			return;
		}
		data += taken;
		size -= (size_t)taken;
		if (!frame.payload)
			continue;
		if (inbound->introduced) {
			if (!take_message(inbound, &frame))
				return;
		} else if (!take_introduction(inbound, &frame)) {
			inbound->acceptor->home->counters->malformed++;
			refuse(inbound, "its address is none");
			return;
		}
		most = WIRE_PAYLOAD_MAX;
	}
}

static void was_drained(void *owner)
{
	(void)owner;
}

static void was_closed(void *owner, int err, const char *why)
{
	struct inbound *inbound = owner;

	inbound->stream = NULL;
	if (err == -EACCES)
		inbound->acceptor->home->counters->rejected++;
	if (inbound->id)
		forget(inbound); /* it will dial again */
	else
		refuse(inbound, why);
}

static const struct stream_events events = {
    .ready = became_ready,
    .data = take_data,
    .drained = was_drained,
    .closed = was_closed,
};

/* -- the listener ------------------------------------------------------------------------------ */

static void drop_a_stranger(struct acceptor *acceptor)
{
	uint32_t left = acceptor->turn++ * 2654435761U % acceptor->strangers;
	struct inbound *at = acceptor->inbound;

	while (at->id || left--)
		at = at->next;
	acceptor->home->counters->strangers_dropped++;
	forget(at);
}

static void turn_away(struct acceptor *acceptor);

static void turned_away(uv_handle_t *handle)
{
	struct acceptor *acceptor = handle->data;

	acceptor->turning_away = false;
	if (acceptor->closing) {
		free(acceptor);
	} else if (acceptor->owed) {
		acceptor->owed = false;
		turn_away(acceptor);
	}
}

/* What libuv has accepted has to be taken from it, or it listens no longer. */
static void turn_away(struct acceptor *acceptor)
{
	if (acceptor->turning_away) {
		acceptor->owed = true;
		return;
	}
	acceptor->turning_away = true;
	uv_tcp_init(acceptor->home->streams->loop, &acceptor->away);
	acceptor->away.data = acceptor;
	(void)uv_accept((uv_stream_t *)&acceptor->tcp, (uv_stream_t *)&acceptor->away);
	uv_close((uv_handle_t *)&acceptor->away, turned_away);
}

static void somebody_came(uv_stream_t *listener, int status)
{
	struct acceptor *acceptor = listener->data;
	struct inbound *inbound;

	if (status < 0)
		return; /* no descriptors: libuv refuses the connection with its spare one */
	if (acceptor->strangers >= TRANSPORT_STRANGERS_MAX)
		drop_a_stranger(acceptor);
	inbound = calloc(1, sizeof(*inbound));
	if (!inbound || stream_accept(acceptor->home->streams, listener, *acceptor->home->tls,
				      TRANSPORT_HANDSHAKE_MS, &events, inbound, &inbound->stream)) {
		free(inbound);
		turn_away(acceptor);
		return;
	}
	inbound->acceptor = acceptor;
	inbound->next = acceptor->inbound;
	acceptor->inbound = inbound;
	acceptor->strangers++;
	acceptor->home->counters->accepted++;
}

static uint16_t port_of(const uv_tcp_t *tcp)
{
	struct sockaddr_storage address;
	int size = sizeof(address);

	if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &size))
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

static void listener_closed(uv_handle_t *handle)
{
	struct acceptor *acceptor = handle->data;

	if (!acceptor->turning_away)
		free(acceptor);
}

int acceptor_new(struct acceptor_home *home, const struct sockaddr *address, uint16_t *port,
		 struct acceptor **out)
{
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
	int err;

	if (!acceptor)
		return -ENOMEM;
	acceptor->home = home;
	acceptor->tcp.data = acceptor;
	uv_tcp_init(home->streams->loop, &acceptor->tcp);
	err = uv_tcp_bind(&acceptor->tcp, address, 0);
	if (!err)
		err = uv_listen((uv_stream_t *)&acceptor->tcp, TRANSPORT_BACKLOG, somebody_came);
	if (err) {
		acceptor_close(acceptor);
		return err;
	}
	*port = port_of(&acceptor->tcp);
	*out = acceptor;
	return 0;
}

void acceptor_close(struct acceptor *acceptor)
{
	acceptor->closing = true;
	while (acceptor->inbound)
		forget(acceptor->inbound);
	uv_close((uv_handle_t *)&acceptor->tcp, listener_closed);
}
