/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_SPREAD_H
#define FL_SCHEDULER_SPREAD_H
/*
 * The order in which nodes are given the tasks of one group (one service, one spec): a tree with a
 * level per placement preference, whose branches are the values of its label, and nodes as leaves.
 *
 *   root -- zone=a -- rack=1 -- node, node        each vertex keeps its children in a heap
 *        |         `- rack=2 -- node
 *        `- zone=b -- rack=1 -- node
 *
 * A task goes down the emptiest branch that has room. Emptiest: fewest tasks of the service, then
 * fewest tasks in total, then the first by name. Tasks on nodes that cannot take more count too.
 * Among nodes, one that the service has lately failed on FAILURES_MAX times or more comes last.
 *
 * Nothing else may place or remove tasks while a tree is in use: what is full stays full.
 */
#include "scheduler_node.h"

enum { SPREAD_LEVELS_MAX = 16 }; /* further preferences are passed over */

struct scheduler_spread;

/* Of the nodes for the task, and those like it. -ENOMEM. */
int scheduler_spread_new(const struct id_map *nodes, const Fl__Task *task, int64_t now,
			 struct scheduler_spread **spread);
void scheduler_spread_free(struct scheduler_spread *spread);

/* The node for the next task, counted as placed there; NULL: none has room. */
struct scheduler_node *scheduler_spread_next(struct scheduler_spread *spread);
#endif
