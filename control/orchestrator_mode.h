/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ORCHESTRATOR_MODE_H
#define FL_ORCHESTRATOR_MODE_H
/*
 * The four modes of a service: which instances there are to be, and the fate of those that there
 * are. Each 0 or -ENOMEM.
 */
#include "roster.h"

/* Slots from 1. Of too many, those go whose task does not run, then those whose node has most. */
int orchestrator_replicated(struct roster *roster);
/* An instance on each node that is accepted, not down, not drained and that the placement allows;
 * on one that is paused, what runs may. */
int orchestrator_global(struct roster *roster);
/* Slots from 1 to total_completions, max_concurrent of them at once. A slot whose task failed for
 * good stays taken. (Swarm's slots are from 0, and a task without a slot has a strange name.) */
int orchestrator_replicated_job(struct roster *roster);
/* Once in an iteration on each node that a global service would be on, also if that comes later. */
int orchestrator_global_job(struct roster *roster);
#endif
