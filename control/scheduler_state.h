/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_STATE_H
#define FL_SCHEDULER_STATE_H
/* What the scheduler's index (scheduler.c) and its decisions (scheduler_decide.c) share. */
#include "id_map.h"
#include "list.h"
#include "scheduler.h"
#include "scheduler_node.h"

/* Waiting tasks that only their slots tell apart. */
struct scheduler_group {
	const char *id;
	struct list tasks; /* struct scheduler_task.queued */
	struct list link;  /* in one of the scheduler's lists */
	char id_text[];
};

struct scheduler {
	struct id_map nodes, tasks, groups;
	struct list chosen, ready, parked; /* groups; chosen: those that have their node */
	struct list in_flight;             /* tasks */
	bool busy;                         /* a transaction is on its way */
	int64_t retry_at, retried_at;      /* parked groups */
};

/* Of no tasks. */
void scheduler_group_free(struct scheduler *scheduler, struct scheduler_group *group);
#endif
