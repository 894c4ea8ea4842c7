/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_STATIC_H
#define FL_STATIC_H
/* From a mesh file to what the data plane applies: the seam where the control plane plugs in too. */
#include "dataplane.h"
#include "mesh.h"

struct static_mesh {
	struct dp_mesh dp;
	/* What dp points to; names and interfaces are the mesh's own. */
	struct in_addr *addresses, *peers;
	struct lb_via *vias;
	struct dp_service *services;
	struct dp_port *ports;
	struct dp_backend *backends;
};

/* mesh must outlive out. 0 or -ENOMEM; free with static_mesh_free. */
int static_mesh_make(const struct mesh *mesh, struct static_mesh *out);
void static_mesh_free(struct static_mesh *m);
#endif
