/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "allocator_state.h"

static bool is_ingress(const Fl__PortConfig *port)
{
	return port->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__INGRESS;
}

static struct range_set *set_of(struct allocator *allocator, Fl__PortConfig__Protocol protocol)
{
	return &allocator
		    ->ports[(unsigned)protocol < 3 ? protocol : FL__PORT_CONFIG__PROTOCOL__TCP];
}

static bool is_same_port(const Fl__PortConfig *a, const Fl__PortConfig *b)
{
	return a->published_port && a->published_port == b->published_port &&
	       a->protocol == b->protocol;
}

/* --- Conflicts --- */

/* A service's port that stands in the way of one; NULL: none. Two of host mode do not: which nodes
 * they meet on is the scheduler's business. */
static const Fl__PortConfig *in_the_way(const Fl__PortConfig *port, Fl__PortConfig *const *others,
					size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_same_port(port, others[i]) && (is_ingress(port) || is_ingress(others[i])))
			return others[i];
	}
	return NULL;
}

static const Fl__PortConfig *in_the_way_of_service(const Fl__PortConfig *port,
						   const Fl__Service *service)
{
	const Fl__EndpointSpec *spec = service->spec ? service->spec->endpoint_spec : NULL;
	const Fl__PortConfig *found = NULL;

	if (spec)
		found = in_the_way(port, spec->ports, spec->n_ports);
	if (!found && service->endpoint)
		found = in_the_way(port, service->endpoint->ports, service->endpoint->n_ports);
	return found;
}

static int complain(const Fl__PortConfig *port, const Fl__Service *service, int code,
		    struct problem *problem)
{
	return problem_set(
	    problem, code, "port '%u' is already in use by service '%s' (%s) as %s",
	    port->published_port, service->spec && service->spec->name ? service->spec->name : "",
	    service->id, is_ingress(port) ? "an ingress port" : "a host-published port");
}

int allocator_check_ports(const struct store_view *view, const char *service_id,
			  const Fl__EndpointSpec *spec, struct problem *problem)
{
	struct store_iterator services;
	const Fl__Service *service;

	if (!spec || !spec->n_ports)
		return 0;
	store_iterate(view, STORE_SERVICE, &services);
	while ((service = store_next(&services))) {
		if (service_id && !strcmp(service_id, service->id))
			continue;
		for (size_t i = 0; i < spec->n_ports; i++) {
			const Fl__PortConfig *other =
			    in_the_way_of_service(spec->ports[i], service);

			if (other)
				return complain(other, service, -EEXIST, problem);
		}
	}
	return 0;
}

static const Fl__Service *blocking_service(const struct allocator *allocator, const char *id,
					   const Fl__PortConfig *port, const Fl__PortConfig **other)
{
	const struct allocation *service;
	size_t slot = 0;

	while ((service = id_map_next(&allocator->objects[ALLOCATION_SERVICES], &slot))) {
		*other = strcmp(service->id, id) != 0
			     ? in_the_way_of_service(port, service_of(service))
			     : NULL;
		if (*other)
			return service_of(service);
	}
	return NULL;
}

/* --- Giving them out --- */

/* What the same port had before, unless that was the user's choice, or has been kept for another.
 */
static uint32_t earlier_number(const Fl__Service *service, const Fl__PortConfig *ports, size_t at)
{
	const Fl__PortConfig *port = &ports[at];

	for (size_t i = 0; service->endpoint && i < service->endpoint->n_ports; i++) {
		const Fl__PortConfig *old = service->endpoint->ports[i];
		bool used = false;

		if (!is_ingress(old) || old->protocol != port->protocol ||
		    old->target_port != port->target_port ||
		    old->published_port < ALLOCATOR_PORT_FIRST ||
		    old->published_port > ALLOCATOR_PORT_LAST)
			continue;
		for (size_t j = 0; j < at; j++)
			used = used || is_same_port(old, &ports[j]);
		if (!used)
			return old->published_port;
	}
	return 0;
}

/* Host mode takes nothing from the set, but a node cannot answer one port in both modes. */
static int choose_number(struct allocator *allocator, const char *id, Fl__PortConfig *port)
{
	const struct range_set *set = set_of(allocator, port->protocol);
	range_value from = ALLOCATOR_PORT_FIRST, found;
	const Fl__PortConfig *other;

	while (!range_set_find(set, from, ALLOCATOR_PORT_LAST, from, 1, &found)) {
		port->published_port = (uint32_t)found;
		if (!blocking_service(allocator, id, port, &other))
			return 0;
		from = found + 1;
	}
	port->published_port = 0;
	return -ENOSPC;
}

static int take_number(struct allocator *allocator, const struct allocation *service,
		       const Fl__PortConfig *port, struct claims *claims, struct problem *problem)
{
	struct range_set *set = set_of(allocator, port->protocol);
	const Fl__PortConfig *other;
	const Fl__Service *blocking;
	int rc;

	if (claims_have(&service->claims, set, port->published_port))
		return 0; /* as before */
	blocking = blocking_service(allocator, service->id, port, &other);
	/* One that has only asked for it waits in its turn; one that has it is in the set. */
	rc = claims_take(claims, set, port->published_port, port->published_port, NULL);
	if (rc != -EEXIST)
		return rc;
	if (blocking)
		return complain(other, blocking, -EINVAL, problem);
	return problem_set(problem, -EINVAL, "port '%u' is already in use as an ingress port",
			   port->published_port);
}

static int allocate_one(struct allocator *allocator, const struct allocation *service,
			Fl__PortConfig *ports, size_t at, struct claims *claims,
			struct problem *problem)
{
	Fl__PortConfig *port = &ports[at];

	if (!is_ingress(port))
		return 0;
	if (!port->published_port) {
		port->published_port = earlier_number(service_of(service), ports, at);
		port->has_published_port = true;
	}
	if (!port->published_port && choose_number(allocator, service->id, port))
		return problem_set(problem, -EINVAL,
				   "no port is left in %d-%d to publish port %u on",
				   ALLOCATOR_PORT_FIRST, ALLOCATOR_PORT_LAST, port->target_port);
	return take_number(allocator, service, port, claims, problem);
}

int ports_allocate(struct allocator *allocator, const struct allocation *service,
		   const Fl__EndpointSpec *spec, Fl__PortConfig *ports, struct claims *claims,
		   struct problem *problem)
{
	int rc = 0;

	for (size_t i = 0; i < spec->n_ports; i++)
		ports[i] = *spec->ports[i];
	/* Those with a number first: what is chosen must not be one of them. */
	for (int chosen = 0; chosen < 2; chosen++) {
		for (size_t i = 0; !rc && i < spec->n_ports; i++) {
			if (chosen == !spec->ports[i]->published_port)
				rc = allocate_one(allocator, service, ports, i, claims, problem);
		}
	}
	return rc;
}

int ports_take(struct allocator *allocator, struct allocation *service)
{
	const Fl__Endpoint *endpoint = service_of(service)->endpoint;

	for (size_t i = 0; endpoint && i < endpoint->n_ports; i++) {
		const Fl__PortConfig *port = endpoint->ports[i];
		int rc;

		if (!is_ingress(port) || !port->published_port)
			continue;
		rc = claims_take(&service->claims, set_of(allocator, port->protocol),
				 port->published_port, port->published_port, NULL);
		if (rc == -ENOMEM)
			return rc;
		allocator->conflicts += rc == -EEXIST;
	}
	return 0;
}
