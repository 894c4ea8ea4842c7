/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_UPDATER_H
#define FL_UPDATER_H
/*
 * The update supervisor: instances whose task is not what the service would make now are given one
 * that is, a few at a time.
 *
 *   service.update_status             by whom
 *   none                              the API, with each change of spec (and previous_spec the one
 * before) UPDATING "update in progress"     here, when a task differs from its service PAUSED, or
 * the spec before and    here, when too many new tasks end early ROLLBACK_STARTED ROLLBACK_STARTED
 * "manually ..."   the API, with spec and previous_spec exchanged COMPLETED, ROLLBACK_COMPLETED,
 * here ROLLBACK_PAUSED
 *
 * An update that another supersedes needs no end: its tasks are but some that differ. An instance
 * counts as being updated from when a task of this spec_version is made in place of one that
 * differs until that runs (or is over), and the delay has passed since. Instances that do not run
 * go first, so that of stop-first never more than `parallelism` of those that serve are missing.
 */
#include "roster.h"

/* After restart_instance was called for each instance. */
void updater_plan(struct roster *roster);
#endif
