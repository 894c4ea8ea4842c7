/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_SCENARIO_H
#define FL_SIM_SCENARIO_H
/* Stories told step by step in a scripted world, of what chance would seldom bring about. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct scenario_result {
	const char *failed_check;  /* NULL: all checks held; not set if they were off */
	bool is_acknowledged;      /* the client was told that its write is done */
	uint64_t written, value;   /* what it wrote; what the last leader's register holds */
	uint64_t last_leader_term; /* 0: the story did not get to its end */
};

/* Figure 8 of the Raft paper. trace may be NULL. */
struct scenario_result scenario_figure8(bool is_checked, FILE *trace);
#endif
