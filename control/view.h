/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_VIEW_H
#define FL_VIEW_H
/* What a view is made of, for the store's own files. */
#include "store.h"
#include "tree.h"

struct store_view {
	uint32_t references; /* atomic */
	uint64_t index;
	size_t count[STORE_TABLES];
	struct tree *tables[STORE_TABLES];
	struct tree *indexes[STORE_INDEXES];
};

struct store {
	struct store_view *now;
};

struct store_view *view_new(void); /* empty; NULL: no memory */
/* Another of the same contents, to be changed. NULL: no memory. */
struct store_view *view_copy(const struct store_view *view);

/*
 * An object for the view, with one reference; NULL: no memory. A task whose spec is its service's,
 * or the one that it had before, borrows it: of 10,000 tasks most have one of a few specs, which
 * are half of what they take.
 */
struct object *view_object_new(const struct store_view *view, enum store_table table,
			       ProtobufCMessage *message, const struct object *before);

/* Tables and indexes as one. The view is the caller's alone. -ENOMEM: it is good for release only.
 */
int view_put(struct store_view *view, struct object *object, const struct object *before);
int view_remove(struct store_view *view, struct object *object);

/* Another object of a table with a name (in small letters), where names are unique. */
const struct object *view_namesake(const struct store_view *view, const struct object *object);
#endif
