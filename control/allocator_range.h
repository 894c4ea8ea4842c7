/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ALLOCATOR_RANGE_H
#define FL_ALLOCATOR_RANGE_H
/*
 * A set of numbers that are taken (addresses, subnets, ports, VNIs), as a sorted array of ranges
 * that neither touch nor overlap:
 *
 *   taken  2-7, 9, 12-40      next free from 3 on: 8
 *
 * What is dense costs nothing, and a search steps over whole ranges.
 */
#include <stdbool.h>
#include <stddef.h>

typedef unsigned __int128 range_value;

struct range {
	range_value first, last;
};

struct range_set {
	struct range *ranges;
	size_t count, capacity;
	size_t takes; /* that have not been given back; there are no more ranges than these */
};

void range_set_clear(struct range_set *set); /* frees; empty again */
bool range_set_has(const struct range_set *set, range_value first,
		   range_value last); /* any of it */
/* -EEXIST: some of it is taken already. -ENOMEM. */
int range_set_take(struct range_set *set, range_value first, range_value last);
/* Exactly what a take took (asserted as far as can be seen). Never needs memory. */
void range_set_give(struct range_set *set, range_value first, range_value last);
/*
 * The first free block of size numbers, aligned to size, a power of two, within low..high: from
 * `from` on, then from low on. -ENOSPC: none.
 */
int range_set_find(const struct range_set *set, range_value low, range_value high, range_value from,
		   range_value size, range_value *first);
#endif
