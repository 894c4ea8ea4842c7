/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_PEER_H
#define FL_RAFT_PEER_H
/*
 * The sending side towards one member: its queue, and a connection that is dialled, and dialled
 * again after a pause, as long as the peer is there. Nothing is read from it but the listener's
 * greeting.
 *
 *            timer                    ready, greeting
 *   PAUSED ---------> DIALLING ---------------------------> UP
 *     ^                  |  failed, timed out               | lost
 *     +------------------+----------------------------------+
 *
 * What is queued while DIALLING waits; in PAUSED it is dropped at once: an old heartbeat is of no
 * use to anybody. Loop thread only.
 */
#include "stream.h"
#include "types.h"

struct peer;

/* What the peers of a transport share; outlives them. */
struct peer_home {
	struct stream_home *streams;
	struct tls_context *const *tls; /* the one for new connections */
	const char *own_address;        /* where others find this member; may be empty */
	struct wire_buffer *frames;     /* scratch */
	struct transport_counters *counters;
	uint64_t random;
	void (*lost)(void *owner, uint64_t id,
		     const char *why); /* what was on its way may be lost */
	void *owner;
};

/* Dials at once. -EINVAL: not an address. */
int peer_new(struct peer_home *home, uint64_t id, const char *address, struct peer **out);
/* Where it is now: dials there, drops the old connection. Nothing happens if it was there. */
int peer_move(struct peer *peer, const char *address);
/* Takes the message over on success. -ENOTCONN: in a pause; -ENOBUFS; -ENOMEM. */
int peer_send(struct peer *peer, struct raft_message *message);
/* Writes what is queued, as far as the connection takes it. */
void peer_flush(struct peer *peer);
/* It was heard of: no point in pausing any longer. */
void peer_wake(struct peer *peer);
bool peer_is_up(const struct peer *peer);
uint64_t peer_id(const struct peer *peer);
const char *peer_address(const struct peer *peer);
/* Frees it. */
void peer_close(struct peer *peer);
#endif
