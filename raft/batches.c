/* SPDX-License-Identifier: BSD-2-Clause */
#include "batches.h"

#include "mutation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void batches_free(struct batches *batches)
{
	free(batches->items);
	*batches = (struct batches){0};
}

int batches_reserve(struct batches *batches)
{
	if (batches->head + batches->count < batches->capacity)
		return 0;
	if (batches->head > batches->count) {
		memmove(batches->items, batches->items + batches->head,
			batches->count * sizeof(*batches->items));
		batches->head = 0;
		return 0;
	}
	size_t capacity = batches->capacity ? 2 * batches->capacity : 16;
	struct batch *items = realloc(batches->items, capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	batches->items = items;
	batches->capacity = capacity;
	return 0;
}

void batches_add(struct batches *batches, const struct batch *batch)
{
	assert(batches->head + batches->count < batches->capacity);
	batches->items[batches->head + batches->count++] = *batch;
}

void batches_cut(struct batches *batches, uint64_t from)
{
	uint64_t keep = from - 1;

	if (batches->taken > keep)
		batches->taken = keep;
	if (RAFT_MUTATION(stale_persist))
		return;
	if (batches->persisted > keep)
		batches->persisted = keep;
	for (size_t i = 0; i < batches->count; i++) {
		struct batch *batch = &batches->items[batches->head + i];
		if (batch->last > keep)
			batch->last = keep;
	}
}

void batches_persisted(struct batches *batches, uint64_t sequence)
{
	while (batches->count && batches->items[batches->head].sequence <= sequence) {
		const struct batch *batch = &batches->items[batches->head++];
		batches->count--;
		if (batch->last > batches->persisted)
			batches->persisted = batch->last;
		batches->term = batch->term;
		batches->vote = batch->vote;
	}
	if (!batches->count)
		batches->head = 0;
}
