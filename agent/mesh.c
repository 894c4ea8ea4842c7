/* SPDX-License-Identifier: BSD-2-Clause */
#include "mesh.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json_file.h"
#include "json_place.h"
#include "lb_limits.h"
#include "mesh_check.h"
#include "mesh_field.h"
#include "mesh_node.h"
#include "mesh_service.h"

static void mesh_release(struct mesh **mesh)
{
	mesh_free(*mesh);
}

static void document_release(json_t **document)
{
	json_decref(*document);
}

static void bytes_release(char **bytes)
{
	free(*bytes);
}

static int read_self(struct mesh *mesh, const struct mesh_node_index *nodes,
		     const struct json_place *root, const char *node)
{
	const struct json_place place = json_place_member(root, "node");
	char name[MESH_NAME_MAX];
	uint32_t addresses;
	int rc;

	if (!node && !json_place_given(&place))
		return json_place_error(
		    &place, -EINVAL,
		    "missing; say which node this is: add \"node\": \"...\" or use "
		    "--node NAME");
	if (json_place_given(&place)) {
		rc = mesh_field_name(&place, name);
		if (rc < 0)
			return rc;
	}
	rc = mesh_node_find(nodes, &place, node ? node : name, node ? "(from --node)" : "",
			    &mesh->self);
	if (rc < 0)
		return rc;
	addresses = mesh->nodes[mesh->self].address_count;
	if ((uint64_t)addresses + mesh->vip_count > LB_ADDRS_MAX) {
		const struct json_place list = json_place_member(root, "nodes");
		const struct json_place item = json_place_item(&list, mesh->self);
		const struct json_place member = json_place_member(&item, "addresses");
		return json_place_error(&member, -EINVAL,
					"%" PRIu32 " addresses of this node and %" PRIu32
					" vips are too many; a node answers on at most %d",
					addresses, mesh->vip_count, LB_ADDRS_MAX);
	}
	return 0;
}

static int read_uplink(struct mesh *mesh, const struct json_place *root, const char *uplink)
{
	const struct json_place place = json_place_member(root, "uplink");
	const char *fault;
	int rc;

	if (!uplink && !json_place_given(&place))
		return json_place_error(&place, -EINVAL,
					"missing; name the node's interface to the network: add "
					"\"uplink\": \"eth0\" or use --uplink NAME");
	if (json_place_given(&place)) {
		rc = mesh_field_interface(&place, mesh->uplink);
		if (rc < 0)
			return rc;
	}
	if (!uplink)
		return 0;
	fault = mesh_interface_fault(uplink);
	if (fault)
		return json_place_error(&place, -EINVAL, "\"%s\" (from --uplink) %s",
					json_shown(uplink).text, fault);
	memcpy(mesh->uplink, uplink, strlen(uplink) + 1);
	return 0;
}

static int read_tunnel(struct mesh *mesh, const struct json_place *root)
{
	static const struct json_range vni_range = {
	    .min = 1, .max = (1 << 24) - 1, .noun = "a VNI"};
	const struct json_place vni_place = json_place_member(root, "vni");
	const struct json_place port_place = json_place_member(root, "vxlan_port");
	const struct json_place key_place = json_place_member(root, "key");
	int64_t vni = MESH_VNI_DEFAULT;
	int rc = 0;

	mesh->vxlan_port = MESH_VXLAN_PORT_DEFAULT;
	if (json_place_given(&vni_place))
		rc = json_place_integer(&vni_place, &vni_range, &vni);
	if (rc == 0 && json_place_given(&port_place))
		rc = mesh_field_port(&port_place, &mesh->vxlan_port);
	if (rc == 0)
		rc = mesh_field_key(&key_place, mesh->key);
	if (rc < 0)
		return rc;
	mesh->vni = (uint32_t)vni;
	return 0;
}

static int read_limit(const struct json_place *limits, const char *key, int64_t min, int64_t max,
		      uint64_t *limit)
{
	const struct json_place place = json_place_member(limits, key);
	const struct json_range range = {.min = min, .max = max, .noun = "a limit"};
	int64_t number;
	int rc;

	if (!json_place_given(&place))
		return 0;
	rc = json_place_integer(&place, &range, &number);
	if (rc == 0)
		*limit = (uint64_t)number;
	return rc;
}

static int read_limits(struct mesh *mesh, const struct json_place *root)
{
	static const char *const keys[] = {"flows", "slots", "backends", NULL};
	const struct json_place place = json_place_member(root, "limits");
	int rc;

	if (!json_place_given(&place))
		return 0;
	rc = json_place_object(&place, keys);
	if (rc == 0)
		rc = read_limit(&place, "flows", 1024, 1 << 28, &mesh->flows_max);
	if (rc == 0)
		rc = read_limit(&place, "slots", LB_RING_SIZE_DEFAULT, 1 << 28, &mesh->slots_max);
	if (rc == 0)
		rc = read_limit(&place, "backends", 16, 1 << 22, &mesh->backends_max);
	return rc;
}

static int read_mesh(struct mesh *mesh, const struct json_place *root, const char *node,
		     const char *uplink)
{
	static const char *const keys[] = {"node", "uplink", "vni",      "vxlan_port", "key",
					   "vips", "nodes",  "services", "limits",     NULL};
	__attribute__((cleanup(mesh_node_index_close))) struct mesh_node_index index = {0};
	const struct json_place vips = json_place_member(root, "vips");
	const struct json_place nodes = json_place_member(root, "nodes");
	const struct json_place services = json_place_member(root, "services");
	struct mesh_service_reader reader = {.nodes = &index};
	int rc = json_place_object(root, keys);

	if (rc == 0)
		rc = read_uplink(mesh, root, uplink);
	if (rc == 0)
		rc = read_tunnel(mesh, root);
	if (rc == 0 && json_place_given(&vips))
		rc = mesh_field_addresses(&vips, &mesh->vips, &mesh->vip_count);
	if (rc == 0)
		rc = read_limits(mesh, root);
	if (rc == 0)
		rc = mesh_nodes_read(&nodes, mesh, &index);
	if (rc == 0)
		rc = read_self(mesh, &index, root, node);
	if (rc < 0)
		return rc;
	reader.self = mesh->self;
	reader.backends_max = mesh->backends_max ? mesh->backends_max : LB_BACKENDS_DEFAULT;
	return mesh_services_read(&services, &reader, mesh);
}

int mesh_parse(const char *bytes, size_t length, const char *name, const char *node,
	       const char *uplink, struct mesh **mesh, struct error *error)
{
	const struct json_file_name file = json_file_name(name);
	__attribute__((cleanup(document_release))) json_t *document = NULL;
	__attribute__((cleanup(mesh_release))) struct mesh *read = NULL;
	struct json_place root;
	int rc;

	if (length > MESH_FILE_BYTES_MAX)
		return error_set(error, -EFBIG, "%s: is larger than %d MiB, the most that is read",
				 file.text, MESH_FILE_BYTES_MAX >> 20);
	rc = json_file_parse(bytes, length, file.text, &document, error);
	if (rc < 0)
		return rc;
	read = calloc(1, sizeof(*read));
	if (!read)
		return error_set(error, -ENOMEM, "%s: not enough memory to read it", file.text);
	root = json_place_root(document, file.text, error);
	rc = read_mesh(read, &root, node, uplink);
	if (rc == 0)
		rc = mesh_check(read, file.text, error);
	if (rc < 0)
		return rc;
	*mesh = read;
	read = NULL;
	return 0;
}

int mesh_load(const char *path, const char *node, const char *uplink, struct mesh **mesh,
	      struct error *error)
{
	__attribute__((cleanup(bytes_release))) char *bytes = NULL;
	size_t length;
	int rc = json_file_read(path, MESH_FILE_BYTES_MAX, &bytes, &length, error);

	if (rc < 0)
		return rc;
	return mesh_parse(bytes, length, path, node, uplink, mesh, error);
}

void mesh_free(struct mesh *mesh)
{
	if (!mesh)
		return;
	for (uint32_t i = 0; i < mesh->node_count; i++)
		free(mesh->nodes[i].addresses);
	for (uint32_t i = 0; i < mesh->service_count; i++) {
		free(mesh->services[i].ports);
		free(mesh->services[i].backends);
	}
	free(mesh->nodes);
	free(mesh->services);
	free(mesh->vips);
	free(mesh);
}
