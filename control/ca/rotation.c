/* SPDX-License-Identifier: BSD-2-Clause */
#include "rotation.h"

int rotation_plan(const struct cluster_ca *ca, const struct rotation_node *nodes, size_t count,
		  struct rotation_plan *plan, struct problem *problem)
{
	struct issuer desired;
	const int err =
	    issuer_of_pem(pem_of(cluster_ca_desired(ca)->certificate), &desired, problem);

	if (err)
		return err;
	plan->ask_count = plan->left = 0;
	for (size_t i = 0; i < count; i++) {
		if (nodes[i].issuer && issuer_equals(nodes[i].issuer, &desired))
			continue;
		plan->left++;
		if (!nodes[i].asked && plan->ask_count < CA_ROTATION_BATCH_MAX)
			plan->ask[plan->ask_count++] = i;
	}
	plan->finished = cluster_ca_rotates(ca) && !plan->left;
	return 0;
}
