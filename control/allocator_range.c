/* SPDX-License-Identifier: BSD-2-Clause */
#include "allocator_range.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void range_set_clear(struct range_set *set)
{
	free(set->ranges);
	*set = (struct range_set){0};
}

/* The first range that ends at the value or behind it. */
static size_t seek(const struct range_set *set, range_value value)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (set->ranges[middle].last < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool range_set_has(const struct range_set *set, range_value first, range_value last)
{
	const size_t at = seek(set, first);

	return at < set->count && set->ranges[at].first <= last;
}

/* As many ranges as takes: giving back may then split ranges without asking for memory. */
static int reserve(struct range_set *set)
{
	const size_t capacity = set->capacity ? 2 * set->capacity : 4;
	struct range *ranges;

	if (set->takes < set->capacity)
		return 0;
	ranges = reallocarray(set->ranges, capacity, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	set->ranges = ranges;
	set->capacity = capacity;
	return 0;
}

static void insert(struct range_set *set, size_t at, struct range range)
{
	assert(set->count < set->capacity);
	memmove(set->ranges + at + 1, set->ranges + at, (set->count - at) * sizeof(range));
	set->ranges[at] = range;
	set->count++;
}

static void erase(struct range_set *set, size_t at)
{
	set->count--;
	memmove(set->ranges + at, set->ranges + at + 1, (set->count - at) * sizeof(*set->ranges));
}

int range_set_take(struct range_set *set, range_value first, range_value last)
{
	const size_t at = seek(set, first);
	bool joins_left, joins_right;
	int rc;

	assert(first <= last);
	if (range_set_has(set, first, last))
		return -EEXIST;
	rc = reserve(set);
	if (rc)
		return rc;
	joins_left = at > 0 && set->ranges[at - 1].last + 1 == first;
	joins_right = at < set->count && set->ranges[at].first == last + 1;
	if (joins_left && joins_right) {
		set->ranges[at - 1].last = set->ranges[at].last;
		erase(set, at);
	} else if (joins_left) {
		set->ranges[at - 1].last = last;
	} else if (joins_right) {
		set->ranges[at].first = first;
	} else {
		insert(set, at, (struct range){first, last});
	}
	set->takes++;
	return 0;
}

void range_set_give(struct range_set *set, range_value first, range_value last)
{
	const size_t at = seek(set, first);
	struct range old;

	assert(at < set->count && set->takes);
	old = set->ranges[at];
	assert(old.first <= first && last <= old.last);
	set->takes--;
	if (old.first < first && last < old.last) {
		set->ranges[at].last = first - 1;
		insert(set, at + 1, (struct range){last + 1, old.last});
	} else if (old.first < first) {
		set->ranges[at].last = first - 1;
	} else if (last < old.last) {
		set->ranges[at].first = last + 1;
	} else {
		erase(set, at);
	}
}

static int find_between(const struct range_set *set, range_value low, range_value high,
			range_value size, range_value *first)
{
	range_value candidate = (low + size - 1) & ~(size - 1);

	/* candidate < low: it went past the greatest number. */
	for (size_t at = seek(set, candidate);
	     candidate >= low && candidate <= high && high - candidate >= size - 1; at++) {
		while (at < set->count && set->ranges[at].last < candidate)
			at++;
		if (at == set->count || set->ranges[at].first > candidate + (size - 1)) {
			*first = candidate;
			return 0;
		}
		candidate = (set->ranges[at].last + size) & ~(size - 1);
	}
	return -ENOSPC;
}

int range_set_find(const struct range_set *set, range_value low, range_value high, range_value from,
		   range_value size, range_value *first)
{
	assert(size && !(size & (size - 1)));
	if (from > low && from <= high && !find_between(set, from, high, size, first))
		return 0;
	return find_between(set, low, high, size, first);
}
