/* SPDX-License-Identifier: BSD-2-Clause */
#include "linear_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 16 };

void linear_set_init(struct linear_set *set, size_t words)
{
	*set = (struct linear_set){.words = words};
}

void linear_set_free(struct linear_set *set)
{
	free(set->data);
	free(set->next);
	free(set->dead);
	free(set->buckets);
	*set = (struct linear_set){.words = set->words};
}

void linear_set_clear(struct linear_set *set)
{
	set->count = 0;
	if (set->buckets)
		memset(set->buckets, 0, set->bucket_count * sizeof(*set->buckets));
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Of all but the unknown, so that those which may be compared share a bucket. */
static size_t bucket_of(const struct linear_set *set, uint64_t value, const uint64_t *done,
			const uint64_t *unknown)
{
	uint64_t hash = mix(value + 0x9e3779b97f4a7c15);

	for (size_t i = 0; i < set->words; i++)
		hash = mix(hash ^ ((done[i] & ~unknown[i]) + i));
	return (size_t)hash & (set->bucket_count - 1);
}

static void link_in(struct linear_set *set, size_t i, const uint64_t *unknown)
{
	size_t bucket = bucket_of(set, linear_set_value(set, i), linear_set_done(set, i), unknown);

	set->next[i] = set->buckets[bucket];
	set->buckets[bucket] = (uint32_t)i + 1;
}

static int grow(struct linear_set *set, const uint64_t *unknown)
{
	const size_t room = set->room ? 2 * set->room : ROOM_FIRST;
	uint64_t *data;
	uint32_t *next, *buckets;
	bool *dead;

	if (room > LINEAR_CONFIGURATIONS_MAX)
		return -E2BIG;
	data = realloc(set->data, room * (set->words + 1) * sizeof(*data));
	set->data = data ? data : set->data;
	next = realloc(set->next, room * sizeof(*next));
	set->next = next ? next : set->next;
	dead = realloc(set->dead, room * sizeof(*dead));
	set->dead = dead ? dead : set->dead;
	buckets = realloc(set->buckets, 2 * room * sizeof(*buckets));
	set->buckets = buckets ? buckets : set->buckets;
	if (!data || !next || !dead || !buckets)
		return -ENOMEM;
	set->room = room;
	set->bucket_count = 2 * room;
	memset(buckets, 0, set->bucket_count * sizeof(*buckets));
	for (size_t i = 0; i < set->count; i++)
		link_in(set, i, unknown);
	return 0;
}

enum order { UNRELATED, FIRST_IS_BETTER, SECOND_IS_BETTER };

static enum order compare(size_t words, const uint64_t *first, const uint64_t *second,
			  const uint64_t *unknown)
{
	bool first_fits = true, second_fits = true;

	for (size_t i = 0; i < words; i++) {
		if ((first[i] ^ second[i]) & ~unknown[i])
			return UNRELATED;
		first_fits = first_fits && !(first[i] & ~second[i]);
		second_fits = second_fits && !(second[i] & ~first[i]);
	}
	return first_fits ? FIRST_IS_BETTER : second_fits ? SECOND_IS_BETTER : UNRELATED;
}

int linear_set_add(struct linear_set *set, uint64_t value, const uint64_t *done,
		   const uint64_t *unknown)
{
	uint64_t *slot;
	int err = set->count == set->room ? grow(set, unknown) : 0;

	if (err)
		return err;
	for (uint32_t i = set->buckets[bucket_of(set, value, done, unknown)]; i;
	     i = set->next[i - 1]) {
		if (set->dead[i - 1] || linear_set_value(set, i - 1) != value)
			continue;
		switch (compare(set->words, linear_set_done(set, i - 1), done, unknown)) {
		case FIRST_IS_BETTER:
			return 0;
		case SECOND_IS_BETTER:
			set->dead[i - 1] = true;
			break;
		case UNRELATED:
			break;
		}
	}
	slot = &set->data[set->count * (set->words + 1)];
	slot[0] = value;
	memcpy(slot + 1, done, set->words * sizeof(*done));
	set->dead[set->count] = false;
	link_in(set, set->count++, unknown);
	return 0;
}

void linear_set_bury(struct linear_set *set)
{
	const size_t size = set->words + 1;
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->dead[i])
			continue;
		memmove(&set->data[kept * size], &set->data[i * size], size * sizeof(*set->data));
		set->dead[kept++] = false;
	}
	set->count = kept;
}

void linear_set_swap(struct linear_set *a, struct linear_set *b)
{
	struct linear_set other = *a;

	*a = *b;
	*b = other;
}
