/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_TRANSPORT_LIMITS_H
#define FL_RAFT_TRANSPORT_LIMITS_H
/* Every bound of the transport, and what it counts. */
#include "wire.h"

enum {
	/* Time. Elections begin after 250 ms: who comes back is to be heard of within a few. */
	TRANSPORT_DIAL_MS = 1000,      /* TCP, TLS and the listener's greeting together */
	TRANSPORT_HANDSHAKE_MS = 1000, /* the same, seen by the listener */
	TRANSPORT_BACKOFF_MIN_MS = 20, /* doubled by each failure; half of it is jitter */
	TRANSPORT_BACKOFF_MAX_MS = 500,
	TRANSPORT_SILENCE_MS = 2000, /* unacknowledged bytes, or unanswered probes: half-open */
	TRANSPORT_PROBE_S = 2,       /* of idleness before the first keep-alive probe */

	/* Memory. */
	TRANSPORT_PEER_BYTES = 16 << 20, /* queued for a peer; more is dropped, and said so */
	TRANSPORT_PEER_MESSAGES = 4096,
	TRANSPORT_URGENT_MESSAGES = 1024, /* votes, heartbeats and replies: their own lane */
	TRANSPORT_URGENT_BYTES = 1 << 20,
	TRANSPORT_WRITE_BYTES = 64 << 10, /* encoded at a time; a larger message goes alone */
	TRANSPORT_UNSENT_BYTES = 128
				 << 10, /* in the kernel and not on the wire: cannot be overtaken */
	TRANSPORT_READ_BYTES = 64 << 10,
	TRANSPORT_REPLY_BYTES = 256 << 10, /* TLS's own replies that a peer does not read */
	TRANSPORT_KEEP_BYTES = 64 << 10,   /* buffers larger than that are given back */

	/* Strangers. */
	TRANSPORT_STRANGERS_MAX = 32, /* accepted and not authenticated; then one is thrown out */
	TRANSPORT_PEERS_MAX = 2 * RAFT_MEMBERS_MAX, /* members, and who says it is one */
	TRANSPORT_BACKLOG = 128,
};
_Static_assert(TRANSPORT_PEER_BYTES >= 2 * WIRE_PAYLOAD_MAX, "a largest message while one is sent");

struct transport_counters {
	uint64_t sent, sent_bytes;         /* messages given to a connection */
	uint64_t received, received_bytes; /* messages delivered */
	uint64_t dropped;                  /* queue full, or nobody to send to */
	uint64_t dials, connected, lost;
	uint64_t accepted, strangers_dropped; /* thrown out to make room */
	uint64_t rejected;                    /* no, a wrong, or another's certificate */
	uint64_t malformed;                   /* frames, messages */
	uint64_t impostors;                   /* messages of another `from` or for another `to` */
};
#endif
