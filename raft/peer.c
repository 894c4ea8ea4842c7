/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "outbox.h"

enum peer_state { PEER_PAUSED, PEER_DIALLING, PEER_UP, PEER_CLOSED };

struct peer {
	struct peer_home *home;
	uint64_t id;
	char address[RAFT_ADDRESS_MAX];
	enum peer_state state;
	unsigned int failures; /* in a row */
	uint64_t up_since;     /* loop time, ms */
	struct stream *stream; /* NULL in PAUSED, and while a name is looked up */
	struct outbox outbox;
	uv_timer_t pause;
	uv_getaddrinfo_t *lookup; /* under way, or NULL; frees itself */
};

static void dial(struct peer *peer);

/* -- pauses ------------------------------------------------------------------------------------ */

/* splitmix64: only to spread the dials of several members. */
static uint64_t draw(struct peer_home *home)
{
	uint64_t value = home->random += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static uint64_t pause_ms(struct peer *peer)
{
	uint64_t most = TRANSPORT_BACKOFF_MIN_MS;

	for (unsigned int i = 1; i < peer->failures && most < TRANSPORT_BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most > TRANSPORT_BACKOFF_MAX_MS)
		most = TRANSPORT_BACKOFF_MAX_MS;
	return most / 2 + draw(peer->home) % (most / 2 + 1);
}

static void pause_over(uv_timer_t *timer)
{
	dial(timer->data);
}

static void forget_lookup(struct peer *peer)
{
	if (!peer->lookup)
		return;
	peer->lookup->data = NULL; /* its callback comes, cancelled or not */
	uv_cancel((uv_req_t *)peer->lookup);
	peer->lookup = NULL;
}

static void drop_all(struct peer *peer)
{
	stream_close(peer->stream);
	peer->stream = NULL;
	forget_lookup(peer);
	peer->home->counters->dropped += outbox_clear(&peer->outbox);
}

static void lose(struct peer *peer, const char *why)
{
	const uint64_t now = uv_now(peer->home->streams->loop);

	if (peer->state == PEER_UP) {
		peer->home->counters->lost++;
		/* One that is accepted and thrown out again and again must not be dialled at the
		   fastest pace. */
		if (now - peer->up_since >= TRANSPORT_BACKOFF_MAX_MS)
			peer->failures = 0;
	}
	peer->failures++;
	peer->state = PEER_PAUSED;
	drop_all(peer);
	uv_timer_start(&peer->pause, pause_over, pause_ms(peer), 0);
	peer->home->lost(peer->home->owner, peer->id, why);
}

void peer_wake(struct peer *peer)
{
	if (peer->state == PEER_PAUSED) {
		uv_timer_stop(&peer->pause);
		dial(peer);
	}
}

/* -- the connection ---------------------------------------------------------------------------- */

/* The dialler's first frame: where it listens, so that a member which does not know it yet can
 * answer. */
static int introduce(struct peer *peer)
{
	const size_t length = strlen(peer->home->own_address);
	uint8_t frame[WIRE_HEADER + RAFT_ADDRESS_MAX] = {0};

	frame[2] = (uint8_t)(length >> 8);
	frame[3] = (uint8_t)length;
	memcpy(frame + WIRE_HEADER, peer->home->own_address, length);
	return stream_write(peer->stream, frame, WIRE_HEADER + length);
}

static void became_ready(void *owner, const struct tls_identity *found)
{
	struct peer *peer = owner;
	const struct tls_identity *own = tls_context_identity(*peer->home->tls);

	if (found->member != peer->id || strcmp(found->cluster, own->cluster)) {
		char why[160];

		snprintf(why, sizeof(why), "the certificate there is of %016llx of cluster %s",
			 (unsigned long long)found->member, found->cluster);
		peer->home->counters->rejected++;
		lose(peer, why);
	} else if (introduce(peer)) {
		lose(peer, "cannot write");
	}
}

/* The greeting, an empty frame, says that the listener has accepted our certificate, which TLS 1.3
 * does not tell a dialler otherwise. Nothing else ever comes this way. */
static void take_greeting(void *owner, const uint8_t *data, size_t size)
{
	static const uint8_t greeting[WIRE_HEADER];
	struct peer *peer = owner;

	/* Written in one piece, it comes in one TLS record. */
	if (peer->state != PEER_DIALLING || size != WIRE_HEADER ||
	    memcmp(data, greeting, WIRE_HEADER)) {
		peer->home->counters->malformed++;
		lose(peer, "it talks where it should listen");
		return;
	}
	stream_settle(peer->stream);
	peer->state = PEER_UP;
	peer->up_since = uv_now(peer->home->streams->loop);
	peer->home->counters->connected++;
	peer_flush(peer);
}

static void was_drained(void *owner)
{
	peer_flush(owner);
}

static void was_closed(void *owner, int err, const char *why)
{
	struct peer *peer = owner;

	peer->stream = NULL;
	if (err == -EACCES)
		peer->home->counters->rejected++;
	lose(peer, why);
}

static const struct stream_events events = {
    .ready = became_ready,
    .data = take_greeting,
    .drained = was_drained,
    .closed = was_closed,
};

static void dial_sockaddr(struct peer *peer, const struct sockaddr *sockaddr)
{
	const int err = stream_dial(peer->home->streams, sockaddr, *peer->home->tls,
				    TRANSPORT_DIAL_MS, &events, peer, &peer->stream);

	if (err)
		lose(peer, uv_strerror(err));
}

static void looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct peer *peer = lookup->data;

	if (peer) {
		peer->lookup = NULL;
		if (status)
			lose(peer, uv_strerror(status));
		else
			dial_sockaddr(peer, found->ai_addr);
	}
	uv_freeaddrinfo(found);
	free(lookup);
}

static int look_up(struct peer *peer, const struct address *address)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	uv_getaddrinfo_t *lookup = malloc(sizeof(*lookup));
	int err;

	if (!lookup)
		return -ENOMEM;
	lookup->data = peer;
	err = uv_getaddrinfo(peer->home->streams->loop, lookup, looked_up, address->host,
			     address->port, &hints);
	if (err)
		free(lookup);
	else
		peer->lookup = lookup;
	return err;
}

static void dial(struct peer *peer)
{
	struct address address;
	int err;

	peer->state = PEER_DIALLING;
	peer->home->counters->dials++;
	if (address_parse(peer->address, &address)) {
		lose(peer, "not an address");
	} else if (address.numeric) {
		dial_sockaddr(peer, (const struct sockaddr *)&address.sockaddr);
	} else {
		err = look_up(peer, &address);
		if (err)
			lose(peer, uv_strerror(err));
	}
}

/* -- messages ---------------------------------------------------------------------------------- */

int peer_send(struct peer *peer, struct raft_message *message)
{
	int err = -ENOTCONN;

	if (peer->state == PEER_DIALLING || peer->state == PEER_UP)
		err = outbox_push(&peer->outbox, message);
	if (err)
		peer->home->counters->dropped++;
	return err;
}

/* A good write's worth of frames into the scratch buffer. */
static int encode_some(struct peer *peer)
{
	struct wire_buffer *frames = peer->home->frames;
	struct raft_message message;
	int err = 0;

	frames->size = 0;
	while (!err && frames->size < TRANSPORT_WRITE_BYTES &&
	       outbox_pop(&peer->outbox, &message)) {
		err = wire_encode(&message, frames);
		raft_message_clear(&message);
		peer->home->counters->sent += !err;
	}
	peer->home->counters->sent_bytes += frames->size;
	return err;
}

void peer_flush(struct peer *peer)
{
	int err = 0;

	if (peer->state != PEER_UP)
		return;
	while (!err && !stream_busy(peer->stream) && !outbox_is_empty(&peer->outbox)) {
		err = encode_some(peer);
		if (!err)
			err = stream_write(peer->stream, peer->home->frames->data,
					   peer->home->frames->size);
	}
	if (peer->home->frames->capacity > 2 * TRANSPORT_WRITE_BYTES)
		wire_buffer_free(peer->home->frames);
	if (err)
		lose(peer, err == -ENOMEM ? "no memory" : "cannot write");
}

/* -- life -------------------------------------------------------------------------------------- */

static int set_address(struct peer *peer, const char *text)
{
	struct address address;

	if (strlen(text) >= sizeof(peer->address) || address_parse(text, &address))
		return -EINVAL;
	strcpy(peer->address, text);
	return 0;
}

int peer_new(struct peer_home *home, uint64_t id, const char *address, struct peer **out)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int err;

	if (!peer)
		return -ENOMEM;
	err = set_address(peer, address);
	if (err) {
		free(peer);
		return err;
	}
	peer->home = home;
	peer->id = id;
	outbox_init(&peer->outbox);
	uv_timer_init(home->streams->loop, &peer->pause);
	peer->pause.data = peer;
	/* From the loop, not from here: the caller has no peer yet that could be lost. */
	uv_timer_start(&peer->pause, pause_over, 0, 0);
	peer->state = PEER_DIALLING;
	*out = peer;
	return 0;
}

int peer_move(struct peer *peer, const char *address)
{
	int err;

	if (!strcmp(peer->address, address))
		return 0;
	err = set_address(peer, address);
	if (err)
		return err;
	drop_all(peer);
	peer->failures = 0;
	peer->state = PEER_DIALLING;
	uv_timer_start(&peer->pause, pause_over, 0, 0);
	return 0;
}

bool peer_is_up(const struct peer *peer)
{
	return peer->state == PEER_UP;
}

uint64_t peer_id(const struct peer *peer)
{
	return peer->id;
}

const char *peer_address(const struct peer *peer)
{
	return peer->address;
}

static void pause_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void peer_close(struct peer *peer)
{
	if (!peer)
		return;
	assert(peer->state != PEER_CLOSED);
	peer->state = PEER_CLOSED;
	drop_all(peer);
	uv_close((uv_handle_t *)&peer->pause, pause_closed);
}
