/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A writer is killed before any of its stores that readers can see, again and again; the next one
 * finishes what it did. The tables must then be those of a writer that never died.
 *
 * The writer's source is compiled into this file so that its stores can be counted. A child process
 * shares the tables and ends before its nth store. FL_SEED=<seed> replays.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tables_world.h"

#include "tables_internal.h"

enum { KILLED = 99 };

static uint64_t stores_left = UINT64_MAX;

static void count_store(void)
{
	if (!stores_left--)
		_exit(KILLED);
}

static void counted_store64(uint64_t *p, uint64_t v)
{
	count_store();
	store64(p, v);
}

static void counted_store32(uint32_t *p, uint32_t v)
{
	count_store();
	store32(p, v);
}

#define store64 counted_store64
#define store32 counted_store32
#include "tables.c"
#include "tables_index.c"
#include "tables_service.c"

/* Tables that a child shares, in place of lb_tables.c. */
struct layout {
	size_t bytes[9];
};

static struct layout layout_of(const struct lb_tables *l)
{
	return (struct layout){
	    {sizeof(*l->config), LB_PORTS_MAX * sizeof(*l->ports),
	     l->ring_count * sizeof(*l->rings), l->slot_count * sizeof(*l->slots),
	     l->backend_count * sizeof(*l->backends), LB_TASKS_MAX * sizeof(*l->tasks),
	     LB_VIAS_MAX * sizeof(*l->vias), l->index_buckets * sizeof(*l->index),
	     l->flow_buckets * sizeof(*l->flows)}};
}

static size_t total_of(const struct layout *layout)
{
	size_t total = 0;

	for (int i = 0; i < 9; i++)
		total += (layout->bytes[i] + 63) & ~(size_t)63;
	return total;
}

int lb_tables_alloc(struct lb_tables *l)
{
	struct layout layout = layout_of(l);
	uint8_t *at = mmap(NULL, total_of(&layout), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *part[9];

	assert_true(at != MAP_FAILED);
	for (int i = 0; i < 9; i++) {
		part[i] = at;
		at += (layout.bytes[i] + 63) & ~(size_t)63;
	}
	l->config = part[0];
	l->ports = part[1];
	l->rings = part[2];
	l->slots = part[3];
	l->backends = part[4];
	l->tasks = part[5];
	l->vias = part[6];
	l->index = part[7];
	l->flows = part[8];
	return 0;
}

void lb_tables_free(struct lb_tables *l)
{
	struct layout layout = layout_of(l);

	munmap(l->config, total_of(&layout));
}

/* A child takes the step and ends before its nth store: true if it did not get there. */
static bool step_killed(struct world *w, uint64_t random, uint64_t n)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		setenv("CMOCKA_TEST_ABORT", "1", 1); /* the parent reports */
		stores_left = n;
		world_step(w, random);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
	return WEXITSTATUS(status) == KILLED;
}

static void reopen(struct world *w)
{
	struct tables_usage u, v;

	bed_reopen(w->b); /* and looks at what was pinned */
	u = tables_usage(w->b->t);
	bed_reopen(w->b);
	v = tables_usage(w->b->t);
	assert_memory_equal(&u, &v, sizeof(u));
	bed_hops_again(w->b);
}

static void run(const char *name, uint32_t steps, bool each)
{
	uint64_t seed = bed_seed(name);
	struct lb_tables sizes = {.ring_count = 128,
				  .slot_count = 1 << 18,
				  .backend_count = 1024,
				  .index_buckets = 64,
				  .flow_buckets = 1};
	struct world *steady = world_new(sizes), *mortal = world_new(sizes);
	uint32_t kills = 0;

	mortal->moved_known = false;
	for (uint32_t step = 0; step < steps; step++) {
		uint64_t random = bed_random(&seed);
		uint64_t n = each ? 0 : bed_below(&seed, 40);

		while (step_killed(mortal, random, n)) {
			reopen(mortal);
			n += 1 + (each ? 0 : bed_below(&seed, 50));
			kills++;
		}
		reopen(mortal);
		world_step(steady, random);
		world_step(mortal, random);
		world_check(steady);
		world_check(mortal);
		world_compare(steady, mortal);
		assert_int_equal(tables_usage(steady->b->t).slots,
				 tables_usage(mortal->b->t).slots);
		assert_int_equal(tables_usage(steady->b->t).rings,
				 tables_usage(mortal->b->t).rings);
	}
	print_message("%u kills\n", kills);
	world_free(steady);
	world_free(mortal);
}

/* In a row before each store: the step gets one store further each time. */
static void test_each_store(void **state)
{
	(void)state;
	run("each store", 50, true);
}

static void test_random_stores(void **state)
{
	(void)state;
	run("random stores", 100, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_store),
	    cmocka_unit_test(test_random_stores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
