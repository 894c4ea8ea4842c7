/* SPDX-License-Identifier: BSD-2-Clause */
#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator_state.h"
#include "object.h"

static const enum store_table tables[ALLOCATION_KINDS] = {
    [ALLOCATION_NETWORKS] = STORE_NETWORK,
    [ALLOCATION_SERVICES] = STORE_SERVICE,
    [ALLOCATION_TASKS] = STORE_TASK,
};

static size_t kind_of(enum store_table table)
{
	size_t kind = 0;

	while (kind < ALLOCATION_KINDS && tables[kind] != table)
		kind++;
	return kind;
}

static void begin(struct allocator *allocator)
{
	allocator->busy = false;
	allocator->retry_at = INT64_MAX;
	allocator->vni_cursor = ALLOCATOR_VNI_FIRST;
	allocator->ingress = NULL;
	allocator->conflicts = 0;
	network_set_pools(allocator, NULL);
}

struct allocator *allocator_new(void)
{
	struct allocator *allocator = calloc(1, sizeof(*allocator));

	if (!allocator)
		return NULL;
	for (size_t kind = 0; kind < ALLOCATION_KINDS; kind++) {
		list_init(&allocator->ready[kind]);
		list_init(&allocator->blocked[kind]);
	}
	list_init(&allocator->in_flight);
	list_init(&allocator->gone);
	allocator->retried_at = INT64_MIN;
	begin(allocator);
	return allocator;
}

/* --- Records --- */

static void free_record(struct allocator *allocator, struct allocation *record)
{
	assert(!record->uses);
	claims_give(&record->claims);
	network_forget_subnets(record);
	list_remove(&record->link);
	if (allocator->ingress == record)
		allocator->ingress = NULL;
	store_object_release(record->object);
	free(record);
}

static void forget(struct allocator *allocator, struct allocation *record)
{
	id_map_remove(&allocator->objects[kind_of(record->table)], record->id);
	free_record(allocator, record);
}

/* Networks that were deleted before their last address was given back. */
static void forget_gone_networks(struct allocator *allocator)
{
	struct list *next;

	for (struct list *at = allocator->gone.next; at != &allocator->gone; at = next) {
		struct allocation *network = LIST_ENTRY(at, struct allocation, link);

		next = at->next;
		if (!network->uses)
			forget(allocator, network);
	}
}

static void retry_soon(struct allocator *allocator, int64_t now)
{
	int64_t at = now;

	if (allocator->retried_at > now - ALLOCATOR_RETRY_NS && allocator->retried_at <= now)
		at = allocator->retried_at + ALLOCATOR_RETRY_NS;
	if (at < allocator->retry_at)
		allocator->retry_at = at;
}

/* Takes what the object says that it has, and puts it in the queue if it is to have more. */
static int take(struct allocator *allocator, struct allocation *record, size_t kind, int64_t now)
{
	int rc = 0, needs = 0;

	switch (kind) {
	case ALLOCATION_NETWORKS:
		rc = network_take(allocator, record);
		needs = network_needs(network_of(record));
		if (network_of(record)->spec && network_of(record)->spec->ingress)
			allocator->ingress = record;
		break;
	case ALLOCATION_SERVICES:
		rc = service_take(allocator, record);
		needs = service_needs(allocator, service_of(record));
		break;
	case ALLOCATION_TASKS:
		rc = task_take(allocator, record);
		needs = task_needs(record->object);
		break;
	}
	if (rc || needs < 0)
		return rc ? rc : needs;
	if (needs)
		list_append(&allocator->ready[kind], &record->link);
	if (kind != ALLOCATION_TASKS)
		allocator->retry_at = now; /* others may have waited for it, or for its reasons */
	return 0;
}

static struct allocation *new_record(struct allocator *allocator, size_t kind, const char *id)
{
	struct allocation *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	list_init(&record->link);
	record->id = id;
	record->table = tables[kind];
	if (id_map_add(&allocator->objects[kind], record)) {
		free(record);
		return NULL;
	}
	return record;
}

static void remove_record(struct allocator *allocator, struct allocation *record)
{
	list_remove(&record->link);
	if (!record->uses) {
		forget(allocator, record);
		return;
	}
	record->gone = true;
	if (allocator->ingress == record)
		allocator->ingress = NULL;
	list_append(&allocator->gone, &record->link);
}

/* A task that neither has nor is to have anything is not worth a record. */
static bool is_of_interest(size_t kind, const void *object)
{
	const Fl__Task *task = object;

	return object &&
	       (kind != ALLOCATION_TASKS || task_needs(task) || task->n_networks_attachments);
}

/* Makes the record agree with the object as it is now; NULL: it is gone. */
static int sync_object(struct allocator *allocator, size_t kind, const char *id, const void *now,
		       int64_t time)
{
	struct allocation *record = id_map_get(&allocator->objects[kind], id);
	const size_t had = record ? record->claims.count : 0;
	int rc = 0;

	if (record && kind != ALLOCATION_NETWORKS)
		claims_give(&record->claims);
	if (!is_of_interest(kind, now)) {
		if (record)
			remove_record(allocator, record);
		forget_gone_networks(allocator);
		if (had)
			retry_soon(allocator, time);
		return 0;
	}
	if (!record)
		record = new_record(allocator, kind, ((const struct object_message *)now)->id);
	if (!record)
		return -ENOMEM;
	claims_give(&record->claims);
	list_remove(&record->link);
	store_object_hold(now);
	store_object_release(record->object);
	record->object = now;
	record->gone = false;
	record->id = ((const struct object_message *)now)->id;
	rc = take(allocator, record, kind, time);
	if (record->claims.count < had)
		retry_soon(allocator, time);
	forget_gone_networks(allocator);
	return rc;
}

static void forget_all(struct allocator *allocator)
{
	/* Tasks and services first: networks stay as long as they have addresses. */
	for (size_t kind = ALLOCATION_KINDS; kind-- > 0;) {
		struct allocation *record;

		for (size_t slot = 0; (record = id_map_next(&allocator->objects[kind], &slot));)
			free_record(allocator, record);
		id_map_clear(&allocator->objects[kind]);
	}
	assert(!allocator->taken_subnets.takes && !allocator->vnis.takes);
	begin(allocator);
}

void allocator_free(struct allocator *allocator)
{
	if (!allocator)
		return;
	forget_all(allocator);
	for (size_t protocol = 0; protocol < 3; protocol++)
		range_set_clear(&allocator->ports[protocol]);
	range_set_clear(&allocator->taken_subnets);
	range_set_clear(&allocator->vnis);
	free(allocator);
}

int allocator_reset(struct allocator *allocator, const struct store_view *view, int64_t now)
{
	struct store_iterator iterator;
	const struct object_message *object;
	int rc = 0;

	forget_all(allocator);
	store_iterate(view, STORE_CLUSTER, &iterator);
	network_set_pools(allocator, store_next(&iterator));
	for (size_t kind = 0; kind < ALLOCATION_KINDS; kind++) {
		store_iterate(view, tables[kind], &iterator);
		while (!rc && (object = store_next(&iterator)))
			rc = sync_object(allocator, kind, object->id, object, now);
	}
	return rc;
}

int allocator_handle(struct allocator *allocator, const struct store_event *events, size_t count,
		     int64_t now)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		const void *after = events[i].after;
		const struct object_message *object = after ? after : events[i].before;
		const size_t kind = kind_of(events[i].table);

		if (kind < ALLOCATION_KINDS) {
			rc = sync_object(allocator, kind, object->id, after, now);
		} else if (events[i].table == STORE_CLUSTER) {
			network_set_pools(allocator, after);
			retry_soon(allocator, now);
		}
	}
	return rc;
}

int allocator_settle(struct allocator *allocator, const struct store_view *view, int64_t now)
{
	int rc = 0;

	allocator->busy = false;
	while (!rc && !list_is_empty(&allocator->in_flight)) {
		const struct allocation *record =
		    LIST_ENTRY(allocator->in_flight.next, struct allocation, link);
		char id[64];

		snprintf(id, sizeof(id), "%s", record->id);
		rc = sync_object(allocator, kind_of(record->table), id,
				 store_get(view, record->table, id), now);
	}
	return rc;
}

/* --- Decisions --- */

static int allocate(struct allocator *allocator, struct allocation *record, size_t kind,
		    int64_t now, struct transaction *transaction, struct problem *problem)
{
	switch (kind) {
	case ALLOCATION_NETWORKS:
		return network_allocate(allocator, record, transaction, problem);
	case ALLOCATION_SERVICES:
		return service_allocate(allocator, record, transaction, problem);
	default:
		return task_allocate(allocator, record, now, transaction, problem);
	}
}

/* What the object says already of why it has nothing. */
static const char *said(const struct allocation *record, size_t kind)
{
	const char *text;

	if (kind == ALLOCATION_NETWORKS)
		text = network_of(record)->allocation_error;
	else if (kind == ALLOCATION_SERVICES)
		text = service_of(record)->allocation_error;
	else
		text = ((const Fl__Task *)record->object)->status->err;
	return text ? text : "";
}

static int say(const struct allocation *record, size_t kind, const char *text, int64_t now,
	       struct transaction *transaction)
{
	if (kind == ALLOCATION_NETWORKS) {
		Fl__Network update = *network_of(record);

		update.allocation_error = text_field(text);
		return transaction_update(transaction, &update.base);
	}
	if (kind == ALLOCATION_SERVICES) {
		Fl__Service update = *service_of(record);

		update.allocation_error = text_field(text);
		return transaction_update(transaction, &update.base);
	}
	Fl__Task update = *(const Fl__Task *)record->object;
	Fl__TaskStatus status = *update.status;

	status.err = text_field(text);
	status.has_timestamp = true;
	status.timestamp = now;
	update.status = &status;
	return transaction_update(transaction, &update.base);
}

static int decide(struct allocator *allocator, struct allocation *record, size_t kind, int64_t now,
		  struct transaction *transaction)
{
	struct problem problem = {0};
	bool told = true;
	int rc = allocate(allocator, record, kind, now, transaction, &problem);

	if (rc == -EINVAL) {
		told = strcmp(said(record, kind), problem.message) != 0;
		rc = told ? say(record, kind, problem.message, now, transaction) : 0;
	} else if (rc == -EAGAIN || rc == -EMSGSIZE) {
		/* Too large for the store with what it would be given: nor would words fit in. */
		told = false;
		rc = 0;
	}
	if (rc)
		return rc;
	list_remove(&record->link);
	list_append(told ? &allocator->in_flight : &allocator->blocked[kind], &record->link);
	return 0;
}

static void retry(struct allocator *allocator, int64_t now)
{
	if (now < allocator->retry_at)
		return;
	allocator->retry_at = INT64_MAX;
	allocator->retried_at = now;
	for (size_t kind = 0; kind < ALLOCATION_KINDS; kind++)
		list_splice(&allocator->ready[kind], &allocator->blocked[kind]);
}

int allocator_run(struct allocator *allocator, int64_t now, struct transaction **result,
		  int64_t *next)
{
	struct transaction *transaction;
	int rc = 0;

	*result = NULL;
	*next = INT64_MAX;
	if (allocator->busy)
		return 0;
	retry(allocator, now);
	transaction = transaction_new(now, false);
	if (!transaction)
		return -ENOMEM;
	for (size_t kind = 0; kind < ALLOCATION_KINDS; kind++) {
		struct list *queue = &allocator->ready[kind];

		while (!rc && !list_is_empty(queue))
			rc = decide(allocator, LIST_ENTRY(queue->next, struct allocation, link),
				    kind, now, transaction);
	}
	if ((!rc || rc == -ENOSPC) && transaction_count(transaction)) {
		allocator->busy = true;
		*result = transaction;
		return 0;
	}
	transaction_free(transaction);
	*next = allocator->retry_at;
	return rc;
}

static size_t length_of(const struct list *list)
{
	size_t count = 0;

	for (const struct list *at = list->next; at != list; at = at->next)
		count++;
	return count;
}

void allocator_get_status(const struct allocator *allocator, struct allocator_status *status)
{
	*status = (struct allocator_status){.in_flight = length_of(&allocator->in_flight),
					    .conflicts = allocator->conflicts};
	for (size_t kind = 0; kind < ALLOCATION_KINDS; kind++) {
		status->waiting += length_of(&allocator->ready[kind]);
		status->blocked += length_of(&allocator->blocked[kind]);
	}
}
