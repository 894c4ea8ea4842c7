/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_MESH_NODE_H
#define FL_MESH_NODE_H
/*
 * Reads "nodes" of a mesh file, and finds a node by its name.
 */
#include "json_place.h"
#include "mesh.h"

/* The nodes of a mesh, which owns them, sorted by name. */
struct mesh_node_index {
	const struct mesh_node *nodes;
	const struct mesh_node **by_name;
	uint32_t count;
};

/* Fills the mesh's nodes and the index, which the caller frees on errors too. */
int mesh_nodes_read(const struct json_place *place, struct mesh *mesh,
		    struct mesh_node_index *index);
void mesh_node_index_close(struct mesh_node_index *index);

/* The node of this name. The error stands at place; origin ("" or "(from --node)") says more. */
int mesh_node_find(const struct mesh_node_index *index, const struct json_place *place,
		   const char *name, const char *origin, uint32_t *node);
#endif
