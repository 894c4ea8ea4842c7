/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_SCENARIO_H
#define FL_SIM_SCENARIO_H
/* Stories told step by step in a scripted world, of what chance would seldom bring about. */

extern const unsigned scenario_count;
const char *scenario_name(unsigned number);
/* The check that failed; NULL: all is well. */
const char *scenario_run(unsigned number);
#endif
