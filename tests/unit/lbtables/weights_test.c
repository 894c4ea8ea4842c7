/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 10,000 random clients through the whole decision: what the backends get, and who moves when one
 * of them goes. FL_SEED=<seed> replays.
 */
#include "tables_bed.h"

#include <math.h>

#include "lb_host.h"

enum { FLOWS = 10000, BACKENDS = 8, HEAD = 128, FRAME = LB_ETH_LEN + LB_IP_MIN + LB_TCP_MIN };

static const uint16_t weights[BACKENDS] = {100, 100, 200, 50, 400, 25, 100, 25};

struct client {
	uint32_t addr_be;
	uint16_t port_be;
};

static void fill_syn(uint8_t *p, struct client c)
{
	uint64_t sum = 0;

	memset(p, 0, FRAME);
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	p[14] = 0x45;
	lb_store16(p + 16, LB_BE16(FRAME - LB_ETH_LEN));
	p[22] = 64;
	p[23] = LB_PROTO_TCP;
	lb_store32(p + 26, c.addr_be);
	lb_store32(p + 30, bed_vtep(1));
	for (int i = 14; i < 34; i += 2)
		sum += lb_load16(p + i);
	lb_store16(p + 24, (uint16_t)~lb_fold(sum));
	lb_store16(p + 34, c.port_be);
	lb_store16(p + 36, LB_BE16(8));
	p[46] = 5 << 4;
	p[47] = LB_TCP_SYN;
}

/* Number of the backend that gets a client's first packet. */
static uint32_t send_syn(struct lb_env *env, struct client c)
{
	uint8_t bytes[HEAD + FRAME];
	struct lb_host_frame f = {
	    .bytes = bytes, .head = HEAD, .length = FRAME, .size = sizeof(bytes)};
	struct lb_verdict v;

	fill_syn(bytes + HEAD, c);
	lb_host_uplink(env, &f, &v);
	assert_int_equal(v.action, LB_ENCAP);
	assert_int_equal(v.reason, LB_REASON_ENTRY_REMOTE);
	assert_int_equal(f.length, FRAME + LB_OUTER_LEN);
	return bytes[f.head + 55];
}

static void send_all(struct bed *b, const struct client *clients, uint8_t *to, uint32_t *got)
{
	struct lb_env *env = calloc(1, sizeof(*env));

	assert_non_null(env);
	env->tables = &b->l;
	memset(got, 0, (BACKENDS + 1) * sizeof(*got));
	for (uint32_t i = 0; i < FLOWS; i++) {
		to[i] = (uint8_t)send_syn(env, clients[i]);
		assert_in_range(to[i], 1, BACKENDS);
		got[to[i]]++;
	}
	free(env);
}

static void assert_shares(const struct spec *s, const uint32_t *got)
{
	double total = 0;

	for (uint32_t i = 0; i < s->s.backend_count; i++)
		total += s->backends[i].weight;
	for (uint32_t i = 0; i < s->s.backend_count; i++) {
		double want = s->backends[i].weight / total * FLOWS;

		assert_true(fabs(got[s->backends[i].mac[5]] - want) <= 0.02 * FLOWS);
	}
}

static void run(uint32_t ring_size)
{
	/* The bounds are statistical: one seed, unless told. */
	uint64_t seed = getenv("FL_SEED") ? bed_seed("weights") : 20;
	struct bed *b = bed_new((struct lb_tables){.slot_count = 1 << 19});
	struct spec *s = spec_new(1);
	struct client *clients = calloc(FLOWS, sizeof(*clients));
	uint8_t *before = calloc(FLOWS, 1), *after = calloc(FLOWS, 1);
	uint32_t got[BACKENDS + 1], size;

	assert_true(clients && before && after);
	for (uint32_t i = 0; i < 2; i++)
		b->l.config->key[i] = bed_random(&seed);
	for (uint32_t i = 0; i < FLOWS; i++)
		clients[i] = (struct client){(uint32_t)bed_random(&seed) | 1,
					     (uint16_t)(bed_random(&seed) | 1)};
	spec_port(s, 8);
	s->s.ring_size = ring_size;
	for (uint32_t i = 0; i < BACKENDS; i++) {
		spec_backend(s, 1 + i, 2 + i % 3)->weight = weights[i];
		if (i < 3)
			bed_hop(b, 2 + i, 1 + i);
	}
	bed_set(b, s);
	size = bed_ring(b, 8)->size;
	send_all(b, clients, before, got);
	assert_shares(s, got);
	while (s->s.backend_count > 2) {
		uint32_t at = bed_below(&seed, s->s.backend_count), gone = s->backends[at].mac[5];
		uint32_t moved = 0;

		spec_remove(s, at);
		bed_set(b, s);
		assert_int_equal(bed_ring(b, 8)->size, size);
		send_all(b, clients, after, got);
		assert_int_equal(got[gone], 0);
		assert_shares(s, got);
		for (uint32_t i = 0; i < FLOWS; i++)
			moved += before[i] != gone && before[i] != after[i];
		/* A quota is rounded up or down: each backend that stays may lose one slot. */
		assert_true(moved <= 2 * s->s.backend_count * FLOWS / size + 5);
		memcpy(before, after, FLOWS);
	}
	free(clients);
	free(before);
	free(after);
	spec_free(s);
	bed_free(b);
}

static void test_ring_that_fits(void **state)
{
	(void)state;
	run(0);
}

static void test_small_ring(void **state)
{
	(void)state;
	run(1031);
}

static void test_default_ring(void **state)
{
	(void)state;
	run(LB_RING_SIZE_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ring_that_fits),
	    cmocka_unit_test(test_small_ring),
	    cmocka_unit_test(test_default_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
