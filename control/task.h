/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TASK_H
#define FL_TASK_H
/*
 * What can be said of a task by looking at it alone, and how one is made. Tasks of the store are
 * read through these: fields that a task does not have count as their defaults.
 */
#include <stdbool.h>
#include <stdint.h>

#include "id.h"
#include "objects.pb-c.h"

#define TASK_SECOND INT64_C(1000000000)

Fl__TaskState task_state(const Fl__Task *task);   /* what its agent said last; NEW */
Fl__TaskState task_desired(const Fl__Task *task); /* NEW */
const char *task_node_id(const Fl__Task *task);   /* "" none */
/* When it came into its state: by the manager's clock if known, else by the agent's. */
int64_t task_changed_at(const Fl__Task *task);
/* When it began to run, or, if that is not known, changed_at of one that runs. 0: never. */
int64_t task_running_at(const Fl__Task *task);

/* Its container is no more, or never was. */
static inline bool task_is_over(const Fl__Task *task)
{
	return task_state(task) > FL__TASK_STATE__RUNNING;
}

/* Over because of what it did, not because it was told to stop or its node is gone. */
bool task_ended_by_itself(const Fl__Task *task);
/* Running, and healthy as far as is known: fit to take another's place. */
bool task_serves(const Fl__Task *task);

/* What a task is made of. */
struct task_recipe {
	const char *id;
	const Fl__Service *service;
	const Fl__Cluster *cluster; /* NULL: there is none yet */
	const Fl__Task *as;  /* NULL, or the task whose spec it is to have in place of service's */
	uint64_t slot;       /* 0: none */
	const char *node_id; /* NULL: the scheduler's to choose */
	bool is_job;
	uint64_t job_iteration;
	Fl__TaskState desired;
	int64_t now;
};

/* A task that is to be created. It lends its parts from the recipe's objects, and from itself: it
 * must not be copied. */
struct task_draft {
	Fl__Task task;
	Fl__TaskStatus status;
	Fl__Endpoint endpoint;
};
void task_draft(struct task_draft *draft, const struct task_recipe *recipe);

/* In what a task's spec is not what its service would give it now. */
enum {
	TASK_DIFFERS_IN_PULL = 1,      /* how the image is pulled, of no interest once it is */
	TASK_DIFFERS_IN_PLACEMENT = 2, /* of no interest if the task is where it may be */
	TASK_DIFFERS = 4,              /* in anything else */
};
/* A sum of these, 0: in nothing; -ENOMEM. */
int task_differences(const Fl__Task *task, const Fl__Service *service);
#endif
