/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "allocator_state.h"

static int reserve(struct claims *claims, size_t more)
{
	size_t capacity = claims->capacity ? claims->capacity : 2;
	struct claim *items;

	if (claims->count + more <= claims->capacity)
		return 0;
	while (capacity < claims->count + more)
		capacity *= 2;
	items = reallocarray(claims->items, capacity, sizeof(*items));
	if (!items)
		return -ENOMEM;
	claims->items = items;
	claims->capacity = capacity;
	return 0;
}

int claims_take(struct claims *claims, struct range_set *set, range_value first, range_value last,
		struct allocation *network)
{
	int rc = reserve(claims, 1);

	if (!rc)
		rc = range_set_take(set, first, last);
	if (rc)
		return rc;
	claims->items[claims->count++] = (struct claim){set, first, last, network};
	if (network)
		network->uses++;
	return 0;
}

bool claims_have(const struct claims *claims, const struct range_set *set, range_value first)
{
	for (size_t i = 0; i < claims->count; i++) {
		if (claims->items[i].set == set && claims->items[i].first == first)
			return true;
	}
	return false;
}

void claims_give(struct claims *claims)
{
	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->items[i];

		range_set_give(claim->set, claim->first, claim->last);
		if (claim->network) {
			assert(claim->network->uses);
			claim->network->uses--;
		}
	}
	free(claims->items);
	*claims = (struct claims){0};
}

void claims_cancel(struct claims *claims)
{
	for (size_t i = claims->count; i-- > 0;) {
		const struct claim *claim = &claims->items[i];
		struct subnet *subnet;

		if (!claim->network)
			continue;
		subnet = LIST_ENTRY(claim->set, struct subnet, used);
		if (subnet->cursor == claim->first + 1)
			subnet->cursor = claim->first;
	}
	claims_give(claims);
}

int claims_move(struct claims *to, struct claims *from)
{
	const int rc = reserve(to, from->count);

	if (rc)
		return rc;
	if (from->count)
		memcpy(to->items + to->count, from->items, from->count * sizeof(*from->items));
	to->count += from->count;
	free(from->items);
	*from = (struct claims){0};
	return 0;
}
