// SPDX-License-Identifier: BSD-2-Clause
/*
 * One service's ring, backends and ports. Backends live in a region of the backend array; a ring's
 * slots are ordinals in that region, and an ordinal keeps its owner as long as a live generation
 * names it. References are counted: ports and newer rings hold a ring, rings hold their region.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb_backend.h"
#include "lb_bytes.h"
#include "lb_verdict.h"
#include "ring.h"
#include "tables_internal.h"

enum { REGION_MIN = 16 };

static struct lb_port port_read(const struct tables *t, uint32_t index)
{
	union {
		uint64_t word;
		struct lb_port port;
	} u = {.word = lb_read_once((const uint64_t *)&t->l->ports[index])};

	return u.port;
}

static uint32_t region_size(const struct lb_ring *r)
{
	return (uint32_t)r->capacity * TABLES_BACKEND_UNIT;
}

static void ring_hold(struct tables *t, uint32_t ring)
{
	if (ring)
		t->ring_refs[ring]++;
}

static void ring_release(struct tables *t, uint32_t ring)
{
	while (ring && !--t->ring_refs[ring]) {
		const struct lb_ring *r = &t->l->rings[ring];
		uint32_t prev = r->prev;

		if (r->size)
			tables_retire(t, &t->slots, r->slots, r->size);
		if (!--t->region_refs[r->backends])
			tables_retire(t, &t->backends, r->backends, region_size(r));
		tables_retire(t, &t->rings, ring, 1);
		ring = prev;
	}
}

static void port_write(struct tables *t, uint32_t index, struct lb_port port)
{
	union {
		struct lb_port port;
		uint64_t word;
	} u = {.port = port};
	uint32_t old = port_read(t, index).ring;

	ring_hold(t, port.ring);
	store64((uint64_t *)&t->l->ports[index], u.word);
	t->ports += port.ring != 0;
	t->ports -= old != 0;
	ring_release(t, old);
}

/* A ring that a killed writer or a reader may have left: believed only within bounds. */
static int ring_adopt(struct tables *t, uint32_t ring, uint32_t depth)
{
	const struct lb_ring *r;

	if (!ring)
		return 0;
	if (ring >= t->l->ring_count || depth > LB_GENERATIONS_MAX)
		return -EUCLEAN;
	if (t->ring_refs[ring]++)
		return 0;
	r = &t->l->rings[ring];
	if (extent_mark(&t->rings, ring, 1) || !r->capacity || r->backend_count > region_size(r) ||
	    (r->size && extent_mark(&t->slots, r->slots, r->size)) ||
	    extent_mark(&t->backends, r->backends, region_size(r)))
		return -EUCLEAN;
	t->region_refs[r->backends]++;
	return ring_adopt(t, r->prev, depth + 1);
}

int tables_service_adopt(struct tables *t)
{
	for (uint32_t i = 0; i < LB_PORTS_MAX; i++) {
		uint32_t ring = port_read(t, i).ring;
		int err = ring_adopt(t, ring, 1);

		if (err)
			return err;
		t->ports += ring != 0;
	}
	return 0;
}

/* A change of a service that is being prepared. */
struct change {
	const struct tables_service *service;
	uint32_t old; /* its newest ring so far, 0: none */
	struct ring_backend *names;
	uint16_t *ordinal; /* of each listed backend, or RING_NO_OWNER */
	uint16_t *listed;  /* by ordinal: index into the list, or RING_NO_OWNER */
	uint16_t *previous, *owner;
	uint32_t size;
	uint32_t unplaced; /* listed backends without an entry yet */
	int64_t moved;
};

static void change_free(struct change *c)
{
	free(c->names);
	free(c->ordinal);
	free(c->listed);
	free(c->previous);
	free(c->owner);
}

static uint64_t backend_mac(const union lb_backend *b)
{
	return lb_load_mac(b->t.inner_dst);
}

/* Is this entry still about that backend, at the place where it is now? */
static bool same_place(const union lb_backend *entry, const struct tables_backend *b)
{
	switch (lb_backend_kind(entry)) {
	case LB_BACKEND_LOCAL:
		return b->task == entry->local.task;
	case LB_BACKEND_REMOTE:
	case LB_BACKEND_UNRESOLVED:
		return !b->task && lb_load32(entry->t.ip + 16) == b->vtep_be;
	default:
		return true; /* down: revived in place */
	}
}

struct mac_index {
	uint64_t mac;
	uint32_t index;
};

static int compare_macs(const void *a, const void *b)
{
	const struct mac_index *x = a, *y = b;

	return (x->mac > y->mac) - (x->mac < y->mac);
}

/* Finds the listed backends among the entries of the region that the service uses. */
static int match_entries(struct tables *t, struct change *c)
{
	const struct tables_service *s = c->service;
	const struct lb_ring *old = &t->l->rings[c->old];
	struct mac_index *macs = calloc(s->backend_count + 1, sizeof(*macs));

	if (!macs)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->backend_count; i++)
		macs[i] = (struct mac_index){lb_load_mac(s->backends[i].mac), i};
	qsort(macs, s->backend_count, sizeof(*macs), compare_macs);
	for (uint32_t o = 0; c->old && o < old->backend_count; o++) {
		const union lb_backend *entry = &t->l->backends[old->backends + o];
		struct mac_index key = {.mac = backend_mac(entry)};
		struct mac_index *hit =
		    bsearch(&key, macs, s->backend_count, sizeof(*macs), compare_macs);

		if (!hit || c->ordinal[hit->index] != RING_NO_OWNER ||
		    !same_place(entry, &s->backends[hit->index]))
			continue;
		c->ordinal[hit->index] = (uint16_t)o;
		c->listed[o] = (uint16_t)hit->index;
		c->unplaced--;
	}
	free(macs);
	return 0;
}

static int change_prepare(struct tables *t, struct change *c)
{
	const struct tables_service *s = c->service;
	uint32_t n = s->backend_count;

	for (uint32_t i = 0; i < s->port_count; i++) {
		uint32_t ring = port_read(t, s->ports[i].index).ring;

		if (ring && t->l->rings[ring].service == s->name && (!c->old || t->l->rings[ring].generation >
					    t->l->rings[c->old].generation))
			c->old = ring;
	}
	c->names = calloc(n + 1, sizeof(*c->names));
	c->ordinal = malloc((n + 1) * sizeof(*c->ordinal));
	c->listed = malloc(LB_SERVICE_BACKENDS_MAX * sizeof(*c->listed));
	if (!c->names || !c->ordinal || !c->listed)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct tables_backend *b = &s->backends[i];

		c->names[i] = (struct ring_backend){ring_name(b->mac, 6), b->down ? 0 : b->weight};
		c->ordinal[i] = RING_NO_OWNER;
	}
	memset(c->listed, 0xff, LB_SERVICE_BACKENDS_MAX * sizeof(*c->listed));
	c->unplaced = n;
	return match_entries(t, c);
}

static bool any_weight(const struct change *c)
{
	for (uint32_t i = 0; i < c->service->backend_count; i++)
		if (c->names[i].weight)
			return true;
	return false;
}

/* The new owners, as indices into the list. A ring never shrinks: that would move flows. */
static int change_build(struct tables *t, struct change *c)
{
	const struct lb_ring *old = &t->l->rings[c->old];
	uint32_t n = c->service->backend_count;

	if (!any_weight(c)) {
		c->size = 0;
		c->moved = c->old ? old->size : 1;
		return 0;
	}
	c->size = c->service->ring_size ? c->service->ring_size : ring_size_fit(c->names, n);
	if (c->old && !c->service->ring_size && old->size > c->size)
		c->size = old->size;
	c->owner = malloc(c->size * sizeof(*c->owner));
	if (!c->owner)
		return -ENOMEM;
	if (c->old && old->size) {
		c->previous = malloc(old->size * sizeof(*c->previous));
		if (!c->previous)
			return -ENOMEM;
		for (uint32_t i = 0; i < old->size; i++)
			c->previous[i] = c->listed[t->l->slots[old->slots + i]];
	}
	c->moved = ring_build(c->names, n, c->size, c->previous, c->previous ? old->size : 0,
			      c->owner);
	return c->moved < 0 ? (int)c->moved : 0;
}

static void entry_make(const struct tables *t, const struct tables_backend *b,
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
	lb_write_mesh_mac(out->t.inner_src, LB_MAC_ENTRY, 0, t->l->config->vtep_be);
	out->local.outer_type_be = 0;
	out->local.kind = LB_BACKEND_UNRESOLVED;
	hop = tables_next_hop(t, b->vtep_be);
	if (hop && hop->known)
		tables_backend_resolve(out, hop);
}

/* Brings an entry that readers may be using up to date. Word 1 says what it is, so it goes first
 * where the entry stops being something and last where it becomes something. */
static void entry_update(const struct tables *t, union lb_backend *entry,
			 const struct tables_backend *b)
{
	uint32_t kind = lb_backend_kind(entry);
	union lb_backend next;

	entry_make(t, b, &next);
	if (b->down) {
		next.local.kind = LB_BACKEND_DOWN;
		next.local.outer_type_be = 0;
		store64(&entry->word[1], next.word[1]);
		return;
	}
	/* Known addresses stay until somebody says that they changed. */
	if (!b->task && kind == LB_BACKEND_REMOTE && !tables_next_hop(t, b->vtep_be)) {
		next.word[0] = entry->word[0];
		next.word[1] = entry->word[1];
	}
	for (int i = 2; i < 8; i++)
		if (entry->word[i] != next.word[i])
			store64(&entry->word[i], next.word[i]);
	if (entry->word[0] != next.word[0])
		store64(&entry->word[0], next.word[0]);
	if (entry->word[1] != next.word[1])
		store64(&entry->word[1], next.word[1]);
}

/* Entries that no backend of the list stands for any more: gone, unless listed as draining. */
static void entries_retire(struct tables *t, const struct change *c)
{
	for (uint32_t ring = c->old; ring; ring = t->l->rings[ring].prev) {
		const struct lb_ring *r = &t->l->rings[ring];
		bool same = r->backends == t->l->rings[c->old].backends;

		for (uint32_t o = 0; o < r->backend_count; o++) {
			union lb_backend *entry = &t->l->backends[r->backends + o];
			union lb_backend next = *entry;
			bool listed = same && c->listed[o] != RING_NO_OWNER &&
				      !c->service->backends[c->listed[o]].down;

			/* In an older region, by name. */
			for (uint32_t i = 0; !same && !listed && i < c->service->backend_count; i++)
				listed = !memcmp(c->service->backends[i].mac, entry->t.inner_dst, 6) &&
					 !c->service->backends[i].down &&
					 same_place(entry, &c->service->backends[i]);
			if (listed || lb_backend_kind(entry) == LB_BACKEND_DOWN)
				continue;
			next.local.kind = LB_BACKEND_DOWN;
			next.local.outer_type_be = 0;
			store64(&entry->word[1], next.word[1]);
		}
	}
}

/* Which ordinals of the region some live generation still names. */
static uint8_t *ordinals_in_use(const struct tables *t, const struct change *c)
{
	uint8_t *used = calloc(LB_SERVICE_BACKENDS_MAX, 1);
	uint32_t region = t->l->rings[c->old].backends;

	for (uint32_t ring = c->old; used && ring; ring = t->l->rings[ring].prev) {
		const struct lb_ring *r = &t->l->rings[ring];

		if (r->backends != region)
			continue;
		for (uint32_t i = 0; i < r->size; i++)
			used[t->l->slots[r->slots + i]] = 1;
	}
	for (uint32_t i = 0; used && i < c->service->backend_count; i++)
		if (c->ordinal[i] != RING_NO_OWNER)
			used[c->ordinal[i]] = 1;
	return used;
}

/* Gives each unplaced backend an ordinal of the present region; false if there are too few. */
static bool place_in_region(struct tables *t, struct change *c, uint16_t *count)
{
	const struct lb_ring *old = &t->l->rings[c->old];
	uint8_t *used = ordinals_in_use(t, c);
	uint32_t next = 0, free_count = 0;

	if (!used)
		return false;
	for (uint32_t o = 0; o < region_size(old); o++)
		free_count += !used[o];
	for (uint32_t i = 0; free_count >= c->unplaced && i < c->service->backend_count; i++) {
		if (c->ordinal[i] != RING_NO_OWNER)
			continue;
		while (used[next])
			next++;
		c->ordinal[i] = (uint16_t)next;
		if (t->moved)
			t->moved(t->context, UINT32_MAX, old->backends + next);
		entry_make(t, &c->service->backends[i], &t->l->backends[old->backends + next]);
		if (c->service->backends[i].down)
			entry_update(t, &t->l->backends[old->backends + next],
				     &c->service->backends[i]);
		if (++next > *count)
			*count = (uint16_t)next;
	}
	free(used);
	return free_count >= c->unplaced;
}

/* A region of its own for all of them; the old one lives on under the older generations. */
static int place_in_new_region(struct tables *t, struct change *c, struct lb_ring *ring)
{
	uint32_t n = c->service->backend_count, capacity = REGION_MIN, base;
	const struct lb_ring *old = &t->l->rings[c->old];

	while (capacity < n + n / 2 && capacity < LB_SERVICE_BACKENDS_MAX)
		capacity *= 2;
	base = extent_take(&t->backends, capacity);
	if (base == EXTENT_NONE) {
		tables_reclaim(t);
		base = extent_take(&t->backends, capacity);
	}
	if (base == EXTENT_NONE)
		return -ENOSPC;
	memset(&t->l->backends[base], 0, capacity * sizeof(t->l->backends[0]));
	for (uint32_t i = 0; i < n; i++) {
		union lb_backend *entry = &t->l->backends[base + i];

		if (c->ordinal[i] != RING_NO_OWNER) {
			*entry = t->l->backends[old->backends + c->ordinal[i]];
			if (t->moved)
				t->moved(t->context, old->backends + c->ordinal[i], base + i);
			entry_update(t, entry, &c->service->backends[i]);
		} else {
			entry_make(t, &c->service->backends[i], entry);
			if (c->service->backends[i].down)
				entry_update(t, entry, &c->service->backends[i]);
			if (t->moved)
				t->moved(t->context, UINT32_MAX, base + i);
		}
		c->ordinal[i] = (uint16_t)i;
	}
	ring->backends = base;
	ring->capacity = (uint16_t)(capacity / TABLES_BACKEND_UNIT);
	ring->backend_count = (uint16_t)n;
	return 0;
}

static uint32_t take(struct tables *t, struct extent *e, uint32_t count)
{
	uint32_t first = extent_take(e, count);

	if (first != EXTENT_NONE || !t->retired_count)
		return first;
	tables_reclaim(t);
	return extent_take(e, count);
}

/* Cuts the chain of generations behind the newest ones. */
static void trim_generations(struct tables *t, uint32_t ring)
{
	for (uint32_t depth = 1; ring; depth++) {
		struct lb_ring *r = &t->l->rings[ring];
		uint32_t prev = r->prev;

		if (depth == LB_GENERATIONS_MAX) {
			store32(&r->prev, 0);
			ring_release(t, prev);
			return;
		}
		ring = prev;
	}
}

/* Writes the new generation where nobody looks yet. */
static int generation_write(struct tables *t, struct change *c, uint32_t *out)
{
	const struct lb_ring *old = &t->l->rings[c->old];
	struct lb_ring ring = {.size = c->size, .prev = c->old, .generation = 1, .service = c->service->name};
	uint32_t id, slots = 0;
	int err;

	id = take(t, &t->rings, 1);
	if (c->size)
		slots = take(t, &t->slots, c->size);
	if (id == EXTENT_NONE || slots == EXTENT_NONE) {
		err = -ENOSPC;
		goto give_back;
	}
	if (c->old) {
		ring.generation = old->generation + 1;
		ring.backends = old->backends;
		ring.capacity = old->capacity;
		ring.backend_count = old->backend_count;
	}
	if (!c->old || !place_in_region(t, c, &ring.backend_count)) {
		err = place_in_new_region(t, c, &ring);
		if (err)
			goto give_back;
	}
	ring.slots = slots;
	ring.checksum = c->size ? ring_checksum(c->names, c->owner, c->size) : 0;
	for (uint32_t i = 0; i < c->size; i++)
		t->l->slots[slots + i] = c->ordinal[c->owner[i]];
	t->ring_refs[id] = 0;
	t->region_refs[ring.backends]++;
	ring_hold(t, c->old);
	t->l->rings[id] = ring;
	*out = id;
	return 0;

give_back:
	if (id != EXTENT_NONE)
		extent_give(&t->rings, id, 1);
	if (slots && slots != EXTENT_NONE)
		extent_give(&t->slots, slots, c->size);
	return err;
}

static void publish(struct tables *t, const struct tables_service *s, uint32_t ring)
{
	ring_hold(t, ring); /* not freed while its ports change hands */
	for (uint32_t i = 0; i < s->port_count; i++)
		port_write(t, s->ports[i].index,
			   (struct lb_port){.ring = ring,
					    .target_port_be = s->ports[i].target_port_be,
					    .flags = s->flags});
	ring_release(t, ring);
}

int tables_set_service(struct tables *t, const struct tables_service *s, uint32_t *moved)
{
	struct change c = {.service = s};
	uint32_t ring;
	int err;

	if (s->backend_count >= LB_SERVICE_BACKENDS_MAX || !s->port_count)
		return -EINVAL;
	err = change_prepare(t, &c);
	if (!err)
		err = change_build(t, &c);
	ring = c.old;
	if (!err && (!c.old || c.moved || c.unplaced))
		err = generation_write(t, &c, &ring);
	if (!err) {
		if (ring == c.old || t->l->rings[ring].backends == t->l->rings[c.old].backends)
			for (uint32_t i = 0; i < s->backend_count; i++)
				entry_update(t,
					     &t->l->backends[t->l->rings[ring].backends +
							     c.ordinal[i]],
					     &s->backends[i]);
		publish(t, s, ring);
		if (c.old)
			entries_retire(t, &c);
		if (ring != c.old)
			trim_generations(t, ring);
		if (moved)
			*moved = (uint32_t)c.moved;
	}
	change_free(&c);
	return err;
}

int tables_keep_ports(struct tables *t, const uint64_t *keep)
{
	for (uint32_t i = 0; i < LB_PORTS_MAX; i++)
		if (!(keep[i / 64] >> (i % 64) & 1) && port_read(t, i).ring)
			port_write(t, i, (struct lb_port){0});
	return 0;
}
