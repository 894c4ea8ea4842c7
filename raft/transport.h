/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_TRANSPORT_H
#define FL_RAFT_TRANSPORT_H
/*
 * Messages between members: one listener, and one connection to each of the others. Whoever sends
 * dials (as etcd's members do): each direction lives, fails and is authenticated alone, and two
 * members that dial each other at once need no rule for which connection stays. TRANSPORT.md says
 * who may talk and what is on the wire.
 *
 * Nothing is promised but order within a kind (see outbox.h) while a connection lasts: messages get
 * lost, and Raft repeats them. Everything here is for the loop's thread. The program ignores
 * SIGPIPE, which libuv's writes to a lost connection would raise.
 */
#include <uv.h>

#include "raft_error.h"
#include "tls.h"
#include "transport_limits.h"
#include "types.h"

struct transport;

struct transport_events {
	/* From an authenticated member, for this one. It is the receiver's to clear. */
	void (*received)(void *context, struct raft_message *message);
	/* What was sent to it may be lost. Comes also out of transport_flush; may not call the
	 * transport. */
	void (*unreachable)(void *context, uint64_t id);
	void (*said)(void *context, const char *line); /* for a log; NULL is fine */
	void *context;
};

struct transport_options {
	uv_loop_t *loop;
	struct tls_pem pem;     /* also says who this member is */
	const char *listen;     /* "0.0.0.0:4242"; port 0: any */
	const char *advertised; /* where others reach it; NULL: as listen, with the real port */
	struct transport_events events;
};

int transport_open(const struct transport_options *options, struct transport **out,
		   struct raft_error *error);
/* At once, without any further event. The loop must run on until its handles are closed. */
void transport_close(struct transport *transport);

const struct tls_identity *transport_identity(const struct transport *transport);
const char *transport_address(const struct transport *transport); /* as advertised */

/* Who the others are, this member among them or not. Who is no longer there is hung up on, who
 * moved is dialled at the new address. */
void transport_set_peers(struct transport *transport, const struct raft_members *members);
/* One more, or where one is now. -EINVAL: the address; -ENOBUFS: TRANSPORT_PEERS_MAX. */
int transport_set_peer(struct transport *transport, uint64_t id, const char *address);

/* Queues it for message->to and takes over what hangs on it, whatever happens: *message is zeroed.
 * -ENOTCONN, -ENOBUFS or -ENOMEM: dropped; tell raft_unreachable. */
int transport_send(struct transport *transport, struct raft_message *message);
/* Writes what is queued; once for all that was sent in a turn of the loop. */
void transport_flush(struct transport *transport);

/* New certificates of the same member, and CAs to trust from now on: for connections to come; those
 * that are there stay. On failure everything is as it was. */
int transport_set_pem(struct transport *transport, const struct tls_pem *pem,
		      struct raft_error *error);

bool transport_is_up(const struct transport *transport, uint64_t id); /* can be sent to */
const struct transport_counters *transport_counters(const struct transport *transport);
#endif
