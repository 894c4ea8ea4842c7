// SPDX-License-Identifier: BSD-2-Clause
#define LB_ENV_TASKS 0
#define LB_ENV_RESOLVES 1
#include "entry_side.h"

#include <stdlib.h>

#include "lb_host.h"

struct entry_side {
	struct lb_env env;
};

struct entry_side *entry_side_open(struct lb_tables *tables)
{
	struct entry_side *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->env.tables = tables;
	e->env.backend_counters = calloc(tables->backend_count, sizeof(*e->env.backend_counters));
	if (!e->env.backend_counters) {
		free(e);
		return NULL;
	}
	return e;
}

void entry_side_close(struct entry_side *e)
{
	free(e->env.backend_counters);
	free(e);
}

const struct lb_backend_counters *entry_side_backends(const struct entry_side *e)
{
	return e->env.backend_counters;
}

struct entry_side_result entry_side_uplink(struct entry_side *e, uint8_t *bytes, uint32_t size,
					   uint32_t *head, uint32_t *length)
{
	struct lb_host_frame f = {.bytes = bytes, .head = *head, .length = *length, .size = size};
	struct lb_verdict v;

	lb_host_uplink(&e->env, &f, &v);
	*head = f.head;
	*length = f.length;
	return (struct entry_side_result){v.action, v.reason, v.daddr_be,
					  v.unresolved};
}
