// SPDX-License-Identifier: BSD-2-Clause
#include "fragments.h"

#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_spinlock.h>
#include <string.h>

enum { WAYS = 4 };

struct bucket {
	rte_spinlock_t lock;
	uint32_t next; /* way that is written next: the oldest */
	struct {
		struct lb_fragment_key key;
		struct lb_fragment fragment;
	} way[WAYS];
} __rte_cache_aligned;

struct fragments {
	uint32_t mask;
	struct bucket buckets[];
};

struct fragments *fragments_open(uint32_t count)
{
	uint32_t buckets = count / WAYS;
	struct fragments *f = rte_zmalloc("fragments", sizeof(*f) + buckets * sizeof(f->buckets[0]),
					  RTE_CACHE_LINE_SIZE);

	if (f)
		f->mask = buckets - 1;
	return f;
}

void fragments_close(struct fragments *f)
{
	rte_free(f);
}

static struct bucket *bucket_of(struct fragments *f, const struct lb_fragment_key *key)
{
	return &f->buckets[rte_jhash(key, sizeof(*key), 0) & f->mask];
}

int fragments_get(struct fragments *f, const struct lb_fragment_key *key, struct lb_fragment *out)
{
	struct bucket *b = bucket_of(f, key);
	int found = -1;

	rte_spinlock_lock(&b->lock);
	for (int i = 0; i < WAYS && found; i++)
		if (!memcmp(&b->way[i].key, key, sizeof(*key))) {
			*out = b->way[i].fragment;
			found = 0;
		}
	rte_spinlock_unlock(&b->lock);
	return found;
}

void fragments_put(struct fragments *f, const struct lb_fragment_key *key,
		   const struct lb_fragment *fragment)
{
	struct bucket *b = bucket_of(f, key);
	uint32_t at = WAYS;

	rte_spinlock_lock(&b->lock);
	for (uint32_t i = 0; i < WAYS; i++)
		if (!memcmp(&b->way[i].key, key, sizeof(*key)))
			at = i;
	if (at == WAYS)
		at = b->next++ % WAYS;
	b->way[at].key = *key;
	b->way[at].fragment = *fragment;
	rte_spinlock_unlock(&b->lock);
}
