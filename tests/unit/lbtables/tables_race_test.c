/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers decide about packets while the writer changes everything under their eyes; grace periods
 * are liburcu's. Each verdict must be explicable by a state that the tables had since the reader
 * began: the epoch is odd while the writer is at work, so a verdict between two equal even epochs
 * must be that state's own.
 *
 * FL_RACE_SECONDS: how long (3). FL_SEED=<seed> replays the writer's steps; the interleaving is the
 * machine's.
 */
#include "race_packets.h"

#include <pthread.h>
#include <unistd.h>

#include <urcu/urcu-memb.h>

enum {
	READERS = 2,
	NAMES_MAX = 1 << 20, /* backends are never named twice, unless they come back */
	LISTED_MAX = 10,
	TASKS = 8,
	PORT = 8, /* of service 0; service 1: the next */
	HEAD = 128,
	NODES = BED_VTEPS,
};

#if defined(__SANITIZE_THREAD__)
/*
 * Entries that change in place are stored in words, atomically, and loaded by the decision as plain
 * words, fields or vectors of them: the same code is BPF, which has no atomic loads. Which mixtures
 * of old and new words there may be, and that they do no harm, is checked below. Both sides are
 * named, because the sanitizer forgets one of the stacks at times; the writer's are those functions
 * that change what is published, so a plain store to anything that can be reached is still found.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return /* a template's words: next hop, or what kind of entry it is */
	    "race:^lb_write_outer$\n"
	    "race:^lb_entry_backend$\n"
	    "race:^tables_backend_resolve$\n"
	    "race:^tables_backend_update$\n"
	    "race:^tables_backend_down$\n"
	    /* ring.prev: cut off */
	    "race:^lb_older_owner$\n"
	    "race:^lb_flow_miss$\n"
	    "race:^trim_generations$\n"
	    /* an index entry: kind is stored last, and taken away first */
	    "race:^lb_index_find$\n"
	    "race:^tables_index_put$\n"
	    "race:^tables_index_remove$\n"
	    /* a task's words: its address becomes 0 when it goes */
	    "race:^lb_deliver$\n"
	    "race:^task_write$\n"
	    "race:^task_remove$\n"
	    /* a via, written before the index leads to it, read through a flow's plain id */
	    "race:^lb_flow_seek$\n"
	    "race:^via_put$\n";
}
#endif

/* What the readers may know of a backend. */
struct name {
	uint64_t until;         /* epoch in which it had been withdrawn; UINT64_MAX: listed */
	uint8_t service, nodes; /* nodes: every one that it ever was on, a bit each */
};

struct race {
	struct bed *b;
	struct name *names;
	uint64_t epoch;
	bool stop;
	const char *failure;
	uint32_t failure_line;
	uint32_t failure_detail;
	uint64_t sections[READERS]; /* read sections that ended, each reader's own */
	uint32_t next_name;         /* the writer's */
	uint32_t graces;
};

struct reader {
	struct race *race;
	struct lb_env env;
	uint64_t seed;
	uint32_t id;
	uint64_t actions[16], settled, torn;
	pthread_t thread;
};

static void fail_at(struct race *r, const char *what, int line, uint32_t detail)
{
	if (__atomic_load_n(&r->failure, __ATOMIC_ACQUIRE))
		return;
	r->failure_line = (uint32_t)line;
	r->failure_detail = detail;
	__atomic_store_n(&r->failure, what, __ATOMIC_RELEASE);
}
/* cmocka's asserts are for the main thread only. */
#define EXPLAIN(r, what, detail)                                                                   \
	do {                                                                                       \
		if (!(what))                                                                       \
			fail_at(r, #what, __LINE__, (uint32_t)(detail));                           \
	} while (0)

/* --- Readers --- */

/* What a verdict is about. */
struct question {
	uint64_t began, ended; /* epochs */
	uint32_t service;
	bool opening, tunnel;
	uint32_t name; /* tunnel: whose task is meant */
};

static bool settled(const struct question *q)
{
	return q->began == q->ended && q->began % 2 == 0;
}

static void check_encap(struct reader *reader, const struct question *q, const uint8_t *p,
			const struct lb_verdict *v)
{
	struct race *r = reader->race;
	uint32_t name = name_of(p + 50), node = LB_BE32(lb_load32(p + 30)) & 0xff;
	const struct name *n;

	EXPLAIN(r, p[50] == 0x02 && p[51] == 0x42 && name && name < NAMES_MAX, name);
	if (!name || name >= NAMES_MAX)
		return;
	n = &r->names[name];
	EXPLAIN(r, __atomic_load_n(&n->service, __ATOMIC_ACQUIRE) == q->service, name);
	EXPLAIN(r, __atomic_load_n(&n->until, __ATOMIC_ACQUIRE) > q->began, name);
	EXPLAIN(r, node < NODES && __atomic_load_n(&n->nodes, __ATOMIC_ACQUIRE) >> node & 1, node);
	EXPLAIN(r, lb_fold(sum_bytes(p + 14, LB_IP_MIN)) == 0xffff, name);
	EXPLAIN(r, lb_load32(p + 26) == bed_vtep(1), name);
	EXPLAIN(r, lb_load16(p + 16) == lb_swap16(INNER + 36), name);
	EXPLAIN(r, lb_load16(p + 38) == lb_swap16(INNER + 16), name);
	EXPLAIN(r, lb_load32(p + 42) == LB_VXLAN_FLAGS_BE, name);
	EXPLAIN(r, lb_load32(p + 46) == LB_BE32(4096U << 8), name);
	EXPLAIN(r, lb_is_mesh_mac(p + 56, LB_MAC_ENTRY) || p[56] == LB_MAC_PREFIX_ASKED, name);
	EXPLAIN(r, lb_load16(p + 62) == LB_ETHERTYPE_IPV4_BE, name);
	EXPLAIN(r, v->action != LB_ENCAP || lb_load32(p + 58) == bed_vtep(1), name);
	/* Word 1 may have become something else since the kind was read: half an Ethernet header,
	 * which no switch takes. */
	if (lb_load16(p + 12) != LB_ETHERTYPE_IPV4_BE) {
		EXPLAIN(r, !settled(q), name);
		reader->torn++;
		return;
	}
	/* The next hop's address is made of the node. */
	EXPLAIN(r, p[4] == node && p[5] == 0x99, p[4]);
}

static void check_deliver(struct reader *reader, const uint8_t *p)
{
	struct race *r = reader->race;
	const uint8_t *ip = p + LB_ETH_LEN;
	uint32_t name = name_of(p);

	EXPLAIN(r, p[0] == 0x02 && p[1] == 0x42, name);
	EXPLAIN(r, lb_load32(ip + 16) == task_addr(name), name);
	EXPLAIN(r, lb_fold(sum_bytes(ip, LB_IP_MIN)) == 0xffff, name);
	EXPLAIN(r, lb_fold(sum_tcp(ip)) == 0xffff, name);
	EXPLAIN(r, lb_load16(ip + 22) == LB_BE16(80), name);
}

static void check_drop(struct reader *reader, const struct question *q, const struct lb_verdict *v)
{
	struct race *r = reader->race;

	switch (v->reason) {
	case LB_REASON_DROP_FLOW_RACE:
	case LB_REASON_DROP_FLOW_CONFLICT:
		return;
	case LB_REASON_DROP_UNKNOWN_ENTRY: /* its via was withdrawn */
	case LB_REASON_DROP_UNKNOWN_TASK:
	case LB_REASON_DROP_NO_SERVICE:
		EXPLAIN(r, q->tunnel || !settled(q), v->reason);
		return;
	case LB_REASON_DROP_NO_BACKEND: /* went down on the way */
		EXPLAIN(r, !settled(q), v->reason);
		return;
	default:
		fail_at(r, "a drop that nothing explains", __LINE__, v->reason);
	}
}

static void check_verdict(struct reader *reader, const struct question *q,
			  const struct lb_host_frame *f, const struct lb_verdict *v)
{
	struct race *r = reader->race;

	switch (v->action) {
	case LB_ENCAP:
		EXPLAIN(r, !q->tunnel, v->reason);
		check_encap(reader, q, f->bytes + f->head, v);
		break;
	case LB_REENCAP:
		EXPLAIN(r, q->tunnel && !q->opening, v->reason);
		check_encap(reader, q, f->bytes + f->head, v);
		break;
	case LB_DELIVER:
		check_deliver(reader, f->bytes + f->head);
		break;
	case LB_DROP:
		check_drop(reader, q, v);
		break;
	case LB_PASS:
		EXPLAIN(r,
			v->reason == LB_REASON_NOT_OURS || /* unpublished */
			    v->reason == LB_REASON_ENTRY_UNRESOLVED,
			v->reason);
		break;
	case LB_ICMP:
		EXPLAIN(r, v->reason == LB_REASON_ICMP_UNREACHABLE, v->reason);
		break;
	default:
		fail_at(r, "an action that nothing explains", __LINE__, v->action);
	}
}

static void ask(struct reader *reader)
{
	struct race *r = reader->race;
	uint64_t random = bed_random(&reader->seed);
	uint8_t bytes[HEAD + LB_OUTER_LEN + INNER];
	struct lb_host_frame f = {
	    .bytes = bytes, .head = HEAD + LB_OUTER_LEN, .length = INNER, .size = sizeof(bytes)};
	struct question q = {.service = random >> 40 & 1,
			     .opening = (random >> 41 & 3) == 0,
			     .tunnel = random >> 43 & 1};
	struct lb_verdict v;

	fill_tcp(bytes + f.head, random, (uint16_t)(PORT + q.service),
		 q.opening ? LB_TCP_SYN : LB_TCP_ACK);
	if (q.tunnel) {
		uint32_t newest = __atomic_load_n(&r->next_name, __ATOMIC_ACQUIRE);

		q.name = newest - (uint32_t)(random >> 44) % (newest < 50 ? newest : 50);
		f.head -= LB_OUTER_LEN;
		f.length += LB_OUTER_LEN;
		fill_outer(bytes + f.head, q.name, 2 + (uint32_t)(random >> 52) % 4);
	}
	q.began = __atomic_load_n(&r->epoch, __ATOMIC_SEQ_CST);
	urcu_memb_read_lock();
	reader->env.ticks = (uint32_t)(q.began / 64);
	lb_host_uplink(&reader->env, &f, &v);
	/* For the thread sanitizer, which sees no read lock: the section ends here. */
	__atomic_store_n(&r->sections[reader->id], r->sections[reader->id] + 1, __ATOMIC_RELEASE);
	urcu_memb_read_unlock();
	q.ended = __atomic_load_n(&r->epoch, __ATOMIC_SEQ_CST);
	reader->actions[v.action]++;
	reader->settled += settled(&q);
	check_verdict(reader, &q, &f, &v);
}

static void *reader_run(void *argument)
{
	struct reader *reader = argument;

	urcu_memb_register_thread();
	while (!__atomic_load_n(&reader->race->stop, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&reader->race->failure, __ATOMIC_ACQUIRE))
		ask(reader);
	urcu_memb_unregister_thread();
	return NULL;
}

/* --- The writer --- */

struct writer {
	struct race *race;
	struct spec *specs[2];
	struct lb_task tasks[TASKS];
	uint32_t ids[TASKS];
	uint32_t hop_version;
	uint64_t seed;
};

static void grace(void *context)
{
	struct race *r = context;

	urcu_memb_synchronize_rcu();
	for (int i = 0; i < READERS; i++) /* for the thread sanitizer */
		(void)__atomic_load_n(&r->sections[i], __ATOMIC_ACQUIRE);
	r->graces++;
}

static void begin(struct race *r)
{
	__atomic_store_n(&r->epoch, r->epoch + 1, __ATOMIC_SEQ_CST);
}

static void end(struct race *r)
{
	__atomic_store_n(&r->epoch, r->epoch + 1, __ATOMIC_SEQ_CST);
}

/* Names what a list has from now on; what it has no more is withdrawn when that is done. */
static void set_service(struct writer *w, uint32_t i)
{
	struct race *r = w->race;
	struct spec *s = w->specs[i];

	for (uint32_t k = 0; k < s->s.backend_count; k++) {
		const struct tables_backend *l = &s->backends[k];
		struct name *n = &r->names[name_of(l->mac)];

		__atomic_store_n(&n->service, (uint8_t)i, __ATOMIC_RELEASE);
		if (!l->task) /* the writer alone changes it */
			__atomic_store_n(&n->nodes,
					 (uint8_t)(n->nodes | 1 << (LB_BE32(l->vtep_be) & 0xff)),
					 __ATOMIC_RELEASE);
		if (!l->down)
			__atomic_store_n(&n->until, UINT64_MAX, __ATOMIC_RELEASE);
	}
	assert_int_equal(tables_set_service(r->b->t, &s->s, NULL), 0);
}

static void withdraw(struct race *r, const uint8_t *mac)
{
	__atomic_store_n(&r->names[name_of(mac)].until, r->epoch + 1, __ATOMIC_RELEASE);
}

static uint32_t new_name(struct race *r)
{
	uint32_t name = r->next_name + 1;

	assert_true(name < NAMES_MAX);
	__atomic_store_n(&r->next_name, name, __ATOMIC_RELEASE);
	return name;
}

/* A remote backend; names' service must be there before a reader can meet them. */
static void add_remote(struct writer *w, uint32_t i)
{
	struct tables_backend *l =
	    spec_backend(w->specs[i], new_name(w->race), 2 + bed_below(&w->seed, 4));

	l->weight = (uint16_t)(100 * bed_below(&w->seed, 4));
}

static void add_local(struct writer *w, uint32_t i)
{
	uint32_t k = bed_below(&w->seed, TASKS), name = name_of(w->tasks[k].mac);
	struct spec *s = w->specs[i];

	if (k % 2 != i) /* one service's each */
		return;
	for (uint32_t b = 0; b < s->s.backend_count; b++)
		if (name_of(s->backends[b].mac) == name)
			return;
	spec_backend(s, name, 1)->task = w->ids[k];
}

static void change_backends(struct writer *w, uint32_t i)
{
	struct race *r = w->race;
	struct spec *s = w->specs[i];
	uint32_t what = bed_below(&w->seed, 8), n = s->s.backend_count;
	uint32_t at = n ? bed_below(&w->seed, n) : 0;
	struct tables_backend *l = &s->backends[at];
	uint8_t gone[6] = {0};

	if (n < 3 || (what < 2 && n < LISTED_MAX)) {
		add_remote(w, i);
	} else if (what == 2 && n < LISTED_MAX) {
		add_local(w, i);
	} else if (what < 4) {
		memcpy(gone, l->mac, 6);
		spec_remove(s, at);
	} else if (what == 4) {
		l->down = !l->down;
		if (l->down)
			memcpy(gone, l->mac, 6);
	} else if (what == 5 && !l->task) {
		l->vtep_be = bed_vtep(2 + bed_below(&w->seed, 4));
	} else {
		l->weight = (uint16_t)(100 * bed_below(&w->seed, 4));
	}
	set_service(w, i);
	if (gone[0])
		withdraw(r, gone);
}

/* One of the tasks is replaced; its service follows. */
static void change_task(struct writer *w)
{
	struct race *r = w->race;
	uint32_t k = bed_below(&w->seed, TASKS), name = new_name(r), i = k % 2;
	struct spec *s = w->specs[i];
	uint32_t old = name_of(w->tasks[k].mac);

	w->tasks[k] = (struct lb_task){.addr_be = task_addr(name), .ifindex = 10 + k, .mtu = 1450};
	bed_mac(w->tasks[k].mac, name);
	r->names[name].service = (uint8_t)i;
	assert_int_equal(tables_set_tasks(r->b->t, w->tasks, TASKS, w->ids), 0);
	for (uint32_t b = 0; b < s->s.backend_count; b++)
		if (name_of(s->backends[b].mac) == old) {
			bed_mac(s->backends[b].mac, name);
			s->backends[b].task = w->ids[k];
		}
	set_service(w, i);
}

static void change_hop(struct writer *w)
{
	uint32_t node = 2 + bed_below(&w->seed, 4);
	uint8_t mac[6] = {
	    0x02, 0, (uint8_t)(w->hop_version >> 8), (uint8_t)w->hop_version, (uint8_t)node, 0x99};
	static const uint8_t source[6] = {0x02, 1, 2, 3, 4, 5};
	bool known = bed_below(&w->seed, 4) != 0;

	w->hop_version++;
	assert_int_equal(tables_set_next_hop(w->race->b->t, bed_vtep(node), known ? mac : NULL,
					     known ? source : NULL),
			 0);
}

static void change_vias(struct writer *w)
{
	struct lb_via vias[NODES];
	uint32_t n = 0;

	vias[n++] = (struct lb_via){bed_vtep(1), bed_vtep(1)};
	for (uint32_t node = 2; node < NODES; node++)
		if (bed_below(&w->seed, 4))
			vias[n++] = (struct lb_via){bed_vtep(node), bed_vtep(node)};
	assert_int_equal(tables_set_vias(w->race->b->t, vias, n), 0);
}

static void change_ports(struct writer *w)
{
	uint64_t *keep = calloc(LB_PORTS_MAX / 64, sizeof(*keep));

	assert_non_null(keep);
	keep[0] = 1ULL << (PORT + bed_below(&w->seed, 2));
	assert_int_equal(tables_keep_ports(w->race->b->t, keep), 0);
	free(keep);
	/* Withdrawn with their port; the same ones come back. */
	for (uint32_t i = 0; i < 2; i++)
		set_service(w, i);
}

static void change(struct writer *w)
{
	begin(w->race);
	switch (bed_below(&w->seed, 12)) {
	case 0:
		change_task(w);
		break;
	case 1:
	case 2:
		change_hop(w);
		break;
	case 3:
		change_vias(w);
		break;
	case 4:
		change_ports(w);
		break;
	default:
		change_backends(w, bed_below(&w->seed, 2));
	}
	end(w->race);
}

static void writer_start(struct writer *w, struct race *r)
{
	*w = (struct writer){.race = r, .seed = bed_seed("race")};
	for (uint32_t k = 0; k < TASKS; k++) {
		uint32_t name = new_name(r);

		w->tasks[k] =
		    (struct lb_task){.addr_be = task_addr(name), .ifindex = 10 + k, .mtu = 1450};
		bed_mac(w->tasks[k].mac, name);
		r->names[name].service = k % 2;
	}
	assert_int_equal(tables_set_tasks(r->b->t, w->tasks, TASKS, w->ids), 0);
	change_vias(w);
	for (uint32_t i = 0; i < 2; i++) {
		w->specs[i] = spec_new(i + 1);
		spec_port(w->specs[i], PORT + i);
		w->specs[i]->ports[0].target_port_be = LB_BE16(80);
		w->specs[i]->s.ring_size = 1031;
		for (int n = 0; n < 3; n++)
			add_remote(w, i);
		set_service(w, i);
	}
	for (int i = 0; i < 20; i++)
		change_hop(w);
}

/* The bed's tables, but with a writer whose grace periods are real. */
static struct race *race_new(void)
{
	struct race *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->names = calloc(NAMES_MAX, sizeof(*r->names));
	assert_non_null(r->names);
	r->b = bed_new((struct lb_tables){
	    .ring_count = 32, .slot_count = 24 * 1056, .backend_count = 512, .flow_buckets = 256});
	tables_close(r->b->t);
	assert_int_equal(tables_open(&r->b->l, grace, r, &r->b->t), 0);
	return r;
}

static void report(const struct race *r, const struct reader *readers)
{
	uint64_t packets = 0, settled_count = 0, torn = 0, encap = 0, deliver = 0, again = 0;

	for (int i = 0; i < READERS; i++) {
		for (int a = 0; a < 16; a++)
			packets += readers[i].actions[a];
		settled_count += readers[i].settled;
		torn += readers[i].torn;
		encap += readers[i].actions[LB_ENCAP];
		deliver += readers[i].actions[LB_DELIVER];
		again += readers[i].actions[LB_REENCAP];
		assert_int_equal(readers[i].env.reasons.packets[LB_REASON_DROP_INTERNAL], 0);
	}
	print_message("%" PRIu64 " changes, %u grace periods; %" PRIu64 " packets (%" PRIu64
		      " between changes): %" PRIu64 " encapsulated, %" PRIu64 " delivered, %" PRIu64
		      " forwarded again, %" PRIu64 " left with half an Ethernet header\n",
		      r->epoch / 2, r->graces, packets, settled_count, encap, deliver, again, torn);
	if (r->failure)
		print_error("line %u: %s: %u\n", r->failure_line, r->failure, r->failure_detail);
	assert_null(r->failure);
	assert_true(encap && deliver && settled_count);
}

static void test_race(void **state)
{
	const char *given = getenv("FL_RACE_SECONDS");
	double seconds = given ? strtod(given, NULL) : 3;
	struct race *r = race_new();
	struct reader *readers = calloc(READERS, sizeof(*readers));
	struct timespec start, now;
	struct writer w;

	(void)state;
	assert_non_null(readers);
	urcu_memb_register_thread();
	writer_start(&w, r);
	for (uint32_t i = 0; i < READERS; i++) {
		readers[i].race = r;
		readers[i].env.tables = &r->b->l;
		readers[i].seed = w.seed + 1 + i;
		readers[i].id = i;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]),
				 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		change(&w);
		if (bed_below(&w.seed, 4) == 0)
			usleep(bed_below(&w.seed, 100));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (
	    !__atomic_load_n(&r->failure, __ATOMIC_ACQUIRE) && w.race->next_name < NAMES_MAX - 10 &&
	    (double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec) <
		seconds);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	urcu_memb_unregister_thread();
	report(r, readers);
	for (int i = 0; i < 2; i++)
		spec_free(w.specs[i]);
	free(readers);
	free(r->names);
	bed_free(r->b);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_race)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
