/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "message.h"
#include "store.pb-c.h"
#include "transaction.h"
#include "view.h"

struct store *store_new(void)
{
	struct store *store = malloc(sizeof(*store));

	if (!store)
		return NULL;
	store->now = view_new();
	if (!store->now) {
		free(store);
		return NULL;
	}
	return store;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	store_view_release(store->now);
	free(store);
}

const struct store_view *store_now(const struct store *store)
{
	return store->now;
}

/* Object's members are numbered as the tables. */
const char *store_table_name(enum store_table table)
{
	assert(table > 0 && table < STORE_TABLES);
	return fl__object__descriptor.fields[table - 1].name;
}

enum store_table store_table_of(const ProtobufCMessageDescriptor *descriptor)
{
	for (unsigned i = 0; i < fl__object__descriptor.n_fields; i++) {
		if (fl__object__descriptor.fields[i].descriptor == descriptor)
			return (enum store_table)fl__object__descriptor.fields[i].id;
	}
	return (enum store_table)0;
}

const char *store_outcome_text(enum store_outcome outcome)
{
	static const char *const texts[] = {
	    [STORE_DONE] = "done",
	    [STORE_OUT_OF_SEQUENCE] = "update out of sequence",
	    [STORE_NOT_FOUND] = "object does not exist",
	    [STORE_EXISTS] = "object already exists",
	    [STORE_NAME_CONFLICT] = "name conflicts with an existing object",
	    [STORE_INVALID] = "invalid object",
	    [STORE_FULL] = "too many objects",
	    [STORE_ABANDONED] = "another change of the transaction failed",
	};

	return outcome < sizeof(texts) / sizeof(texts[0]) ? texts[outcome] : "unknown outcome";
}

void store_result_clear(struct store_result *result)
{
	for (size_t i = 0; i < result->event_count; i++) {
		store_object_release(result->events[i].before);
		store_object_release(result->events[i].after);
	}
	free(result->events);
	free(result->outcomes);
	memset(result, 0, sizeof(*result));
}

/* An entry while it is applied. */
struct application {
	struct store_view *draft;
	uint64_t index;
	int64_t time;
	struct store_result *result;
};

static void add_event(struct application *a, struct object *before, struct object *after)
{
	const struct object *some = after ? after : before;
	struct store_event *event = &a->result->events[a->result->event_count++];

	*event = (struct store_event){.table = (enum store_table)some->table,
				      .before = before ? object_message(before) : NULL,
				      .after = after ? object_message(after) : NULL};
	if (before)
		object_hold(before);
	if (after)
		object_hold(after);
}

/* The one message in it; NULL: none, or several. */
static ProtobufCMessage *message_in(const Fl__Object *object)
{
	ProtobufCMessage *found = NULL;

	for (unsigned i = 0; object && i < fl__object__descriptor.n_fields; i++) {
		ProtobufCMessage *message =
		    *(ProtobufCMessage *const *)((const char *)object +
						 fl__object__descriptor.fields[i].offset);

		if (message && found)
			return NULL;
		if (message)
			found = message;
	}
	return found;
}

static bool has_fair_references(const Fl__ServiceSpec *spec)
{
	const Fl__TaskSpec *task = spec ? spec->task_template : NULL;
	const Fl__ContainerSpec *container = task ? task->container_spec : NULL;

	return (!spec || spec->n_networks <= STORE_REFERENCES_MAX) &&
	       (!task || task->n_networks <= STORE_REFERENCES_MAX) &&
	       (!container || (container->n_secrets <= STORE_REFERENCES_MAX &&
			       container->n_configs <= STORE_REFERENCES_MAX));
}

static bool is_valid(const ProtobufCMessage *message)
{
	const struct object_message *object = (const struct object_message *)message;

	if (!object->id || !id_is_prefix(object->id))
		return false;
	if (message->descriptor == &fl__service__descriptor &&
	    !has_fair_references(((const Fl__Service *)message)->spec))
		return false;
	return protobuf_c_message_get_packed_size(message) <= STORE_OBJECT_SIZE_MAX;
}

/* What the store itself writes in an object. before NULL: it is new. */
static int stamp(const struct application *a, ProtobufCMessage *message,
		 const struct object_message *before)
{
	struct object_message *object = (struct object_message *)message;
	Fl__Service *service = (Fl__Service *)message;
	const Fl__Service *old = (const Fl__Service *)before;
	int same = 0;

	object->has_version = object->has_created_at = object->has_updated_at = true;
	object->version = a->index;
	object->created_at = before ? before->created_at : a->time;
	object->updated_at = a->time;
	if (message->descriptor != &fl__service__descriptor)
		return 0;
	if (old)
		same = message_equal(service->spec ? &service->spec->base : NULL,
				     old->spec ? &old->spec->base : NULL);
	service->has_spec_version = true;
	service->spec_version = same > 0 ? old->spec_version : a->index;
	return same < 0 ? same : 0;
}

/* Puts a valid message in; *outcome STORE_DONE or why not. */
static int put(struct application *a, ProtobufCMessage *message, struct object *before,
	       enum store_outcome *outcome)
{
	const enum store_table table = store_table_of(message->descriptor);
	struct object *object;
	int rc = stamp(a, message, before ? object_message(before) : NULL);

	if (rc)
		return rc;
	object = view_object_new(a->draft, table, message, before);
	if (!object)
		return -ENOMEM;
	if (object->name && strlen(object->name) > STORE_NAME_LENGTH_MAX)
		*outcome = STORE_INVALID;
	else if (view_namesake(a->draft, object))
		*outcome = STORE_NAME_CONFLICT;
	else if (!before && a->draft->count[table] >= STORE_OBJECTS_MAX)
		*outcome = STORE_FULL;
	else
		*outcome = STORE_DONE;
	if (*outcome == STORE_DONE) {
		if (before)
			object_hold(before); /* the view lets go of it */
		rc = view_put(a->draft, object, before);
		if (!rc)
			add_event(a, before, object);
		object_release(before);
	}
	object_release(object);
	return rc;
}

static int create_or_update(struct application *a, const Fl__Change *change,
			    enum store_outcome *outcome)
{
	const bool update = change->action == FL__CHANGE__ACTION__UPDATE;
	ProtobufCMessage *message = message_in(change->object);
	struct object *before;
	const char *id;

	*outcome = STORE_INVALID;
	if (!message || !is_valid(message))
		return 0;
	id = ((const struct object_message *)message)->id;
	before = tree_find(a->draft->tables[store_table_of(message->descriptor)], id, id);
	if (update && !before)
		*outcome = STORE_NOT_FOUND;
	else if (update && object_message(before)->version != change->base_version)
		*outcome = STORE_OUT_OF_SEQUENCE;
	else if (!update && before)
		*outcome = STORE_EXISTS;
	else
		return put(a, message, before, outcome);
	return 0;
}

static int delete_or_check(struct application *a, const Fl__Change *change,
			   enum store_outcome *outcome)
{
	struct object *object;
	int rc = 0;

	*outcome = STORE_INVALID;
	if (!change->id || !change->table || change->table >= STORE_TABLES)
		return 0;
	object = tree_find(a->draft->tables[change->table], change->id, change->id);
	*outcome = STORE_NOT_FOUND;
	if (!object)
		return 0;
	*outcome = STORE_OUT_OF_SEQUENCE;
	if (change->has_base_version && object_message(object)->version != change->base_version)
		return 0;
	*outcome = STORE_DONE;
	if (change->action == FL__CHANGE__ACTION__CHECK)
		return 0;
	object_hold(object);
	rc = view_remove(a->draft, object);
	if (!rc)
		add_event(a, object, NULL);
	object_release(object);
	return rc;
}

static int apply_change(struct application *a, const Fl__Change *change,
			enum store_outcome *outcome)
{
	*outcome = STORE_INVALID;
	switch (change->action) {
	case FL__CHANGE__ACTION__CREATE:
	case FL__CHANGE__ACTION__UPDATE:
		return create_or_update(a, change, outcome);
	case FL__CHANGE__ACTION__DELETE:
	case FL__CHANGE__ACTION__CHECK:
		return delete_or_check(a, change, outcome);
	default:
		return 0; /* of a newer manager's: alike on all that do not know it */
	}
}

/* Nothing of the transaction has been: all are abandoned but the one that failed. */
static int abandon(struct application *a, const struct store *store, size_t failed)
{
	struct store_view *draft = view_copy(store->now);
	struct store_result *result = a->result;

	if (!draft)
		return -ENOMEM;
	draft->index = a->index;
	store_view_release(a->draft);
	a->draft = draft;
	for (size_t i = 0; i < result->change_count; i++) {
		if (i != failed)
			result->outcomes[i] = STORE_ABANDONED;
	}
	for (; result->event_count; result->event_count--) {
		store_object_release(result->events[result->event_count - 1].before);
		store_object_release(result->events[result->event_count - 1].after);
	}
	return 0;
}

static int apply_changes(struct application *a, const struct store *store,
			 const Fl__TransactionProposal *proposal)
{
	a->time = proposal->time;
	for (size_t i = 0; i < proposal->n_changes; i++) {
		enum store_outcome outcome;
		const int rc = apply_change(a, proposal->changes[i], &outcome);

		if (rc)
			return rc;
		a->result->outcomes[i] = (uint8_t)outcome;
		if (outcome != STORE_DONE && proposal->atomic)
			return abandon(a, store, i);
	}
	return 0;
}

/* protobuf-c says NULL of a broken encoding and of no memory; only the former is the same on each
 * manager. */
static void *noting_alloc(void *out_of_memory, size_t size)
{
	void *memory = malloc(size);

	if (!memory && size)
		*(bool *)out_of_memory = true;
	return memory;
}

static void noting_free(void *out_of_memory, void *memory)
{
	(void)out_of_memory;
	free(memory);
}

static int apply_entry(struct application *a, const struct store *store, const void *bytes,
		       size_t size)
{
	const int count = transaction_scan(bytes, size);
	bool out_of_memory = false;
	ProtobufCAllocator allocator = {noting_alloc, noting_free, &out_of_memory};
	Fl__TransactionProposal *proposal;
	int rc;

	if (count < 0)
		return count;
	a->result->outcomes = calloc((size_t)count + 1, 1);
	a->result->events = calloc((size_t)count + 1, sizeof(*a->result->events));
	if (!a->result->outcomes || !a->result->events)
		return -ENOMEM;
	proposal = fl__transaction_proposal__unpack(&allocator, size, bytes);
	if (!proposal)
		return out_of_memory ? -ENOMEM : -EBADMSG;
	if (proposal->n_changes == (size_t)count) {
		a->result->change_count = (size_t)count;
		rc = apply_changes(a, store, proposal);
	} else {
		rc = -EBADMSG; /* a field of another wire type, which the library passes over */
	}
	fl__transaction_proposal__free_unpacked(proposal, &allocator);
	return rc;
}

int store_apply(struct store *store, uint64_t index, const void *bytes, size_t size,
		struct store_result *result)
{
	struct store_result made = {.index = index};
	struct application a = {.draft = view_copy(store->now), .index = index, .result = &made};
	int rc;

	assert(index > store->now->index);
	if (!a.draft)
		return -ENOMEM;
	a.draft->index = index;
	rc = size ? apply_entry(&a, store, bytes, size) : 0;
	if (rc == -ENOMEM) {
		store_view_release(a.draft);
		store_result_clear(&made);
		return rc;
	}
	/* -EBADMSG: nothing was changed, but the entry is behind us. */
	store_view_release(store->now);
	store->now = a.draft;
	if (rc)
		store_result_clear(&made);
	else
		*result = made;
	return rc;
}
