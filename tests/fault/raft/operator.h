/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_OPERATOR_H
#define FL_SIM_OPERATOR_H
/* Who adds, promotes, demotes and removes members: to replace what is broken, and in some seeds for
 * no reason at all. */
struct world;

void operator_act(struct world *world);
#endif
