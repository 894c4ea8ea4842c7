/* SPDX-License-Identifier: BSD-2-Clause */
#include "mesh_node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesh_field.h"

enum { NODES_SHOWN_MAX = 8 };

static int read_node(const struct json_place *place, struct mesh_node *node)
{
	static const char *const keys[] = {"name", "vtep", "addresses", NULL};
	int rc = json_place_object(place, keys);
	const struct json_place name = json_place_member(place, "name");
	const struct json_place vtep = json_place_member(place, "vtep");
	const struct json_place addresses = json_place_member(place, "addresses");

	if (rc == 0)
		rc = mesh_field_name(&name, node->name);
	if (rc == 0)
		rc = mesh_field_address(&vtep, &node->vtep);
	if (rc < 0)
		return rc;
	if (json_place_given(&addresses))
		return mesh_field_addresses(&addresses, &node->addresses, &node->address_count);
	rc = json_place_room(place, 1, sizeof(*node->addresses), &node->addresses);
	if (rc < 0)
		return rc;
	node->addresses[0] = node->vtep;
	node->address_count = 1;
	return 0;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct mesh_node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int compare_node_name(const void *name, const void *node)
{
	const struct mesh_node *const *x = node;

	return strcmp(name, (*x)->name);
}

int mesh_nodes_read(const struct json_place *place, struct mesh *mesh,
		    struct mesh_node_index *index)
{
	size_t count = 0;
	int rc = json_place_array(place, 1, MESH_NODES_MAX, &count);

	if (rc == 0)
		rc = json_place_room(place, count, sizeof(*mesh->nodes), &mesh->nodes);
	if (rc == 0)
		mesh->node_count = (uint32_t)count;
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json_place item = json_place_item(place, i);
		rc = read_node(&item, &mesh->nodes[i]);
	}
	if (rc == 0)
		rc = json_place_room(place, count, sizeof(*index->by_name), &index->by_name);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		index->by_name[i] = &mesh->nodes[i];
	qsort(index->by_name, count, sizeof(*index->by_name), compare_nodes);
	index->nodes = mesh->nodes;
	index->count = mesh->node_count;
	return 0;
}

void mesh_node_index_close(struct mesh_node_index *index)
{
	free(index->by_name);
}

int mesh_node_find(const struct mesh_node_index *index, const struct json_place *place,
		   const char *name, const char *origin, uint32_t *node)
{
	const struct mesh_node *const *found =
	    bsearch(name, index->by_name, index->count, sizeof(*found), compare_node_name);
	char list[NODES_SHOWN_MAX * 32] = "";
	size_t length = 0;

	if (found) {
		*node = (uint32_t)(*found - index->nodes);
		return 0;
	}
	for (uint32_t i = 0; i < index->count && i < NODES_SHOWN_MAX; i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%.28s",
					   i ? ", " : "", index->nodes[i].name);
	return json_place_error(place, -EINVAL, "no node is called \"%s\"%s%s; nodes are %s%s",
				json_shown(name).text, origin[0] ? " " : "", origin, list,
				index->count > NODES_SHOWN_MAX ? ", ..." : "");
}
