/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acceptor.h"
#include "address.h"
#include "peer.h"

struct peer_slot {
	struct peer *peer; /* NULL: free */
	uint64_t id;
	bool member;                 /* of transport_set_peers; else it has dialled in */
	char told[RAFT_ADDRESS_MAX]; /* where it is by the membership, "" if it said so itself */
};

struct transport {
	struct transport_events events;
	struct transport_counters counters;
	struct stream_home streams;
	struct tls_context *tls;
	struct wire_buffer frames;
	char address[RAFT_ADDRESS_MAX];
	struct peer_home peer_home;
	struct acceptor_home acceptor_home;
	struct acceptor *acceptor;
	struct peer_slot slots[TRANSPORT_PEERS_MAX];
};

__attribute__((format(printf, 2, 3))) static void say(struct transport *transport,
						      const char *format, ...)
{
	char line[256];
	va_list arguments;

	if (!transport->events.said)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	transport->events.said(transport->events.context, line);
}

/* -- peers ------------------------------------------------------------------------------------- */

static struct peer_slot *find(struct transport *transport, uint64_t id)
{
	for (unsigned int i = 0; i < TRANSPORT_PEERS_MAX; i++)
		if (transport->slots[i].peer && transport->slots[i].id == id)
			return &transport->slots[i];
	return NULL;
}

static struct peer_slot *find_free(struct transport *transport)
{
	for (unsigned int i = 0; i < TRANSPORT_PEERS_MAX; i++)
		if (!transport->slots[i].peer)
			return &transport->slots[i];
	return NULL;
}

static void remove_slot(struct peer_slot *slot)
{
	peer_close(slot->peer);
	*slot = (struct peer_slot){0};
}

static int add_slot(struct transport *transport, uint64_t id, const char *address,
		    struct peer_slot **out)
{
	struct peer_slot *slot = find_free(transport);
	int err;

	if (!slot)
		return -ENOBUFS;
	err = peer_new(&transport->peer_home, id, address, &slot->peer);
	if (err)
		return err;
	slot->id = id;
	*out = slot;
	return 0;
}

int transport_set_peer(struct transport *transport, uint64_t id, const char *address)
{
	struct peer_slot *slot = find(transport, id);
	int err;

	if (id == transport_identity(transport)->member)
		return 0;
	if (strlen(address) >= sizeof(slot->told))
		return -EINVAL;
	/* Its own word, given with its certificate, holds until the membership says something new.
	 */
	if (slot && !strcmp(slot->told, address)) {
		slot->member = true;
		return 0;
	}
	err = slot ? peer_move(slot->peer, address) : add_slot(transport, id, address, &slot);
	if (err)
		return err;
	slot->member = true;
	strcpy(slot->told, address);
	return 0;
}

void transport_set_peers(struct transport *transport, const struct raft_members *members)
{
	for (unsigned int i = 0; i < TRANSPORT_PEERS_MAX; i++) {
		struct peer_slot *slot = &transport->slots[i];

		if (!slot->peer || !slot->member || raft_members_find(members, slot->id))
			continue;
		acceptor_disconnect(transport->acceptor, slot->id);
		remove_slot(slot);
	}
	for (uint32_t i = 0; i < members->count; i++) {
		const struct raft_member *member = &members->member[i];
		const int err = transport_set_peer(transport, member->id, member->address);

		if (err)
			say(transport, "member %016" PRIx64 " at '%s': %s", member->id,
			    member->address, strerror(-err));
	}
}

static void peer_was_lost(void *owner, uint64_t id, const char *why)
{
	struct transport *transport = owner;

	say(transport, "to %016" PRIx64 ": %s", id, why);
	transport->events.unreachable(transport->events.context, id);
}

/* -- who dials in ------------------------------------------------------------------------------ */

static void was_introduced(void *owner, uint64_t id, const char *address)
{
	struct transport *transport = owner;
	struct peer_slot *slot = find(transport, id);
	int err = 0;

	if (slot && address[0])
		err = peer_move(slot->peer, address);
	else if (address[0])
		err = add_slot(transport, id, address, &slot);
	if (slot && !err)
		peer_wake(slot->peer);
	if (err)
		say(transport, "%016" PRIx64 " says it is at '%s': %s", id, address,
		    strerror(-err));
}

/* Who is no member and hangs up need not be answered any more. */
static void has_departed(void *owner, uint64_t id)
{
	struct peer_slot *slot = find(owner, id);

	if (slot && !slot->member)
		remove_slot(slot);
}

static void was_received(void *owner, struct raft_message *message)
{
	struct transport *transport = owner;

	transport->events.received(transport->events.context, message);
}

static void was_refused(void *owner, const char *who, const char *why)
{
	say(owner, "from %s: %s", who, why);
}

/* -- sending ----------------------------------------------------------------------------------- */

int transport_send(struct transport *transport, struct raft_message *message)
{
	struct peer_slot *slot = find(transport, message->to);
	int err = -ENOTCONN;

	if (slot)
		err = peer_send(slot->peer, message);
	else
		transport->counters.dropped++;
	if (err)
		raft_message_clear(message);
	return err;
}

void transport_flush(struct transport *transport)
{
	for (unsigned int i = 0; i < TRANSPORT_PEERS_MAX; i++)
		if (transport->slots[i].peer)
			peer_flush(transport->slots[i].peer);
}

/* -- life -------------------------------------------------------------------------------------- */

int transport_set_pem(struct transport *transport, const struct tls_pem *pem,
		      struct raft_error *error)
{
	const struct tls_identity *own = transport_identity(transport), *changed;
	struct tls_context *tls;
	int err = tls_context_new(pem, &tls, error);

	if (err)
		return err;
	changed = tls_context_identity(tls);
	if (changed->member != own->member || strcmp(changed->cluster, own->cluster)) {
		tls_context_free(tls);
		return raft_error_set(error, -EINVAL, "certificate: of another member");
	}
	tls_context_free(transport->tls);
	transport->tls = tls;
	return 0;
}

static void furnish(struct transport *transport, const struct transport_options *options)
{
	uint64_t seed = uv_hrtime();

	(void)uv_random(NULL, NULL, &seed, sizeof(seed), 0, NULL); /* jitter: any seed does */
	transport->events = options->events;
	transport->streams.loop = options->loop;
	transport->peer_home = (struct peer_home){.streams = &transport->streams,
						  .tls = &transport->tls,
						  .own_address = transport->address,
						  .frames = &transport->frames,
						  .counters = &transport->counters,
						  .random = seed,
						  .lost = peer_was_lost,
						  .owner = transport};
	transport->acceptor_home = (struct acceptor_home){.streams = &transport->streams,
							  .tls = &transport->tls,
							  .counters = &transport->counters,
							  .introduced = was_introduced,
							  .departed = has_departed,
							  .received = was_received,
							  .refused = was_refused,
							  .owner = transport};
}

static int advertise(struct transport *transport, const struct transport_options *options,
		     struct address *address, uint16_t port, struct raft_error *error)
{
	struct address advertised;

	if (options->advertised) {
		if (strlen(options->advertised) >= sizeof(transport->address) ||
		    address_parse(options->advertised, &advertised))
			return raft_error_set(error, -EINVAL, "'%s' is not HOST:PORT",
					      options->advertised);
		strcpy(transport->address, options->advertised);
		return 0;
	}
	if (address->sockaddr.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address->sockaddr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&address->sockaddr)->sin_port = htons(port);
	address_format((const struct sockaddr *)&address->sockaddr, transport->address);
	return 0;
}

static int start_listening(struct transport *transport, const struct transport_options *options,
			   struct raft_error *error)
{
	struct address address;
	uint16_t port;
	int err;

	if (address_parse(options->listen, &address) || !address.numeric)
		return raft_error_set(error, -EINVAL, "'%s' is not IP:PORT", options->listen);
	err = acceptor_new(&transport->acceptor_home, (const struct sockaddr *)&address.sockaddr,
			   &port, &transport->acceptor);
	if (err)
		return raft_error_set(error, err, "cannot listen on %s: %s", options->listen,
				      uv_strerror(err));
	return advertise(transport, options, &address, port, error);
}

int transport_open(const struct transport_options *options, struct transport **out,
		   struct raft_error *error)
{
	struct transport *transport = calloc(1, sizeof(*transport));
	int err;

	if (!transport)
		return raft_error_set(error, -ENOMEM, "no memory");
	furnish(transport, options);
	err = tls_context_new(&options->pem, &transport->tls, error);
	if (!err)
		err = start_listening(transport, options, error);
	if (err)
		transport_close(transport);
	else
		*out = transport;
	return err;
}

void transport_close(struct transport *transport)
{
	if (!transport)
		return;
	if (transport->acceptor)
		acceptor_close(transport->acceptor);
	for (unsigned int i = 0; i < TRANSPORT_PEERS_MAX; i++)
		peer_close(transport->slots[i].peer);
	tls_context_free(transport->tls);
	wire_buffer_free(&transport->frames);
	free(transport);
}

const struct tls_identity *transport_identity(const struct transport *transport)
{
	return tls_context_identity(transport->tls);
}

const char *transport_address(const struct transport *transport)
{
	return transport->address;
}

bool transport_is_up(const struct transport *transport, uint64_t id)
{
	struct peer_slot *slot = find((struct transport *)(uintptr_t)transport, id);

	return slot && peer_is_up(slot->peer);
}

const struct transport_counters *transport_counters(const struct transport *transport)
{
	return &transport->counters;
}
