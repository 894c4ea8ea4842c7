/* SPDX-License-Identifier: BSD-2-Clause */
#include "scheduler_spread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler_constraint.h"
#include "scheduler_filter.h"

/* A vertex, or a node. */
struct item {
	size_t penalty, tasks, total;
	const char *name; /* a label's value, or a node's id */
	struct scheduler_node *node;
	struct item *children; /* a heap */
	size_t count;
};

struct scheduler_spread {
	const Fl__Task *task;
	int64_t now;
	size_t levels;
	struct item root;
	size_t used; /* of items */
	struct item items[];
};

/* A node and the values of its labels, while the tree is built. */
struct place {
	struct scheduler_node *node;
	const char *values[SPREAD_LEVELS_MAX];
};

static bool is_before(const struct item *a, const struct item *b)
{
	if (a->penalty != b->penalty)
		return a->penalty < b->penalty;
	if (a->tasks != b->tasks)
		return a->tasks < b->tasks;
	if (a->total != b->total)
		return a->total < b->total;
	return strcmp(a->name, b->name) < 0;
}

static void sift_down(struct item *parent, size_t at)
{
	struct item *heap = parent->children;

	for (;;) {
		size_t first = at;
		struct item held;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < parent->count && is_before(&heap[child], &heap[first]))
				first = child;
		}
		if (first == at)
			return;
		held = heap[at];
		heap[at] = heap[first];
		heap[first] = held;
		at = first;
	}
}

static void make_heap(struct item *parent)
{
	for (size_t i = parent->count / 2; i-- > 0;)
		sift_down(parent, i);
}

/* Levels that say something, and their labels. */
static size_t descriptors(const Fl__Task *task, const char *found[SPREAD_LEVELS_MAX])
{
	const Fl__Placement *placement = task->spec ? task->spec->placement : NULL;
	static const Fl__Node nowhere = FL__NODE__INIT;
	size_t count = 0;

	for (size_t i = 0; placement && i < placement->n_preferences; i++) {
		const Fl__SpreadOver *spread = placement->preferences[i]->spread;

		if (spread && spread->spread_descriptor && count < SPREAD_LEVELS_MAX &&
		    constraint_label(spread->spread_descriptor, &nowhere))
			found[count++] = spread->spread_descriptor;
	}
	return count;
}

static int compare_places(const void *a, const void *b, void *levels)
{
	const struct place *one = a, *other = b;
	int order = 0;

	for (size_t i = 0; !order && i < *(const size_t *)levels; i++)
		order = strcmp(one->values[i], other->values[i]);
	return order;
}

static struct place *list_places(const struct id_map *nodes, const Fl__Task *task, size_t *levels)
{
	const char *labels[SPREAD_LEVELS_MAX];
	struct place *places = malloc((nodes->count + 1) * sizeof(*places));
	struct scheduler_node *node;
	size_t slot = 0, count = 0;

	*levels = descriptors(task, labels);
	while (places && (node = id_map_next(nodes, &slot))) {
		struct place *place = &places[count++];

		place->node = node;
		for (size_t i = 0; i < *levels; i++)
			place->values[i] = constraint_label(labels[i], node->node);
	}
	if (places && *levels)
		qsort_r(places, count, sizeof(*places), compare_places, levels);
	return places;
}

/* The lowest level: nodes. Those without room are counted alone. */
static void plant_nodes(struct scheduler_spread *spread, struct item *parent,
			const struct place *places, size_t count)
{
	parent->children = spread->items + spread->used;
	for (size_t i = 0; i < count; i++) {
		struct scheduler_node *node = places[i].node;
		struct item leaf = {.tasks = scheduler_node_active(node, spread->task->service_id),
				    .total = node->active,
				    .name = node->id,
				    .node = node};

		parent->tasks += leaf.tasks;
		parent->total += leaf.total;
		if (scheduler_filter(spread->task, node) != NOT_REFUSED)
			continue;
		leaf.penalty = scheduler_node_penalty(node, spread->task, spread->now);
		spread->items[spread->used++] = leaf;
		parent->count++;
	}
	make_heap(parent);
}

/* Of places that agree on the levels above; they are sorted. */
static void plant(struct scheduler_spread *spread, struct item *parent, const struct place *places,
		  size_t count, size_t level)
{
	size_t begin = 0, branches = 0;

	if (level == spread->levels) {
		plant_nodes(spread, parent, places, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		branches += !i || strcmp(places[i - 1].values[level], places[i].values[level]) != 0;
	parent->children = spread->items + spread->used;
	parent->count = branches;
	spread->used += branches;
	for (size_t branch = 0; branch < branches; branch++) {
		struct item *child = &parent->children[branch];
		size_t end = begin + 1;

		while (end < count &&
		       !strcmp(places[begin].values[level], places[end].values[level]))
			end++;
		*child = (struct item){.name = places[begin].values[level]};
		plant(spread, child, places + begin, end - begin, level + 1);
		parent->tasks += child->tasks;
		parent->total += child->total;
		begin = end;
	}
	make_heap(parent);
}

int scheduler_spread_new(const struct id_map *nodes, const Fl__Task *task, int64_t now,
			 struct scheduler_spread **result)
{
	size_t levels;
	struct place *places = list_places(nodes, task, &levels);
	struct scheduler_spread *spread = NULL;

	if (places)
		spread =
		    malloc(sizeof(*spread) + nodes->count * (levels + 1) * sizeof(*spread->items));
	if (spread) {
		*spread = (struct scheduler_spread){.task = task, .now = now, .levels = levels};
		plant(spread, &spread->root, places, nodes->count, 0);
		*result = spread;
	}
	free(places);
	return spread ? 0 : -ENOMEM;
}

void scheduler_spread_free(struct scheduler_spread *spread)
{
	free(spread);
}

static struct scheduler_node *pick(const struct scheduler_spread *spread, struct item *item)
{
	struct scheduler_node *node = NULL;

	if (item->node) {
		if (scheduler_filter(spread->task, item->node) == NOT_REFUSED)
			node = item->node;
	}
	while (!node && item->count) {
		node = pick(spread, &item->children[0]);
		if (!node) /* never again */
			item->children[0] = item->children[--item->count];
		sift_down(item, 0);
	}
	if (node) {
		item->tasks++;
		item->total++;
	}
	return node;
}

struct scheduler_node *scheduler_spread_next(struct scheduler_spread *spread)
{
	return pick(spread, &spread->root);
}
