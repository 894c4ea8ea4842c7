/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_CHECKS_INTERNAL_H
#define FL_SIM_CHECKS_INTERNAL_H
/* What the files of the checks ask of each other. */
#include <stdbool.h>
#include <stdint.h>

struct member;
struct world;

/* m's commit index went on, and its log is known. */
void checks_commit(struct member *m);
/* What is committed is on a majority's disks. */
void checks_quorum(struct world *world);
/* A leader's bytes in flight and uncommitted. */
void checks_flow(struct member *m);
/* m has begun to lead. */
void checks_flow_begin(struct member *m);
/* Is the log up to index, with this chain, on m's disk? */
bool checks_has(const struct member *m, uint64_t index, uint64_t chain);
#endif
