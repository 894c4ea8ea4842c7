/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct tree *tree_hold(struct tree *tree)
{
	if (tree)
		__atomic_add_fetch(&tree->references, 1, __ATOMIC_RELAXED);
	return tree;
}

/* As deep as the tree is high. */
void tree_release(struct tree *tree)
{
	if (!tree || __atomic_sub_fetch(&tree->references, 1, __ATOMIC_ACQ_REL))
		return;
	tree_release(tree->left);
	tree_release(tree->right);
	object_release(tree->object);
	free(tree);
}

static int compare(const char *key, const char *id, const struct tree *tree)
{
	const int order = strcmp(key, tree->key);

	return order ? order : strcmp(id, object_message(tree->object)->id);
}

static struct tree *node_new(const char *key, struct object *object)
{
	struct tree *tree = malloc(sizeof(*tree));

	if (tree) {
		*tree = (struct tree){.references = 1, .height = 1, .key = key, .object = object};
		object_hold(object);
	}
	return tree;
}

/*
 * Makes *link a node of this tree alone. The parent already is, so that a count of 1 means that no
 * other root leads here. A reader in another thread that lets go of its root at this moment lowers
 * the count with release order; seeing 1 with acquire order, what it read is behind us.
 */
static int own(struct tree **link)
{
	struct tree *copy, *tree = *link;

	if (__atomic_load_n(&tree->references, __ATOMIC_ACQUIRE) == 1)
		return 0;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = (struct tree){.references = 1,
			      .height = tree->height,
			      .left = tree_hold(tree->left),
			      .right = tree_hold(tree->right),
			      .key = tree->key,
			      .object = tree->object};
	object_hold(copy->object);
	*link = copy;
	tree_release(tree);
	return 0;
}

static uint32_t height(const struct tree *tree)
{
	return tree ? tree->height : 0;
}

static void set_height(struct tree *tree)
{
	const uint32_t left = height(tree->left), right = height(tree->right);

	tree->height = 1 + (left > right ? left : right);
}

/* Of nodes that are owned, the child too. */
static void rotate_right(struct tree **link)
{
	struct tree *tree = *link, *child = tree->left;

	tree->left = child->right;
	child->right = tree;
	*link = child;
	set_height(tree);
	set_height(child);
}

static void rotate_left(struct tree **link)
{
	struct tree *tree = *link, *child = tree->right;

	tree->right = child->left;
	child->left = tree;
	*link = child;
	set_height(tree);
	set_height(child);
}

/* *link is owned, its subtrees are balanced and differ in height by 2 at most. */
static int balance(struct tree **link)
{
	struct tree *tree = *link;
	int rc = 0;

	if (height(tree->left) > height(tree->right) + 1) {
		rc = own(&tree->left);
		if (!rc && height(tree->left->left) < height(tree->left->right)) {
			rc = own(&tree->left->right);
			if (!rc)
				rotate_left(&tree->left);
		}
		if (!rc)
			rotate_right(link);
	} else if (height(tree->right) > height(tree->left) + 1) {
		rc = own(&tree->right);
		if (!rc && height(tree->right->right) < height(tree->right->left)) {
			rc = own(&tree->right->left);
			if (!rc)
				rotate_right(&tree->right);
		}
		if (!rc)
			rotate_left(link);
	} else {
		set_height(tree);
	}
	return rc;
}

static void replace(struct tree *tree, const char *key, struct object *object)
{
	object_hold(object);
	object_release(tree->object);
	tree->key = key;
	tree->object = object;
}

int tree_put(struct tree **root, const char *key, struct object *object)
{
	int order, rc;

	if (!*root) {
		*root = node_new(key, object);
		return *root ? 0 : -ENOMEM;
	}
	rc = own(root);
	if (rc)
		return rc;
	order = compare(key, object_message(object)->id, *root);
	if (!order) {
		replace(*root, key, object);
		return 0;
	}
	rc = tree_put(order < 0 ? &(*root)->left : &(*root)->right, key, object);
	return rc ? rc : balance(root);
}

/* Takes the first node of *link out of it; *link is not empty. */
static int remove_first(struct tree **link, struct tree **first)
{
	int rc = own(link);

	if (rc)
		return rc;
	if (!(*link)->left) {
		*first = *link;
		*link = (*link)->right;
		(*first)->right = NULL;
		return 0;
	}
	rc = remove_first(&(*link)->left, first);
	return rc ? rc : balance(link);
}

/* Of an owned node, which goes. */
static int remove_here(struct tree **link)
{
	struct tree *tree = *link, *first = NULL;
	int rc;

	if (!tree->left || !tree->right) {
		*link = tree->left ? tree->left : tree->right;
		tree->left = tree->right = NULL;
		tree_release(tree);
		return 0;
	}
	rc = remove_first(&tree->right, &first);
	if (first) {
		replace(tree, first->key, first->object);
		tree_release(first);
	}
	return rc ? rc : balance(link);
}

/* It is there. */
static int remove_found(struct tree **root, const char *key, const char *id)
{
	int order, rc = own(root);

	if (rc)
		return rc;
	order = compare(key, id, *root);
	if (!order)
		return remove_here(root);
	rc = remove_found(order < 0 ? &(*root)->left : &(*root)->right, key, id);
	return rc ? rc : balance(root);
}

int tree_remove(struct tree **root, const char *key, const char *id)
{
	return tree_find(*root, key, id) ? remove_found(root, key, id) : -ENOENT;
}

struct object *tree_find(const struct tree *tree, const char *key, const char *id)
{
	while (tree) {
		const int order = compare(key, id, tree);

		if (!order)
			return tree->object;
		tree = order < 0 ? tree->left : tree->right;
	}
	return NULL;
}

void tree_seek(struct tree_iterator *iterator, const struct tree *root, const char *key,
	       const char *id)
{
	iterator->depth = 0;
	while (root) {
		const bool first = compare(key, id, root) <= 0;

		if (first) {
			assert(iterator->depth < TREE_HEIGHT_MAX);
			iterator->path[iterator->depth++] = root;
		}
		root = first ? root->left : root->right;
	}
}

/* The path holds the nodes whose left side is behind us, and who are still to come. */
const struct tree *tree_next(struct tree_iterator *iterator)
{
	const struct tree *tree, *next;

	if (!iterator->depth)
		return NULL;
	tree = iterator->path[--iterator->depth];
	for (next = tree->right; next; next = next->left) {
		assert(iterator->depth < TREE_HEIGHT_MAX);
		iterator->path[iterator->depth++] = next;
	}
	return tree;
}
