/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LINEAR_SET_H
#define FL_LINEAR_SET_H
/*
 * A set of configurations of linear.c: a register's value, and a bit for each open operation that
 * took effect. It keeps only the best: one is dropped if another has the same value and the same
 * bits but for fewer of those that are `unknown` (operations whose outcome nobody knows).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINEAR_CONFIGURATIONS_MAX = 1 << 20 };

struct linear_set {
	size_t words, count, room; /* count: with the dead */
	uint64_t *data;            /* per configuration: value, words of bits */
	uint32_t *next;            /* of the same bucket; position + 1 */
	bool *dead;                /* a better one came */
	uint32_t *buckets;         /* position + 1 of the newest */
	size_t bucket_count;       /* a power of two */
};

static inline size_t linear_set_words(uint32_t bits)
{
	return bits / 64 + 1;
}
static inline bool linear_bit(const uint64_t *words, uint32_t bit)
{
	return words[bit / 64] >> bit % 64 & 1;
}
static inline void linear_bit_set(uint64_t *words, uint32_t bit)
{
	words[bit / 64] |= UINT64_C(1) << bit % 64;
}
static inline void linear_bit_clear(uint64_t *words, uint32_t bit)
{
	words[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

void linear_set_init(struct linear_set *set, size_t words);
void linear_set_free(struct linear_set *set);
void linear_set_clear(struct linear_set *set);
/* 0 (also if it was not needed), -ENOMEM, -E2BIG. done may lie in another set, not in this one. */
int linear_set_add(struct linear_set *set, uint64_t value, const uint64_t *done,
		   const uint64_t *unknown);
/* Takes the dead away; positions change, and nothing may be added before linear_set_clear. */
void linear_set_bury(struct linear_set *set);
void linear_set_swap(struct linear_set *a, struct linear_set *b);

static inline uint64_t linear_set_value(const struct linear_set *set, size_t i)
{
	return set->data[i * (set->words + 1)];
}
static inline uint64_t *linear_set_done(const struct linear_set *set, size_t i)
{
	return &set->data[i * (set->words + 1) + 1];
}
static inline bool linear_set_is_dead(const struct linear_set *set, size_t i)
{
	return set->dead[i];
}
#endif
