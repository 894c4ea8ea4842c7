/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ROSTER_H
#define FL_ROSTER_H
/*
 * A service's tasks by instance (a slot, or a global service's node), and what is decided on them.
 * A pass builds it from the store, the orchestrators, restart, updater and reaper write their
 * decisions into it, and the differences become changes of the store:
 *
 *   service web, replicas 3                     task       desired  becomes
 *   instances: slot 1 KEEP  web.1.1 over        SHUTDOWN
 *                           web.1.2 failed      RUNNING    SHUTDOWN
 *                           (created)           READY
 *              slot 2 KEEP  web.2.1 running     RUNNING
 *              slot 4 DROP  web.4.1 running     RUNNING    REMOVE
 *
 * Nothing of it outlives the pass, and all that is decided on is in the store: who becomes leader
 * in the middle of anything builds the same.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* Whether a node is one that a task's placement allows. */
typedef bool roster_fits(const Fl__Node *node, const Fl__TaskSpec *spec);

enum {
	ROSTER_CREATIONS_MAX = 1024, /* of a pass; the next goes on */
};

struct roster_task {
	const Fl__Task *task;
	const Fl__Node *node;  /* NULL: it has none, or that is no more */
	Fl__TaskState desired; /* what it is to be */
	bool dirty;            /* not what the service would make now */
	bool lost;             /* it cannot stay where it is, or is gone with its node */
	bool unreachable;      /* nobody will tell what becomes of it */
	bool orphan;           /* decided: to be written off */
	bool delete;           /* decided */
};

/* What the orchestrator wants of an instance. */
enum instance_fate {
	INSTANCE_DROP, /* none of its tasks is to stay: the default */
	INSTANCE_STOP, /* its tasks are to end, and stay as history */
	INSTANCE_HOLD, /* what runs may, but nothing is to be started */
	INSTANCE_KEEP, /* one task is to run (or, of a job, to complete) */
};

struct instance {
	uint64_t slot;       /* 0: node_id */
	const char *node_id; /* the store's */
	const Fl__Node *node;
	size_t first, count; /* in roster.tasks; oldest first */
	enum instance_fate fate;
	bool create;    /* decided: a task */
	bool as_before; /* ... with the spec of its predecessor */
};

struct roster {
	/* The question. */
	const struct store_view *view;
	const Fl__Service
	    *service; /* NULL: it is no more, or to go; then its tasks are all there is */
	const Fl__Cluster *cluster; /* NULL: none yet */
	roster_fits *fits;
	int64_t now;
	/* What follows from it. */
	bool is_job;
	uint64_t iteration; /* of the job */
	/* What tasks of the service are to reach: RUNNING, or of jobs COMPLETE. */
	Fl__TaskState goal;
	struct roster_task *tasks;
	size_t task_count, task_capacity;
	struct instance *instances; /* by slot and node id */
	size_t instance_count, instance_capacity;
	size_t with_tasks; /* of the instances: the first, and these are in order */
	/* The answer, but for what is in tasks and instances. */
	int64_t wake; /* look again then; INT64_MAX: when something happens */
	bool delete_service, has_update_status, roll_back;
	Fl__UpdateStatus update_status;
	char update_message[128];
};

void roster_free(struct roster *roster); /* what it grew; the struct is the caller's */

/* From the tasks of this service; view, service, cluster, fits and now are set, the rest is what
 * was left of an earlier pass, or zero. -ENOMEM. */
int roster_build(struct roster *roster, const char *service_id);

/* The instance of this slot or node; NULL: it has no tasks. */
struct instance *roster_find(struct roster *roster, uint64_t slot, const char *node_id);
/* One that has no tasks yet, at the end: not in order, and found by nobody. Pointers to instances
 * are void. NULL: no memory. */
struct instance *roster_add(struct roster *roster, uint64_t slot, const Fl__Node *node);

static inline struct roster_task *roster_task(const struct roster *roster,
					      const struct instance *instance, size_t i)
{
	return &roster->tasks[instance->first + i];
}

/* It is to run, or does, or, of a job, has done its work in this iteration. */
bool roster_is_live(const struct roster *roster, const struct roster_task *task);
/* Its container is no more, was never made, or went with its node. */
bool roster_is_dead(const struct roster *roster, const struct roster_task *task);
/* It was told to stop, and may still be running. */
bool roster_is_stopping(const struct roster *roster, const struct roster_task *task);
/* The newest that is not to be removed; NULL: none. */
struct roster_task *roster_newest(const struct roster *roster, const struct instance *instance);
bool roster_has_live(const struct roster *roster, const struct instance *instance);
/* Of a job: it has done its work in this iteration. */
bool roster_is_complete(const struct roster *roster, const struct instance *instance);
/* The update under way, or the one before, as it will stand. 0: none. */
Fl__UpdateStatus__State roster_update_state(const struct roster *roster);
/* An update, or a rollback, is under way. */
bool roster_is_updating(const struct roster *roster);
/* ... or was stopped by failures, and nothing is to be updated. */
bool roster_is_paused(const struct roster *roster);

static inline void roster_wake(struct roster *roster, int64_t at)
{
	if (at < roster->wake)
		roster->wake = at;
}
#endif
