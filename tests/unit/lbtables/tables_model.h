/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TABLES_MODEL_H
#define FL_TABLES_MODEL_H
/*
 * What the tables must say of one service: the newest generation by the service's list, the older
 * ones by what was seen when they were the newest.
 */
#include "tables_bed.h"

/* Who owns a slot: a backend at a place. */
struct owner {
	uint8_t mac[6];
	uint16_t zero;
	uint32_t task, vtep_be;
};

struct generation {
	uint32_t number, size;
	struct owner *owner; /* by slot */
};

struct model {
	struct generation past[LB_GENERATIONS_MAX]; /* newest first; number 0: none */
};

BED_INLINE void model_clear(struct model *m)
{
	for (int i = 0; i < LB_GENERATIONS_MAX; i++)
		free(m->past[i].owner);
	*m = (struct model){0};
}

BED_INLINE struct owner owner_of(const union lb_backend *e)
{
	struct owner o = {0};

	memcpy(o.mac, e->t.inner_dst, 6);
	if (e->t.ip[0] == 0x45)
		o.vtep_be = lb_load32(e->t.ip + 16);
	else
		o.task = e->local.task;
	return o;
}

BED_INLINE const union lb_backend *slot_entry(const struct bed *b, const struct lb_ring *r,
					      uint32_t slot)
{
	uint32_t ordinal = b->l.slots[r->slots + slot];

	assert_true(ordinal < r->backend_count);
	return &b->l.backends[r->backends + ordinal];
}

BED_INLINE struct generation generation_read(const struct bed *b, const struct lb_ring *r)
{
	struct generation g = {.number = r->generation, .size = r->size};

	g.owner = calloc(r->size + 1, sizeof(*g.owner));
	assert_non_null(g.owner);
	for (uint32_t s = 0; s < r->size; s++)
		g.owner[s] = owner_of(slot_entry(b, r, s));
	return g;
}

/* The listed backend at that place, or NULL. */
BED_INLINE const struct tables_backend *spec_at(const struct spec *spec, const struct owner *o)
{
	for (uint32_t i = 0; i < spec->s.backend_count; i++) {
		const struct tables_backend *l = &spec->backends[i];

		if (!memcmp(l->mac, o->mac, 6))
			return l->task == o->task && (l->task || l->vtep_be == o->vtep_be) ? l
											   : NULL;
	}
	return NULL;
}

BED_INLINE uint16_t sum_header(const uint8_t *ip)
{
	uint64_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += lb_load16(ip + i);
	return lb_fold(sum);
}

/* An entry's kind and addresses, by the list and the next hops. */
BED_INLINE void check_entry(const struct bed *b, const struct spec *spec, const union lb_backend *e)
{
	struct owner o = owner_of(e);
	const struct tables_backend *l = spec_at(spec, &o);
	uint32_t kind = lb_backend_kind(e), node;

	if (!l || l->down) {
		assert_int_equal(kind, LB_BACKEND_DOWN);
		return;
	}
	if (l->task) {
		assert_int_equal(kind, LB_BACKEND_LOCAL);
		return;
	}
	/* The sum that ip.check holds is that of the header without it. */
	assert_int_equal(sum_header(e->t.ip), lb_fold(2 * (uint64_t)lb_load16(e->t.ip + 10)));
	node = LB_BE32(l->vtep_be) & 0xff;
	assert_in_range(node, 0, BED_VTEPS - 1);
	if (!b->hop_told[node] && kind == LB_BACKEND_REMOTE)
		return; /* from a writer before */
	assert_int_equal(kind, b->hop_known[node] ? LB_BACKEND_REMOTE : LB_BACKEND_UNRESOLVED);
	if (kind == LB_BACKEND_REMOTE)
		assert_memory_equal(e->t.dst, b->hop_mac[node], 6);
}

/* Every slot leads to a live backend with weight, and each has its quota, up or down. */
BED_INLINE void check_weights(const struct bed *b, const struct spec *spec, const struct lb_ring *r)
{
	uint32_t n = spec->s.backend_count, *held = calloc(n + 1, sizeof(*held));
	struct ring_backend *names = calloc(n + 1, sizeof(*names));
	uint16_t *owner = calloc(r->size + 1, sizeof(*owner));
	uint64_t total = 0;

	assert_true(held && names && owner);
	for (uint32_t i = 0; i < n; i++) {
		const struct tables_backend *l = &spec->backends[i];

		names[i].name = ring_name(l->mac, 6);
		names[i].weight = l->down ? 0 : l->weight;
		total += names[i].weight;
	}
	assert_int_equal(r->size == 0, total == 0);
	for (uint32_t s = 0; s < r->size; s++) {
		struct owner o = owner_of(slot_entry(b, r, s));
		const struct tables_backend *l = spec_at(spec, &o);

		assert_non_null(l);
		owner[s] = (uint16_t)(l - spec->backends);
		assert_true(names[owner[s]].weight > 0);
		held[owner[s]]++;
	}
	for (uint32_t i = 0; total && i < n; i++) {
		uint64_t product = (uint64_t)r->size * names[i].weight;

		assert_in_range(held[i], product / total, (product + total - 1) / total);
	}
	assert_int_equal(r->checksum, r->size ? ring_checksum(names, owner, r->size) : 0);
	free(held);
	free(names);
	free(owner);
}

/* Slots change hands one way only: who lost some slots (and may own any) has won none. */
BED_INLINE void check_moves(const struct spec *spec, const struct generation *was,
			    const struct generation *is)
{
	for (uint32_t i = 0; was->size == is->size && i < spec->s.backend_count; i++) {
		const uint8_t *mac = spec->backends[i].mac;
		uint32_t lost = 0, won = 0;

		for (uint32_t s = 0; s < is->size; s++) {
			bool before = !memcmp(was->owner[s].mac, mac, 6);
			bool now = !memcmp(is->owner[s].mac, mac, 6);
			struct owner o = was->owner[s];

			lost += before && !now && spec_at(spec, &o);
			won += !before && now;
		}
		assert_true(!lost || !won);
	}
}

/* Reads the newest generation; true if it is a new one. */
BED_INLINE bool model_take(struct model *m, const struct bed *b, const struct spec *spec,
			   const struct lb_ring *r, uint32_t moved)
{
	struct generation g = generation_read(b, r);
	uint32_t changed = g.size != m->past[0].size;

	if (m->past[0].number == g.number) {
		assert_int_equal(g.size, m->past[0].size);
		assert_memory_equal(g.owner, m->past[0].owner, g.size * sizeof(*g.owner));
		free(g.owner);
		return false;
	}
	assert_int_equal(g.number, m->past[0].number + 1);
	for (uint32_t s = 0; s < g.size && g.size == m->past[0].size; s++)
		changed += memcmp(&g.owner[s], &m->past[0].owner[s], sizeof(*g.owner)) != 0;
	assert_true(changed || !m->past[0].number); /* not for nothing */
	if (m->past[0].number && g.size == m->past[0].size && moved != UINT32_MAX)
		assert_true(moved >= changed);
	check_moves(spec, &m->past[0], &g);
	free(m->past[LB_GENERATIONS_MAX - 1].owner);
	memmove(m->past + 1, m->past, (LB_GENERATIONS_MAX - 1) * sizeof(*m->past));
	m->past[0] = g;
	return true;
}

/* Compares one service with its list and its past. moved: what the last call said of it, or
 * UINT32_MAX. */
BED_INLINE void model_check(struct model *m, const struct bed *b, const struct spec *spec,
			    uint32_t moved)
{
	uint32_t ring, depth = 0;

	if (!spec->s.port_count)
		return;
	ring = bed_port(&b->l, spec->ports[0].index).ring;
	assert_int_not_equal(ring, 0);
	for (uint32_t p = 0; p < spec->s.port_count; p++) {
		struct lb_port port = bed_port(&b->l, spec->ports[p].index);

		assert_int_equal(port.ring, ring);
		assert_int_equal(port.target_port_be, spec->ports[p].target_port_be);
		assert_int_equal(port.flags, spec->s.flags);
	}
	model_take(m, b, spec, &b->l.rings[ring], moved);
	check_weights(b, spec, &b->l.rings[ring]);
	for (; ring; ring = b->l.rings[ring].prev, depth++) {
		const struct lb_ring *r = &b->l.rings[ring];

		assert_in_range(depth, 0, LB_GENERATIONS_MAX - 1);
		assert_int_equal(r->generation, m->past[depth].number);
		assert_int_equal(r->size, m->past[depth].size);
		assert_int_equal(r->service, spec->s.name);
		for (uint32_t s = 0; s < r->size; s++) {
			const union lb_backend *e = slot_entry(b, r, s);
			struct owner o = owner_of(e);

			assert_memory_equal(&o, &m->past[depth].owner[s], sizeof(o));
			check_entry(b, spec, e);
		}
	}
	/* No generation is forgotten early. */
	assert_true(depth == LB_GENERATIONS_MAX || m->past[depth].number == 0);
}
#endif
