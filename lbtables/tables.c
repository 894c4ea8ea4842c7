// SPDX-License-Identifier: BSD-2-Clause
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lb_backend.h"
#include "lb_verdict.h"
#include "tables_internal.h"

enum {
	SLOT_UNIT = 32,     /* a cache line */
	RETIRED_MAX = 1024, /* a grace period for so many */
};

void tables_reclaim(struct tables *t)
{
	t->grace(t->context);
	for (uint32_t i = 0; i < t->retired_count; i++)
		extent_give(t->retired[i].extent, t->retired[i].first, t->retired[i].count);
	t->retired_count = 0;
	t->index_dirty = false;
}

void tables_retire(struct tables *t, struct extent *extent, uint32_t first, uint32_t count)
{
	if (t->retired_count == RETIRED_MAX)
		tables_reclaim(t);
	t->retired[t->retired_count++] = (struct retired){extent, first, count};
}

static int alloc_parts(struct tables *t)
{
	if (extent_init(&t->rings, t->l->ring_count, 1) ||
	    extent_init(&t->slots, t->l->slot_count, SLOT_UNIT) ||
	    extent_init(&t->backends, t->l->backend_count, TABLES_BACKEND_UNIT))
		return -ENOMEM;
	t->ring_refs = calloc(t->l->ring_count, sizeof(*t->ring_refs));
	t->region_refs = calloc(t->l->backend_count, sizeof(*t->region_refs));
	t->retired = calloc(RETIRED_MAX, sizeof(*t->retired));
	return t->ring_refs && t->region_refs && t->retired ? 0 : -ENOMEM;
}

/* 0: never configured. Masks of another size would lead past the tables' end. */
static bool mask_fits(uint32_t mask, uint32_t buckets)
{
	return !mask || mask == buckets - 1;
}

int tables_open(struct lb_tables *l, void (*grace)(void *context), void *context,
		struct tables **out)
{
	struct tables *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->l = l;
	t->grace = grace;
	t->context = context;
	err = alloc_parts(t);
	if (!err && (!mask_fits(l->config->index_mask, l->index_buckets) ||
		     !mask_fits(l->config->flow_mask, l->flow_buckets)))
		err = -EUCLEAN;
	if (!err)
		err = tables_service_adopt(t);
	if (!err)
		err = tables_index_adopt(t);
	if (err) {
		tables_close(t);
		return err;
	}
	/* What the writer before has just let go may still be looked at. */
	tables_reclaim(t);
	*out = t;
	return 0;
}

void tables_close(struct tables *t)
{
	if (!t)
		return;
	extent_free(&t->rings);
	extent_free(&t->slots);
	extent_free(&t->backends);
	free(t->ring_refs);
	free(t->region_refs);
	free(t->retired);
	free(t->next_hops);
	free(t);
}

void tables_on_move(struct tables *t, void (*moved)(void *context, uint32_t from, uint32_t to))
{
	t->moved = moved;
}

int tables_set_config(struct tables *t, const struct lb_config *config)
{
	struct lb_config *now = t->l->config;
	struct lb_config next = *config;

	/* An unused place must not match 0.0.0.0. */
	for (int i = 0; i < LB_ADDRS_MAX; i++)
		if (!next.addrs_be[i])
			next.addrs_be[i] = next.vtep_be;
	next.table_key = now->table_key;
	if (!next.table_key) {
		if (getrandom(&next.table_key, sizeof(next.table_key), 0) != sizeof(next.table_key))
			return -EIO;
		next.table_key |= 1;
	}
	next.flow_mask = t->l->flow_buckets - 1;
	next.index_mask = t->l->index_buckets - 1;
	next.sample_mask = now->sample_mask;
	/* Word by word: no reader sees half a field, and most do not change. */
	for (size_t i = 0; i < sizeof(next) / 8; i++)
		if (((uint64_t *)now)[i] != ((uint64_t *)&next)[i])
			store64(&((uint64_t *)now)[i], ((uint64_t *)&next)[i]);
	return 0;
}
_Static_assert(sizeof(struct lb_config) % 8 == 0, "written in words");

const struct next_hop *tables_next_hop(const struct tables *t, uint32_t vtep_be)
{
	for (uint32_t i = 0; i < t->next_hop_count; i++)
		if (t->next_hops[i].vtep_be == vtep_be)
			return &t->next_hops[i];
	return NULL;
}

void tables_backend_resolve(union lb_backend *b, const struct next_hop *hop)
{
	union lb_backend next = *b;

	if (hop->known) {
		memcpy(next.t.dst, hop->dst, 6);
		memcpy(next.t.src, hop->src, 6);
		next.t.outer_type_be = LB_ETHERTYPE_IPV4_BE;
		store64(&b->word[0], next.word[0]);
		store64(&b->word[1], next.word[1]);
	} else {
		next.local.kind = LB_BACKEND_UNRESOLVED;
		next.local.outer_type_be = 0;
		store64(&b->word[1], next.word[1]);
	}
}

bool tables_backend_at(const union lb_backend *entry, const struct tables_backend *b)
{
	if (entry->t.ip[0] != 0x45) /* no template */
		return b->task && b->task == entry->local.task;
	return !b->task && lb_load32(entry->t.ip + 16) == b->vtep_be;
}

void tables_backend_make(const struct tables *t, const struct tables_backend *b,
			 union lb_backend *out)
{
	const struct next_hop *hop;

	memset(out, 0, sizeof(*out));
	if (b->task) {
		out->local.task = b->task;
		out->local.kind = LB_BACKEND_LOCAL;
		memcpy(out->t.inner_dst, b->mac, 6);
		return;
	}
	lb_make_outer(out, t->l->config, b->vtep_be);
	memcpy(out->t.inner_dst, b->mac, 6);
	lb_write_mesh_mac(out->t.inner_src, LB_MAC_ENTRY, t->l->config->vtep_be);
	out->local.outer_type_be = 0;
	out->local.kind = LB_BACKEND_UNRESOLVED;
	hop = tables_next_hop(t, b->vtep_be);
	if (hop && hop->known)
		tables_backend_resolve(out, hop);
}

void tables_backend_down(union lb_backend *entry)
{
	union lb_backend next = *entry;

	next.local.kind = LB_BACKEND_DOWN;
	next.local.outer_type_be = 0;
	if (lb_backend_kind(entry) != LB_BACKEND_DOWN)
		store64(&entry->word[1], next.word[1]);
}

void tables_backend_update(const struct tables *t, union lb_backend *entry,
			   const struct tables_backend *b)
{
	union lb_backend next;

	if (b->down) {
		tables_backend_down(entry);
		return;
	}
	tables_backend_make(t, b, &next);
	/* Known addresses stay until somebody says that they changed; and when they are not known
	 * any more, for a reader that is just copying them. */
	if (!b->task && lb_backend_kind(&next) == LB_BACKEND_UNRESOLVED) {
		next.word[0] = entry->word[0];
		next.word[1] = entry->word[1];
		if (lb_backend_kind(entry) != LB_BACKEND_REMOTE || tables_next_hop(t, b->vtep_be)) {
			next.local.kind = LB_BACKEND_UNRESOLVED;
			next.local.outer_type_be = 0;
		}
	}
	for (int i = 2; i < 8; i++)
		if (entry->word[i] != next.word[i])
			store64(&entry->word[i], next.word[i]);
	if (entry->word[0] != next.word[0])
		store64(&entry->word[0], next.word[0]);
	if (entry->word[1] != next.word[1])
		store64(&entry->word[1], next.word[1]);
}

/* A template, resolved or not, that leads to a VTEP. */
static bool leads_to(const union lb_backend *b, uint32_t vtep_be)
{
	uint32_t kind = lb_backend_kind(b);

	return (kind == LB_BACKEND_REMOTE || kind == LB_BACKEND_UNRESOLVED) &&
	       lb_load32(b->t.ip + 16) == vtep_be;
}

int tables_set_next_hop(struct tables *t, uint32_t vtep_be, const uint8_t *next_hop,
			const uint8_t *source)
{
	struct next_hop *hop = (struct next_hop *)tables_next_hop(t, vtep_be);
	struct next_hop next = {.vtep_be = vtep_be, .known = next_hop != NULL};
	bool fresh = !hop;

	if (!hop) {
		hop = realloc(t->next_hops, (t->next_hop_count + 1) * sizeof(*hop));
		if (!hop)
			return -ENOMEM;
		t->next_hops = hop;
		hop += t->next_hop_count++;
		*hop = (struct next_hop){.vtep_be = vtep_be};
	}
	if (next_hop) {
		memcpy(next.dst, next_hop, 6);
		memcpy(next.src, source, 6);
	}
	if (!fresh && hop->known == next.known && !memcmp(hop->dst, next.dst, 6) &&
	    !memcmp(hop->src, next.src, 6))
		return 0; /* asked once a second, changes once a year */
	*hop = next;
	for (uint32_t i = 0; i < t->l->backend_count; i++) {
		if (i % 512 == 0 && !t->backends.used[i / 512])
			i += 511;
		else if (leads_to(&t->l->backends[i], vtep_be))
			tables_backend_resolve(&t->l->backends[i], hop);
	}
	return 0;
}

/* Units that something refers to: not those that only wait for a grace period. */
static uint32_t units_in_use(const struct tables *t, const struct extent *e)
{
	uint32_t units = e->used_units - 1;

	for (uint32_t i = 0; i < t->retired_count; i++)
		if (t->retired[i].extent == e)
			units -= (t->retired[i].count + e->unit - 1) / e->unit;
	return units;
}

struct tables_usage tables_usage(const struct tables *t)
{
	return (struct tables_usage){
	    .ports = t->ports,
	    .rings = units_in_use(t, &t->rings),
	    .backends = units_in_use(t, &t->backends) * TABLES_BACKEND_UNIT,
	    .slots = (uint64_t)units_in_use(t, &t->slots) * SLOT_UNIT,
	    .tasks = t->tasks,
	    .vias = t->vias,
	};
}
