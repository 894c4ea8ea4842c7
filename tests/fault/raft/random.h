/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_RANDOM_H
#define FL_SIM_RANDOM_H
/* SplitMix64: whoever holds the state knows what comes. */
#include <stdbool.h>
#include <stdint.h>

struct sim_random {
	uint64_t state;
};

static inline uint64_t sim_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline uint64_t sim_random_next(struct sim_random *random)
{
	random->state += 0x9e3779b97f4a7c15;
	return sim_mix(random->state);
}

/* 0 .. limit - 1; 0 if limit is 0. */
static inline uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
	return limit ? sim_random_next(random) % limit : 0;
}

static inline uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high)
{
	return low + sim_random_below(random, high - low + 1);
}

static inline bool sim_random_chance(struct sim_random *random, unsigned per_mille)
{
	return sim_random_below(random, 1000) < per_mille;
}
#endif
