/* SPDX-License-Identifier: BSD-2-Clause */
/* One service's life: ports, generations, regions of backends, next hops, and running out of room.
 */
#include "tables_model.h"

#include <errno.h>

struct fixture {
	struct bed *b;
	struct spec *s;
	struct model m;
};

/* One service on TCP port 8 with backends 1..n on nodes 2 and 3. */
static void fixture_new(struct fixture *f, struct lb_tables sizes, uint32_t n)
{
	*f = (struct fixture){.b = bed_new(sizes), .s = spec_new(7)};
	spec_port(f->s, 8);
	for (uint32_t i = 1; i <= n; i++)
		spec_backend(f->s, i, 2 + i % 2);
	bed_hop(f->b, 2, 2);
	bed_hop(f->b, 3, 3);
}

static void fixture_free(struct fixture *f)
{
	struct spec *none = NULL;

	bed_keep(f->b, &none, 0);
	bed_reopen(f->b);
	bed_free(f->b);
	spec_free(f->s);
	model_clear(&f->m);
}

static uint32_t apply(struct fixture *f)
{
	uint32_t moved = bed_set(f->b, f->s);

	model_check(&f->m, f->b, f->s, moved);
	return moved;
}

static void assert_unused(const struct bed *b)
{
	struct tables_usage u = tables_usage(b->t);

	assert_int_equal(u.ports, 0);
	assert_int_equal(u.rings, 0);
	assert_int_equal(u.slots, 0);
	assert_int_equal(u.backends, 0);
}

static void test_several_ports(void **state)
{
	struct fixture f;
	struct spec *none = NULL;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 3);
	spec_port(f.s, 9);
	spec_port(f.s, BED_UDP + 8);
	f.s->s.flags = LB_PORT_DSR;
	assert_int_equal(apply(&f), 1031);
	assert_int_equal(tables_usage(f.b->t).ports, 3);
	assert_int_equal(tables_usage(f.b->t).rings, 1);
	/* Ports and flags alone are no generation. */
	spec_port(f.s, 10);
	f.s->ports[0].target_port_be = LB_BE16(81);
	f.s->s.flags = 0;
	assert_int_equal(apply(&f), 0);
	assert_int_equal(bed_ring(f.b, 10)->generation, 1);
	f.s->s.port_count = 2;
	bed_keep(f.b, &f.s, 1);
	assert_int_equal(tables_usage(f.b->t).ports, 2);
	assert_null(bed_ring(f.b, BED_UDP + 8));
	apply(&f);
	bed_keep(f.b, &none, 0);
	assert_unused(f.b);
	fixture_free(&f);
}

static void test_bad_input(void **state)
{
	struct fixture f;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 3);
	apply(&f);
	f.s->s.port_count = 0;
	assert_int_equal(bed_try(f.b, f.s, NULL), -EINVAL);
	f.s->s.port_count = 1;
	f.s->ports[0].index = LB_PORTS_MAX;
	assert_int_equal(bed_try(f.b, f.s, NULL), -EINVAL);
	f.s->ports[0].index = 8;
	f.s->s.ring_size = 1032;
	assert_int_equal(bed_try(f.b, f.s, NULL), -EINVAL);
	f.s->s.ring_size = 0;
	f.s->s.backend_count = LB_SERVICE_BACKENDS_MAX;
	assert_int_equal(bed_try(f.b, f.s, NULL), -EINVAL);
	f.s->s.backend_count = 3;
	memcpy(f.s->backends[2].mac, f.s->backends[0].mac, 6); /* twice */
	assert_int_equal(bed_try(f.b, f.s, NULL), -EINVAL);
	for (int i = 0; i < 3; i++)
		f.s->backends[i].weight = 0;
	assert_int_equal(bed_try(f.b, f.s, NULL), -EINVAL);
	for (int i = 0; i < 3; i++)
		f.s->backends[i].weight = 100;
	bed_mac(f.s->backends[2].mac, 3);
	assert_int_equal(apply(&f), 0);
	assert_int_equal(bed_ring(f.b, 8)->generation, 1);
	fixture_free(&f);
}

static void test_generations(void **state)
{
	struct fixture f;
	struct spec *none = NULL;
	struct tables_usage u;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 2);
	for (uint32_t i = 1; i <= 40; i++) {
		apply(&f);
		assert_int_equal(apply(&f), 0); /* nothing moves: no generation */
		assert_int_equal(bed_ring(f.b, 8)->generation, i);
		assert_int_equal(bed_chain(f.b, 8),
				 i < LB_GENERATIONS_MAX ? i : LB_GENERATIONS_MAX);
		u = tables_usage(f.b->t);
		assert_int_equal(u.rings, bed_chain(f.b, 8));
		assert_int_equal(u.slots, u.rings * 1056); /* 1031 in units of 32 */
		assert_true(u.backends <= 32);
		spec_remove(f.s, 0);
		spec_backend(f.s, 100 + i, 2);
	}
	bed_keep(f.b, &none, 0);
	assert_unused(f.b);
	fixture_free(&f);
}

/* What was trimmed is given back: tables with room for six generations last for ever. */
static void test_given_back(void **state)
{
	struct lb_tables sizes = {.ring_count = 7, .slot_count = 7 * 1056, .backend_count = 40};
	struct fixture f;

	(void)state;
	fixture_new(&f, sizes, 2);
	for (uint32_t i = 0; i < 500; i++) {
		apply(&f);
		spec_remove(f.s, bed_below(&(uint64_t){i}, 2));
		spec_backend(f.s, 100 + i, 2 + i % 3);
	}
	assert_true(f.b->graces > 10);
	fixture_free(&f);
}

static void test_weights_and_drain(void **state)
{
	struct fixture f;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 4);
	apply(&f);
	f.s->backends[0].weight = 300;
	assert_true(apply(&f) > 0);
	assert_in_range(bed_share(f.b, bed_ring(f.b, 8), 1), 4099 / 2, 4099 / 2 + 1);
	f.s->backends[0].weight = 0; /* draining: asked, but owns nothing */
	apply(&f);
	assert_int_equal(bed_share(f.b, bed_ring(f.b, 8), 1), 0);
	assert_int_equal(lb_backend_kind(bed_entry(f.b, bed_ring(f.b, 8), 1)), LB_BACKEND_REMOTE);
	f.s->backends[0].weight = 100; /* and back */
	apply(&f);
	assert_int_equal(bed_chain(f.b, 8), 4);
	assert_int_equal(tables_usage(f.b->t).backends, 16);
	/* A backend that comes without weight has nothing to be asked for. */
	spec_backend(f.s, 9, 2)->weight = 0;
	assert_int_equal(apply(&f), 0);
	assert_int_equal(bed_ring(f.b, 8)->generation, 4);
	fixture_free(&f);
}

static void test_no_backends(void **state)
{
	struct fixture f;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 0);
	assert_int_equal(apply(&f), 0);
	assert_int_equal(bed_ring(f.b, 8)->size, 0);
	assert_int_equal(apply(&f), 0);
	assert_int_equal(bed_ring(f.b, 8)->generation, 1);
	spec_backend(f.s, 1, 2);
	apply(&f);
	assert_int_equal(bed_ring(f.b, 8)->size, 1);
	spec_backend(f.s, 2, 1);
	apply(&f);
	f.s->s.backend_count = 0;
	apply(&f);
	assert_int_equal(bed_ring(f.b, 8)->size, 0);
	assert_int_equal(bed_ring(f.b, 8)->generation, 4);
	apply(&f);
	assert_int_equal(bed_ring(f.b, 8)->generation, 4);
	spec_backend(f.s, 2, 1);
	apply(&f);
	fixture_free(&f);
}

static void test_down_removed_revived(void **state)
{
	struct fixture f;
	union lb_backend *e;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 3);
	f.s->backends[2].vtep_be = 0;
	f.s->backends[2].task = 3;
	apply(&f);
	e = bed_entry(f.b, bed_ring(f.b, 8), 1);
	f.s->backends[0].down = true;
	apply(&f);
	assert_int_equal(lb_backend_kind(e), LB_BACKEND_DOWN);
	apply(&f);
	assert_int_equal(bed_ring(f.b, 8)->generation, 2);
	f.s->backends[0].down = false;
	apply(&f);
	assert_int_equal(lb_backend_kind(e), LB_BACKEND_REMOTE);
	assert_ptr_equal(e, bed_entry(f.b, bed_ring(f.b, 8), 1)); /* in place */
	f.s->backends[2].down = true;
	apply(&f);
	f.s->backends[2].down = false;
	apply(&f);
	e = bed_entry(f.b, bed_ring(f.b, 8), 3);
	assert_int_equal(lb_backend_kind(e), LB_BACKEND_LOCAL);
	assert_int_equal(e->local.task, 3);
	spec_remove(f.s, 2);
	apply(&f);
	assert_int_equal(lb_backend_kind(e), LB_BACKEND_DOWN);
	fixture_free(&f);
}

/* A backend that moves is another place: old generations lead to the old one, which is down. */
static void test_moved_to_another_node(void **state)
{
	struct fixture f;
	uint32_t generation;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 3);
	apply(&f);
	for (uint32_t i = 0; i < 30; i++) {
		struct tables_backend *moving = &f.s->backends[i % 3];

		moving->task = i % 4 == 2 ? 5 + i : 0;
		moving->vtep_be = moving->task ? 0 : bed_vtep(2 + i % 5);
		if (moving->vtep_be == bed_vtep(4))
			moving->down = true;
		apply(&f);
		generation = bed_ring(f.b, 8)->generation;
		/* Does not swing back to the entry that is down. */
		assert_int_equal(apply(&f), 0);
		assert_int_equal(apply(&f), 0);
		assert_int_equal(bed_ring(f.b, 8)->generation, generation);
		moving->down = false;
		apply(&f);
	}
	fixture_free(&f);
}

static void test_port_changes_service(void **state)
{
	struct fixture f;
	struct spec *other = spec_new(8);
	const struct lb_ring *r;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 3);
	spec_port(f.s, 9);
	apply(&f);
	spec_port(other, 9);
	spec_backend(other, 50, 4);
	bed_set(f.b, other);
	r = bed_ring(f.b, 8);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(lb_backend_kind(bed_entry(f.b, r, i)), LB_BACKEND_REMOTE);
	assert_int_equal(bed_ring(f.b, 9)->generation, 1);
	assert_int_equal(bed_ring(f.b, 9)->prev, 0);
	f.s->s.port_count = 1;
	assert_int_equal(apply(&f), 0);
	/* The whole of a service's ports: its history ends. */
	other->s.port_count = 0;
	spec_port(other, 8);
	bed_set(f.b, other);
	bed_keep(f.b, &other, 1);
	assert_int_equal(tables_usage(f.b->t).rings, 1);
	spec_free(other);
	fixture_free(&f);
}

/* A port that a service has left keeps its old ring alive until it is unpublished, and the
 * backends which that names are not reused. */
static void test_left_port(void **state)
{
	struct fixture f;

	(void)state;
	fixture_new(&f, (struct lb_tables){0}, 3);
	spec_port(f.s, 9);
	apply(&f);
	f.s->s.port_count = 1;
	for (uint32_t i = 0; i < 20; i++) {
		spec_remove(f.s, 0);
		spec_backend(f.s, 20 + i, 2);
		apply(&f);
		assert_int_equal(bed_ring(f.b, 9)->generation, 1);
		for (uint32_t n = 1; n <= 3; n++)
			assert_true(bed_share(f.b, bed_ring(f.b, 9), n) > 300);
	}
	spec_port(f.s, 9); /* it comes back and joins the newest */
	apply(&f);
	assert_int_equal(bed_ring(f.b, 9)->generation, 21);
	fixture_free(&f);
}

static uint32_t moves_seen, moves_new;
static struct bed *moves_bed;
static uint32_t moves_owner[4096];

static uint32_t entry_number(const union lb_backend *e)
{
	return e->t.inner_dst[5] | (uint32_t)e->t.inner_dst[4] << 8;
}

/* Keeps a table of who has which counters, as a driver would. */
static void on_move(void *context, uint32_t from, uint32_t to)
{
	assert_ptr_equal(context, moves_bed);
	if (from == UINT32_MAX) {
		moves_new++;
		moves_owner[to] = entry_number(&moves_bed->l.backends[to]);
	} else {
		moves_seen++;
		moves_owner[to] = moves_owner[from];
	}
}

static void test_growth_one_by_one(void **state)
{
	struct lb_tables sizes = {.slot_count = 1 << 19, .backend_count = 4096};
	struct fixture f;

	(void)state;
	fixture_new(&f, sizes, 0);
	f.s->s.ring_size = 1031;
	moves_bed = f.b;
	moves_seen = moves_new = 0;
	tables_on_move(f.b->t, on_move);
	for (uint32_t n = 1; n <= 300; n++) {
		const struct lb_ring *r;

		spec_backend(f.s, n, 2 + n % 4);
		apply(&f);
		r = bed_ring(f.b, 8);
		for (uint32_t o = 0; o < r->backend_count; o++)
			assert_int_equal(moves_owner[r->backends + o],
					 entry_number(&f.b->l.backends[r->backends + o]));
	}
	assert_true(moves_new >= 300);
	assert_int_equal(moves_seen, 16 + 32 + 64 + 128 + 256);
	/* A place that has a new backend is told, too: its counters are another's. */
	for (uint32_t i = 0; i < 20; i++) {
		const struct lb_ring *r;

		spec_remove(f.s, 0);
		spec_backend(f.s, 400 + i, 2);
		apply(&f);
		r = bed_ring(f.b, 8);
		for (uint32_t o = 0; o < r->backend_count; o++)
			assert_int_equal(moves_owner[r->backends + o],
					 entry_number(&f.b->l.backends[r->backends + o]));
	}
	fixture_free(&f);
}

/* Removed and revived across regions: older generations in older regions follow. */
static void test_older_regions(void **state)
{
	struct fixture f;

	(void)state;
	fixture_new(&f, (struct lb_tables){.slot_count = 1 << 17}, 15);
	apply(&f);
	spec_remove(f.s, 0);
	for (uint32_t n = 20; n < 40; n++)
		spec_backend(f.s, n, 3);
	apply(&f);               /* a new region */
	spec_backend(f.s, 1, 3); /* as it was */
	apply(&f);
	f.s->backends[3].down = true;
	apply(&f);
	f.s->backends[3].down = false;
	f.s->backends[4].weight = 0;
	apply(&f);
	fixture_free(&f);
}

static void test_many_at_once(void **state)
{
	struct lb_tables sizes = {.slot_count = 1 << 19, .backend_count = 1 << 16};
	struct fixture f;

	(void)state;
	fixture_new(&f, sizes, 10000);
	assert_int_equal(bed_set(f.b, f.s), LB_RING_SIZE_DEFAULT);
	assert_int_equal(bed_set(f.b, f.s), 0);
	for (uint32_t i = 0; i < 100; i++)
		spec_remove(f.s, i * 7);
	bed_set(f.b, f.s);
	for (uint32_t n = 20000; n < 26000; n++)
		spec_backend(f.s, n, 3);
	bed_set(f.b, f.s); /* a new region beside the old one */
	assert_int_equal(bed_chain(f.b, 8), 3);
	for (uint32_t n = 20000; n < 26000; n += 500)
		assert_in_range(bed_share(f.b, bed_ring(f.b, 8), n), 4, 5);
	fixture_free(&f);
}

/* As many as there can be, replaced one by one: no ordinal is the one that means none. */
static void test_largest_region(void **state)
{
	struct lb_tables sizes = {.slot_count = 1 << 19, .backend_count = 1 << 19};
	struct fixture f;
	struct tables_backend *all = calloc(LB_SERVICE_BACKENDS_MAX, sizeof(*all));
	struct tables_backend *few;
	const struct lb_ring *r;

	(void)state;
	assert_non_null(all);
	fixture_new(&f, sizes, 0);
	few = f.s->backends;
	f.s->backends = all;
	f.s->s.backends = all;
	for (uint32_t n = 1; n < LB_SERVICE_BACKENDS_MAX; n++)
		spec_backend(f.s, n, 2);
	assert_int_equal(f.s->s.backend_count, LB_SERVICE_BACKENDS_MAX - 1);
	bed_set(f.b, f.s);
	for (uint32_t i = 0; i < 4; i++) {
		bed_mac(all[i].mac, 0x20000 + i);
		bed_set(f.b, f.s);
		r = bed_ring(f.b, 8);
		assert_int_equal(r->backend_count, LB_SERVICE_BACKENDS_MAX - 1);
		assert_non_null(bed_entry(f.b, r, 0x20000 + i));
	}
	free(all);
	f.s->backends = few;
	fixture_free(&f);
}

static void test_next_hops(void **state)
{
	struct fixture f;
	union lb_backend *down, *local;
	union lb_backend down_was, local_was;
	const struct lb_ring *r;

	(void)state;
	fixture_new(&f, (struct lb_tables){.slot_count = 1 << 17}, 20);
	spec_backend(f.s, 30, 1);
	spec_backend(f.s, 31, 4);
	apply(&f); /* node 4 is not known yet */
	f.s->backends[0].down = true;
	apply(&f);
	r = bed_ring(f.b, 8);
	down = bed_entry(f.b, r, 1);
	local = bed_entry(f.b, r, 30);
	down_was = *down;
	local_was = *local;
	bed_hop(f.b, 4, 44);
	model_check(&f.m, f.b, f.s, UINT32_MAX);
	bed_hop(f.b, 3, 33);
	model_check(&f.m, f.b, f.s, UINT32_MAX);
	bed_hop(f.b, 2, 0);
	model_check(&f.m, f.b, f.s, UINT32_MAX);
	bed_hop(f.b, 3, 0);
	model_check(&f.m, f.b, f.s, UINT32_MAX);
	assert_memory_equal(down, &down_was, 64);
	assert_memory_equal(local, &local_was, 64);
	f.s->backends[0].down = false; /* revived while unknown */
	apply(&f);
	bed_hop(f.b, 3, 55);
	bed_hop(f.b, 2, 56);
	model_check(&f.m, f.b, f.s, UINT32_MAX);
	fixture_free(&f);
}

static void assert_still_works(struct fixture *f, uint32_t generation)
{
	assert_int_equal(bed_ring(f->b, 8)->generation, generation);
	model_check(&f->m, f->b, f->s, UINT32_MAX);
}

/* Runs out of one thing; the service stays as it was and goes on when there is room again. */
static void run_out(struct lb_tables sizes, uint32_t more)
{
	struct fixture f;
	struct spec *other = spec_new(8), *both[2];
	struct tables_usage before, after;

	fixture_new(&f, sizes, 3);
	both[0] = f.s;
	both[1] = other;
	apply(&f);
	spec_port(other, 20);
	for (uint32_t n = 0; n < more; n++)
		spec_backend(other, 100 + n, 2);
	before = tables_usage(f.b->t);
	assert_int_equal(bed_try(f.b, other, NULL), -ENOSPC);
	after = tables_usage(f.b->t);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_null(bed_ring(f.b, 20));
	assert_still_works(&f, 1);
	/* The same by a change of the service itself. */
	other->s.name = 7;
	other->s.port_count = 0;
	spec_port(other, 8);
	assert_int_equal(bed_try(f.b, other, NULL), -ENOSPC);
	assert_still_works(&f, 1);
	bed_keep(f.b, both, 1);
	other->s.backend_count = 2;
	other->s.name = 8;
	other->s.port_count = 0;
	spec_port(other, 20);
	f.s->s.port_count = 0;
	bed_keep(f.b, both, 1); /* makes room */
	bed_set(f.b, other);
	spec_free(other);
	fixture_free(&f);
}

static void test_out_of_room(void **state)
{
	(void)state;
	run_out((struct lb_tables){.ring_count = 2}, 2);
	run_out((struct lb_tables){.slot_count = 2 * 1056}, 2);
	run_out((struct lb_tables){.slot_count = 4096}, 10); /* wants 4099 */
	run_out((struct lb_tables){.backend_count = 24 + 8}, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_several_ports),
	    cmocka_unit_test(test_bad_input),
	    cmocka_unit_test(test_generations),
	    cmocka_unit_test(test_given_back),
	    cmocka_unit_test(test_weights_and_drain),
	    cmocka_unit_test(test_no_backends),
	    cmocka_unit_test(test_down_removed_revived),
	    cmocka_unit_test(test_moved_to_another_node),
	    cmocka_unit_test(test_port_changes_service),
	    cmocka_unit_test(test_left_port),
	    cmocka_unit_test(test_growth_one_by_one),
	    cmocka_unit_test(test_older_regions),
	    cmocka_unit_test(test_many_at_once),
	    cmocka_unit_test(test_largest_region),
	    cmocka_unit_test(test_next_hops),
	    cmocka_unit_test(test_out_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
