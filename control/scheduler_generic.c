/* SPDX-License-Identifier: BSD-2-Clause */
#include "scheduler_generic.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

static const char *kind_of(const Fl__GenericResource *resource)
{
	const char *kind = NULL;

	if (resource->named_resource_spec)
		kind = resource->named_resource_spec->kind;
	else if (resource->discrete_resource_spec)
		kind = resource->discrete_resource_spec->kind;
	return kind ? kind : "";
}

static const char *name_of(const Fl__GenericResource *resource)
{
	const Fl__NamedGenericResource *named = resource->named_resource_spec;

	return named ? named->value ? named->value : "" : NULL;
}

static int64_t amount_of(const Fl__GenericResource *resource)
{
	return resource->discrete_resource_spec ? resource->discrete_resource_spec->value : 0;
}

static bool same_name(const Fl__GenericResource *a, const Fl__GenericResource *b)
{
	return name_of(a) && name_of(b) && !strcmp(name_of(a), name_of(b)) &&
	       !strcmp(kind_of(a), kind_of(b));
}

static bool is_used(const struct scheduler_node *node, const Fl__GenericResource *named)
{
	for (const struct list *at = node->tasks.next; at != &node->tasks; at = at->next) {
		size_t count;
		Fl__GenericResource *const *used =
		    task_generics(LIST_ENTRY(at, struct scheduler_task, on_node), &count);

		for (size_t i = 0; i < count; i++) {
			if (same_name(used[i], named))
				return true;
		}
	}
	return false;
}

static int64_t amount_used(const struct scheduler_node *node, const char *kind)
{
	int64_t sum = 0;

	for (const struct list *at = node->tasks.next; at != &node->tasks; at = at->next) {
		size_t count;
		Fl__GenericResource *const *used =
		    task_generics(LIST_ENTRY(at, struct scheduler_task, on_node), &count);

		for (size_t i = 0; i < count; i++) {
			if (!strcmp(kind_of(used[i]), kind))
				sum += amount_of(used[i]);
		}
	}
	return sum;
}

static const Fl__Resources *offered(const struct scheduler_node *node)
{
	return node->node->description ? node->node->description->resources : NULL;
}

static bool has_names(const Fl__Resources *offer, const char *kind)
{
	for (size_t i = 0; i < offer->n_generic_resources; i++) {
		if (name_of(offer->generic_resources[i]) &&
		    !strcmp(kind_of(offer->generic_resources[i]), kind))
			return true;
	}
	return false;
}

/* Free names of a wish's kind, or the one it names; at most limit are put into *found (may be
 * NULL). */
static size_t free_names(const struct scheduler_node *node, const Fl__GenericResource *wish,
			 Fl__GenericResource **found, size_t limit)
{
	const Fl__Resources *offer = offered(node);
	size_t count = 0;

	for (size_t i = 0; i < offer->n_generic_resources && count < limit; i++) {
		Fl__GenericResource *item = offer->generic_resources[i];

		if (!name_of(item) || strcmp(kind_of(item), kind_of(wish)) != 0 ||
		    (name_of(wish) && !same_name(item, wish)) || is_used(node, item))
			continue;
		if (found)
			found[count] = item;
		count++;
	}
	return count;
}

static int64_t free_amount(const struct scheduler_node *node, const char *kind)
{
	const Fl__Resources *offer = offered(node);
	int64_t sum = -amount_used(node, kind);

	for (size_t i = 0; i < offer->n_generic_resources; i++) {
		if (!strcmp(kind_of(offer->generic_resources[i]), kind))
			sum += amount_of(offer->generic_resources[i]);
	}
	return sum;
}

/* How many names a wish is for. */
static size_t names_wanted(const Fl__GenericResource *wish)
{
	const int64_t amount = amount_of(wish);

	return name_of(wish) ? 1 : amount > 0 ? (size_t)amount : 0;
}

bool scheduler_generic_fits(const struct scheduler_node *node, const Fl__Resources *wanted)
{
	for (size_t i = 0; i < wanted->n_generic_resources; i++) {
		const Fl__GenericResource *wish = wanted->generic_resources[i];
		const size_t names = names_wanted(wish);

		if (!names)
			continue;
		if (!offered(node))
			return false;
		if (name_of(wish) || has_names(offered(node), kind_of(wish))) {
			if (free_names(node, wish, NULL, names) < names)
				return false;
		} else if (free_amount(node, kind_of(wish)) < amount_of(wish)) {
			return false;
		}
	}
	return true;
}

int scheduler_generic_claim(const struct scheduler_node *node, const Fl__Resources *wanted,
			    Fl__Resources **claim)
{
	Fl__Resources resources = FL__RESOURCES__INIT;
	Fl__GenericResource **list;
	size_t count = 0;
	void *block;

	*claim = NULL;
	if (!wanted || !wanted->n_generic_resources || !offered(node))
		return 0;
	/* Each wish takes a wish itself or names that the node has. */
	list = calloc(wanted->n_generic_resources + offered(node)->n_generic_resources,
		      sizeof(Fl__GenericResource *));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < wanted->n_generic_resources; i++) {
		Fl__GenericResource *wish = wanted->generic_resources[i];
		const size_t names = names_wanted(wish);

		if (name_of(wish) || has_names(offered(node), kind_of(wish)))
			count += free_names(node, wish, list + count, names);
		else if (names)
			list[count++] = wish;
	}
	resources.generic_resources = list;
	resources.n_generic_resources = count;
	block = malloc(message_block_size(&resources.base));
	if (block)
		*claim = (Fl__Resources *)message_block_copy(&resources.base, block);
	free(list);
	return block ? 0 : -ENOMEM;
}
