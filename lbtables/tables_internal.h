/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TABLES_INTERNAL_H
#define FL_TABLES_INTERNAL_H
/* Shared by the writer's files: tables.c (life, config), tables_index.c (index, vias, tasks),
 * tables_service.c (rings, backends, ports). */
#include "extent.h"
#include "tables.h"

enum { TABLES_BACKEND_UNIT = 8 }; /* of lb_ring.capacity too */

struct next_hop {
	uint32_t vtep_be;
	bool known;
	uint8_t dst[6], src[6];
};

/* What waits for a grace period before it is free again. */
struct retired {
	struct extent *extent;
	uint32_t first, count;
};

struct tables {
	struct lb_tables *l;
	void (*grace)(void *context);
	void *context;
	void (*moved)(void *context, uint32_t from, uint32_t to);
	struct extent rings, slots, backends;
	uint32_t *ring_refs;   /* ports and newer rings that refer to a ring */
	uint32_t *region_refs; /* rings that refer to a region, by its first backend */
	struct next_hop *next_hops;
	uint32_t next_hop_count;
	struct retired *retired;
	uint32_t retired_count, retired_size;
	bool index_dirty; /* a way was emptied and no grace period passed since */
	uint32_t via_last, task_last, vias, tasks;
	uint32_t ports;
};

/* Frees after the next grace period. Without memory to remember it: at once, after one now. */
void tables_retire(struct tables *t, struct extent *extent, uint32_t first, uint32_t count);

int tables_index_put(struct tables *t, uint64_t key, enum lb_index_kind kind, uint32_t value);
void tables_index_remove(struct tables *t, uint64_t key, enum lb_index_kind kind);
/* 0: not there. */
uint32_t tables_index_get(const struct tables *t, uint64_t key, enum lb_index_kind kind);
/* Learns which vias and tasks are in use; -EUCLEAN. */
int tables_index_adopt(struct tables *t);
/* Learns which rings, slots and backends are in use; -EUCLEAN. */
int tables_service_adopt(struct tables *t);

const struct next_hop *tables_next_hop(const struct tables *t, uint32_t vtep_be);
/* Writes next_hop's addresses into a template that leads there. */
void tables_backend_resolve(union lb_backend *b, const struct next_hop *hop);
/* A backend's entry, where no reader looks. Not down, whatever b says. */
void tables_backend_make(const struct tables *t, const struct tables_backend *b,
			 union lb_backend *out);
/* Is this entry about that backend, at the place where it is now? What is down still says where it
 * was: only there is it revived, so what an entry leads to never changes while it can be reached. */
bool tables_backend_at(const union lb_backend *entry, const struct tables_backend *b);
/* Brings an entry that readers may be using up to date. Word 1 says what it is, so it goes first
 * where the entry stops being something and last where it becomes something. */
void tables_backend_update(const struct tables *t, union lb_backend *entry,
			   const struct tables_backend *b);
void tables_backend_down(union lb_backend *entry);

/* Stores that readers may see at any moment. */
static inline void store64(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline void store32(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}
#endif
