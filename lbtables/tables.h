/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TABLES_H
#define FL_TABLES_H
/*
 * The writer of tables: turns "these nodes, these services, these backends" into entries, and changes
 * them under readers' eyes. It keeps nothing that the tables do not say themselves: opened over tables
 * that another process filled, it learns from them what is in use, so a restarted daemon goes on
 * where the old one was killed, whatever that one was doing.
 *
 * A service changes atomically: a new ring (generation) and new backends are written where no reader
 * looks, then one store per published port switches over. What is no longer reachable is reused only
 * after grace(), which must wait until every reader has left the decision it was in (membarrier or
 * synchronize_rcu of the flavour that readers use).
 *
 * One thread at a time. Functions return 0 or a negative errno; a failed call leaves the published
 * state as it was.
 */
#include <stdbool.h>

#include "lb_tables.h"

struct tables;

/* tables: the caller's, must outlive the writer. -ENOMEM; -EUCLEAN when the tables contradict
 * themselves (another version wrote them). */
int tables_open(struct lb_tables *tables, void (*grace)(void *context), void *context,
		struct tables **out);
void tables_close(struct tables *t);

/* The node itself. Fields of config that the tables' sizes decide (masks) and table_key are kept
 * or, if the tables are new, filled in. Takes effect at once, field by field. */
int tables_set_config(struct tables *t, const struct lb_config *config);

/* (address, VTEP) pairs by which traffic may come in, all of them: own addresses with the own VTEP,
 * other nodes' addresses with theirs, and each virtual IP with each VTEP. Pairs not listed are
 * forgotten for new packets; flows that came in by them go on. -ENOSPC: index full. */
int tables_set_vias(struct tables *t, const struct lb_via *vias, uint32_t count);

/* This node's tasks, all of them. ids[i] becomes the id of tasks[i]; a task that was there before
 * (same address and MAC) keeps its id. -ENOSPC: more than LB_TASKS_MAX - 1, or index full. */
int tables_set_tasks(struct tables *t, const struct lb_task *tasks, uint32_t count, uint32_t *ids);

struct tables_backend {
	uint8_t mac[6];   /* names the backend */
	uint16_t weight;  /* 0: owns no slot, but is still asked for the flows it has (draining) */
	bool down;        /* gone: not asked either */
	uint32_t task;    /* id of a task of this node, or 0 and then: */
	uint32_t vtep_be; /* the node it runs on */
};
struct tables_port {
	uint32_t index; /* lb_port_index */
	uint16_t target_port_be;
};
struct tables_service {
	uint32_t name; /* hash of its name: history belongs to a service, not to a port */
	const struct tables_port *ports;
	uint32_t port_count;
	const struct tables_backend *backends;
	uint32_t backend_count;
	uint32_t ring_size; /* 0: ring_size_fit */
	uint8_t flags;      /* LB_PORT_* */
};

/*
 * Brings one service to this state. A generation is added only if a slot changes its owner; up to
 * LB_GENERATIONS_MAX - 1 older ones stay live. -ENOSPC: no room for slots, rings or backends.
 * moved (may be NULL): how many slots changed their owner.
 */
int tables_set_service(struct tables *t, const struct tables_service *service, uint32_t *moved);

/* Unpublishes every port that is not set in keep (LB_PORTS_MAX bits) and frees what only they used. */
int tables_keep_ports(struct tables *t, const uint64_t *keep);

/* Ethernet addresses towards a VTEP, for every template that leads there, now and later. NULL: not
 * known any more, the kernel has to find them. Until first called for a VTEP, templates that were
 * there before keep what they have. -ENOMEM. */
int tables_set_next_hop(struct tables *t, uint32_t vtep_be, const uint8_t *next_hop,
			const uint8_t *source);

struct tables_usage {
	uint32_t ports, rings, backends, tasks, vias;
	uint64_t slots;
};
struct tables_usage tables_usage(const struct tables *t);

/* Waits for a grace period and then frees what was retired. Happens by itself when room is needed. */
void tables_reclaim(struct tables *t);

/* Called when a backend's entry moves, so that its counters can follow; from UINT32_MAX: the entry
 * is a new backend's. */
void tables_on_move(struct tables *t, void (*moved)(void *context, uint32_t from, uint32_t to));
#endif
