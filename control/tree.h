/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TREE_H
#define FL_TREE_H
/*
 * A persistent ordered map of (key, object's id) to object: an AVL tree (Adelson-Velsky and Landis,
 * 1962; Knuth 6.2.3) whose nodes are counted and shared between versions. Who holds a root has a
 * tree that never changes. A change copies the path to it where the path is shared, and works in
 * place where it is not.
 *
 * One thread changes a root; holding and releasing roots, and reading, is for any.
 * Keys lie in the objects, or are constants.
 */
#include <stdint.h>

#include "object.h"

enum { TREE_HEIGHT_MAX = 48 }; /* 1.44 log2 of 2^32 */

struct tree {
	uint32_t references; /* atomic */
	uint32_t height;
	struct tree *left, *right;
	const char *key;
	struct object *object; /* held */
};

struct tree *tree_hold(struct tree *tree); /* NULL gives NULL */
void tree_release(struct tree *tree);      /* NULL is fine */

/* Adds, or puts the object in place of the one of the same key and id. -ENOMEM: the tree holds what
 * it held, or what it was to hold, but may be out of balance: release it. */
int tree_put(struct tree **root, const char *key, struct object *object);
/* -ENOENT: it was not there, and nothing was copied. -ENOMEM: as above. */
int tree_remove(struct tree **root, const char *key, const char *id);

struct object *tree_find(const struct tree *tree, const char *key, const char *id);

/* In order, from the first that is not less than (key, id) on. The root must stay held. */
struct tree_iterator {
	const struct tree *path[TREE_HEIGHT_MAX];
	uint32_t depth;
};
void tree_seek(struct tree_iterator *iterator, const struct tree *root, const char *key,
	       const char *id);
const struct tree *tree_next(struct tree_iterator *iterator); /* NULL: the end */
#endif
