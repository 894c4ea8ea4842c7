/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_STORE_H
#define FL_STORE_H
/*
 * What the cluster should be and is: the same on each manager, because only committed log entries
 * change it. In memory; Raft's log and snapshots are its disk.
 *
 * Objects are the messages of control/proto/objects.proto, immutable and counted. To change one,
 * copy its struct, change the copy (its strings and lists may still be the old one's), and put the
 * copy into a transaction:
 *
 *   const struct store_view *view = store_now(store);
 *   const Fl__Task *old;
 *   struct store_iterator i;
 *
 *   store_iterate_index(view, STORE_TASKS_BY_NODE, node->id, &i);
 *   while ((old = store_next(&i))) {
 *           Fl__Task task = *old;
 *
 *           task.has_desired_state = true;
 *           task.desired_state = FL__TASK_STATE__SHUTDOWN;
 *           transaction_update(transaction, &task.base);
 *   }
 *
 * **Views.** A view is the store as it was after one entry. store_now's is good until the next
 * apply; one that is held is good until it is released, by any thread, while entries go on being
 * applied. It costs what has changed since.
 *
 * **Threads.** A store belongs to one thread. Views and objects that are held, snapshots made of
 * them and results may go to any.
 *
 * **Order.** Tables are iterated by id, indexes by (key, id): on each manager the same.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "objects.pb-c.h"

enum {
	STORE_TRANSACTION_SIZE_MAX = 4 << 20, /* what a Raft entry takes */
	STORE_OBJECT_SIZE_MAX = 2 << 20,      /* a config's data is at most 1000 KiB */
	STORE_CHANGES_MAX = 2048,             /* in a transaction */
	STORE_OBJECTS_MAX = 1 << 20,          /* in a table */
	STORE_NAME_LENGTH_MAX = 255,
	STORE_REFERENCES_MAX = 1024, /* of a service, to networks, to secrets and to configs */
	STORE_INSTANCE_SIZE = 64,
};

/* Also the numbers of the log and of snapshots: only ever added to. */
enum store_table {
	STORE_CLUSTER = 1,
	STORE_NODE,
	STORE_NETWORK,
	STORE_SERVICE,
	STORE_TASK,
	STORE_SECRET,
	STORE_CONFIG,
	STORE_VOLUME,
	STORE_TABLES, /* one past the last; 0 is none */
};

enum store_index {
	/* By name, whatever its case. No two of a table have the same, but nodes (by host name). */
	STORE_CLUSTERS_BY_NAME,
	STORE_NODES_BY_NAME,
	STORE_NETWORKS_BY_NAME,
	STORE_SERVICES_BY_NAME,
	STORE_SECRETS_BY_NAME,
	STORE_CONFIGS_BY_NAME,
	STORE_VOLUMES_BY_NAME,
	STORE_NODES_BY_ROLE,       /* store_role_key; what the node is, not what it is to become */
	STORE_NODES_BY_MEMBERSHIP, /* store_membership_key */
	/* By the ids that a service's spec refers to. */
	STORE_SERVICES_BY_NETWORK,
	STORE_SERVICES_BY_SECRET,
	STORE_SERVICES_BY_CONFIG,
	STORE_TASKS_BY_SERVICE,
	STORE_TASKS_BY_NODE,
	STORE_TASKS_BY_INSTANCE, /* store_instance_key: a slot, or a global service's node */
	STORE_TASKS_BY_DESIRED,  /* store_state_key */
	STORE_INDEXES,
};

const char *store_role_key(Fl__NodeSpec__Role role);
const char *store_membership_key(Fl__Node__Membership membership);
const char *store_state_key(Fl__TaskState state);
/* slot 0: of a global service, whose instances are the nodes; node_id may then be NULL. Returns
 * key. */
const char *store_instance_key(const char *service_id, uint64_t slot, const char *node_id,
			       char key[STORE_INSTANCE_SIZE]);

const char *store_table_name(enum store_table table); /* "service" */
/* The table of a message's type; 0: none. */
enum store_table store_table_of(const ProtobufCMessageDescriptor *descriptor);

/* --- Reading --- */

struct store_view;

uint64_t store_view_index(const struct store_view *view); /* of the last entry in it */
size_t store_count(const struct store_view *view, enum store_table table);

/* An object by id; NULL: there is none. Assign it to a pointer to the table's type. */
const void *store_get(const struct store_view *view, enum store_table table, const char *id);
/*
 * An object as users name it: by id, else by name, else by the beginning of its id. -ENOENT, or
 * -ENOTUNIQ with how many there are in *matches (may be NULL; at most 1000 are counted).
 */
int store_find(const struct store_view *view, enum store_table table, const char *reference,
	       const void **object, size_t *matches);

/* The view, and for store_iterate_index nothing else, must last as long as the iteration. */
struct store_iterator {
	const void *path[48];
	uint32_t depth;
	const char *key;
};
void store_iterate(const struct store_view *view, enum store_table table,
		   struct store_iterator *iterator);
/* Objects of one key. */
void store_iterate_index(const struct store_view *view, enum store_index index, const char *key,
			 struct store_iterator *iterator);
const void *store_next(struct store_iterator *iterator); /* NULL: the end */

/* An object, by the pointer that one was given, for longer than its view or result. */
void store_object_hold(const void *object);
void store_object_release(const void *object); /* NULL is fine */

/* --- The store --- */

struct store;

struct store *store_new(void);        /* empty, at index 0; NULL: no memory */
void store_free(struct store *store); /* NULL is fine. Views that are held live on */

const struct store_view *store_now(const struct store *store);
const struct store_view *store_view_hold(const struct store_view *view);
void store_view_release(const struct store_view *view); /* NULL is fine */

/* What became of one change. The words are dockerd's. */
enum store_outcome {
	STORE_DONE = 0,
	STORE_OUT_OF_SEQUENCE, /* "update out of sequence": the object has another version by now */
	STORE_NOT_FOUND,
	STORE_EXISTS,        /* an object of that id */
	STORE_NAME_CONFLICT, /* another object of that name */
	STORE_INVALID,       /* no id, no known object, too large, ... */
	STORE_FULL,          /* STORE_OBJECTS_MAX */
	STORE_ABANDONED,     /* another change of the same, atomic transaction failed */
};
const char *store_outcome_text(enum store_outcome outcome);

/* Objects before and after: NULL, x: created; x, y: updated; x, NULL: deleted. Of one type. */
struct store_event {
	enum store_table table;
	const void *before, *after;
};

struct store_result {
	uint64_t index;
	size_t change_count; /* of the transaction, in its order */
	uint8_t *outcomes;   /* enum store_outcome */
	size_t event_count;  /* in the order in which they happened */
	struct store_event *events;
};
void store_result_clear(struct store_result *result);

/*
 * Applies the entry of this index, which is greater than any before (asserted). size 0: an entry
 * that is not ours; the store is at its index then. What comes of it depends on the entry and on
 * those before alone.
 *
 * -EBADMSG: not a transaction; the entry is passed over, on each manager alike. -ENOMEM: the store
 * is as it was, and the same entry may be applied again. Either leaves *result as it was.
 */
int store_apply(struct store *store, uint64_t index, const void *bytes, size_t size,
		struct store_result *result);

/* --- Snapshots --- */

/* A view as a stream of bytes, the same on each manager. The view is held by it. */
struct store_snapshot;
struct store_snapshot *store_snapshot_new(const struct store_view *view); /* NULL: no memory */
void store_snapshot_free(struct store_snapshot *snapshot);
/* The next bytes, size of them but at the end. *got 0: that was all. -ENOMEM: call again. */
int store_snapshot_read(struct store_snapshot *snapshot, void *bytes, size_t size, size_t *got);

/* The way back, in pieces of any size. Nothing of it is in the store until the end. */
struct store_restore;
struct store_restore *store_restore_new(void); /* NULL: no memory */
void store_restore_free(struct store_restore *restore);
/* -EBADMSG: not a snapshot, or damaged; -ENOMEM. Either is final. */
int store_restore_write(struct store_restore *restore, const void *bytes, size_t size);
/* The store is what the snapshot says, its index too. There are no events: whoever lives on them
 * starts again from the whole store. -EBADMSG: the stream is not whole; the store is as it was. */
int store_restore_finish(struct store_restore *restore, struct store *store);
#endif
