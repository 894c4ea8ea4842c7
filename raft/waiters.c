/* SPDX-License-Identifier: BSD-2-Clause */
#include "waiters.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64, CAPACITY_KEPT = 4096 };

int waiters_reserve(struct waiters *waiters)
{
	const size_t capacity = waiters->capacity ? 2 * waiters->capacity : CAPACITY_MIN;
	struct waiter *ring;

	if (waiters->count < waiters->capacity)
		return 0;
	ring = malloc(capacity * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < waiters->count; i++)
		ring[i] = waiters->ring[(waiters->first + i) & (waiters->capacity - 1)];
	free(waiters->ring);
	waiters->ring = ring;
	waiters->first = 0;
	waiters->capacity = capacity;
	return 0;
}

static struct waiter *at(struct waiters *waiters, size_t place)
{
	return &waiters->ring[(waiters->first + place) & (waiters->capacity - 1)];
}

void waiters_add(struct waiters *waiters, const struct waiter *waiter)
{
	assert(waiters->count < waiters->capacity);
	assert(!waiters->count || at(waiters, waiters->count - 1)->index <= waiter->index);
	waiters->count++;
	*at(waiters, waiters->count - 1) = *waiter;
}

bool waiters_take(struct waiters *waiters, uint64_t index, struct waiter *waiter)
{
	if (!waiters->count || at(waiters, 0)->index > index)
		return false;
	*waiter = *at(waiters, 0);
	waiters->first = (waiters->first + 1) & (waiters->capacity - 1);
	waiters->count--;
	if (!waiters->count && waiters->capacity > CAPACITY_KEPT)
		waiters_free(waiters);
	return true;
}

void waiters_free(struct waiters *waiters)
{
	free(waiters->ring);
	*waiters = (struct waiters){0};
}
