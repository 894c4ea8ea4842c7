/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_ACCEPTOR_H
#define FL_RAFT_ACCEPTOR_H
/*
 * The receiving side: the listener and the connections it has accepted. Each member has one at
 * most; a newer one replaces it, since only the newer one is known to live. Strangers, who have not
 * authenticated themselves yet, are few: one more makes a random one go, so that whoever keeps
 * connecting cannot lock members out. Loop thread only.
 */
#include "stream.h"
#include "types.h"

struct acceptor;

struct acceptor_home {
	struct stream_home *streams;
	struct tls_context *const *tls;
	struct transport_counters *counters;
	/* An authenticated member dialled in; address: where it says it listens, "" or parsable. */
	void (*introduced)(void *owner, uint64_t id, const char *address);
	void (*departed)(void *owner, uint64_t id); /* that connection is gone */
	/* The message is the owner's to clear. From and to are right. */
	void (*received)(void *owner, struct raft_message *message);
	void (*refused)(void *owner, const char *who, const char *why);
	void *owner;
};

/* *port: where it listens, for an address with port 0. */
int acceptor_new(struct acceptor_home *home, const struct sockaddr *address, uint16_t *port,
		 struct acceptor **out);
/* A member that was removed: what it had is closed. */
void acceptor_disconnect(struct acceptor *acceptor, uint64_t id);
/* Frees it. */
void acceptor_close(struct acceptor *acceptor);
#endif
