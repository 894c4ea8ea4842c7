/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

_Static_assert((int)STORE_TRANSACTION_SIZE_MAX <= (int)RAFT_ENTRY_SIZE_MAX,
	       "an entry holds any transaction");

struct replica {
	struct raft_node *node;
	struct store *store;
	struct store_restore *restore; /* NULL: none under way */
	uint64_t restored_bytes;
	/* Of the entry that was applied last, for who proposed it: the answer comes before the
	 * next. */
	struct store_result result;
	int result_err;
	struct replica_events events;
	void (*closed)(void *context);
	void *closed_context;
};

struct proposal {
	struct replica *replica;
	replica_done *done;
	void *context;
};

/* -- the seam to raft/ --------------------------------------------------------------------------
 */

static uint64_t apply(void *context, uint64_t index, const void *command, size_t size)
{
	struct replica *replica = context;

	store_result_clear(&replica->result);
	replica->result_err = store_apply(replica->store, index, command, size, &replica->result);
	if (replica->result_err == -ENOMEM)
		abort();
	if (!replica->result_err && replica->events.applied)
		replica->events.applied(replica->events.context, &replica->result);
	return 0;
}

static void *snapshot_begin(void *context)
{
	struct replica *replica = context;

	return store_snapshot_new(store_now(replica->store));
}

static ssize_t snapshot_read(void *snapshot, void *to, size_t size)
{
	size_t filled = 0, got;

	do {
		int err = store_snapshot_read(snapshot, (char *)to + filled, size - filled, &got);

		if (err)
			return err;
		filled += got;
	} while (got && filled < size);
	return (ssize_t)filled;
}

static void snapshot_end(void *snapshot)
{
	store_snapshot_free(snapshot);
}

static int restore_begin(void *context, uint64_t size)
{
	struct replica *replica = context;

	(void)size;
	store_restore_free(replica->restore);
	replica->restored_bytes = 0;
	replica->restore = store_restore_new();
	return replica->restore ? 0 : -ENOMEM;
}

static int restore_chunk(void *context, const void *data, size_t size)
{
	struct replica *replica = context;

	replica->restored_bytes += size;
	return store_restore_write(replica->restore, data, size);
}

/* A new cluster's first snapshot has no bytes: the store is empty. */
static int empty(struct replica *replica)
{
	struct store *store = store_new();

	if (!store)
		return -ENOMEM;
	store_free(replica->store);
	replica->store = store;
	return 0;
}

static int restore_end(void *context, uint64_t index)
{
	struct replica *replica = context;
	int err;

	(void)index; /* the stream says it too */
	store_result_clear(&replica->result);
	err = replica->restored_bytes ? store_restore_finish(replica->restore, replica->store)
				      : empty(replica);
	store_restore_free(replica->restore);
	replica->restore = NULL;
	if (!err && replica->node && replica->events.restored)
		replica->events.restored(replica->events.context);
	return err;
}

/* -- the node's events --------------------------------------------------------------------------
 */

static void node_changed(void *context, const struct raft_status *status)
{
	struct replica *replica = context;

	if (replica->events.changed)
		replica->events.changed(replica->events.context, status);
}

static void node_failed(void *context, int code, const char *why)
{
	struct replica *replica = context;

	if (replica->events.failed)
		replica->events.failed(replica->events.context, code, why);
}

static void node_said(void *context, const char *line)
{
	struct replica *replica = context;

	if (replica->events.said)
		replica->events.said(replica->events.context, line);
}

/* -- life ---------------------------------------------------------------------------------------
 */

static void free_replica(struct replica *replica)
{
	store_result_clear(&replica->result);
	store_restore_free(replica->restore);
	store_free(replica->store);
	free(replica);
}

int replica_open(const struct raft_node_options *options, const struct replica_events *events,
		 struct replica **out, struct raft_error *error)
{
	struct raft_node_options all = *options;
	struct replica *replica = calloc(1, sizeof(*replica));
	int err;

	if (!replica)
		return raft_error_set(error, -ENOMEM, "no memory");
	replica->events = *events;
	replica->store = store_new();
	if (!replica->store) {
		free(replica);
		return raft_error_set(error, -ENOMEM, "no memory");
	}
	all.store = (struct raft_store){.context = replica,
					.apply = apply,
					.snapshot_begin = snapshot_begin,
					.snapshot_read = snapshot_read,
					.snapshot_end = snapshot_end,
					.restore_begin = restore_begin,
					.restore_chunk = restore_chunk,
					.restore_end = restore_end};
	all.events = (struct raft_node_events){
	    .changed = node_changed, .failed = node_failed, .said = node_said, .context = replica};
	err = raft_node_open(&all, &replica->node, error);
	if (err) {
		free_replica(replica);
		return err;
	}
	*out = replica;
	return 0;
}

static void node_closed(void *context)
{
	struct replica *replica = context;
	void (*closed)(void *) = replica->closed;
	void *closed_context = replica->closed_context;

	free_replica(replica);
	if (closed)
		closed(closed_context);
}

void replica_close(struct replica *replica, void (*closed)(void *context), void *context)
{
	replica->closed = closed;
	replica->closed_context = context;
	raft_node_close(replica->node, node_closed, replica);
}

const struct store_view *replica_now(const struct replica *replica)
{
	return store_now(replica->store);
}

struct raft_node *replica_node(const struct replica *replica)
{
	return replica->node;
}

/* -- proposals ----------------------------------------------------------------------------------
 */

static void proposed(void *context, int err, uint64_t index, uint64_t result)
{
	struct proposal proposal = *(struct proposal *)context;
	struct replica *replica = proposal.replica;

	(void)result;
	free(context);
	if (!err)
		err = replica->result_err;
	assert(err || replica->result.index == index);
	proposal.done(proposal.context, err, err ? NULL : &replica->result);
}

int replica_propose(struct replica *replica, const struct transaction *transaction,
		    replica_done *done, void *context)
{
	struct proposal *proposal = malloc(sizeof(*proposal));
	struct raft_bytes *command;
	const void *bytes;
	size_t size;
	int err;

	bytes = transaction_bytes(transaction, &size);
	command = raft_bytes_new(bytes, size);
	if (!proposal || !command) {
		free(proposal);
		raft_bytes_release(command);
		return -ENOMEM;
	}
	*proposal = (struct proposal){replica, done, context};
	err = raft_node_propose(replica->node, command, proposed, proposal);
	raft_bytes_release(command);
	if (err)
		free(proposal);
	return err;
}
