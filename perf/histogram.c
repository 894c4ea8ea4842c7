// SPDX-License-Identifier: BSD-2-Clause
#include "histogram.h"

/* Below HISTOGRAM_STEPS each value has a place; above, the upper bits below the leading one choose. */
static uint32_t place_of(uint64_t ns)
{
	uint32_t log, place;

	if (ns < HISTOGRAM_STEPS)
		return (uint32_t)ns;
	log = 63 - (uint32_t)__builtin_clzll(ns);
	place = (log - 4) * HISTOGRAM_STEPS + (uint32_t)(ns >> (log - 5)) - HISTOGRAM_STEPS;
	return place < HISTOGRAM_SIZE ? place : HISTOGRAM_SIZE - 1;
}

/* The largest value that has this place. */
static uint64_t last_of(uint32_t place)
{
	uint32_t log = place / HISTOGRAM_STEPS + 4;

	if (place < HISTOGRAM_STEPS)
		return place;
	return ((uint64_t)(HISTOGRAM_STEPS + place % HISTOGRAM_STEPS + 1) << (log - 5)) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->count[place_of(ns)]++;
	if (!h->total || ns < h->least)
		h->least = ns;
	if (ns > h->most)
		h->most = ns;
	h->total++;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
	double wanted = share * (double)h->total, seen = 0;
	uint64_t last;

	for (uint32_t i = 0; i < HISTOGRAM_SIZE && h->total; i++) {
		seen += (double)h->count[i];
		if (seen < wanted || !h->count[i])
			continue;
		last = last_of(i);
		return last < h->most ? last : h->most;
	}
	return h->most;
}
