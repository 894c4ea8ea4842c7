/* SPDX-License-Identifier: BSD-2-Clause */
#include "mesh_service.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lb_limits.h"
#include "mesh_field.h"

static int read_port(const struct json_place *place, struct mesh_port *port)
{
	static const char *const keys[] = {"published", "target", "protocol", NULL};
	static const char *const protocols[] = {"tcp", "udp", NULL};
	const struct json_place published_place = json_place_member(place, "published");
	const struct json_place target_place = json_place_member(place, "target");
	const struct json_place protocol_place = json_place_member(place, "protocol");
	unsigned int protocol = 0;
	int rc = json_place_object(place, keys);

	if (rc == 0)
		rc = mesh_field_port(&published_place, &port->published);
	if (rc == 0)
		rc = mesh_field_port(&target_place, &port->target);
	if (rc == 0 && json_place_given(&protocol_place))
		rc = json_place_choice(&protocol_place, protocols, &protocol);
	if (rc < 0)
		return rc;
	port->protocol = protocol == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	return 0;
}

static int read_ports(const struct json_place *place, struct mesh_service *service)
{
	size_t count = 0;
	int rc = json_place_array(place, 1, LB_PORTS_MAX, &count);

	if (rc == 0)
		rc = json_place_room(place, count, sizeof(*service->ports), &service->ports);
	if (rc == 0)
		service->port_count = (uint32_t)count;
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json_place item = json_place_item(place, i);
		rc = read_port(&item, &service->ports[i]);
	}
	return rc;
}

static int read_backend_state(const struct json_place *place, struct mesh_backend *backend)
{
	static const char *const states[] = {
	    [MESH_ACTIVE] = "active", [MESH_DRAIN] = "drain", [MESH_DOWN] = "down", NULL};
	static const struct json_range weight_range = {
	    .min = 1,
	    .max = LB_WEIGHT_MAX,
	    .noun = "a weight",
	    .hint = " (and state \"drain\" for no new flows)",
	};
	const struct json_place weight_place = json_place_member(place, "weight");
	const struct json_place state_place = json_place_member(place, "state");
	int64_t weight = 1;
	unsigned int state = MESH_ACTIVE;
	int rc = 0;

	if (json_place_given(&weight_place))
		rc = json_place_integer(&weight_place, &weight_range, &weight);
	if (rc == 0 && json_place_given(&state_place))
		rc = json_place_choice(&state_place, states, &state);
	if (rc < 0)
		return rc;
	backend->weight = (uint16_t)weight;
	backend->state = (enum mesh_state)state;
	return 0;
}

/* What the task's own node needs. Other nodes have no use for it, but it must be right. */
static int read_backend_link(const struct mesh_service_reader *reader,
			     const struct json_place *place, struct mesh_backend *backend)
{
	const struct json_place interface = json_place_member(place, "interface");
	const struct json_place gateway = json_place_member(place, "gateway");
	int rc = 0;

	if (json_place_given(&interface))
		rc = mesh_field_interface(&interface, backend->interface);
	else if (backend->node == reader->self && backend->state != MESH_DOWN)
		return json_place_error(&interface, -EINVAL,
					"missing; the task runs on this node (\"%.40s\"): name the "
					"host side of its veth, or set state \"down\"",
					reader->nodes->nodes[backend->node].name);
	if (rc == 0 && json_place_given(&gateway))
		rc = mesh_field_address(&gateway, &backend->gateway);
	if (rc == 0 && backend->gateway.s_addr == backend->address.s_addr)
		return json_place_error(&gateway, -EINVAL,
					"is the task's own address; give its next hop");
	return rc;
}

static int read_backend(const struct mesh_service_reader *reader, const struct json_place *place,
			struct mesh_backend *backend)
{
	static const char *const keys[] = {"node",    "address", "mac",   "interface",
					   "gateway", "weight",  "state", NULL};
	const struct json_place node = json_place_member(place, "node");
	const struct json_place address = json_place_member(place, "address");
	const struct json_place mac = json_place_member(place, "mac");
	const char *name;
	int rc = json_place_object(place, keys);

	if (rc == 0)
		rc = json_place_string(&node, &name);
	if (rc == 0)
		rc = mesh_node_find(reader->nodes, &node, name, "", &backend->node);
	if (rc == 0)
		rc = mesh_field_address(&address, &backend->address);
	if (rc == 0 && json_place_given(&mac))
		rc = mesh_field_mac(&mac, backend->mac);
	if (rc == 0)
		rc = read_backend_state(place, backend);
	if (rc == 0)
		rc = read_backend_link(reader, place, backend);
	if (rc == 0 && !json_place_given(&mac)) {
		memcpy(backend->mac, "\x02\x42", 2);
		memcpy(backend->mac + 2, &backend->address, 4);
	}
	return rc;
}

static int read_backends(struct mesh_service_reader *reader, const struct json_place *place,
			 struct mesh_service *service)
{
	size_t count = 0;
	int rc = json_place_array(place, 0, LB_SERVICE_BACKENDS_MAX - 1, &count);

	if (rc < 0)
		return rc;
	reader->backend_count += count;
	if (reader->backend_count > reader->backends_max)
		return json_place_error(place, -EINVAL,
					"with these the mesh has %" PRIu64
					" backends, more than %" PRIu64 "; raise limits.backends",
					reader->backend_count, reader->backends_max);
	rc = json_place_room(place, count, sizeof(*service->backends), &service->backends);
	if (rc == 0)
		service->backend_count = (uint32_t)count;
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json_place item = json_place_item(place, i);
		rc = read_backend(reader, &item, &service->backends[i]);
	}
	return rc;
}

/* Trial division: 405 steps at most below LB_RING_SIZE_MAX. */
static bool is_odd_prime(int64_t number)
{
	if (number < 3 || number % 2 == 0)
		return false;
	for (int64_t divisor = 3; divisor * divisor <= number; divisor += 2) {
		if (number % divisor == 0)
			return false;
	}
	return true;
}

static int read_ring_size(const struct json_place *place, struct mesh_service *service)
{
	static const struct json_range range = {
	    .min = 1,
	    .max = LB_RING_SIZE_MAX,
	    .noun = "a ring size",
	    .hint = ", 1 or an odd prime",
	};
	int64_t size, prime;
	int rc;

	if (!json_place_given(place))
		return 0;
	rc = json_place_integer(place, &range, &size);
	if (rc < 0)
		return rc;
	if (size != 1 && !is_odd_prime(size)) {
		for (prime = size; prime < LB_RING_SIZE_MAX && !is_odd_prime(prime);)
			prime++;
		return json_place_error(place, -EINVAL,
					"%" PRId64 " is not 1 or an odd prime; use %" PRId64
					", or leave it out",
					size, is_odd_prime(prime) ? prime : LB_RING_SIZE_DEFAULT);
	}
	service->ring_size = (uint32_t)size;
	return 0;
}

static int read_service(struct mesh_service_reader *reader, const struct json_place *place,
			struct mesh_service *service)
{
	static const char *const keys[] = {"name",      "ports",    "return",
					   "ring_size", "backends", NULL};
	static const char *const returns[] = {"symmetric", "dsr", NULL};
	const struct json_place name = json_place_member(place, "name");
	const struct json_place ports = json_place_member(place, "ports");
	const struct json_place how = json_place_member(place, "return");
	const struct json_place ring_size = json_place_member(place, "ring_size");
	const struct json_place backends = json_place_member(place, "backends");
	unsigned int choice = 0;
	int rc = json_place_object(place, keys);

	if (rc == 0)
		rc = mesh_field_name(&name, service->name);
	if (rc == 0)
		rc = read_ports(&ports, service);
	if (rc == 0 && json_place_given(&how))
		rc = json_place_choice(&how, returns, &choice);
	if (rc == 0)
		rc = read_ring_size(&ring_size, service);
	if (rc == 0)
		rc = read_backends(reader, &backends, service);
	if (rc == 0)
		service->dsr = choice == 1;
	return rc;
}

int mesh_services_read(const struct json_place *place, struct mesh_service_reader *reader,
		       struct mesh *mesh)
{
	size_t count = 0;
	int rc = json_place_array(place, 0, MESH_SERVICES_MAX, &count);

	if (rc == 0)
		rc = json_place_room(place, count, sizeof(*mesh->services), &mesh->services);
	if (rc == 0)
		mesh->service_count = (uint32_t)count;
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json_place item = json_place_item(place, i);
		rc = read_service(reader, &item, &mesh->services[i]);
	}
	return rc;
}
