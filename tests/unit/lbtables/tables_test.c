/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer as a whole: config, adoption of tables that another writer filled, contradictions, and
 * random steps against a model. FL_SEED=<seed> replays a random test.
 */
#include "tables_world.h"

static void test_config(void **state)
{
	struct bed *b = bed_new((struct lb_tables){0});
	struct lb_config config = bed_config();

	(void)state;
	b->l.config->sample_mask = 7;
	config.addrs_be[1] = bed_vtep(9);
	config.inner_mtu = 8950;
	config.table_key = 2;
	config.index_mask = config.flow_mask = 1;
	assert_int_equal(tables_set_config(b->t, &config), 0);
	assert_int_equal(b->l.config->inner_mtu, 8950);
	assert_int_equal(b->l.config->table_key % 2, 1);
	assert_int_equal(b->l.config->index_mask, b->l.index_buckets - 1);
	assert_int_equal(b->l.config->flow_mask, b->l.flow_buckets - 1);
	assert_int_equal(b->l.config->sample_mask, 7);
	for (int i = 2; i < LB_ADDRS_MAX; i++) /* 0.0.0.0 is not ours */
		assert_int_equal(b->l.config->addrs_be[i], config.vtep_be);
	b->l.config->table_key = 0;
	assert_int_equal(tables_set_config(b->t, &config), 0);
	assert_int_equal(b->l.config->table_key % 2, 1);
	bed_free(b);
}

/* Another writer takes over after each tenth step or so, and nobody can tell. */
static void test_adoption(void **state)
{
	uint64_t seed = bed_seed("adoption");
	struct lb_tables sizes = {.ring_count = 128, .slot_count = 1 << 18};
	struct world *steady = world_new(sizes), *mortal = world_new(sizes);

	(void)state;
	for (int step = 0; step < 200; step++) {
		uint64_t random = bed_random(&seed);
		struct tables_usage u, v;

		world_step(steady, random);
		world_step(mortal, random);
		if (random % 10 == 0) {
			u = tables_usage(mortal->b->t);
			bed_reopen(mortal->b);
			v = tables_usage(mortal->b->t);
			assert_memory_equal(&u, &v, sizeof(u));
			world_check(mortal);
			if (random % 20 == 0)
				bed_hops_again(mortal->b);
			world_check(mortal);
			bed_hops_again(mortal->b);
		}
		world_compare(steady, mortal);
		u = tables_usage(steady->b->t);
		v = tables_usage(mortal->b->t);
		assert_memory_equal(&u, &v, sizeof(u));
		assert_memory_equal(steady->task_ids, mortal->task_ids, sizeof(steady->task_ids));
	}
	assert_int_equal(steady->failed, 0);
	world_free(steady);
	world_free(mortal);
}

/* A world with all kinds of entries, a second region and four generations. */
static struct world *world_full(void)
{
	struct world *w = world_new((struct lb_tables){.slot_count = 1 << 16});
	uint64_t seed = 5;

	world_step_vias(w, &seed);
	world_step_tasks(w, &seed);
	spec_port(w->specs[0], 1);
	spec_port(w->specs[0], 2);
	spec_port(w->specs[1], 3);
	for (uint32_t i = 0; i < 6; i++) {
		spec_backend(w->specs[0], 1 + i, 2);
		world_set(w, 0);
	}
	for (uint32_t n = 50; n < 65; n++)
		spec_backend(w->specs[1], n, 1 + n % 3);
	world_set(w, 1);
	for (uint32_t n = 70; n < 80; n++)
		spec_backend(w->specs[1], n, 1 + n % 3);
	world_set(w, 1);
	assert_int_equal(bed_chain(w->b, 1), LB_GENERATIONS_MAX);
	return w;
}

static void assert_unclean(struct world *w)
{
	struct tables *t = NULL;

	assert_int_equal(tables_open(&w->b->l, bed_grace, w->b, &t), -EUCLEAN);
	assert_null(t);
}

static void test_contradicting_rings(void **state)
{
	struct world *w = world_full();
	struct bed *b = w->b;
	uint32_t id = b->l.ports[1].ring, other = b->l.ports[3].ring;
	uint32_t second = b->l.rings[id].prev, last = b->l.rings[b->l.rings[second].prev].prev;
	const struct lb_ring good = b->l.rings[id], theirs = b->l.rings[other];
	const struct {
		uint32_t at; /* which ring */
		struct lb_ring ring;
	} bad[] = {
#define WITH(field, value)                                                                         \
	{id, ({                                                                                    \
		 struct lb_ring r_ = good;                                                         \
		 r_.field = (__typeof__(r_.field))(value);                                         \
		 r_;                                                                               \
	 })}
	    WITH(slots, 0),
	    WITH(slots, good.slots + 1),
	    WITH(slots, theirs.slots),
	    WITH(slots, theirs.slots + 32),
	    WITH(slots, b->l.slot_count - 32),
	    WITH(slots, b->l.slot_count),
	    WITH(slots, UINT32_MAX & ~31U),
	    WITH(size, good.size + 1),
	    WITH(size, 2),
	    WITH(size, b->l.slot_count),
	    WITH(size, UINT32_MAX),
	    WITH(size, UINT32_MAX - 30),
	    WITH(size, LB_RING_SIZE_MAX),
	    WITH(size, LB_RING_SIZE_DEFAULT),
	    WITH(backends, 0),
	    WITH(backends, good.backends + 1),
	    WITH(backends, good.backends + 8),
	    WITH(backends, theirs.backends),
	    WITH(backends, theirs.backends + 8),
	    WITH(backends, b->l.backend_count - 8),
	    WITH(backends, b->l.backend_count),
	    WITH(backends, UINT32_MAX & ~7U),
	    WITH(backend_count, good.capacity * 8 + 1),
	    WITH(backend_count, UINT16_MAX),
	    WITH(capacity, 0),
	    WITH(capacity, good.capacity - 1),
	    WITH(capacity, good.capacity + 1),
	    WITH(capacity, UINT16_MAX),
	    WITH(prev, id),
	    WITH(prev, other),
	    WITH(prev, b->l.ring_count),
	    WITH(prev, UINT32_MAX),
	    WITH(prev, 60), /* in bounds, but nothing is there */
	    WITH(generation, 0),
	    WITH(generation, good.generation - 1),
	    WITH(service, good.service + 1),
#undef WITH
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		b->l.rings[bad[i].at] = bad[i].ring;
		assert_unclean(w);
		b->l.rings[id] = good;
	}
	/* Loops, from the end of the chain. */
	b->l.rings[last].prev = last;
	assert_unclean(w);
	b->l.rings[last].prev = id;
	assert_unclean(w);
	b->l.rings[last].prev = second;
	assert_unclean(w);
	b->l.rings[last].prev = 0;
	/* Two rings of one chain with the same slots. */
	b->l.rings[second].slots = good.slots;
	assert_unclean(w);
	b->l.rings[second] = b->copy.rings[second];
	b->l.ports[5].ring = b->l.ring_count;
	assert_unclean(w);
	b->l.ports[5].ring = UINT32_MAX;
	assert_unclean(w);
	b->l.ports[5].ring = 61; /* all zeros */
	assert_unclean(w);
	b->l.ports[5].ring = 0;
	bed_reopen(b);
	world_check(w);
	world_free(w);
}

static struct lb_index_entry *entry_of_kind(struct bed *b, uint32_t kind)
{
	for (uint32_t i = 0; i < b->l.index_buckets * LB_WAYS; i++)
		if (b->l.index[i / LB_WAYS].way[i % LB_WAYS].kind == kind)
			return &b->l.index[i / LB_WAYS].way[i % LB_WAYS];
	fail();
	return NULL;
}

static void test_contradicting_index(void **state)
{
	struct world *w = world_full();
	struct bed *b = w->b;
	static const struct {
		uint32_t kind, new_kind, value;
	} bad[] = {
	    {LB_INDEX_VIA, LB_INDEX_VIA, 0},
	    {LB_INDEX_VIA, LB_INDEX_VIA, LB_VIAS_MAX},
	    {LB_INDEX_VIA, LB_INDEX_VIA, UINT32_MAX},
	    {LB_INDEX_VIA, LB_INDEX_VIA, LB_VIAS_MAX - 1}, /* leads to another pair */
	    {LB_INDEX_VIA, LB_INDEX_VIA + 1, 1},
	    {LB_INDEX_TASK_ADDR, LB_INDEX_TASK_ADDR, 0},
	    {LB_INDEX_TASK_ADDR, LB_INDEX_TASK_ADDR, LB_TASKS_MAX},
	    {LB_INDEX_TASK_MAC, LB_INDEX_TASK_MAC, UINT32_MAX},
	    {LB_INDEX_TASK_MAC, UINT32_MAX, 1},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct lb_index_entry *e = entry_of_kind(b, bad[i].kind), good = *e;

		e->kind = bad[i].new_kind;
		e->value = bad[i].value;
		assert_unclean(w);
		*e = good;
	}
	b->l.config->index_mask = b->l.index_buckets * 2 - 1;
	assert_unclean(w);
	b->l.config->index_mask = b->l.index_buckets - 1;
	b->l.config->flow_mask = UINT32_MAX;
	assert_unclean(w);
	b->l.config->flow_mask = b->l.flow_buckets - 1;
	bed_reopen(b);
	world_check(w);
	world_free(w);
}

static void no_grace(void *context)
{
	(void)context;
}

/* Slots that name no backend lead nobody out of bounds, and the next change puts them right. */
static void test_wild_slots(void **state)
{
	struct world *w = world_full();
	struct bed *b = w->b;
	const struct lb_ring *r = bed_ring(b, 1);
	uint32_t generation = r->generation;

	(void)state;
	tables_close(b->t);
	for (uint32_t s = 0; s < r->size; s += 2)
		b->l.slots[r->slots + s] = (uint16_t)(s % 3 ? UINT16_MAX : 5000);
	assert_int_equal(tables_open(&b->l, no_grace, b, &b->t), 0);
	assert_int_equal(tables_set_service(b->t, &w->specs[0]->s, NULL), 0);
	assert_int_equal(bed_ring(b, 1)->generation, generation + 1);
	check_weights(b, w->specs[0], bed_ring(b, 1));
	memset(b->pin_ring, 0, b->l.ring_count); /* the damage is not the writer's */
	world_free(w);
}

/* Random steps; tables tight enough that some fail. Some writers die between two steps. */
static void test_random(void **state)
{
	uint64_t seed = bed_seed("random");
	struct lb_tables sizes = {
	    .ring_count = 64, .slot_count = 40000, .backend_count = 1024, .index_buckets = 64};
	struct world *w = world_new(sizes);
	struct spec *none = NULL;
	struct tables_usage u;

	(void)state;
	for (int step = 0; step < 800; step++) {
		uint64_t random = bed_random(&seed);

		world_step(w, random);
		if (random % 16 == 0) {
			bed_reopen(w->b);
			bed_hops_again(w->b);
		}
		world_check(w);
	}
	print_message("%u steps found no room, %u grace periods\n", w->failed, w->b->graces);
	bed_keep(w->b, &none, 0);
	u = tables_usage(w->b->t);
	assert_int_equal(u.ports + u.rings + u.backends + u.slots, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_config),
	    cmocka_unit_test(test_contradicting_rings),
	    cmocka_unit_test(test_contradicting_index),
	    cmocka_unit_test(test_wild_slots),
	    cmocka_unit_test(test_adoption),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
