/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TABLES_WORLD_H
#define FL_TABLES_WORLD_H
/*
 * A node's tables under random changes of all kinds, with a model of each service. A step depends
 * on its seed and the world alone: two worlds that take the same steps must say the same.
 */
#include "tables_model.h"

#include <errno.h>

enum { SERVICES = 3, WORLD_BACKENDS_MAX = 24, WORLD_VIAS = 40, WORLD_TASKS = 40 };

struct world {
	struct bed *b;
	struct spec *specs[SERVICES];
	struct model models[SERVICES];
	uint32_t next_backend;
	bool moved_known; /* false: a killed writer may have done part of a step */
	uint32_t failed;  /* steps that ended with -ENOSPC */
	uint32_t task_count, task_ids[WORLD_TASKS];
	struct lb_task tasks[WORLD_TASKS];
	uint32_t via_count;
	struct lb_via vias[WORLD_VIAS];
};

BED_INLINE struct world *world_new(struct lb_tables sizes)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->b = bed_new(sizes);
	w->moved_known = true;
	w->next_backend = 1;
	for (uint32_t i = 0; i < SERVICES; i++) {
		w->specs[i] = spec_new(100 + i);
		w->specs[i]->s.ring_size = i ? 1031 : 0;
	}
	return w;
}

BED_INLINE void world_free(struct world *w)
{
	for (uint32_t i = 0; i < SERVICES; i++) {
		spec_free(w->specs[i]);
		model_clear(&w->models[i]);
	}
	bed_free(w->b);
	free(w);
}

/* 0: not in the index. */
BED_INLINE uint32_t world_find(const struct world *w, uint64_t key, enum lb_index_kind kind)
{
	const struct lb_tables *l = &w->b->l;
	const struct lb_index_bucket *bucket =
	    &l->index[lb_table_hash(l->config->table_key, key) & l->config->index_mask];

	for (int i = 0; i < LB_WAYS; i++)
		if (bucket->way[i].kind == (uint32_t)kind && bucket->way[i].key == key)
			return bucket->way[i].value;
	return 0;
}

BED_INLINE void world_check_index(const struct world *w)
{
	struct tables_usage u = tables_usage(w->b->t);

	assert_int_equal(u.tasks, w->task_count);
	assert_int_equal(u.vias, w->via_count);
	for (uint32_t i = 0; i < w->task_count; i++) {
		const struct lb_task *task = &w->tasks[i];

		assert_memory_equal(&w->b->l.tasks[w->task_ids[i]], task, sizeof(*task));
		assert_int_equal(world_find(w, task->addr_be, LB_INDEX_TASK_ADDR), w->task_ids[i]);
		assert_int_equal(world_find(w, lb_load_mac(task->mac), LB_INDEX_TASK_MAC),
				 w->task_ids[i]);
	}
	for (uint32_t i = 0; i < w->via_count; i++) {
		const struct lb_via *via = &w->vias[i];
		uint32_t id =
		    world_find(w, (uint64_t)via->vtep_be << 32 | via->addr_be, LB_INDEX_VIA);

		assert_int_not_equal(id, 0);
		assert_memory_equal(&w->b->l.vias[id], via, sizeof(*via));
	}
}

BED_INLINE void world_check(struct world *w)
{
	uint32_t ports = 0;

	for (uint32_t i = 0; i < SERVICES; i++) {
		model_check(&w->models[i], w->b, w->specs[i], UINT32_MAX);
		ports += w->specs[i]->s.port_count;
	}
	assert_int_equal(tables_usage(w->b->t).ports, ports);
	world_check_index(w);
}

/* Does this service continue a history? Only if a port of its list still has its ring. */
BED_INLINE bool world_continues(const struct world *w, const struct spec *s)
{
	for (uint32_t p = 0; p < s->s.port_count; p++) {
		const struct lb_ring *r = bed_ring(w->b, s->ports[p].index);

		if (r && r->service == s->s.name)
			return true;
	}
	return false;
}

/* Sets one service; as it was before when there is no room. */
BED_INLINE int world_set(struct world *w, uint32_t i)
{
	struct spec *s = w->specs[i];
	uint32_t moved = UINT32_MAX;
	int err;

	if (!s->s.port_count)
		return 0;
	if (!world_continues(w, s))
		model_clear(&w->models[i]);
	err = bed_try(w->b, s, &moved);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		w->failed++;
		return err;
	}
	bed_keep(w->b, w->specs, SERVICES);
	model_check(&w->models[i], w->b, s, w->moved_known ? moved : UINT32_MAX);
	return 0;
}

BED_INLINE void world_mutate(struct world *w, struct spec *s, uint64_t *seed)
{
	uint32_t what = bed_below(seed, 8), n = s->s.backend_count;
	struct tables_backend *b = n ? &s->backends[bed_below(seed, n)] : NULL;
	uint32_t node = 1 + bed_below(seed, BED_VTEPS - 1);

	if (!b || (what < 2 && n < WORLD_BACKENDS_MAX)) {
		b = spec_backend(s, w->next_backend++, node);
		b->weight = (uint16_t)(50 * bed_below(seed, 4));
	} else if (what == 2) {
		spec_remove(s, (uint32_t)(b - s->backends));
	} else if (what == 3) {
		b->weight = 0;
	} else if (what == 4) {
		b->down = !b->down;
	} else if (what == 5) {
		b->task = node == 1 ? w->next_backend++ : 0;
		b->vtep_be = node == 1 ? 0 : bed_vtep(node);
	} else {
		b->weight = (uint16_t)(50 + 50 * bed_below(seed, 3));
	}
}

BED_INLINE bool world_port_free(const struct world *w, uint32_t index)
{
	for (uint32_t i = 0; i < SERVICES; i++)
		for (uint32_t p = 0; p < w->specs[i]->s.port_count; p++)
			if (w->specs[i]->ports[p].index == index)
				return false;
	return true;
}

/* One service's backends; and a port for a service that has none. */
BED_INLINE void world_step_service(struct world *w, uint32_t i, uint64_t *seed)
{
	struct spec *s = w->specs[i], before = *s;
	struct tables_backend backends[WORLD_BACKENDS_MAX];

	memcpy(backends, s->backends, sizeof(backends));
	for (uint32_t k = 1 + bed_below(seed, 3); k; k--)
		world_mutate(w, s, seed);
	for (uint32_t index = bed_below(seed, BED_PORTS); !s->s.port_count; index++)
		if (world_port_free(w, index % BED_PORTS))
			spec_port(s, index % BED_PORTS);
	if (bed_below(seed, 4) == 0 && s->s.port_count < 6) {
		uint32_t index = bed_port_index(bed_below(seed, 2 * BED_PORTS));

		if (world_port_free(w, index))
			spec_port(s, index);
	}
	s->s.flags = bed_below(seed, 8) ? s->s.flags : s->s.flags ^ LB_PORT_DSR;
	if (world_set(w, i)) {
		memcpy(s->backends, backends, sizeof(backends));
		*s = before;
		if (!s->s.port_count)
			model_clear(&w->models[i]);
	}
}

/* A port goes from one service to another, which must not mind the first. */
BED_INLINE void world_step_port(struct world *w, uint32_t from, uint32_t to)
{
	struct spec *f = w->specs[from], *t = w->specs[to], before_f = *f, before_t = *t;

	if (from == to || !f->s.port_count || t->s.port_count > 6)
		return;
	t->ports[t->s.port_count++] = f->ports[--f->s.port_count];
	if (world_set(w, to)) {
		*f = before_f;
		*t = before_t;
		return;
	}
	if (f->s.port_count)
		world_set(w, from);
	else
		model_clear(&w->models[from]);
}

BED_INLINE void world_step_vias(struct world *w, uint64_t *seed)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= WORLD_VIAS; i++)
		if (bed_below(seed, 3))
			w->vias[n++] = (struct lb_via){.addr_be = LB_BE32(i * 2654435761U),
						       .vtep_be = bed_vtep(1 + i % 5)};
	w->via_count = n;
	assert_int_equal(tables_set_vias(w->b->t, w->vias, n), 0);
	bed_step(w->b);
}

BED_INLINE void world_step_tasks(struct world *w, uint64_t *seed)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= WORLD_TASKS; i++) {
		struct lb_task *t = &w->tasks[n];

		if (bed_below(seed, 3) == 0)
			continue;
		*t = (struct lb_task){.addr_be = LB_BE32(i * 2654435761U),
				      .ifindex = 100 + bed_below(seed, 2),
				      .mtu = 1450};
		bed_mac(t->mac, i * 40503 + bed_below(seed, 10) / 9);
		n++;
	}
	w->task_count = n;
	assert_int_equal(tables_set_tasks(w->b->t, w->tasks, n, w->task_ids), 0);
	bed_step(w->b);
}

BED_INLINE void world_step(struct world *w, uint64_t seed)
{
	uint32_t i = bed_below(&seed, SERVICES);

	switch (bed_below(&seed, 16)) {
	case 0:
	case 1:
		bed_hop(w->b, 2 + bed_below(&seed, BED_VTEPS - 2), bed_below(&seed, 4));
		break;
	case 2:
		world_step_vias(w, &seed);
		break;
	case 3:
		world_step_tasks(w, &seed);
		break;
	case 4:
		world_set(w, i);
		break;
	case 5:
		w->specs[i]->s.port_count = 0;
		model_clear(&w->models[i]);
		bed_keep(w->b, w->specs, SERVICES);
		break;
	case 6:
		world_step_port(w, i, bed_below(&seed, SERVICES));
		break;
	default:
		world_step_service(w, i, &seed);
	}
}

BED_INLINE void world_compare_port(const struct bed *x, const struct bed *y, uint32_t index)
{
	const struct lb_ring *r = bed_ring(x, index), *q = bed_ring(y, index);

	while (r && q) {
		assert_int_equal(r->size, q->size);
		assert_int_equal(r->generation, q->generation);
		assert_int_equal(r->checksum, q->checksum);
		assert_int_equal(r->service, q->service);
		for (uint32_t s = 0; s < r->size; s++) {
			const union lb_backend *e = slot_entry(x, r, s), *d = slot_entry(y, q, s);
			struct owner o = owner_of(e), p = owner_of(d);

			assert_memory_equal(&o, &p, sizeof(o));
			assert_int_equal(lb_backend_kind(e), lb_backend_kind(d));
		}
		r = r->prev ? &x->l.rings[r->prev] : NULL;
		q = q->prev ? &y->l.rings[q->prev] : NULL;
	}
	assert_true(!r && !q);
}

/* Same services, same vias' ids. */
BED_INLINE void world_compare(const struct world *v, const struct world *w)
{
	const struct bed *x = v->b, *y = w->b;

	for (uint32_t i = 0; i < 2 * BED_PORTS; i++)
		world_compare_port(x, y, bed_port_index(i));
	assert_memory_equal(x->l.vias, y->l.vias, LB_VIAS_MAX * sizeof(struct lb_via));
	for (uint32_t i = 0; i < v->via_count; i++)
		assert_memory_equal(&v->vias[i], &w->vias[i], sizeof(struct lb_via));
}
#endif
