/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "allocator_state.h"
#include "message.h"

static const Fl__EndpointSpec *endpoint_spec_of(const Fl__Service *service)
{
	static const Fl__EndpointSpec nothing = FL__ENDPOINT_SPEC__INIT;

	return service->spec && service->spec->endpoint_spec ? service->spec->endpoint_spec
							     : &nothing;
}

const Fl__NetworkAttachmentConfig *attachment_at(const Fl__TaskSpec *task,
						 const Fl__ServiceSpec *service, size_t i)
{
	if (!task && service)
		task = service->task_template;
	if (task && task->n_networks)
		return i < task->n_networks ? task->networks[i] : NULL;
	return service && i < service->n_networks ? service->networks[i] : NULL;
}

static bool has_ingress_port(Fl__PortConfig *const *ports, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ports[i]->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__INGRESS)
			return true;
	}
	return false;
}

bool service_publishes(const Fl__Service *service)
{
	return service->endpoint &&
	       has_ingress_port(service->endpoint->ports, service->endpoint->n_ports);
}

/* Ids of networks that the service is to have a virtual IP on, in order, once each. */
struct wanted {
	const char **ids;
	size_t count;
};

static void want(struct wanted *wanted, const char *id)
{
	for (size_t i = 0; i < wanted->count; i++) {
		if (!strcmp(wanted->ids[i], id))
			return;
	}
	wanted->ids[wanted->count++] = id;
}

/* -EAGAIN: there is no ingress network. -ENOMEM. */
static int list_wanted(const struct allocator *allocator, const Fl__Service *service,
		       struct wanted *wanted)
{
	const Fl__EndpointSpec *spec = endpoint_spec_of(service);
	const Fl__NetworkAttachmentConfig *config;
	size_t count = 0;

	*wanted = (struct wanted){0};
	if (spec->mode == FL__ENDPOINT_SPEC__MODE__DNSRR)
		return 0;
	while (attachment_at(NULL, service->spec, count))
		count++;
	wanted->ids = malloc((count + 1) * sizeof(*wanted->ids));
	if (!wanted->ids)
		return -ENOMEM;
	if (has_ingress_port(spec->ports, spec->n_ports)) {
		if (!allocator->ingress)
			return -EAGAIN;
		want(wanted, allocator->ingress->id);
	}
	for (size_t i = 0; (config = attachment_at(NULL, service->spec, i)); i++) {
		const struct allocation *network = NULL;

		if (config->target)
			network =
			    id_map_get(&allocator->objects[ALLOCATION_NETWORKS], config->target);
		/* One that is not known yet may be an overlay network. */
		if (config->target && (!network || network_is_overlay(network_of(network))))
			want(wanted, config->target);
	}
	return 0;
}

static const char *virtual_ip_of(const Fl__Endpoint *endpoint, const char *network_id)
{
	for (size_t i = 0; endpoint && i < endpoint->n_virtual_ips; i++) {
		const Fl__EndpointVirtualIP *ip = endpoint->virtual_ips[i];

		if (ip->network_id && ip->addr && !strcmp(ip->network_id, network_id))
			return ip->addr;
	}
	return NULL;
}

static bool has_all_ports(const Fl__Endpoint *endpoint, const Fl__EndpointSpec *spec)
{
	if (endpoint->n_ports != spec->n_ports)
		return false;
	for (size_t i = 0; i < endpoint->n_ports; i++) {
		if (!endpoint->ports[i]->published_port &&
		    endpoint->ports[i]->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__INGRESS)
			return false;
	}
	return true;
}

int service_needs(const struct allocator *allocator, const Fl__Service *service)
{
	const Fl__EndpointSpec *spec = endpoint_spec_of(service);
	const Fl__Endpoint *endpoint = service->endpoint;
	struct wanted wanted;
	int same, rc;

	if (service->pending_delete)
		return 0;
	if (!endpoint || !endpoint->spec || service->allocation_error)
		return 1;
	same = message_equal(&endpoint->spec->base, &spec->base);
	if (same < 0)
		return same;
	if (!same || !has_all_ports(endpoint, spec))
		return 1;
	rc = list_wanted(allocator, service, &wanted);
	same = !rc && wanted.count == endpoint->n_virtual_ips;
	for (size_t i = 0; same && i < wanted.count; i++)
		same = virtual_ip_of(endpoint, wanted.ids[i]) != NULL;
	free(wanted.ids);
	return rc == -ENOMEM ? rc : !same;
}

int service_take(struct allocator *allocator, struct allocation *service)
{
	const Fl__Endpoint *endpoint = service_of(service)->endpoint;
	int rc = ports_take(allocator, service);

	for (size_t i = 0; !rc && endpoint && i < endpoint->n_virtual_ips; i++)
		rc = network_retake_address(allocator, endpoint->virtual_ips[i]->network_id,
					    endpoint->virtual_ips[i]->addr, &service->claims);
	return rc;
}

struct virtual_ip {
	Fl__EndpointVirtualIP message;
	char text[ADDRESS_TEXT_SIZE];
};

/* IPv4 where the network has it: IPv6 is for networks of that alone. */
static int choose_virtual_ip(struct allocator *allocator, const Fl__Service *service,
			     const char *network_id, struct virtual_ip *ip, struct claims *claims,
			     struct problem *problem)
{
	struct allocation *network =
	    id_map_get(&allocator->objects[ALLOCATION_NETWORKS], network_id);
	const char *kept = virtual_ip_of(service->endpoint, network_id);
	ip_address number;
	int rc;

	fl__endpoint_virtual_ip__init(&ip->message);
	ip->message.network_id = text_field(network_id);
	ip->message.addr = kept ? text_field(kept) : ip->text;
	if (kept)
		return 0;
	rc = network_is_ready(network, problem);
	if (rc)
		return rc;
	rc = network_take_address(network, true, claims, ip->text, &number, problem);
	return rc == -ENOENT
		   ? network_take_address(network, false, claims, ip->text, &number, problem)
		   : rc;
}

/* Memory for an endpoint in the making. */
struct draft {
	Fl__PortConfig *ports;
	Fl__PortConfig **port_list;
	struct virtual_ip *ips;
	Fl__EndpointVirtualIP **ip_list;
};

static int make_draft(struct draft *draft, size_t ports, size_t ips)
{
	draft->ports = calloc(ports + 1, sizeof(*draft->ports));
	draft->port_list = calloc(ports + 1, sizeof(Fl__PortConfig *));
	draft->ips = calloc(ips + 1, sizeof(*draft->ips));
	draft->ip_list = calloc(ips + 1, sizeof(Fl__EndpointVirtualIP *));
	return draft->ports && draft->port_list && draft->ips && draft->ip_list ? 0 : -ENOMEM;
}

static void free_draft(struct draft *draft)
{
	free(draft->ports);
	free(draft->port_list);
	free(draft->ips);
	free(draft->ip_list);
}

static int choose(struct allocator *allocator, const struct allocation *service,
		  const struct wanted *wanted, struct draft *draft, struct claims *claims,
		  struct problem *problem)
{
	const Fl__EndpointSpec *spec = endpoint_spec_of(service_of(service));
	int rc = make_draft(draft, spec->n_ports, wanted->count);

	if (!rc)
		rc = ports_allocate(allocator, service, spec, draft->ports, claims, problem);
	for (size_t i = 0; !rc && i < spec->n_ports; i++)
		draft->port_list[i] = &draft->ports[i];
	for (size_t i = 0; !rc && i < wanted->count; i++) {
		rc = choose_virtual_ip(allocator, service_of(service), wanted->ids[i],
				       &draft->ips[i], claims, problem);
		draft->ip_list[i] = &draft->ips[i].message;
	}
	return rc;
}

static int write_endpoint(const Fl__Service *service, const struct draft *draft, size_t ips,
			  struct transaction *transaction)
{
	const Fl__EndpointSpec *spec = endpoint_spec_of(service);
	Fl__Endpoint endpoint = FL__ENDPOINT__INIT;
	Fl__Service update = *service;

	endpoint.spec = (Fl__EndpointSpec *)(uintptr_t)spec;
	endpoint.ports = draft->port_list;
	endpoint.n_ports = spec->n_ports;
	endpoint.virtual_ips = draft->ip_list;
	endpoint.n_virtual_ips = ips;
	update.endpoint = &endpoint;
	update.allocation_error = NULL;
	return transaction_update(transaction, &update.base);
}

int service_allocate(struct allocator *allocator, struct allocation *service,
		     struct transaction *transaction, struct problem *problem)
{
	struct claims claims = {0};
	struct draft draft = {0};
	struct wanted wanted;
	int rc = list_wanted(allocator, service_of(service), &wanted);

	if (rc == -EAGAIN)
		rc = problem_set(problem, -EINVAL, "no ingress network found");
	if (!rc)
		rc = choose(allocator, service, &wanted, &draft, &claims, problem);
	if (!rc)
		rc = write_endpoint(service_of(service), &draft, wanted.count, transaction);
	/* What it no longer needs it keeps until the change is in the store. */
	if (!rc)
		rc = claims_move(&service->claims, &claims);
	claims_cancel(&claims); /* what is left of them: it did not come to be */
	free_draft(&draft);
	free(wanted.ids);
	return rc;
}
