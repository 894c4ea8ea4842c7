/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_FILTER_H
#define FL_SCHEDULER_FILTER_H
/* Whether a task may go to a node, and in Swarm's words why not. */
#include "scheduler_node.h"

/* In the order in which Swarm asks; the first refusal of a node is what it is counted under.
 * Swarm's question for plugins is not asked: what a node lacks, its agent says. */
enum scheduler_refusal {
	REFUSED_NOT_READY,
	REFUSED_RESOURCES,
	REFUSED_CONSTRAINTS,
	REFUSED_PLATFORM,
	REFUSED_HOST_PORT,
	REFUSED_MAX_REPLICAS,
	REFUSALS,
	NOT_REFUSED = REFUSALS,
};

/* Takes the task as not being on the node. */
enum scheduler_refusal scheduler_filter(const Fl__Task *task, const struct scheduler_node *node);

/* "insufficient resources on 2 nodes; 1 node not available for new tasks": the most frequent first.
 * "" without a refusal. counts[REFUSALS] by reason. */
enum { EXPLANATION_SIZE = 400 };
void scheduler_explain(const size_t counts[REFUSALS], char text[EXPLANATION_SIZE]);
#endif
