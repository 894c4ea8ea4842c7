/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_NODE_ROLE_H
#define FL_NODE_ROLE_H

enum node_role { NODE_WORKER, NODE_MANAGER };
enum { NODE_ROLE_WORKERS = 1 << NODE_WORKER, NODE_ROLE_MANAGERS = 1 << NODE_MANAGER }; /* sets */

/* OU in a certificate, and the name that it is good for besides. */
static inline const char *node_role_unit(enum node_role role)
{
	return role == NODE_MANAGER ? "swarm-manager" : "swarm-worker";
}
#endif
