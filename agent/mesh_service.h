/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_MESH_SERVICE_H
#define FL_MESH_SERVICE_H
/*
 * Reads "services" of a mesh file: published ports, rings and backends, each for itself.
 * What must hold between them is mesh_check's.
 */
#include "json_place.h"
#include "mesh.h"
#include "mesh_node.h"

struct mesh_service_reader {
	const struct mesh_node_index *nodes;
	uint32_t self;
	uint64_t backends_max;  /* of all services */
	uint64_t backend_count; /* so far */
};

/* Fills the mesh's services, which mesh_free frees on errors too. */
int mesh_services_read(const struct json_place *place, struct mesh_service_reader *reader,
		       struct mesh *mesh);
#endif
