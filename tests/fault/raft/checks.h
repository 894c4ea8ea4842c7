/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_CHECKS_H
#define FL_SIM_CHECKS_H
/*
 * What must always hold. Each check has a name that a failure is reported under:
 *
 *   election-safety       one leader per term (Raft paper, figure 3)
 *   leader-append-only    a leader rewrites nothing of its log (figure 3)
 *   log-matching          logs with the same entry agree on all before it (figure 3)
 *   leader-completeness   a leader has what was committed in earlier terms (figure 3)
 *   state-machine-safety  nobody commits or applies another entry at an index (figure 3)
 *   applied-order         each index once, in order; never before it is on the member's own disk
 *   quorum-on-disk        what is committed is on the disks of a majority
 *   persist-before-reply  what a message promises is on the sender's disk
 *   votes                 one vote in a term, whatever crashes
 *   membership            one change at a time, of one voter, after an entry of the own term
 *   snapshot              state and members of a snapshot are those at its index
 *   read-index            a read waits for all that was committed when it came
 *   term                  who hears of a newer term follows it; who follows a live leader does not
 *                         listen to other candidates, nor campaign without a pre-vote (thesis 9.6)
 *   check-quorum          a leader that hears of no majority steps down
 *   transfer              leadership is handed to a follower that has the whole log
 *   flow                  bytes in flight and uncommitted are bounded
 *   stall                 a member whose disk is full neither leads nor campaigns
 *   status                what raft_get_status says is what the effects said
 *   log                   effects can be persisted as they come
 *   open                  a member opens what it wrote
 */
#include "../../../raft/core.h"

struct member;
struct world;

/* After each call to the core, with its new status. */
void checks_called(struct member *m);
/* Effects as they were taken, before anything is done with them. Keeps m->log. */
void checks_taken(struct member *m, const struct raft_effects *effects);
/* Once nothing more is to be taken. */
void checks_settled(struct member *m);
void checks_sending(struct member *m, const struct raft_message *message);
void checks_ticked(struct member *m);
void checks_unreachable(struct member *m, uint64_t id);
void checks_received(struct member *m, const struct raft_message *message);
void checks_applying(struct member *m, const struct raft_entry *entry);
void checks_applied(struct member *m);
/* A batch is on m's disk, or it was opened. */
void checks_disk(struct member *m);
/* state: the hash of a state machine made of it. */
void checks_snapshot(struct member *m, const struct raft_snapshot *snapshot, uint64_t state);
/* m agreed to make learner id a voter: it had what was committed a few ticks ago. */
void checks_promoted(struct member *m, uint64_t id);
void checks_read(struct member *m, uint64_t floor, uint64_t index);
/* After the log m->log of a member that was opened was made. */
void checks_opened(struct member *m);
#endif
