/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SCHEDULER_CONSTRAINT_H
#define FL_SCHEDULER_CONSTRAINT_H
/*
 * Placement constraints: "key==value" and "key!=value", with Swarm's rules.
 *
 *   node.id, node.hostname, node.role, node.platform.os, node.platform.arch   the whole value
 *   node.ip                                       an address, or a subnet that it lies in
 *   node.labels.KEY, engine.labels.KEY            absent is as good as empty
 *
 * Values and the names before KEY are compared whatever their (ASCII) case, KEY with it. There are
 * no patterns: `*` is an asterisk. node.role is what the node is, not what it is to become.
 */
#include <stdbool.h>

#include "objects.pb-c.h"
#include "problem.h"

enum { CONSTRAINTS_MAX = 256 }; /* of a service */

/* Whether the API may take them. -EINVAL, in Docker's words: "key 'x y' is invalid". */
int constraints_check(char *const *texts, size_t count, struct problem *problem);

/* Whether the node satisfies them all. One that is malformed or unknown is satisfied by none. */
bool constraints_match(char *const *texts, size_t count, const Fl__Node *node);

/* The value of a descriptor of --placement-pref, node.labels.KEY or engine.labels.KEY, on the node;
 * "" where it has none. NULL: no such descriptor; such a preference is passed over. */
const char *constraint_label(const char *descriptor, const Fl__Node *node);
#endif
