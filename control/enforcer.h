/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ENFORCER_H
#define FL_ENFORCER_H
/*
 * Looks after what changes under tasks that are placed: a node's labels, role or resources. A task
 * whose node no longer meets its constraints, or has no longer what it reserved, is rejected; its
 * orchestrator then stops it and replaces it elsewhere.
 *
 * As in Swarm it is the observed state that is written, not the desired one, which is the
 * orchestrators'. And it leaves nodes alone that are paused (their tasks stay) or drained (their
 * orchestrators' business).
 *
 * Pure, with the scheduler's loop (scheduler.h): reset, handle, settle, run. It keeps the ids of
 * nodes that are to be looked at, and asks the view for the rest. -ENOMEM: call enforcer_reset.
 */
#include "store.h"
#include "transaction.h"

struct enforcer;

struct enforcer *enforcer_new(void);           /* NULL: no memory */
void enforcer_free(struct enforcer *enforcer); /* NULL is fine */

int enforcer_reset(struct enforcer *enforcer, const struct store_view *view);
int enforcer_handle(struct enforcer *enforcer, const struct store_event *events, size_t count);
void enforcer_settle(struct enforcer *enforcer);
/* *transaction NULL: nothing to do, or one is on its way. It never wants to be called at a time. */
int enforcer_run(struct enforcer *enforcer, const struct store_view *view, int64_t now,
		 struct transaction **transaction);
#endif
