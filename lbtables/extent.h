/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_EXTENT_H
#define FL_EXTENT_H
/*
 * Which parts of an array are in use: a bitmap of units and a search for a free run, next fit. It
 * can be told what is in use already, so that it follows from the tables alone. Not thread-safe.
 */
#include <stdint.h>

struct extent {
	uint64_t *used;
	uint32_t units, unit, hint, used_units;
};

enum { EXTENT_NONE = 0xffffffffU };

/* size entries in units of unit entries; entry 0's unit is never handed out. 0 or -ENOMEM. */
int extent_init(struct extent *e, uint32_t size, uint32_t unit);
void extent_free(struct extent *e);
/* First entry of a run of at least count entries, or EXTENT_NONE. */
uint32_t extent_take(struct extent *e, uint32_t count);
/* Marks a run as used (known from elsewhere). -ERANGE: past the end, or not where a unit begins;
 * -EEXIST: part of it is in use already. */
int extent_mark(struct extent *e, uint32_t first, uint32_t count);
/* Marks a run that was taken or marked as free. */
void extent_give(struct extent *e, uint32_t first, uint32_t count);
#endif
