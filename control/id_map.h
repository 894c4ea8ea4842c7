/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ID_MAP_H
#define FL_ID_MAP_H
/*
 * A hash table from an id to what is known of it: open addressing with linear probes, at most two
 * thirds full, without tombstones (Knuth 6.4, algorithm R).
 *
 * The first member of a value is a pointer to its id, which the value keeps as long as it is in the
 * map. The hash has no secret: ids are made by managers, at random.
 */
#include <stddef.h>
#include <stdint.h>

struct id_map {
	void **slots; /* NULL: free */
	size_t capacity, count;
};

void id_map_clear(struct id_map *map); /* frees the table; the values are the caller's */
void *id_map_get(const struct id_map *map, const char *id); /* NULL: none */
/* The id must not be in the map yet (asserted). -ENOMEM. */
int id_map_add(struct id_map *map, void *value);
void *id_map_remove(struct id_map *map, const char *id); /* what it was; NULL: none */

/* All values, in no order that means anything: *slot from 0, until NULL. The map must not change.
 */
void *id_map_next(const struct id_map *map, size_t *slot);
#endif
