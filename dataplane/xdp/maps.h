/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_XDP_MAPS_H
#define FL_XDP_MAPS_H
/* The pinned maps as struct lb_tables: found by name under <pin_dir>/maps, mmapped. */
#include <stddef.h>

#include "error.h"
#include "lb_tables.h"

enum xdp_map {
	XDP_MAP_CONFIG,
	XDP_MAP_PORTS,
	XDP_MAP_RINGS,
	XDP_MAP_SLOTS,
	XDP_MAP_BACKENDS,
	XDP_MAP_TASKS,
	XDP_MAP_VIAS,
	XDP_MAP_INDEX,
	XDP_MAP_FLOWS, /* the last that is mmapped */
	XDP_MAP_FRAGMENTS,
	XDP_MAP_ALIASES,
	XDP_MAP_REASONS,
	XDP_MAP_BACKEND_STATS,
	XDP_MAP_TASK_STATS,
	XDP_MAP_SAMPLES,
	XDP_MAP_COUNT,
};
extern const char *const xdp_map_names[XDP_MAP_COUNT];

struct xdp_maps {
	int fd[XDP_MAP_COUNT];
	void *at[XDP_MAP_COUNT];
	size_t bytes[XDP_MAP_COUNT];
	struct lb_tables tables;
	int cpus;
};

/* Opens what is pinned; writable or for reading alone. -ENOENT with a cure when nothing is. */
int xdp_maps_open(struct xdp_maps *maps, const char *pin_dir, int writable, struct error *error);
void xdp_maps_close(struct xdp_maps *maps);

/* max_entries of a pinned map, 0 if there is none. */
unsigned int xdp_maps_pinned_size(const char *pin_dir, enum xdp_map map);
/* Value of a per-CPU map, summed as an array of 64-bit counters; moves to another index with add. */
int xdp_maps_sum(const struct xdp_maps *maps, enum xdp_map map, unsigned int index, void *out,
		 size_t size);
int xdp_maps_store(const struct xdp_maps *maps, enum xdp_map map, unsigned int index,
		   const void *value, size_t size);
#endif
