/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_REAPER_H
#define FL_REAPER_H
/*
 * The reaper: which tasks the store can forget, and which of those that nobody hears of are over.
 *
 * - Desired REMOVE: when it has stopped.
 * - Of an instance, the oldest that are over, until the cluster's task history retention limit is
 * met (what runs counts and stays). But what decisions rest on stays: what the next task waits for
 * or is counted from, and during an update the newest of either version.
 * - A task that is not known to be over is orphaned when its node is removed, or is down for a day.
 */
#include "roster.h"

#define REAPER_NODE_DOWN_PERIOD (24 * 3600 * INT64_C(1000000000))

/* Before anything is decided: tasks that are to be written off. */
void reaper_write_off(struct roster *roster);
/* After all is. */
void reaper_plan(struct roster *roster);
#endif
