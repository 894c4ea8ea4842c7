/* SPDX-License-Identifier: BSD-2-Clause */
#include "id_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *id_of(const void *value)
{
	return *(const char *const *)value;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *id)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * 0x100000001b3;
	return h ^ h >> 32;
}

static size_t home_of(const struct id_map *map, const char *id)
{
	return hash(id) & (map->capacity - 1);
}

/* Where the id is, or the free slot where it would be. */
static size_t find(const struct id_map *map, const char *id)
{
	size_t at = home_of(map, id);

	while (map->slots[at] && strcmp(id_of(map->slots[at]), id) != 0)
		at = (at + 1) & (map->capacity - 1);
	return at;
}

void id_map_clear(struct id_map *map)
{
	free(map->slots);
	*map = (struct id_map){0};
}

void *id_map_get(const struct id_map *map, const char *id)
{
	return map->count ? map->slots[find(map, id)] : NULL;
}

static int grow(struct id_map *map)
{
	struct id_map bigger = {.capacity = map->capacity ? 2 * map->capacity : 8};

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->slots[i])
			bigger.slots[find(&bigger, id_of(map->slots[i]))] = map->slots[i];
	}
	bigger.count = map->count;
	free(map->slots);
	*map = bigger;
	return 0;
}

int id_map_add(struct id_map *map, void *value)
{
	size_t at;

	if (3 * (map->count + 1) > 2 * map->capacity) {
		const int rc = grow(map);

		if (rc)
			return rc;
	}
	at = find(map, id_of(value));
	assert(!map->slots[at]);
	map->slots[at] = value;
	map->count++;
	return 0;
}

void *id_map_remove(struct id_map *map, const char *id)
{
	const size_t mask = map->capacity - 1;
	size_t hole;
	void *value;

	if (!map->count)
		return NULL;
	hole = find(map, id);
	value = map->slots[hole];
	if (!value)
		return NULL;
	/* What comes behind moves up, unless that were before its home. */
	for (size_t at = (hole + 1) & mask; map->slots[at]; at = (at + 1) & mask) {
		const size_t home = home_of(map, id_of(map->slots[at]));

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			map->slots[hole] = map->slots[at];
			hole = at;
		}
	}
	map->slots[hole] = NULL;
	map->count--;
	return value;
}

void *id_map_next(const struct id_map *map, size_t *slot)
{
	while (*slot < map->capacity) {
		void *value = map->slots[(*slot)++];

		if (value)
			return value;
	}
	return NULL;
}
