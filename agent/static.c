// SPDX-License-Identifier: BSD-2-Clause
#include "static.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int allocate(const struct mesh *mesh, struct static_mesh *m)
{
	size_t addresses = mesh->vip_count, ports = 0, backends = 0;

	for (uint32_t i = 0; i < mesh->node_count; i++)
		addresses += mesh->nodes[i].address_count + mesh->vip_count;
	for (uint32_t i = 0; i < mesh->service_count; i++) {
		ports += mesh->services[i].port_count;
		backends += mesh->services[i].backend_count;
	}
	m->addresses = calloc(addresses + 1, sizeof(*m->addresses));
	m->peers = calloc(mesh->node_count + 1, sizeof(*m->peers));
	m->vias = calloc(addresses + 1, sizeof(*m->vias));
	m->services = calloc(mesh->service_count + 1, sizeof(*m->services));
	m->ports = calloc(ports + 1, sizeof(*m->ports));
	m->backends = calloc(backends + 1, sizeof(*m->backends));
	return m->addresses && m->peers && m->vias && m->services && m->ports && m->backends
		   ? 0
		   : -ENOMEM;
}

/* The ways in: each node's addresses with its VTEP, and each virtual IP with each VTEP. */
static void add_nodes(const struct mesh *mesh, struct static_mesh *m)
{
	const struct mesh_node *self = &mesh->nodes[mesh->self];
	uint32_t vias = 0, addresses = 0, peers = 0;

	for (uint32_t i = 0; i < self->address_count; i++)
		m->addresses[addresses++] = self->addresses[i];
	for (uint32_t i = 0; i < mesh->vip_count; i++)
		m->addresses[addresses++] = mesh->vips[i];
	for (uint32_t n = 0; n < mesh->node_count; n++) {
		const struct mesh_node *node = &mesh->nodes[n];

		for (uint32_t i = 0; i < node->address_count; i++)
			m->vias[vias++] = (struct lb_via){node->addresses[i].s_addr,
							  node->vtep.s_addr};
		for (uint32_t i = 0; i < mesh->vip_count; i++)
			m->vias[vias++] = (struct lb_via){mesh->vips[i].s_addr, node->vtep.s_addr};
		if (n != mesh->self)
			m->peers[peers++] = node->vtep;
	}
	m->dp.vtep = self->vtep;
	m->dp.addresses = m->addresses;
	m->dp.address_count = addresses;
	m->dp.vias = m->vias;
	m->dp.via_count = vias;
	m->dp.peers = m->peers;
	m->dp.peer_count = peers;
}

static struct dp_backend backend_of(const struct mesh *mesh, const struct mesh_backend *b)
{
	struct dp_backend out = {
	    .address = b->address,
	    .weight = b->weight,
	    .state = b->state == MESH_ACTIVE ? DP_ACTIVE : b->state == MESH_DRAIN ? DP_DRAIN : DP_DOWN,
	    .vtep = mesh->nodes[b->node].vtep,
	    .local = b->node == mesh->self,
	    .interface = b->interface,
	    .gateway = b->gateway,
	};

	memcpy(out.mac, b->mac, sizeof(out.mac));
	return out;
}

static void add_services(const struct mesh *mesh, struct static_mesh *m)
{
	struct dp_port *port = m->ports;
	struct dp_backend *backend = m->backends;

	for (uint32_t s = 0; s < mesh->service_count; s++) {
		const struct mesh_service *from = &mesh->services[s];

		m->services[s] = (struct dp_service){
		    .name = from->name,
		    .ports = port,
		    .port_count = from->port_count,
		    .backends = backend,
		    .backend_count = from->backend_count,
		    .dsr = from->dsr,
		    .ring_size = from->ring_size,
		};
		for (uint32_t i = 0; i < from->port_count; i++)
			*port++ = (struct dp_port){from->ports[i].protocol, from->ports[i].published,
						   from->ports[i].target};
		for (uint32_t i = 0; i < from->backend_count; i++)
			*backend++ = backend_of(mesh, &from->backends[i]);
	}
	m->dp.services = m->services;
	m->dp.service_count = mesh->service_count;
}

int static_mesh_make(const struct mesh *mesh, struct static_mesh *out)
{
	struct static_mesh m = {0};
	int err = allocate(mesh, &m);

	if (err) {
		static_mesh_free(&m);
		return err;
	}
	add_nodes(mesh, &m);
	add_services(mesh, &m);
	m.dp.vni = mesh->vni;
	m.dp.vxlan_port = mesh->vxlan_port;
	memcpy(m.dp.key, mesh->key, sizeof(m.dp.key));
	*out = m;
	return 0;
}

void static_mesh_free(struct static_mesh *m)
{
	free(m->addresses);
	free(m->peers);
	free(m->vias);
	free(m->services);
	free(m->ports);
	free(m->backends);
	memset(m, 0, sizeof(*m));
}
