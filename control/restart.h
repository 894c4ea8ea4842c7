/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RESTART_H
#define FL_RESTART_H
/*
 * The restart supervisor. A task is never restarted in place: the old one's desired state becomes
 * SHUTDOWN and another is made for its instance, desired READY (it is placed, and its image pulled)
 * until it may run: when the policy's delay is over and its predecessors have stopped.
 *
 * The policy (docs.docker.com/reference/cli/docker/service/create, "restart-"; ours where Swarm's
 * differs, control/README.md):
 * - condition: any; on-failure: unless it completed; none: an instance has one task, whatever
 * befalls.
 * - delay, attempts and window are about tasks that ended by themselves. What its node's failure or
 *   drain ended starts again elsewhere at once, and does not count.
 * - A new version of the service starts without delay, and counts from zero.
 */
#include "roster.h"

enum {
	/* With a window, a policy of more attempts than these is one of so many. */
	RESTART_TIMES_MAX = 256,
};

/* How long a successor waits, beyond its predecessor's grace period, for that to stop. */
#define RESTART_STOP_TIMEOUT (60 * INT64_C(1000000000))

/* May the instance whose newest task this is, and which is over or lost, have another? */
bool restart_is_allowed(const Fl__Task *newest);
/* Fills in what the policy of the new task counts; its spec and spec_version are set. times has
 * place for RESTART_TIMES_MAX, and must last as long as the task. */
void restart_count(Fl__Task *successor, const Fl__Task *predecessor, int64_t now, int64_t *times);
/* Whether it ended by itself before another was made, then, to take its place. What is told to stop
 * may yet fail; that is nobody's failure. */
bool restart_was_needed(const Fl__Task *task, int64_t successor_created_at);

/* Tasks of the instance that are over or lost are told to end, and another is to be made where one
 * is wanted and may be. (Its fate is set.) */
void restart_instance(struct roster *roster, struct instance *instance);
/* After all else that is decided on the instance: of what is to run only one does, and what waits
 * for its time may go on. */
void restart_hand_over(struct roster *roster, struct instance *instance);
/* The desired state of the task that is to be made. wake is set if it has to wait. */
Fl__TaskState restart_first_state(struct roster *roster, const struct instance *instance,
				  const Fl__Task *successor);
#endif
