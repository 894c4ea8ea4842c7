/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TABLES_BED_H
#define FL_TABLES_BED_H
/*
 * What the tests of the tables' writer stand on: small tables, a grace period that checks that
 * nothing a reader could be looking at has changed, services as a test describes them, and a model
 * of what a service's generations must say.
 *
 * A bed pins whatever can be reached from the ports or the index after each step. What is pinned
 * may not be overwritten until the next grace period; then only what can still be reached stays
 * pinned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lb_backend.h"
#include "lb_hash.h"
#include "lb_packet.h"
#include "ring.h"
#include "tables.h"

#define BED_INLINE static inline __attribute__((unused))

enum {
	BED_PORTS = 64, /* the tests use TCP ports below this, and UDP's */
	BED_UDP = 1 << 16,
	BED_VTEPS = 8,
	BED_SPEC_BACKENDS = 16384,
};

/* SplitMix64; the state is the seed. */
BED_INLINE uint64_t bed_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

BED_INLINE uint32_t bed_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(bed_random(state) % bound);
}

BED_INLINE uint64_t bed_seed(const char *test)
{
	const char *given = getenv("FL_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0)
		     : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	print_message("%s: FL_SEED=%" PRIu64 "\n", test, seed);
	return seed;
}

BED_INLINE uint32_t bed_vtep(uint32_t node)
{
	return LB_BE32(0x0a000000U + node);
}

BED_INLINE void bed_mac(uint8_t *mac, uint32_t n)
{
	mac[0] = 0x02;
	mac[1] = 0x42;
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(n >> (8 * (3 - i)));
}

struct bed {
	struct lb_tables l;
	struct tables *t;
	uint32_t graces;
	void (*during_grace)(struct bed *b); /* what a reader did meanwhile; may be NULL */
	/* Ethernet addresses towards node n's VTEP: told, and known */
	bool hop_told[BED_VTEPS], hop_known[BED_VTEPS];
	uint8_t hop_mac[BED_VTEPS][6];
	/* Copies of what is pinned; pin_*: is it? */
	struct lb_tables copy;
	uint8_t *pin_ring, *pin_backend, *pin_way;
};

BED_INLINE uint32_t bed_port_index(uint32_t i)
{
	return i < BED_PORTS ? i : BED_UDP + i - BED_PORTS;
}

BED_INLINE struct lb_port bed_port(const struct lb_tables *l, uint32_t index)
{
	return l->ports[index];
}

BED_INLINE void bed_pin_ring(struct bed *b, uint32_t ring)
{
	const struct lb_ring *r = &b->l.rings[ring];

	assert_in_range(ring, 1, b->l.ring_count - 1);
	if (b->pin_ring[ring])
		return;
	b->pin_ring[ring] = 1;
	b->copy.rings[ring] = *r;
	assert_true(r->slots <= b->l.slot_count && r->size <= b->l.slot_count - r->slots);
	assert_true(r->backends <= b->l.backend_count &&
		    r->backend_count <= b->l.backend_count - r->backends);
	memcpy(b->copy.slots + r->slots, b->l.slots + r->slots, r->size * sizeof(uint16_t));
	for (uint32_t s = 0; s < r->size; s++) {
		uint32_t index = r->backends + b->l.slots[r->slots + s];

		assert_true(b->l.slots[r->slots + s] < r->backend_count);
		if (b->pin_backend[index])
			continue;
		b->pin_backend[index] = 1;
		b->copy.backends[index] = b->l.backends[index];
	}
}

BED_INLINE void bed_pin(struct bed *b)
{
	for (uint32_t i = 0; i < 2 * BED_PORTS; i++)
		for (uint32_t ring = b->l.ports[bed_port_index(i)].ring; ring;
		     ring = b->l.rings[ring].prev)
			bed_pin_ring(b, ring);
	for (uint32_t i = 0; i < b->l.index_buckets * LB_WAYS; i++) {
		const struct lb_index_entry *e = &b->l.index[i / LB_WAYS].way[i % LB_WAYS];

		if (e->kind == LB_INDEX_EMPTY || b->pin_way[i])
			continue;
		b->pin_way[i] = 1;
		b->copy.index[i / LB_WAYS].way[i % LB_WAYS] = *e;
		if (e->kind == LB_INDEX_VIA)
			b->copy.vias[e->value] = b->l.vias[e->value];
		else
			b->copy.tasks[e->value] = b->l.tasks[e->value];
	}
}

BED_INLINE void bed_verify_way(const struct bed *b, uint32_t i)
{
	const struct lb_index_entry *was = &b->copy.index[i / LB_WAYS].way[i % LB_WAYS];
	const struct lb_index_entry *is = &b->l.index[i / LB_WAYS].way[i % LB_WAYS];

	assert_true(is->kind == LB_INDEX_EMPTY || is->kind == was->kind);
	assert_int_equal(is->key, was->key);
	if (was->kind == LB_INDEX_VIA) {
		assert_memory_equal(&b->l.vias[was->value], &b->copy.vias[was->value],
				    sizeof(struct lb_via));
	} else {
		const struct lb_task *task = &b->l.tasks[was->value];

		assert_memory_equal(task->mac, b->copy.tasks[was->value].mac, 6);
		if (task->addr_be)
			assert_int_equal(task->addr_be, b->copy.tasks[was->value].addr_be);
	}
}

/* Nothing pinned has changed, except for what readers read in one word. */
BED_INLINE void bed_verify(const struct bed *b)
{
	for (uint32_t i = 0; i < b->l.ring_count; i++) {
		struct lb_ring was = b->copy.rings[i];

		if (!b->pin_ring[i])
			continue;
		if (!b->l.rings[i].prev)
			was.prev = 0; /* trimmed */
		assert_memory_equal(&was, &b->l.rings[i], sizeof(was));
		assert_memory_equal(b->copy.slots + was.slots, b->l.slots + was.slots,
				    was.size * sizeof(uint16_t));
	}
	for (uint32_t i = 0; i < b->l.backend_count; i++) {
		const union lb_backend *was = &b->copy.backends[i], *is = &b->l.backends[i];

		if (!b->pin_backend[i])
			continue;
		assert_memory_equal(&was->word[2], &is->word[2], 48);
		if (was->t.ip[0] != 0x45)
			assert_int_equal(was->word[0], is->word[0]);
	}
	for (uint32_t i = 0; i < b->l.index_buckets * LB_WAYS; i++)
		if (b->pin_way[i])
			bed_verify_way(b, i);
}

BED_INLINE void bed_step(struct bed *b)
{
	bed_verify(b);
	bed_pin(b);
}

BED_INLINE void bed_grace(void *context)
{
	struct bed *b = context;

	b->graces++;
	bed_verify(b);
	if (b->during_grace)
		b->during_grace(b);
	memset(b->pin_ring, 0, b->l.ring_count);
	memset(b->pin_backend, 0, b->l.backend_count);
	memset(b->pin_way, 0, b->l.index_buckets * LB_WAYS);
	bed_pin(b);
}

BED_INLINE struct lb_config bed_config(void)
{
	return (struct lb_config){.addrs_be = {bed_vtep(1)},
				  .vtep_be = bed_vtep(1),
				  .vni_be = LB_BE32(4096U << 8),
				  .vxlan_port_be = LB_BE16(4789),
				  .inner_mtu = 1450,
				  .uplink_mtu = 1500,
				  .key = {0x0123456789abcdef, 0xfedcba9876543210},
				  .ticks_closed = 100,
				  .ticks_new = 200,
				  .ticks_udp = 300};
}

BED_INLINE void bed_open(struct bed *b)
{
	assert_int_equal(tables_open(&b->l, bed_grace, b, &b->t), 0);
	memset(b->hop_told, 0, sizeof(b->hop_told));
}

/* Small tables; counts of l that are not 0 are kept. */
BED_INLINE struct bed *bed_new(struct lb_tables sizes)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct lb_config config = bed_config();

	assert_non_null(b);
	b->l = sizes;
	b->l.ring_count = sizes.ring_count ? sizes.ring_count : 64;
	b->l.slot_count = sizes.slot_count ? sizes.slot_count : 1 << 15;
	b->l.backend_count = sizes.backend_count ? sizes.backend_count : 2048;
	b->l.index_buckets = sizes.index_buckets ? sizes.index_buckets : 64;
	b->l.flow_buckets = sizes.flow_buckets ? sizes.flow_buckets : 64;
	b->copy = b->l;
	assert_int_equal(lb_tables_alloc(&b->l), 0);
	assert_int_equal(lb_tables_alloc(&b->copy), 0);
	b->pin_ring = calloc(b->l.ring_count, 1);
	b->pin_backend = calloc(b->l.backend_count, 1);
	b->pin_way = calloc(b->l.index_buckets, LB_WAYS);
	assert_true(b->pin_ring && b->pin_backend && b->pin_way);
	b->l.config->table_key = 0x8b72e5c1d30f9a67; /* is kept: the same buckets each time */
	bed_open(b);
	assert_int_equal(tables_set_config(b->t, &config), 0);
	return b;
}

BED_INLINE void bed_free(struct bed *b)
{
	bed_verify(b);
	tables_close(b->t);
	lb_tables_free(&b->l);
	lb_tables_free(&b->copy);
	free(b->pin_ring);
	free(b->pin_backend);
	free(b->pin_way);
	free(b);
}

/* As after a kill: the writer's memory is gone, the tables are not. */
BED_INLINE void bed_reopen(struct bed *b)
{
	tables_close(b->t);
	bed_open(b);
	bed_step(b);
}

/* node's VTEP is reached by a MAC made of n; 0: not known. */
BED_INLINE void bed_hop(struct bed *b, uint32_t node, uint32_t n)
{
	static const uint8_t source[6] = {0x02, 1, 2, 3, 4, 5};

	b->hop_told[node] = true;
	b->hop_known[node] = n != 0;
	bed_mac(b->hop_mac[node], 0x00770000 + n);
	assert_int_equal(tables_set_next_hop(b->t, bed_vtep(node), n ? b->hop_mac[node] : NULL,
					     n ? source : NULL),
			 0);
	bed_step(b);
}

BED_INLINE void bed_hops_again(struct bed *b)
{
	static const uint8_t source[6] = {0x02, 1, 2, 3, 4, 5};

	for (uint32_t node = 0; node < BED_VTEPS; node++)
		if (b->hop_known[node]) {
			b->hop_told[node] = true;
			assert_int_equal(
			    tables_set_next_hop(b->t, bed_vtep(node), b->hop_mac[node], source), 0);
		}
	bed_step(b);
}

/* A service as a test wants it. */
struct spec {
	struct tables_service s;
	struct tables_port ports[2 * BED_PORTS];
	struct tables_backend *backends;
};

BED_INLINE struct spec *spec_new(uint32_t name)
{
	struct spec *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->backends = calloc(BED_SPEC_BACKENDS, sizeof(*s->backends));
	assert_non_null(s->backends);
	s->s = (struct tables_service){.name = name, .ports = s->ports, .backends = s->backends};
	return s;
}

BED_INLINE void spec_free(struct spec *s)
{
	free(s->backends);
	free(s);
}

BED_INLINE void spec_port(struct spec *s, uint32_t index)
{
	s->ports[s->s.port_count++] =
	    (struct tables_port){.index = index, .target_port_be = LB_BE16(8080)};
}

/* A backend whose MAC is made of n, on a node; on node 1, this one, it is task n. */
BED_INLINE struct tables_backend *spec_backend(struct spec *s, uint32_t n, uint32_t node)
{
	struct tables_backend *b = &s->backends[s->s.backend_count++];

	*b = (struct tables_backend){.weight = 100};
	bed_mac(b->mac, n);
	if (node == 1)
		b->task = n;
	else
		b->vtep_be = bed_vtep(node);
	return b;
}

BED_INLINE void spec_remove(struct spec *s, uint32_t i)
{
	s->backends[i] = s->backends[--s->s.backend_count];
}

BED_INLINE int bed_try(struct bed *b, const struct spec *s, uint32_t *moved)
{
	int err = tables_set_service(b->t, &s->s, moved);

	bed_step(b);
	return err;
}

/* Returns how many slots moved. */
BED_INLINE uint32_t bed_set(struct bed *b, const struct spec *s)
{
	uint32_t moved = UINT32_MAX;

	assert_int_equal(bed_try(b, s, &moved), 0);
	assert_int_not_equal(moved, UINT32_MAX);
	return moved;
}

/* Unpublishes all that these services do not have. */
BED_INLINE void bed_keep(struct bed *b, struct spec *const *specs, uint32_t count)
{
	uint64_t *keep = calloc(LB_PORTS_MAX / 64, sizeof(*keep));

	assert_non_null(keep);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t p = 0; p < specs[i]->s.port_count; p++)
			keep[specs[i]->ports[p].index / 64] |= 1ULL
							       << specs[i]->ports[p].index % 64;
	assert_int_equal(tables_keep_ports(b->t, keep), 0);
	free(keep);
	bed_step(b);
}

BED_INLINE const struct lb_ring *bed_ring(const struct bed *b, uint32_t index)
{
	uint32_t ring = b->l.ports[index].ring;

	return ring ? &b->l.rings[ring] : NULL;
}

BED_INLINE uint32_t bed_chain(const struct bed *b, uint32_t index)
{
	uint32_t length = 0;

	for (uint32_t ring = b->l.ports[index].ring; ring; ring = b->l.rings[ring].prev)
		length++;
	return length;
}

/* Entry of the backend made of n in a ring's region; NULL: none. */
BED_INLINE union lb_backend *bed_entry(const struct bed *b, const struct lb_ring *r, uint32_t n)
{
	uint8_t mac[6];

	bed_mac(mac, n);
	for (uint32_t o = 0; o < r->backend_count; o++)
		if (!memcmp(b->l.backends[r->backends + o].t.inner_dst, mac, 6))
			return &b->l.backends[r->backends + o];
	return NULL;
}

/* How many slots of a ring lead to the backend made of n. */
BED_INLINE uint32_t bed_share(const struct bed *b, const struct lb_ring *r, uint32_t n)
{
	uint32_t share = 0;
	uint8_t mac[6];

	bed_mac(mac, n);
	for (uint32_t s = 0; s < r->size; s++)
		share += !memcmp(b->l.backends[r->backends + b->l.slots[r->slots + s]].t.inner_dst,
				 mac, 6);
	return share;
}
#endif
