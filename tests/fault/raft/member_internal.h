/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_MEMBER_INTERNAL_H
#define FL_SIM_MEMBER_INTERNAL_H
/* What the files of the member ask of each other. */
#include "member.h"

/* After something was put into the core: takes what follows from it, now or, if busy, later. */
void member_settle(struct member *m);
/* entry was applied, with this result: whoever waits for its index is told. */
void member_answer_command(struct member *m, const struct raft_entry *entry, uint64_t result);
/* More was applied: reads that waited for it are answered. */
void member_answer_reads(struct member *m);
void member_read_done(struct member *m, const struct raft_read_done *read);
#endif
