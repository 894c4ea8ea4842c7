/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Properties of rings over random services. Each random test prints its seed; RING_SEED=<seed>
 * replays it. Tests with statistical bounds use fixed seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../lbtables/ring.h"

enum { CASES = 300, CHAIN_LENGTH = 200, BACKENDS_MAX = 300, SIZE_MAX_TESTED = 16411 };

static uint64_t random_state;

/* SplitMix64. */
static uint64_t random_after(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t random_next(void)
{
	uint64_t before = random_state;

	random_state += 0x9e3779b97f4a7c15;
	return random_after(before);
}

static uint32_t random_below(uint32_t bound)
{
	return (uint32_t)(random_next() % bound);
}

static void seed_random(const char *test)
{
	const char *seed = getenv("RING_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	random_state = seed ? strtoull(seed, NULL, 0)
			    : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	print_message("%s: RING_SEED=%" PRIu64 "\n", test, random_state);
}

/* A service and its ring. */
struct fleet {
	struct ring_backend backends[BACKENDS_MAX];
	uint32_t count;
	uint32_t size;
	uint16_t owner[SIZE_MAX_TESTED];
};

static uint16_t random_weight(void)
{
	switch (random_below(8)) {
	case 0:
		return 0;
	case 1:
		return (uint16_t)(1 + random_below(LB_WEIGHT_MAX));
	case 2:
		return (uint16_t)(1 + random_below(10));
	default:
		return 100;
	}
}

static uint32_t random_size(void)
{
	static const uint32_t sizes[] = {1, 3, 61, 257, 1031, 4099, 16411};

	return sizes[random_below(sizeof(sizes) / sizeof(*sizes))];
}

static void fleet_fill(struct fleet *fleet, uint32_t count, uint32_t size)
{
	fleet->count = count;
	fleet->size = size;
	for (uint32_t i = 0; i < count; i++)
		fleet->backends[i] = (struct ring_backend){random_next(), random_weight()};
	fleet->backends[random_below(count)].weight = 100;
}

static void fleet_fill_equal(struct fleet *fleet, uint32_t count, uint32_t size)
{
	fleet_fill(fleet, count, size);
	for (uint32_t i = 0; i < count; i++)
		fleet->backends[i].weight = 100;
}

static void fleet_build(struct fleet *fleet)
{
	assert_int_equal(
	    ring_build(fleet->backends, fleet->count, fleet->size, NULL, 0, fleet->owner),
	    fleet->size);
}

static uint64_t total_weight(const struct fleet *fleet)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < fleet->count; i++)
		total += fleet->backends[i].weight;
	return total;
}

static void count_slots(const uint16_t *ring, uint32_t size, uint32_t *slots)
{
	memset(slots, 0, BACKENDS_MAX * sizeof(*slots));
	for (uint32_t s = 0; s < size; s++) {
		if (ring[s] != RING_NO_OWNER)
			slots[ring[s]]++;
	}
}

/* Each backend owns floor or ceil of its share, and none of weight 0 owns anything. */
static void assert_quotas(const struct fleet *fleet)
{
	uint64_t total = total_weight(fleet);
	uint32_t slots[BACKENDS_MAX];

	for (uint32_t s = 0; s < fleet->size; s++)
		assert_in_range(fleet->owner[s], 0, fleet->count - 1);
	count_slots(fleet->owner, fleet->size, slots);
	for (uint32_t i = 0; i < fleet->count; i++) {
		uint64_t share = (uint64_t)fleet->size * fleet->backends[i].weight;

		assert_in_range(slots[i], share / total, (share + total - 1) / total);
	}
}

/* The fewest slots that can move off listed backends: each may keep its floor, and as many as there
 * are slots left over may keep one more. Reckoned apart from ring_judge. */
static uint64_t fewest_moves(const struct fleet *fleet, const uint16_t *previous)
{
	uint64_t total = total_weight(fleet), over = 0, could_keep = 0, left = fleet->size;
	uint32_t slots[BACKENDS_MAX];

	count_slots(previous, fleet->size, slots);
	for (uint32_t i = 0; i < fleet->count; i++) {
		uint64_t share = (uint64_t)fleet->size * fleet->backends[i].weight;

		left -= share / total;
		if (slots[i] > share / total) {
			over += slots[i] - share / total;
			could_keep += share % total > 0;
		}
	}
	return over - (could_keep < left ? could_keep : left);
}

/* Checks the fleet's ring against the one before (same size and ordinals). */
static void assert_rebuilt(const struct fleet *fleet, const uint16_t *previous, int64_t result)
{
	struct ring_quality quality;
	int64_t moved = 0;
	uint64_t moved_listed = 0;

	assert_quotas(fleet);
	for (uint32_t s = 0; s < fleet->size; s++) {
		moved += previous[s] != fleet->owner[s];
		moved_listed += previous[s] != RING_NO_OWNER && previous[s] != fleet->owner[s];
	}
	assert_int_equal(result, moved);
	assert_int_equal(moved_listed, fewest_moves(fleet, previous));
	quality = ring_judge(fleet->backends, fleet->count, fleet->size, previous, fleet->owner);
	assert_int_equal(quality.moved_extra, 0);
}

static void fleet_rebuild(struct fleet *fleet, const uint16_t *previous)
{
	int64_t moved = ring_build(fleet->backends, fleet->count, fleet->size, previous,
				   fleet->size, fleet->owner);

	assert_true(moved >= 0);
	assert_rebuilt(fleet, previous, moved);
}

/* Delists backend victim: the last takes its ordinal. previous gets the ring as ring_build wants
 * it. */
static void fleet_remove(struct fleet *fleet, uint32_t victim, uint16_t *previous)
{
	uint32_t last = --fleet->count;

	fleet->backends[victim] = fleet->backends[last];
	for (uint32_t s = 0; s < fleet->size; s++) {
		previous[s] = fleet->owner[s];
		if (fleet->owner[s] == victim)
			previous[s] = RING_NO_OWNER;
		else if (fleet->owner[s] == last)
			previous[s] = (uint16_t)victim;
	}
}

static void fleet_add(struct fleet *fleet, struct ring_backend backend, uint16_t *previous)
{
	fleet->backends[fleet->count++] = backend;
	memcpy(previous, fleet->owner, fleet->size * sizeof(*previous));
}

/* The same backends and ring listed in another order. */
static void fleet_shuffle(struct fleet *copy, const struct fleet *fleet)
{
	uint16_t to[BACKENDS_MAX];

	*copy = *fleet;
	for (uint32_t i = 0; i < fleet->count; i++)
		to[i] = (uint16_t)i;
	for (uint32_t i = fleet->count; i > 1; i--) {
		uint32_t j = random_below(i);
		uint16_t swap = to[i - 1];

		to[i - 1] = to[j];
		to[j] = swap;
	}
	for (uint32_t i = 0; i < fleet->count; i++)
		copy->backends[to[i]] = fleet->backends[i];
	for (uint32_t s = 0; s < fleet->size; s++) {
		if (fleet->owner[s] != RING_NO_OWNER)
			copy->owner[s] = to[fleet->owner[s]];
	}
}

static void assert_same_names(const struct fleet *a, const struct fleet *b)
{
	for (uint32_t s = 0; s < a->size; s++)
		assert_int_equal(a->backends[a->owner[s]].name, b->backends[b->owner[s]].name);
	assert_int_equal(ring_checksum(a->backends, a->owner, a->size),
			 ring_checksum(b->backends, b->owner, b->size));
}

static void test_sizes(void **state)
{
	static const uint32_t good[] = {1, 3, 5, 7, 1031, 4099, 16411, 65537, 655373};
	static const uint32_t bad[] = {0,     2,      4,          9,      1033 * 3,
				       65536, 655375, 655373 + 4, 655379, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(ring_size_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(ring_size_valid(bad[i]));
}

static void test_size_fit(void **state)
{
	static const struct {
		uint32_t count, size;
	} equal[] = {{0, 1},      {1, 1},      {2, 1031},   {4, 1031},    {5, 4099},   {16, 4099},
		     {17, 16411}, {64, 16411}, {65, 65537}, {256, 65537}, {300, 65537}};
	struct ring_backend backends[BACKENDS_MAX];

	(void)state;
	for (uint32_t i = 0; i < BACKENDS_MAX; i++)
		backends[i] = (struct ring_backend){i, 7};
	for (size_t i = 0; i < sizeof(equal) / sizeof(*equal); i++)
		assert_int_equal(ring_size_fit(backends, equal[i].count), equal[i].size);
	backends[0].weight = 1;
	assert_int_equal(ring_size_fit(backends, 2), 4099); /* 1 of 8: 128 of 1031, 512 of 4099 */
	backends[0].weight = 0;
	assert_int_equal(ring_size_fit(backends, 1), 1);
	assert_int_equal(ring_size_fit(backends, 2), 1);
	assert_int_equal(ring_size_fit(backends, 5), 1031);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(ring_name("task-1", 6), ring_name("task-1", 6));
	assert_int_not_equal(ring_name("task-1", 6), ring_name("task-2", 6));
	assert_int_not_equal(ring_name("", 0), ring_name("\0", 1));
	/* Every node must agree for good: this value never changes. FNV-1a 64 of "a" is
	 * 0xaf63dc4c8601ec8c. */
	assert_int_equal(ring_name("a", 1), 0x2c0bdbf481420f8);
}

/* One bit at a time, the definition. */
static uint32_t crc32c_reference(const uint8_t *bytes, size_t length)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void test_checksum(void **state)
{
	static const struct ring_backend zero = {0, 1}, ones = {UINT64_MAX, 1};
	static const uint16_t first[4] = {0};
	static uint8_t bytes[SIZE_MAX_TESTED * 8];
	static struct fleet fleet;

	(void)state;
	assert_int_equal(crc32c_reference((const uint8_t *)"123456789", 9), 0xe3069283);
	/* RFC 3720 appendix B.4: 32 bytes of 0, 32 bytes of 0xff. */
	assert_int_equal(ring_checksum(&zero, first, 4), 0x8a9136aa);
	assert_int_equal(ring_checksum(&ones, first, 4), 0x62a8ab43);
	seed_random(__func__);
	fleet_fill(&fleet, 37, 4099);
	fleet_build(&fleet);
	for (uint32_t i = 0; i < fleet.size * 8; i++)
		bytes[i] = (uint8_t)(fleet.backends[fleet.owner[i / 8]].name >> 8 * (i % 8));
	assert_int_equal(ring_checksum(fleet.backends, fleet.owner, fleet.size),
			 crc32c_reference(bytes, fleet.size * 8));
}

static void assert_refused(const struct ring_backend *backends, uint32_t count, uint32_t size,
			   const uint16_t *previous, uint32_t previous_size)
{
	uint16_t owner[61], untouched[61];

	memset(owner, 0xa5, sizeof(owner));
	memset(untouched, 0xa5, sizeof(untouched));
	assert_int_equal(ring_build(backends, count, size, previous, previous_size, owner),
			 -EINVAL);
	assert_memory_equal(owner, untouched, sizeof(owner));
}

static void test_refusals(void **state)
{
	static struct ring_backend many[LB_SERVICE_BACKENDS_MAX];
	struct ring_backend backends[] = {{1, 1}, {2, 0}, {3, 1}};
	uint16_t previous[61] = {0};

	(void)state;
	for (uint32_t i = 0; i < LB_SERVICE_BACKENDS_MAX; i++)
		many[i] = (struct ring_backend){i, 1};
	assert_refused(backends, 0, 61, NULL, 0);
	assert_refused(many, LB_SERVICE_BACKENDS_MAX, 61, NULL, 0);
	assert_refused(backends + 1, 1, 61, NULL, 0);
	assert_refused(backends, 3, 0, NULL, 0);
	assert_refused(backends, 3, 2, NULL, 0);
	assert_refused(backends, 3, 60, NULL, 0);
	assert_refused(backends, 3, 655379, NULL, 0);
	assert_refused(backends, 3, 61, previous, 0);
	assert_refused(backends, 3, 61, previous, 60);
	backends[1].name = 3; /* duplicates count even at weight 0 */
	assert_refused(backends, 3, 61, NULL, 0);
	assert_true(ring_judge(backends, 3, 61, NULL, previous).imbalance_max > 1e9);
}

/* More backends than slots, up to the most there can be. */
static void test_more_backends_than_slots(void **state)
{
	static struct ring_backend many[LB_SERVICE_BACKENDS_MAX - 1];
	uint16_t owner[1031], again[1031];

	(void)state;
	for (uint32_t i = 0; i < LB_SERVICE_BACKENDS_MAX - 1; i++)
		many[i] = (struct ring_backend){ring_name(&i, sizeof(i)), LB_WEIGHT_MAX};
	assert_int_equal(ring_build(many, LB_SERVICE_BACKENDS_MAX - 1, 1031, NULL, 0, owner), 1031);
	assert_int_equal(ring_build(many, LB_SERVICE_BACKENDS_MAX - 1, 1031, owner, 1031, again),
			 0);
	assert_memory_equal(owner, again, sizeof(owner));
	for (uint32_t i = 0; i < 1031; i++) {
		assert_int_not_equal(many[owner[i]].weight, 1);
		many[owner[i]].weight = 1; /* nobody owns two */
	}
}

static void test_one_slot(void **state)
{
	struct ring_backend backends[] = {{10, 0}, {11, 5}, {12, 0}};
	uint16_t owner = 9, next = 9;

	(void)state;
	assert_int_equal(ring_build(backends, 3, 1, NULL, 0, &owner), 1);
	assert_int_equal(owner, 1);
	assert_int_equal(ring_build(backends, 3, 1, &owner, 1, &next), 0);
	assert_int_equal(next, 1);
	backends[1].weight = 0;
	backends[2].weight = 1;
	assert_int_equal(ring_build(backends, 3, 1, &owner, 1, &next), 1);
	assert_int_equal(next, 2);
}

/* From scratch no backend has one more than its floor while another's remainder is larger, or as
 * large and its name lower. */
static void assert_largest_remainders(const struct fleet *fleet)
{
	uint64_t total = total_weight(fleet), up_least = UINT64_MAX, down_most = 0;
	uint64_t up_name = 0, down_name = UINT64_MAX;
	uint32_t slots[BACKENDS_MAX];

	count_slots(fleet->owner, fleet->size, slots);
	for (uint32_t i = 0; i < fleet->count; i++) {
		uint64_t share = (uint64_t)fleet->size * fleet->backends[i].weight;
		uint64_t rest = share % total, name = fleet->backends[i].name;

		if (slots[i] > share / total) {
			if (rest < up_least || (rest == up_least && name > up_name))
				up_name = name;
			up_least = rest < up_least ? rest : up_least;
		} else {
			if (rest > down_most || (rest == down_most && name < down_name))
				down_name = name;
			down_most = rest > down_most ? rest : down_most;
		}
	}
	assert_true(up_least > down_most || (up_least == down_most && up_name < down_name));
}

static void test_scratch(void **state)
{
	static struct fleet fleet, shuffled, other;

	(void)state;
	seed_random(__func__);
	for (int i = 0; i < CASES; i++) {
		fleet_fill(&fleet, 1 + random_below(BACKENDS_MAX), random_size());
		fleet_build(&fleet);
		assert_quotas(&fleet);
		assert_largest_remainders(&fleet);
		fleet_shuffle(&shuffled, &fleet);
		other = shuffled;
		fleet_build(&other);
		assert_same_names(&fleet, &other);
		assert_memory_equal(shuffled.owner, other.owner, fleet.size * sizeof(uint16_t));
	}
}

/* Changes some backends' weights, delists some, adds some. */
static void fleet_change(struct fleet *fleet, uint32_t changes, uint16_t *previous)
{
	memcpy(previous, fleet->owner, fleet->size * sizeof(*previous));
	for (uint32_t i = 0; i < changes; i++) {
		uint32_t what = random_below(3), which = random_below(fleet->count);

		memcpy(fleet->owner, previous, fleet->size * sizeof(*previous));
		if (what == 0)
			fleet->backends[which].weight = random_weight();
		else if (what == 1 && fleet->count > 1)
			fleet_remove(fleet, which, previous);
		else if (what == 2 && fleet->count < BACKENDS_MAX)
			fleet_add(fleet, (struct ring_backend){random_next(), random_weight()},
				  previous);
	}
	if (total_weight(fleet) == 0)
		fleet->backends[0].weight = 1;
	memcpy(fleet->owner, previous, fleet->size * sizeof(*previous));
}

static void test_rebuild(void **state)
{
	static struct fleet fleet, shuffled, other;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	seed_random(__func__);
	for (int i = 0; i < CASES; i++) {
		fleet_fill(&fleet, 1 + random_below(BACKENDS_MAX), random_size());
		fleet_build(&fleet);
		fleet_change(&fleet, 1 + random_below(random_below(2) ? 2 : 50), previous);
		fleet_shuffle(&shuffled, &fleet); /* its owner is previous in the other order */
		fleet_rebuild(&fleet, previous);
		other = shuffled;
		fleet_rebuild(&other, shuffled.owner);
		assert_same_names(&fleet, &other);
	}
}

/* With equal weights no slot of another moves when one leaves, and every slot that moves when one
 * joins is the new one's. */
static void test_remove_and_add(void **state)
{
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	seed_random(__func__);
	for (int i = 0; i < CASES; i++) {
		fleet_fill_equal(&fleet, 2 + random_below(BACKENDS_MAX - 2), random_size());
		fleet_build(&fleet);
		fleet_remove(&fleet, random_below(fleet.count), previous);
		fleet_rebuild(&fleet, previous);
		for (uint32_t s = 0; s < fleet.size; s++)
			assert_true(previous[s] == RING_NO_OWNER || previous[s] == fleet.owner[s]);
		fleet_add(&fleet, (struct ring_backend){random_next(), 100}, previous);
		fleet_rebuild(&fleet, previous);
		for (uint32_t s = 0; s < fleet.size; s++)
			assert_true(fleet.owner[s] == fleet.count - 1 ||
				    fleet.owner[s] == previous[s]);
	}
}

/* A heavier backend only gains, and no more than the change of its quota moves. */
static void test_weight_change(void **state)
{
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];
	uint32_t before[BACKENDS_MAX], after[BACKENDS_MAX];

	(void)state;
	seed_random(__func__);
	for (int i = 0; i < CASES; i++) {
		uint32_t count = 2 + random_below(BACKENDS_MAX - 1), which, moved = 0;

		fleet_fill_equal(&fleet, count, random_size());
		which = random_below(count);
		fleet_build(&fleet);
		memcpy(previous, fleet.owner, sizeof(previous));
		fleet.backends[which].weight = (uint16_t)(101 + random_below(1000));
		fleet_rebuild(&fleet, previous);
		count_slots(previous, fleet.size, before);
		count_slots(fleet.owner, fleet.size, after);
		for (uint32_t s = 0; s < fleet.size; s++)
			moved += previous[s] != fleet.owner[s];
		assert_true(after[which] >= before[which]);
		/* The others lose only to it: their quotas fall, a rounding may pass along. */
		assert_in_range(moved, after[which] - before[which],
				after[which] - before[which] + count);
		fleet.backends[which].weight = 0;
		memcpy(previous, fleet.owner, sizeof(previous));
		fleet_rebuild(&fleet, previous);
	}
}

static void test_chain(void **state)
{
	static const uint32_t sizes[] = {1031, 4099, 16411};
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	seed_random(__func__);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		fleet_fill(&fleet, 40, sizes[k]);
		fleet_build(&fleet);
		for (int i = 0; i < CHAIN_LENGTH; i++) {
			fleet_change(&fleet, 1, previous);
			fleet_rebuild(&fleet, previous);
		}
	}
}

/* 200 changes of a ring of the size that fits: never over 0.5 % off. */
static void test_chain_imbalance(void **state)
{
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	seed_random(__func__);
	fleet_fill_equal(&fleet, 40, 16411);
	fleet_build(&fleet);
	for (int i = 0; i < CHAIN_LENGTH; i++) {
		struct ring_quality quality;

		if (fleet.count > 30 && (fleet.count == 64 || random_below(2)))
			fleet_remove(&fleet, random_below(fleet.count), previous);
		else
			fleet_add(&fleet, (struct ring_backend){random_next(), 100}, previous);
		fleet_rebuild(&fleet, previous);
		quality =
		    ring_judge(fleet.backends, fleet.count, fleet.size, previous, fleet.owner);
		assert_true(quality.imbalance_max <= 0.005);
	}
}

/* Slots that keep the owner of their range of hashes, by the contract's formula. */
static void assert_resized(const struct fleet *fleet, const uint16_t *previous, uint32_t from,
			   int64_t result)
{
	static uint16_t mapped[SIZE_MAX_TESTED];

	for (uint64_t s = 0; s < fleet->size; s++)
		mapped[s] = previous[(2 * s + 1) * from / (2 * (uint64_t)fleet->size)];
	assert_true(result >= 0);
	assert_rebuilt(fleet, mapped, result);
}

static void test_resize(void **state)
{
	static const uint32_t sizes[] = {1, 1031, 4099, 16411, 61, 4099, 3, 1, 257, 1031};
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	seed_random(__func__);
	for (int i = 0; i < CASES / 10; i++) {
		fleet_fill(&fleet, 1 + random_below(60), 1);
		fleet_build(&fleet);
		for (size_t k = 1; k < sizeof(sizes) / sizeof(*sizes); k++) {
			int64_t moved;

			fleet_change(&fleet, random_below(4), previous);
			fleet.size = sizes[k];
			moved = ring_build(fleet.backends, fleet.count, fleet.size, previous,
					   sizes[k - 1], fleet.owner);
			assert_resized(&fleet, previous, sizes[k - 1], moved);
		}
	}
}

/* Chi-square over who got some slots against the weights, divided by its degrees of freedom. Purely
 * random picks give 1; picks in turns give less. */
static double spread_of(const struct fleet *fleet, const uint32_t *got, uint32_t sum)
{
	double total = (double)total_weight(fleet), chi = 0;
	uint32_t freedom = 0;

	for (uint32_t i = 0; i < fleet->count; i++) {
		double expected = sum * (fleet->backends[i].weight / total);

		if (expected > 0) {
			chi += (got[i] - expected) * (got[i] - expected) / expected;
			freedom++;
		}
	}
	return freedom > 1 ? chi / (freedom - 1) : 0;
}

/* Fixed seeds: each eighth of a removed backend's slots goes to the others by weight. */
static void test_spread(void **state)
{
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	for (uint64_t seed = 1; seed < 10; seed++) {
		uint32_t got[BACKENDS_MAX] = {0}, sum = 0, run;

		random_state = seed;
		fleet_fill_equal(&fleet, 20, 16411);
		for (uint32_t i = 0; i < fleet.count; i++)
			fleet.backends[i].weight = (uint16_t)(i % 2 ? 100 : 200);
		fleet_build(&fleet);
		fleet_remove(&fleet, random_below(fleet.count), previous);
		fleet_rebuild(&fleet, previous);
		run = fleet.size / 160; /* about an eighth */
		for (uint32_t s = 0; s < fleet.size; s++) {
			if (previous[s] != RING_NO_OWNER)
				continue;
			got[fleet.owner[s]]++;
			if (++sum < run)
				continue;
			assert_true(spread_of(&fleet, got, sum) < 1);
			memset(got, 0, sizeof(got));
			sum = 0;
		}
	}
}

static int name_compare(const void *left, const void *right)
{
	const struct ring_backend *a = left, *b = right;

	return (a->name > b->name) - (a->name < b->name);
}

/* The paper's pseudocode (3.4) for equal weights, backends in the order of their names. */
static void build_textbook(struct fleet *fleet)
{
	uint64_t next[BACKENDS_MAX], skip[BACKENDS_MAX], golden = 0x9e3779b97f4a7c15;

	qsort(fleet->backends, fleet->count, sizeof(*fleet->backends), name_compare);
	for (uint32_t i = 0; i < fleet->count; i++) {
		next[i] = random_after(fleet->backends[i].name) % fleet->size;
		skip[i] = random_after(fleet->backends[i].name + golden) % (fleet->size - 1) + 1;
	}
	memset(fleet->owner, 0xff, sizeof(fleet->owner));
	for (uint32_t picks = 0; picks < fleet->size; picks++) {
		uint32_t i = picks % fleet->count;

		while (fleet->owner[next[i]] != RING_NO_OWNER)
			next[i] = (next[i] + skip[i]) % fleet->size;
		fleet->owner[next[i]] = (uint16_t)i;
	}
}

/* All but about the last 5 % of the slots are as in the paper. */
static void test_scratch_is_maglev(void **state)
{
	static struct fleet textbook, fleet;

	(void)state;
	for (uint64_t seed = 1; seed < 10; seed++) {
		uint32_t same = 0;

		random_state = seed;
		fleet_fill_equal(&textbook, 2 + random_below(100), SIZE_MAX_TESTED);
		build_textbook(&textbook);
		fleet = textbook;
		fleet_build(&fleet);
		for (uint32_t s = 0; s < fleet.size; s++)
			same += fleet.owner[s] == textbook.owner[s];
		assert_true(same * 100ull > fleet.size * 94ull);
	}
}

/* Nodes of two releases must build the same ring: these values never change. */
static void test_golden(void **state)
{
	static struct fleet fleet;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	random_state = 1;
	fleet_fill(&fleet, 50, 4099);
	fleet_build(&fleet);
	assert_int_equal(ring_checksum(fleet.backends, fleet.owner, fleet.size), 0x69bcccad);
	fleet_remove(&fleet, 7, previous);
	fleet_rebuild(&fleet, previous);
	assert_int_equal(ring_checksum(fleet.backends, fleet.owner, fleet.size), 0x37a63eaa);
	fleet_add(&fleet, (struct ring_backend){random_next(), 77}, previous);
	fleet_rebuild(&fleet, previous);
	assert_int_equal(ring_checksum(fleet.backends, fleet.owner, fleet.size), 0x41ab1ec4);
}

/* Fixed seeds. What the walk is for: a backend that comes back gets most of its slots again, and
 * two rings built apart from nearly the same backends agree on most slots (the paper, 5.3). */
static void test_walks_follow_names(void **state)
{
	static struct fleet fleet, first, apart;
	static uint16_t previous[SIZE_MAX_TESTED];

	(void)state;
	for (uint64_t seed = 1; seed < 10; seed++) {
		struct ring_backend guest;
		uint32_t again = 0, owned = 0, same = 0;

		random_state = seed;
		fleet_fill_equal(&fleet, 50, 16411);
		fleet_build(&fleet);
		guest = (struct ring_backend){random_next(), 100};
		apart = fleet;
		fleet_add(&fleet, guest, previous);
		fleet_add(&apart, guest, previous);
		fleet_rebuild(&fleet, previous);
		fleet_build(&apart);
		first = fleet;
		fleet_remove(&fleet, fleet.count - 1, previous);
		fleet_rebuild(&fleet, previous);
		fleet_add(&fleet, guest, previous);
		fleet_rebuild(&fleet, previous);
		for (uint32_t s = 0; s < fleet.size; s++) {
			owned += first.owner[s] == 50;
			again += first.owner[s] == 50 && fleet.owner[s] == 50;
			same += apart.owner[s] == first.owner[s];
		}
		assert_true(again * 4 > owned * 3);
		assert_true(same * 4 > fleet.size * 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_size_fit),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_checksum),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_more_backends_than_slots),
	    cmocka_unit_test(test_one_slot),
	    cmocka_unit_test(test_scratch),
	    cmocka_unit_test(test_rebuild),
	    cmocka_unit_test(test_remove_and_add),
	    cmocka_unit_test(test_weight_change),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_chain_imbalance),
	    cmocka_unit_test(test_resize),
	    cmocka_unit_test(test_spread),
	    cmocka_unit_test(test_scratch_is_maglev),
	    cmocka_unit_test(test_walks_follow_names),
	    cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
