/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_GENERIC_H
#define FL_SCHEDULER_GENERIC_H
/*
 * Generic resources, what a node's administrator says that it has: an amount of a kind ("ssd": 4),
 * or things with names ("gpu": UUID1, UUID2). Tasks ask for an amount of a kind and are given that,
 * or as many names; a reservation of one name is given that name.
 */
#include "scheduler_node.h"

bool scheduler_generic_fits(const struct scheduler_node *node, const Fl__Resources *wanted);
/*
 * What a task that fits is given, and nothing else in it; *claim is one block of memory, to be
 * freed, or NULL when it wants nothing. -ENOMEM.
 */
int scheduler_generic_claim(const struct scheduler_node *node, const Fl__Resources *wanted,
			    Fl__Resources **claim);
#endif
