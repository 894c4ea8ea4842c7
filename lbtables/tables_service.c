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

/* One generation more than stay live: a killed writer may not have come to trimming. */
static int chain_check(const struct tables *t, uint32_t ring)
{
	for (uint32_t depth = 1; ring; depth++) {
		const struct lb_ring *r = &t->l->rings[ring];

		if (ring >= t->l->ring_count || depth > LB_GENERATIONS_MAX + 1)
			return -EUCLEAN;
		if (r->prev &&
		    (r->prev >= t->l->ring_count || t->l->rings[r->prev].service != r->service ||
		     t->l->rings[r->prev].generation >= r->generation))
			return -EUCLEAN;
		ring = r->prev;
	}
	return 0;
}

/* Rings of a region are of one service and say the same of it. capacity: by region, what the ring
 * that was met first says. */
static int region_adopt(struct tables *t, const struct lb_ring *r, uint16_t *capacity)
{
	uint32_t unit = r->backends / TABLES_BACKEND_UNIT;

	if (!unit || !r->capacity || region_size(r) > LB_SERVICE_BACKENDS_MAX ||
	    r->backend_count > region_size(r) || r->backends >= t->l->backend_count)
		return -EUCLEAN;
	if (!t->region_refs[r->backends]) {
		if (extent_mark(&t->backends, r->backends, region_size(r)))
			return -EUCLEAN;
		capacity[unit] = r->capacity;
	}
	t->region_refs[r->backends]++;
	return capacity[unit] == r->capacity ? 0 : -EUCLEAN;
}

/* A ring that a killed writer or another version may have left: believed only within bounds. */
static int ring_adopt(struct tables *t, uint32_t ring, uint16_t *capacity)
{
	for (; ring && !t->ring_refs[ring]++; ring = t->l->rings[ring].prev) {
		const struct lb_ring *r = &t->l->rings[ring];

		if (extent_mark(&t->rings, ring, 1) || region_adopt(t, r, capacity))
			return -EUCLEAN;
		if (r->size && (!r->slots || !ring_size_valid(r->size) ||
				extent_mark(&t->slots, r->slots, r->size)))
			return -EUCLEAN;
	}
	return 0;
}

int tables_service_adopt(struct tables *t)
{
	uint16_t *capacity =
	    calloc(t->l->backend_count / TABLES_BACKEND_UNIT + 1, sizeof(*capacity));
	int err = capacity ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < LB_PORTS_MAX && !err; i++) {
		uint32_t ring = port_read(t, i).ring;

		err = chain_check(t, ring);
		if (!err)
			err = ring_adopt(t, ring, capacity);
		t->ports += ring != 0;
	}
	for (uint32_t i = 0; i < LB_PORTS_MAX && !err; i++)
		trim_generations(t, port_read(t, i).ring);
	free(capacity);
	return err;
}

struct mac_index {
	uint64_t mac;
	uint32_t index;
};

/* A change of a service that is being prepared. */
struct change {
	const struct tables_service *service;
	uint32_t old; /* its newest ring so far, 0: none */
	struct ring_backend *names;
	uint16_t *ordinal;      /* of each listed backend, or RING_NO_OWNER */
	uint16_t *listed;       /* by ordinal: index into the list, or RING_NO_OWNER */
	struct mac_index *macs; /* the list in the order of MACs */
	uint16_t *previous, *owner;
	uint32_t size;
	uint32_t unplaced; /* listed backends that own slots and have no entry yet */
	int64_t moved;
};

static void change_free(struct change *c)
{
	free(c->names);
	free(c->ordinal);
	free(c->listed);
	free(c->macs);
	free(c->previous);
	free(c->owner);
}

static uint64_t backend_mac(const union lb_backend *b)
{
	return lb_load_mac(b->t.inner_dst);
}

static int compare_macs(const void *a, const void *b)
{
	const struct mac_index *x = a, *y = b;

	return (x->mac > y->mac) - (x->mac < y->mac);
}

static int sort_macs(struct change *c)
{
	const struct tables_service *s = c->service;

	for (uint32_t i = 0; i < s->backend_count; i++)
		c->macs[i] = (struct mac_index){lb_load_mac(s->backends[i].mac), i};
	qsort(c->macs, s->backend_count, sizeof(*c->macs), compare_macs);
	for (uint32_t i = 1; i < s->backend_count; i++)
		if (c->macs[i].mac == c->macs[i - 1].mac)
			return -EINVAL;
	return 0;
}

/* Which of the list an entry stands for, or RING_NO_OWNER. */
static uint32_t listed_as(const struct change *c, const union lb_backend *entry)
{
	struct mac_index key = {.mac = backend_mac(entry)};
	const struct mac_index *hit =
	    bsearch(&key, c->macs, c->service->backend_count, sizeof(*c->macs), compare_macs);

	return hit && tables_backend_at(entry, &c->service->backends[hit->index]) ? hit->index
										  : RING_NO_OWNER;
}

/* Finds the listed backends among the entries of the region that the service uses. */
static void match_entries(const struct tables *t, struct change *c)
{
	const struct lb_ring *old = &t->l->rings[c->old];

	for (uint32_t o = 0; c->old && o < old->backend_count; o++) {
		uint32_t i = listed_as(c, &t->l->backends[old->backends + o]);

		if (i == RING_NO_OWNER || c->ordinal[i] != RING_NO_OWNER)
			continue;
		c->ordinal[i] = (uint16_t)o;
		c->listed[o] = (uint16_t)i;
	}
	/* What owns no slot and never did needs no entry. */
	for (uint32_t i = 0; i < c->service->backend_count; i++)
		c->unplaced += c->names[i].weight && c->ordinal[i] == RING_NO_OWNER;
}

static int change_prepare(struct tables *t, struct change *c)
{
	const struct tables_service *s = c->service;
	uint32_t n = s->backend_count;

	for (uint32_t i = 0; i < s->port_count; i++) {
		uint32_t ring = port_read(t, s->ports[i].index).ring;

		if (ring && t->l->rings[ring].service == s->name &&
		    (!c->old || t->l->rings[ring].generation > t->l->rings[c->old].generation))
			c->old = ring;
	}
	c->names = calloc(n + 1, sizeof(*c->names));
	c->ordinal = malloc((n + 1) * sizeof(*c->ordinal));
	c->listed = malloc(LB_SERVICE_BACKENDS_MAX * sizeof(*c->listed));
	c->macs = calloc(n + 1, sizeof(*c->macs));
	if (!c->names || !c->ordinal || !c->listed || !c->macs)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct tables_backend *b = &s->backends[i];

		c->names[i] = (struct ring_backend){ring_name(b->mac, 6), b->down ? 0 : b->weight};
		c->ordinal[i] = RING_NO_OWNER;
	}
	memset(c->listed, 0xff, LB_SERVICE_BACKENDS_MAX * sizeof(*c->listed));
	if (sort_macs(c))
		return -EINVAL;
	match_entries(t, c);
	return 0;
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
		c->moved = c->old ? old->size : 0;
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
	c->moved =
	    ring_build(c->names, n, c->size, c->previous, c->previous ? old->size : 0, c->owner);
	return c->moved < 0 ? (int)c->moved : 0;
}

/* Listed backends in the region of the new generation. */
static void entries_update(struct tables *t, const struct change *c, uint32_t ring, bool down)
{
	union lb_backend *region = &t->l->backends[t->l->rings[ring].backends];

	for (uint32_t i = 0; i < c->service->backend_count; i++)
		if (c->ordinal[i] != RING_NO_OWNER && c->service->backends[i].down == down)
			tables_backend_update(t, &region[c->ordinal[i]], &c->service->backends[i]);
}

/* Older generations' entries: down if no backend of the list stands for them any more, up to date
 * if one does. */
static void entries_retire(struct tables *t, const struct change *c)
{
	uint32_t done = 0;

	for (uint32_t ring = c->old; ring; ring = t->l->rings[ring].prev) {
		const struct lb_ring *r = &t->l->rings[ring];

		if (r->backends == done) /* and the newer generation of a region names more */
			continue;
		done = r->backends;
		for (uint32_t o = 0; o < r->backend_count; o++) {
			union lb_backend *entry = &t->l->backends[r->backends + o];
			uint32_t i = listed_as(c, entry);

			if (i == RING_NO_OWNER)
				tables_backend_down(entry);
			else
				tables_backend_update(t, entry, &c->service->backends[i]);
		}
	}
}

static void slots_in_use(const struct tables *t, const struct lb_ring *r, uint8_t *used)
{
	for (uint32_t i = 0; i < r->size; i++)
		used[t->l->slots[r->slots + i]] = 1;
}

/* Which ordinals of the region some live generation still names. */
static uint8_t *ordinals_in_use(const struct tables *t, const struct change *c)
{
	uint8_t *used = calloc(LB_SERVICE_BACKENDS_MAX, 1);
	uint32_t region = t->l->rings[c->old].backends, elsewhere = t->region_refs[region];

	for (uint32_t ring = c->old; used && ring; ring = t->l->rings[ring].prev)
		if (t->l->rings[ring].backends == region) {
			slots_in_use(t, &t->l->rings[ring], used);
			elsewhere--;
		}
	/* A port that the service has left may hold others until it is unpublished. */
	for (uint32_t ring = 1; used && elsewhere && ring < t->l->ring_count; ring++)
		if (t->ring_refs[ring] && t->l->rings[ring].backends == region)
			slots_in_use(t, &t->l->rings[ring], used);
	for (uint32_t i = 0; used && i < c->service->backend_count; i++)
		if (c->ordinal[i] != RING_NO_OWNER)
			used[c->ordinal[i]] = 1;
	return used;
}

static void entry_place(struct tables *t, const struct tables_backend *b, uint32_t index)
{
	tables_backend_make(t, b, &t->l->backends[index]);
	if (b->down)
		tables_backend_down(&t->l->backends[index]);
	if (t->moved)
		t->moved(t->context, UINT32_MAX, index);
}

/* Gives each unplaced backend an ordinal of the present region; false if there are too few. */
static bool place_in_region(struct tables *t, struct change *c, uint16_t *count)
{
	const struct lb_ring *old = &t->l->rings[c->old];
	uint8_t *used = ordinals_in_use(t, c);
	uint32_t size = region_size(old), next = 0, free_count = 0;

	if (!used)
		return false;
	if (size > RING_NO_OWNER) /* which is no ordinal */
		size = RING_NO_OWNER;
	for (uint32_t o = 0; o < size; o++)
		free_count += !used[o];
	for (uint32_t i = 0; free_count >= c->unplaced && i < c->service->backend_count; i++) {
		if (c->ordinal[i] != RING_NO_OWNER || !c->names[i].weight)
			continue;
		while (used[next])
			next++;
		/* Had an owner: a reader may still be in a generation that was trimmed. */
		if (next < *count && t->retired_count)
			tables_reclaim(t);
		c->ordinal[i] = (uint16_t)next;
		entry_place(t, &c->service->backends[i], old->backends + next);
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
			tables_backend_update(t, entry, &c->service->backends[i]);
		} else {
			entry_place(t, &c->service->backends[i], base + i);
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

/* Writes the new generation where nobody looks yet. */
static int generation_write(struct tables *t, struct change *c, uint32_t *out)
{
	const struct lb_ring *old = &t->l->rings[c->old];
	struct lb_ring ring = {
	    .size = c->size, .prev = c->old, .generation = 1, .service = c->service->name};
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
	for (uint32_t i = 0; i < s->port_count; i++)
		if (s->ports[i].index >= LB_PORTS_MAX)
			return -EINVAL;
	err = change_prepare(t, &c);
	if (!err)
		err = change_build(t, &c);
	ring = c.old;
	if (!err && (!c.old || c.moved || c.unplaced))
		err = generation_write(t, &c, &ring);
	if (!err) {
		entries_update(t, &c, ring, false);
		publish(t, s, ring);
		entries_update(t, &c, ring, true);
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
