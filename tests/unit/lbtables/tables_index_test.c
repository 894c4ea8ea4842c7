/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's side of the index: vias and tasks, their ids, and running out of room. */
#include "tables_bed.h"

#include <errno.h>

#include "lb_host.h"

enum { VIAS = 3000, TASKS = 200 };

/* Another number for each number: keys that any hash spreads. */
static uint32_t scatter(uint32_t n)
{
	n *= 2654435761U;
	n ^= n >> 16;
	n *= 2246822519U;
	return n ^ n >> 13;
}

static struct lb_via via_of(uint32_t n)
{
	return (struct lb_via){.addr_be = scatter(n), .vtep_be = bed_vtep(1 + n % 7)};
}

static struct lb_task task_of(uint32_t n, uint32_t mac)
{
	/* 0 is no address. */
	struct lb_task t = {.addr_be = scatter(n),
			    .ifindex = 100 + n,
			    .gateway_be = LB_BE32(0x0a0a0001U),
			    .mtu = 1450};

	bed_mac(t.mac, scatter(mac));
	bed_mac(t.gateway_mac, 0x00aa0000);
	return t;
}

/* As the decision looks it up. */
static uint32_t via_id(const struct bed *b, struct lb_via via)
{
	struct lb_tables l = b->l;
	struct lb_env env = {.tables = &l};

	return lb_index_find(&env, l.config, lb_via_key(via.addr_be, via.vtep_be), LB_INDEX_VIA);
}

static uint32_t task_by(const struct bed *b, uint64_t key, enum lb_index_kind kind)
{
	struct lb_tables l = b->l;
	struct lb_env env = {.tables = &l};

	return lb_index_find(&env, l.config, key, kind);
}

static int set_vias(struct bed *b, uint32_t first, uint32_t count)
{
	struct lb_via *vias = calloc(count + 1, sizeof(*vias));
	int err;

	assert_non_null(vias);
	for (uint32_t i = 0; i < count; i++)
		vias[i] = via_of(first + i);
	err = tables_set_vias(b->t, vias, count);
	free(vias);
	bed_step(b);
	return err;
}

static void check_vias(const struct bed *b, uint32_t first, uint32_t count)
{
	assert_int_equal(tables_usage(b->t).vias, count);
	for (uint32_t i = 0; i < count; i++) {
		struct lb_via via = via_of(first + i);
		uint32_t id = via_id(b, via);

		assert_in_range(id, 1, LB_VIAS_MAX - 1);
		assert_memory_equal(&b->l.vias[id], &via, sizeof(via));
	}
	assert_int_equal(via_id(b, via_of(first + count)), 0);
	assert_int_equal(via_id(b, via_of(first - 1)), 0);
}

static void test_not_configured(void **state)
{
	struct bed *b = bed_new((struct lb_tables){0});
	struct lb_task task = task_of(1, 1);
	struct lb_via via = via_of(1);
	uint32_t id;

	(void)state;
	b->l.config->table_key = 0;
	assert_int_equal(tables_set_vias(b->t, &via, 1), -EINVAL);
	assert_int_equal(tables_set_tasks(b->t, &task, 1, &id), -EINVAL);
	bed_free(b);
}

static void test_vias(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 4096});
	uint32_t id;

	(void)state;
	assert_int_equal(set_vias(b, 1, VIAS), 0);
	check_vias(b, 1, VIAS);
	id = via_id(b, via_of(500));
	assert_int_equal(set_vias(b, 400, VIAS), 0);
	check_vias(b, 400, VIAS);
	assert_int_equal(via_id(b, via_of(500)), id);
	/* A pair that was there before gets the id it had. */
	assert_int_equal(set_vias(b, 1, 1), 0);
	check_vias(b, 1, 1);
	assert_int_equal(set_vias(b, 400, VIAS), 0);
	assert_int_equal(via_id(b, via_of(500)), id);
	bed_reopen(b);
	check_vias(b, 400, VIAS);
	assert_int_equal(set_vias(b, 5000, 1), 0);
	assert_int_equal(via_id(b, via_of(5000)), VIAS + 399 + 1);
	assert_int_equal(set_vias(b, 5000, 0), 0);
	assert_int_equal(tables_usage(b->t).vias, 0);
	assert_int_equal(set_vias(b, 500, 1), 0);
	assert_int_equal(via_id(b, via_of(500)), id);
	bed_free(b);
}

enum { LATE = 1 }; /* what is looked at first */

/* A reader had found this id before it left the index, and now makes a flow of it. */
static void late_flow(struct bed *b)
{
	b->l.flows[1].way[1].key = lb_flow_key(5, 6, 7, false);
	b->l.flows[1].way[1].value = lb_flow_value(LATE, 80, 5, 0);
}

/* When all ids were used once, those that flows name are passed over. */
static void test_via_ids_wrap(void **state)
{
	enum { BEFORE = 65000, HELD = 123, NEW = 1000 };
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1 << 10});
	struct lb_flow *flow = &b->l.flows[3].way[2];
	uint32_t graces;

	(void)state;
	for (uint32_t n = 1; n <= BEFORE; n++) /* a writer before gave these */
		b->l.vias[n] = via_of(n);
	bed_reopen(b);
	flow->key = lb_flow_key(1, 2, 3, false);
	flow->value = lb_flow_value(HELD, 80, 5, 0);
	assert_int_equal(set_vias(b, BEFORE + 1, LB_VIAS_MAX - 1 - BEFORE), 0);
	check_vias(b, BEFORE + 1, LB_VIAS_MAX - 1 - BEFORE);
	assert_int_equal(via_id(b, via_of(LB_VIAS_MAX - 1)), LB_VIAS_MAX - 1);
	assert_int_equal(set_vias(b, LB_VIAS_MAX - 10, 10), 0);
	graces = b->graces;
	b->during_grace = late_flow;
	assert_int_equal(set_vias(b, LB_VIAS_MAX - 10, 10 + NEW), 0);
	b->during_grace = NULL;
	check_vias(b, LB_VIAS_MAX - 10, 10 + NEW);
	assert_true(b->graces > graces); /* before the flows are looked at */
	for (uint32_t i = 0; i < NEW; i++)
		assert_int_equal(via_id(b, via_of(LB_VIAS_MAX + i)),
				 LATE + 1 + i + (i >= HELD - LATE - 1));
	/* The pair that the flow came by finds its flow again. */
	assert_int_equal(set_vias(b, HELD, 1), 0);
	assert_int_equal(via_id(b, via_of(HELD)), HELD);
	bed_free(b);
}

/* A cluster in one network: each node's address is its VTEP. */
static void test_one_network(void **state)
{
	enum { NODES = 1000 };
	struct bed *b = bed_new((struct lb_tables){.index_buckets = LB_INDEX_BUCKETS_DEFAULT});
	struct lb_via via[NODES];
	uint8_t load[LB_INDEX_BUCKETS_DEFAULT] = {0};
	uint32_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t bucket;

		via[i].addr_be = via[i].vtep_be = bed_vtep(1 + i);
		bucket =
		    lb_index_bucket_of(b->l.config, lb_via_key(via[i].addr_be, via[i].vtep_be));
		most = ++load[bucket] > most ? load[bucket] : most;
	}
	assert_in_range(most, 1, LB_WAYS);
	assert_int_equal(tables_set_vias(b->t, via, NODES), 0);
	bed_step(b);
	for (uint32_t i = 0; i < NODES; i++)
		assert_int_equal(via_id(b, via[i]), i + 1);
	bed_free(b);
}

static void test_vias_out_of_room(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1});

	(void)state;
	assert_int_equal(set_vias(b, 10, 7), 0);
	check_vias(b, 10, 7);
	assert_int_equal(set_vias(b, 12, 7), -ENOSPC);
	check_vias(b, 10, 7);
	assert_int_equal(set_vias(b, 10, 8), 0);
	assert_int_equal(set_vias(b, 11, 7), 0); /* frees a way */
	assert_int_equal(set_vias(b, 11, 8), 0);
	check_vias(b, 11, 8);
	bed_reopen(b);
	check_vias(b, 11, 8);
	bed_free(b);
}

/* A way is given to another key only after a grace period (bed_verify looks at the ways). */
static void test_way_reuse_waits(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1});
	uint32_t graces;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(set_vias(b, 10 + 4 * i, 4), 0);
		graces = b->graces;
		assert_int_equal(set_vias(b, 0, 0), 0);
		assert_int_equal(b->graces, graces); /* emptying waits for nothing */
	}
	assert_true(b->graces >= 49);
	bed_free(b);
}

struct tasks {
	struct lb_task task[LB_TASKS_MAX];
	uint32_t ids[LB_TASKS_MAX];
	uint32_t count;
};

static struct tasks *tasks_new(uint32_t first, uint32_t count)
{
	struct tasks *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->count = count;
	for (uint32_t i = 0; i < count; i++)
		s->task[i] = task_of(first + i, 0x1000 + first + i);
	return s;
}

static int set_tasks(struct bed *b, struct tasks *s)
{
	int err = tables_set_tasks(b->t, s->task, s->count, s->ids);

	bed_step(b);
	return err;
}

static void check_tasks(const struct bed *b, const struct tasks *s)
{
	uint32_t used = 0;

	assert_int_equal(tables_usage(b->t).tasks, s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		assert_in_range(s->ids[i], 1, LB_TASKS_MAX - 1);
		assert_memory_equal(&b->l.tasks[s->ids[i]], &s->task[i], sizeof(s->task[i]));
		assert_int_equal(task_by(b, s->task[i].addr_be, LB_INDEX_TASK_ADDR), s->ids[i]);
		assert_int_equal(task_by(b, lb_load_mac(s->task[i].mac), LB_INDEX_TASK_MAC),
				 s->ids[i]);
	}
	for (uint32_t i = 0; i < b->l.index_buckets * LB_WAYS; i++) {
		uint32_t kind = b->l.index[i / LB_WAYS].way[i % LB_WAYS].kind;

		used += kind == LB_INDEX_TASK_ADDR || kind == LB_INDEX_TASK_MAC;
	}
	assert_int_equal(used, 2 * s->count);
	for (uint32_t id = 1, found = 0; id < LB_TASKS_MAX; id++) {
		found += b->l.tasks[id].addr_be != 0;
		assert_true(found <= s->count);
	}
}

static void test_tasks(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1024});
	struct tasks *s = tasks_new(1, TASKS);
	uint32_t keep, gone;

	(void)state;
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	keep = s->ids[50];
	gone = s->ids[0];
	/* The first goes, two come: one has the address of the first. */
	bed_mac(s->task[0].mac, 0x99999999);
	s->task[s->count++] = task_of(5000, 5000);
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	assert_int_equal(s->ids[50], keep);
	assert_int_not_equal(s->ids[0], gone);
	assert_int_equal(b->l.tasks[gone].addr_be, 0);
	/* Same MAC, new address. */
	keep = s->ids[3];
	s->task[3].addr_be = LB_BE32(0x0a0b0001U);
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	assert_int_not_equal(s->ids[3], keep);
	/* Another interface: the same task. */
	keep = s->ids[4];
	s->task[4].ifindex = 7777;
	s->task[4].mtu = 1400;
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	assert_int_equal(s->ids[4], keep);
	bed_reopen(b);
	check_tasks(b, s);
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	assert_int_equal(s->ids[4], keep);
	s->count = 0;
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	free(s);
	bed_free(b);
}

static uint32_t flows_of(const struct bed *b, uint32_t task)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->l.flow_buckets * LB_WAYS; i++)
		n += b->l.flows[i / LB_WAYS].way[i % LB_WAYS].key >> 49 == task;
	return n;
}

/* Ids are given again only when all were used; the flows of the one before are forgotten. */
static void test_task_ids_wrap(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1 << 13});
	struct tasks *s = tasks_new(1, 0);
	uint32_t graces;

	(void)state;
	for (uint32_t n = 1; n < LB_TASKS_MAX; n += 2047) {
		uint32_t count = LB_TASKS_MAX - n < 2047 ? LB_TASKS_MAX - n : 2047;

		free(s);
		s = tasks_new(n, count);
		assert_int_equal(set_tasks(b, s), 0);
		assert_int_equal(s->ids[0], n);
	}
	b->l.flows[1].way[0].key = lb_flow_key(1, 2, 1, false);
	b->l.flows[2].way[1].key = lb_flow_key(1, 2, 1, true);
	b->l.flows[2].way[2].key = lb_flow_key(1, 2, 2, true);
	s->task[s->count++] = task_of(40000, 40000);
	graces = b->graces;
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	assert_int_equal(s->ids[s->count - 1], 1);
	assert_true(b->graces > graces);
	assert_int_equal(flows_of(b, 1), 0);
	assert_int_equal(flows_of(b, 2), 1);
	free(s);
	bed_free(b);
}

/* Neither the index nor the tasks have room: everything stays as it was. */
static void test_tasks_out_of_room(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1});
	struct tasks *s = tasks_new(1, 3), *more = tasks_new(1, 4);
	uint32_t untouched[8] = {0};

	(void)state;
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	more->task[0].ifindex = 4242;         /* changed in place */
	bed_mac(more->task[1].mac, 0x777777); /* another task, same address */
	more->task[3] = task_of(900, 900);
	more->task[4] = task_of(910, 910);
	more->count = 5;
	assert_int_equal(set_tasks(b, more), -ENOSPC);
	check_tasks(b, s);
	assert_memory_equal(more->ids, untouched, sizeof(untouched));
	more->task[1] = s->task[1];
	more->task[2] = task_of(901, 901); /* one goes, one comes: eight ways are too few at once */
	more->count = 4;
	assert_int_equal(set_tasks(b, more), -ENOSPC);
	check_tasks(b, s);
	bed_reopen(b);
	check_tasks(b, s);
	more->count = 2;
	assert_int_equal(set_tasks(b, more), 0);
	check_tasks(b, more);
	more->count = 3;
	assert_int_equal(set_tasks(b, more), 0);
	check_tasks(b, more);
	free(s);
	free(more);
	bed_free(b);
}

static void test_too_many_tasks(void **state)
{
	struct bed *b = bed_new((struct lb_tables){.index_buckets = 1 << 17});
	struct tasks *s = tasks_new(1, LB_TASKS_MAX - 1);
	struct lb_task *list = calloc(LB_TASKS_MAX, sizeof(*list));
	uint32_t *ids = calloc(LB_TASKS_MAX, sizeof(*ids));

	(void)state;
	assert_true(list && ids);
	assert_int_equal(set_tasks(b, s), 0);
	check_tasks(b, s);
	memcpy(list, s->task, sizeof(*list) * (LB_TASKS_MAX - 1));
	list[LB_TASKS_MAX - 1] = task_of(1 << 17, 1 << 17);
	assert_int_equal(tables_set_tasks(b->t, list, LB_TASKS_MAX, ids), -ENOSPC);
	bed_step(b);
	check_tasks(b, s);
	free(list);
	free(ids);
	free(s);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_not_configured),
	    cmocka_unit_test(test_vias),
	    cmocka_unit_test(test_via_ids_wrap),
	    cmocka_unit_test(test_one_network),
	    cmocka_unit_test(test_vias_out_of_room),
	    cmocka_unit_test(test_way_reuse_waits),
	    cmocka_unit_test(test_tasks),
	    cmocka_unit_test(test_task_ids_wrap),
	    cmocka_unit_test(test_tasks_out_of_room),
	    cmocka_unit_test(test_too_many_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
