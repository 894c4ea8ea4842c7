/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ROTATION_H
#define FL_ROTATION_H
/*
 * Brings the nodes to the root that certificates are to be of. The leader calls this every
 * CA_ROTATION_PASS_S while there is somebody left, and whenever a node reports another issuer.
 *
 * A node that is down counts: it comes back, with an old certificate, to managers that trust the
 * old root no more. It has to come back before the end of the rotation, or be removed (`node rm`).
 */
#include "cluster_ca.h"
#include "issuer.h"

/* One that was let into the cluster. */
struct rotation_node {
	const struct issuer *issuer; /* as it last reported; NULL: it has not yet */
	bool asked;                  /* it was told to renew since the desired root is what it is */
};

struct rotation_plan {
	size_t ask[CA_ROTATION_BATCH_MAX]; /* tell these now: indexes into nodes */
	size_t ask_count;
	size_t left;   /* nodes without a certificate of the desired root */
	bool finished; /* call cluster_ca_finish */
};
/* -EINVAL: the desired root's certificate is malformed. */
int rotation_plan(const struct cluster_ca *ca, const struct rotation_node *nodes, size_t count,
		  struct rotation_plan *plan, struct problem *problem);
#endif
