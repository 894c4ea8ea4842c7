// SPDX-License-Identifier: BSD-2-Clause
#include "lb_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

/* Zeroed. Large ones on huge pages where the system gives them when asked: flows and slots are read all over,
 * and translating an address then costs as much as the read. */
static void *table_alloc(size_t count, size_t size)
{
	size_t bytes = count * size, align = bytes >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
	void *p;

	bytes = (bytes + align - 1) & ~(align - 1);
	p = aligned_alloc(align, bytes);
	if (!p)
		return NULL;
	if (align == HUGE_PAGE)
		madvise(p, bytes, MADV_HUGEPAGE); /* refused: ordinary pages */
	memset(p, 0, bytes);
	return p;
}

static uint32_t or_default(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

int lb_tables_alloc(struct lb_tables *t)
{
	t->ring_count = or_default(t->ring_count, LB_RINGS_DEFAULT);
	t->slot_count = or_default(t->slot_count, LB_SLOTS_DEFAULT);
	t->backend_count = or_default(t->backend_count, LB_BACKENDS_DEFAULT);
	t->index_buckets = or_default(t->index_buckets, LB_INDEX_BUCKETS_DEFAULT);
	t->flow_buckets = or_default(t->flow_buckets, LB_FLOW_BUCKETS_DEFAULT);
	t->config = table_alloc(1, sizeof(*t->config));
	t->ports = table_alloc(LB_PORTS_MAX, sizeof(*t->ports));
	t->rings = table_alloc(t->ring_count, sizeof(*t->rings));
	t->slots = table_alloc(t->slot_count, sizeof(*t->slots));
	t->backends = table_alloc(t->backend_count, sizeof(*t->backends));
	t->tasks = table_alloc(LB_TASKS_MAX, sizeof(*t->tasks));
	t->vias = table_alloc(LB_VIAS_MAX, sizeof(*t->vias));
	t->index = table_alloc(t->index_buckets, sizeof(*t->index));
	t->flows = table_alloc(t->flow_buckets, sizeof(*t->flows));
	if (t->config && t->ports && t->rings && t->slots && t->backends && t->tasks && t->vias &&
	    t->index && t->flows)
		return 0;
	lb_tables_free(t);
	return -ENOMEM;
}

void lb_tables_free(struct lb_tables *t)
{
	free(t->config);
	free(t->ports);
	free(t->rings);
	free(t->slots);
	free(t->backends);
	free(t->tasks);
	free(t->vias);
	free(t->index);
	free(t->flows);
	memset(t, 0, sizeof(*t));
}
