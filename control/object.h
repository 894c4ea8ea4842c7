/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_OBJECT_H
#define FL_OBJECT_H
/*
 * An object of the store: one immutable, counted block of memory. The rest of the world has the
 * pointer to its message, from which the head is found.
 *
 *   | struct object | Fl__Task ... what hangs on it | name | instance |
 */
#include <stddef.h>
#include <stdint.h>

#include "objects.pb-c.h"

/* As all of them begin; asserted in object.c. */
struct object_message {
	ProtobufCMessage base;
	char *id;
	protobuf_c_boolean has_version;
	uint64_t version;
	protobuf_c_boolean has_created_at;
	int64_t created_at;
	protobuf_c_boolean has_updated_at;
	int64_t updated_at;
};

struct object {
	uint32_t references; /* atomic */
	uint32_t table;
	const char *name;      /* in small letters; NULL: it has none */
	const char *instance;  /* of a task: store_instance_key; else NULL */
	struct object *lender; /* of a task: the service in which its spec lies; held. NULL: none */
};
_Static_assert(sizeof(struct object) % 8 == 0, "the message behind it is aligned");

/* A copy of the message, with one reference. NULL: no memory. A task's spec is not copied where
 * there is a lender: then it is in that object. */
struct object *object_new(unsigned table, const ProtobufCMessage *message, struct object *lender);
void object_hold(struct object *object);
void object_release(struct object *object);

static inline const struct object_message *object_message(const struct object *object)
{
	return (const struct object_message *)(object + 1);
}

static inline struct object *object_of(const void *message)
{
	return (struct object *)(uintptr_t)message - 1;
}
#endif
