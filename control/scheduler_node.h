/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_NODE_H
#define FL_SCHEDULER_NODE_H
/*
 * What the scheduler knows of a node: what is left of its resources, and which tasks count on it,
 * those included whose placement is still on its way through the log.
 */
#include "id_map.h"
#include "list.h"
#include "objects.pb-c.h"

enum {
	FAILURES_KEPT = 10, /* per node and service: of these, the more, the worse */
	FAILURES_MAX = 5,   /* from here on a node is pushed back */
};
/* How long a failure is held against a node: five minutes, as in Swarm. */
#define FAILURES_WINDOW_NS (300 * 1000000000LL)

/* A service on a node. */
struct node_service {
	const char *id;
	size_t active;
	uint64_t failed_version; /* of the spec; failures of an older one are forgotten */
	int64_t failures[FAILURES_KEPT];
	size_t failure_count; /* ever; the last FAILURES_KEPT are in the ring */
	char id_text[];
};

struct scheduler_node {
	const char *id;
	const Fl__Node *node;   /* held */
	int64_t cpus_left;      /* billionths; negative where a node shrank */
	int64_t memory_left;    /* bytes */
	size_t active;          /* tasks that are meant to run, or to complete */
	size_t with_host_ports; /* tasks */
	struct id_map services; /* struct node_service */
	struct list tasks;      /* struct scheduler_task.on_node */
};

/* A task between pending and running. */
struct scheduler_task {
	const char *id;
	const Fl__Task *task;        /* held: as the store has it */
	struct scheduler_node *node; /* where it counts; NULL: nowhere */
	struct list on_node;
	bool active; /* in the node's counts */
	Fl__Resources
	    *claim;         /* generic ones, while the placement is on its way; a block of memory */
	struct list queued; /* in its group, or among those in flight */
	struct scheduler_group *group; /* NULL: not waiting */
};

/* Whether it is meant to run: the others no longer count for spreading, but hold their resources.
 */
bool task_is_active(const Fl__Task *task);
const Fl__Resources *task_reservations(const Fl__Task *task); /* NULL: none */
/* The generic resources that are assigned to it. */
Fl__GenericResource *const *task_generics(const struct scheduler_task *task, size_t *count);

struct scheduler_node *scheduler_node_new(const Fl__Node *node); /* NULL: no memory */
/* No tasks may be on it. */
void scheduler_node_free(struct scheduler_node *node);
/* The node has changed: its tasks stay. */
void scheduler_node_update(struct scheduler_node *node, const Fl__Node *now);

/* -ENOMEM: it is as it was. The task must be on no node. */
int scheduler_node_add(struct scheduler_node *node, struct scheduler_task *task);
void scheduler_node_remove(struct scheduler_task *task);

size_t scheduler_node_active(const struct scheduler_node *node, const char *service_id);
/* -ENOMEM: forgotten */
int scheduler_node_failed(struct scheduler_node *node, const Fl__Task *task, int64_t at);
/* Failures of the service's spec of that version since now - FAILURES_WINDOW_NS; 0 when fewer than
 * FAILURES_MAX, which do not count. */
size_t scheduler_node_penalty(const struct scheduler_node *node, const Fl__Task *task, int64_t now);
#endif
