// SPDX-License-Identifier: BSD-2-Clause
#include "extent.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static bool unit_used(const struct extent *e, uint32_t unit)
{
	return e->used[unit / 64] >> (unit % 64) & 1;
}

static void unit_set(struct extent *e, uint32_t unit, bool used)
{
	uint64_t bit = 1ULL << (unit % 64);

	if (unit_used(e, unit) == used)
		return;
	e->used[unit / 64] ^= bit;
	e->used_units += used ? 1 : -1U;
}

static uint32_t units_of(const struct extent *e, uint32_t count)
{
	return count / e->unit + (count % e->unit != 0); /* any count: no overflow */
}

int extent_init(struct extent *e, uint32_t size, uint32_t unit)
{
	*e = (struct extent){.units = size / unit, .unit = unit, .hint = 1};
	e->used = calloc(e->units / 64 + 1, sizeof(*e->used));
	if (!e->used)
		return -ENOMEM;
	unit_set(e, 0, true);
	return 0;
}

void extent_free(struct extent *e)
{
	free(e->used);
	*e = (struct extent){0};
}

/* First unit of a free run in [from, to), or EXTENT_NONE. */
static uint32_t find_run(const struct extent *e, uint32_t from, uint32_t to, uint32_t units)
{
	uint32_t run = 0;

	for (uint32_t i = from; i < to; i++) {
		if (i % 64 == 0 && e->used[i / 64] == UINT64_MAX) {
			run = 0;
			i += 63;
			continue;
		}
		run = unit_used(e, i) ? 0 : run + 1;
		if (run == units)
			return i + 1 - units;
	}
	return EXTENT_NONE;
}

uint32_t extent_take(struct extent *e, uint32_t count)
{
	uint32_t units = units_of(e, count ? count : 1);
	uint32_t first = find_run(e, e->hint, e->units, units);

	if (first == EXTENT_NONE)
		first = find_run(e, 1, e->units, units);
	if (first == EXTENT_NONE)
		return EXTENT_NONE;
	for (uint32_t i = 0; i < units; i++)
		unit_set(e, first + i, true);
	e->hint = first + units;
	return first * e->unit;
}

int extent_mark(struct extent *e, uint32_t first, uint32_t count)
{
	uint32_t unit = first / e->unit, units = units_of(e, count ? count : 1);

	if (first % e->unit || units > e->units || unit > e->units - units)
		return -ERANGE;
	for (uint32_t i = 0; i < units; i++)
		if (unit_used(e, unit + i))
			return -EEXIST;
	for (uint32_t i = 0; i < units; i++)
		unit_set(e, unit + i, true);
	return 0;
}

void extent_give(struct extent *e, uint32_t first, uint32_t count)
{
	uint32_t unit = first / e->unit, units = units_of(e, count ? count : 1);

	for (uint32_t i = 0; i < units; i++)
		unit_set(e, unit + i, false);
	if (unit < e->hint)
		e->hint = unit;
}
