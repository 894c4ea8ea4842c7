/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_REPLICA_H
#define FL_REPLICA_H
/*
 * One manager's copy of the store, kept the same as the others' by Raft (raft/node.h): transactions
 * in, events out. Everything happens on the node's loop thread.
 *
 * What is applied changes the store at once, is told (applied), and is then answered, if it was
 * proposed here; one entry after the other. Callbacks may read, propose and hold views; they may
 * not close.
 *
 * Without memory for an entry the process ends (abort): a manager that leaves one out would go on
 * with another store than the others, and is right again once it has read its log anew.
 */
#include "node.h"
#include "store.h"
#include "transaction.h"

struct replica;

struct replica_events {
	/* An entry. It is of no use after the call: hold what is to stay. */
	void (*applied)(void *context, const struct store_result *result);
	/* The store is another: what lives on events starts again from replica_now. */
	void (*restored)(void *context);
	/* State, term, leader or membership changed; see raft/node.h. */
	void (*changed)(void *context, const struct raft_status *status);
	void (*failed)(void *context, int code, const char *why);
	void (*said)(void *context, const char *line);
	void *context;
};

/* options.store and .events are the replica's to fill. Errors as raft_node_open's. */
int replica_open(const struct raft_node_options *options, const struct replica_events *events,
		 struct replica **out, struct raft_error *error);
/* As raft_node_close. */
void replica_close(struct replica *replica, void (*closed)(void *context), void *context);

const struct store_view *
replica_now(const struct replica *replica); /* good until the loop goes on */
struct raft_node *replica_node(const struct replica *replica);

/*
 * err 0: it is in the log, and result says what became of each change; good during the call.
 * Otherwise result is NULL: RAFT_NOT_LEADER, it never will be; RAFT_UNKNOWN, it may yet be;
 * -EBADMSG, its bytes are no transaction to this manager.
 */
typedef void replica_done(void *context, int err, const struct store_result *result);

/* done comes once, later, unless this fails: as raft_node_propose. The transaction stays the
 * caller's. */
int replica_propose(struct replica *replica, const struct transaction *transaction,
		    replica_done *done, void *context);
#endif
