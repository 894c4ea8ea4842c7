/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks, services and tasks that come, change and go at random, in address space that is too
 * small for all of them, with entries that are lost or overtaken and leaders that begin anew. After
 * each step the whole store is gone through by brute force: nothing is given out twice, who has
 * nothing has none of it, says why, and is right. FL_SEED=n replays a run; FL_ROUNDS=n makes it
 * longer.
 */
#include "allocator.h"
#include "allocator_address.h"

#include "allocation.h"

enum { NETWORKS = 7, SERVICES = 8, TASKS = 60, STEPS = 80, ITEMS = 600 };

struct world {
	struct cluster c;
	uint64_t state;
	int next_task;
	size_t allocated, refused, lost;
};

static unsigned roll(struct world *w, unsigned sides)
{
	return (unsigned)(random_next(&w->state) % sides);
}

/* --- The store, gone through --- */

/* Addresses of one network that are in use. */
struct used {
	ip_address items[ITEMS];
	size_t count;
};

static bool is_over(const Fl__Task *task)
{
	return task->status->state > FL__TASK_STATE__RUNNING &&
	       task->desired_state > FL__TASK_STATE__RUNNING;
}

static void use(struct used *used, const Fl__Network *network, const char *text)
{
	ip_address number;
	struct prefix prefix;
	uint8_t length;

	assert_int_equal(address_parse_with_length(text, &number, &length), 0);
	assert_int_equal(prefix_parse(network->ipam_options->configs[0]->subnet, &prefix), 0);
	assert_int_equal(length, prefix.length);
	assert_true(number > prefix.first && number < prefix.last);
	for (size_t i = 0; i < used->count; i++)
		assert_false(used->items[i] == number);
	assert_true(used->count < ITEMS);
	used->items[used->count++] = number;
}

static void gather(struct world *w, const Fl__Network *network, struct used *used)
{
	struct store_iterator iterator;
	const Fl__Service *service;
	const Fl__Task *task;

	used->count = 0;
	address_parse(network->ipam_options->configs[0]->gateway, &used->items[used->count++]);
	store_iterate(view(&w->c), STORE_SERVICE, &iterator);
	while ((service = store_next(&iterator))) {
		for (size_t i = 0; service->endpoint && i < service->endpoint->n_virtual_ips; i++) {
			const Fl__EndpointVirtualIP *ip = service->endpoint->virtual_ips[i];

			if (!strcmp(ip->network_id, network->id))
				use(used, network, ip->addr);
		}
	}
	store_iterate(view(&w->c), STORE_TASK, &iterator);
	while ((task = store_next(&iterator))) {
		for (size_t i = 0; !is_over(task) && i < task->n_networks_attachments; i++) {
			const Fl__NetworkAttachment *a = task->networks_attachments[i];

			if (strcmp(a->network_id, network->id) != 0)
				continue;
			assert_int_equal(a->n_addresses, 1);
			use(used, network, a->addresses[0]);
		}
	}
}

static bool is_full(struct world *w, const Fl__Network *network)
{
	struct prefix prefix;
	struct used used;

	gather(w, network, &used);
	prefix_parse(network->ipam_options->configs[0]->subnet, &prefix);
	return used.count == (size_t)(prefix.last - prefix.first - 1);
}

/* Whether any of the networks that a refusal may be about is full. */
static bool some_network_is_full(struct world *w, const char *why)
{
	struct store_iterator networks;
	const Fl__Network *network;

	store_iterate(view(&w->c), STORE_NETWORK, &networks);
	while ((network = store_next(&networks))) {
		char part[64];

		snprintf(part, sizeof(part), "(%s)", network->id);
		if (strstr(why, part))
			return network->ipam_options && is_full(w, network);
	}
	return false;
}

/* Of all networks: subnets that are taken. */
static size_t subnets(struct world *w, struct prefix *found)
{
	struct store_iterator networks;
	const Fl__Network *network;
	size_t count = 0;

	store_iterate(view(&w->c), STORE_NETWORK, &networks);
	while ((network = store_next(&networks))) {
		if (network->ipam_options)
			prefix_parse(network->ipam_options->configs[0]->subnet, &found[count++]);
	}
	return count;
}

static bool meets(const struct prefix *prefix, const struct prefix *others, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (prefix->first <= others[i].last && others[i].first <= prefix->last)
			return true;
	}
	return false;
}

static void check_network_refusal(struct world *w, const Fl__Network *network)
{
	struct prefix taken[NETWORKS + 1], wanted;
	const size_t count = subnets(w, taken);

	assert_null(network->driver_state);
	assert_false(network->has_vni);
	assert_non_null(network->allocation_error);
	w->refused++;
	if (network->spec->ipam_options->n_configs) {
		prefix_parse(network->spec->ipam_options->configs[0]->subnet, &wanted);
		assert_true(meets(&wanted, taken, count));
		assert_non_null(strstr(network->allocation_error, "Pool overlaps"));
		return;
	}
	assert_non_null(strstr(network->allocation_error, "could not find an available"));
	prefix_parse("10.0.0.0/28", &wanted);
	for (int i = 0; i < 4; i++) {
		assert_true(meets(&wanted, taken, count));
		wanted.first += 16;
		wanted.last += 16;
	}
}

static void check_networks(struct world *w)
{
	struct store_iterator networks;
	const Fl__Network *network;
	struct prefix taken[NETWORKS + 1];
	uint32_t vnis[NETWORKS + 1];
	size_t count = 0;

	store_iterate(view(&w->c), STORE_NETWORK, &networks);
	while ((network = store_next(&networks))) {
		struct used used;

		if (!network->ipam_options) {
			check_network_refusal(w, network);
			continue;
		}
		assert_null(network->allocation_error);
		prefix_parse(network->ipam_options->configs[0]->subnet, &taken[count]);
		assert_false(meets(&taken[count], taken, count));
		vnis[count] = network->vni;
		assert_true(network->spec->ingress ? network->vni == 4096 : network->vni > 4096);
		for (size_t i = 0; i < count; i++)
			assert_int_not_equal(vnis[i], vnis[count]);
		count++;
		gather(w, network, &used);
	}
}

static const char *virtual_ip(const Fl__Service *service, const char *network)
{
	for (size_t i = 0; i < service->endpoint->n_virtual_ips; i++) {
		if (!strcmp(service->endpoint->virtual_ips[i]->network_id, network))
			return service->endpoint->virtual_ips[i]->addr;
	}
	return NULL;
}

/* The endpoint is what the spec asks for. */
static void check_endpoint(const Fl__Service *service)
{
	const Fl__EndpointSpec *spec = service->spec->endpoint_spec;
	const Fl__TaskSpec *task = service->spec->task_template;
	size_t wanted = task->n_networks, ingress = 0;

	assert_int_equal(service->endpoint->n_ports, spec->n_ports);
	for (size_t i = 0; i < spec->n_ports; i++) {
		const Fl__PortConfig *port = service->endpoint->ports[i];

		assert_int_equal(port->target_port, spec->ports[i]->target_port);
		if (port->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__INGRESS) {
			ingress = 1;
			assert_true(port->published_port != 0);
			if (!spec->ports[i]->published_port)
				assert_in_range(port->published_port, 30000, 32767);
		}
		if (spec->ports[i]->published_port)
			assert_int_equal(port->published_port, spec->ports[i]->published_port);
	}
	if (spec->mode == FL__ENDPOINT_SPEC__MODE__DNSRR)
		wanted = ingress = 0;
	assert_int_equal(service->endpoint->n_virtual_ips, wanted + ingress);
	for (size_t i = 0; i < wanted; i++)
		assert_non_null(virtual_ip(service, task->networks[i]->target));
	assert_int_equal(virtual_ip(service, "net0") != NULL, ingress);
}

static bool has_ingress_port(const Fl__Service *service, const Fl__PortConfig *port)
{
	for (size_t i = 0; service->endpoint && i < service->endpoint->n_ports; i++) {
		const Fl__PortConfig *other = service->endpoint->ports[i];

		if (other->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__INGRESS &&
		    other->published_port == port->published_port &&
		    other->protocol == port->protocol)
			return true;
	}
	return false;
}

/* How many services have an ingress port. */
static size_t owners(struct world *w, const Fl__PortConfig *port)
{
	struct store_iterator services;
	const Fl__Service *service;
	size_t count = 0;

	store_iterate(view(&w->c), STORE_SERVICE, &services);
	while ((service = store_next(&services)))
		count += has_ingress_port(service, port);
	return count;
}

static bool some_port_is_taken(struct world *w, const Fl__Service *service)
{
	const Fl__EndpointSpec *spec = service->spec->endpoint_spec;

	for (size_t i = 0; i < spec->n_ports; i++) {
		if (spec->ports[i]->published_port && owners(w, spec->ports[i]))
			return true;
	}
	return false;
}

static bool some_network_has_failed(struct world *w, const Fl__TaskSpec *task)
{
	for (size_t i = 0; i < task->n_networks; i++) {
		const Fl__Network *network = get_network(&w->c, task->networks[i]->target);

		if (!network || !network->ipam_options)
			return true;
	}
	return false;
}

static void check_services(struct world *w)
{
	struct store_iterator services;
	const Fl__Service *service;

	store_iterate(view(&w->c), STORE_SERVICE, &services);
	while ((service = store_next(&services))) {
		const char *why = service->allocation_error;

		for (size_t i = 0; service->endpoint && i < service->endpoint->n_ports; i++) {
			const Fl__PortConfig *port = service->endpoint->ports[i];

			if (port->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__INGRESS)
				assert_int_equal(owners(w, port), 1);
		}
		if (!why && !some_network_has_failed(w, service->spec->task_template)) {
			assert_non_null(service->endpoint);
			check_endpoint(service);
			w->allocated++;
			continue;
		}
		w->refused++;
		if (why && strstr(why, "already in use"))
			assert_true(some_port_is_taken(w, service));
		else if (why && strstr(why, "no available"))
			assert_true(some_network_is_full(w, why));
		else
			assert_true(some_network_has_failed(w, service->spec->task_template));
	}
}

static void check_tasks(struct world *w)
{
	struct store_iterator tasks;
	const Fl__Task *task;

	store_iterate(view(&w->c), STORE_TASK, &tasks);
	while ((task = store_next(&tasks))) {
		const Fl__Service *service = get_service(&w->c, task->service_id);
		const char *why = task->status->err;

		if (task->status->state > FL__TASK_STATE__NEW) {
			assert_int_equal(task->n_networks_attachments > 0,
					 task->spec->n_networks > 0 ||
					     (task->endpoint && task->endpoint->n_ports &&
					      task->n_networks_attachments));
			w->allocated++;
			continue;
		}
		assert_int_equal(task->n_networks_attachments, 0);
		if (task->desired_state > FL__TASK_STATE__COMPLETE || !service)
			continue;
		w->refused++;
		if (why && strstr(why, "no available"))
			assert_true(some_network_is_full(w, why));
		else
			assert_true(service->allocation_error ||
				    some_network_has_failed(w, task->spec) ||
				    some_network_has_failed(w, service->spec->task_template));
	}
}

/* --- Random events --- */

static const char *name(char text[16], const char *kind, unsigned number)
{
	snprintf(text, 16, "%s%u", kind, number);
	return text;
}

static bool is_attached(struct world *w, const char *network)
{
	struct store_iterator iterator;
	const Fl__Service *service;
	const Fl__Task *task;

	store_iterate_index(view(&w->c), STORE_SERVICES_BY_NETWORK, network, &iterator);
	if (store_next(&iterator))
		return true;
	store_iterate(view(&w->c), STORE_SERVICE, &iterator);
	while ((service = store_next(&iterator))) {
		if (service->endpoint && virtual_ip(service, network))
			return true;
	}
	store_iterate(view(&w->c), STORE_TASK, &iterator);
	while ((task = store_next(&iterator))) {
		for (size_t i = 0; i < task->n_networks_attachments; i++) {
			if (!strcmp(task->networks_attachments[i]->network_id, network))
				return true;
		}
		for (size_t i = 0; i < task->spec->n_networks; i++) {
			if (!strcmp(task->spec->networks[i]->target, network))
				return true;
		}
	}
	return false;
}

static void random_network(struct world *w)
{
	static const char *const choices[] = {NULL,           NULL,           "10.0.0.0/27",
					      "10.0.0.48/28", "192.0.2.0/29", "192.0.2.0/28"};
	char id[16];

	name(id, "net", 1 + roll(w, NETWORKS - 1));
	if (!get_network(&w->c, id))
		put_network(&w->c, (struct test_network){
				       .id = id, .subnets = choices[roll(w, COUNT(choices))]});
	else if (!is_attached(w, id))
		cluster_delete(&w->c, STORE_NETWORK, id);
}

static void random_service(struct world *w)
{
	static const char *const ports[] = {
	    NULL, NULL, ":80", "8000:80", "8000:80,:81", "8001:80,u8000:53", "h8000:80", ":80,:81"};
	char id[16], networks[64] = "";

	name(id, "svc", roll(w, SERVICES));
	if (get_service(&w->c, id) && !roll(w, 3)) {
		cluster_delete(&w->c, STORE_SERVICE, id);
		return;
	}
	for (unsigned i = 1; i < NETWORKS; i++) {
		char network[16];

		if (!roll(w, 4) && get_network(&w->c, name(network, "net", i)))
			snprintf(networks + strlen(networks), sizeof(networks) - strlen(networks),
				 "%s%s", networks[0] ? "," : "", network);
	}
	put_service(&w->c, (struct test_service){.id = id,
						 .networks = networks,
						 .ports = ports[roll(w, COUNT(ports))],
						 .dnsrr = !roll(w, 5)});
}

static void random_task(struct world *w)
{
	char id[16], service[16];

	name(service, "svc", roll(w, SERVICES));
	name(id, "t", (unsigned)(w->next_task++ % TASKS));
	if (get_task(&w->c, id))
		cluster_delete(&w->c, STORE_TASK, id);
	if (get_service(&w->c, service))
		put_new_task(&w->c, id, service);
}

static void random_end(struct world *w)
{
	char id[16];
	const Fl__Task *task = get_task(&w->c, name(id, "t", roll(w, TASKS)));

	if (!task)
		return;
	if (!roll(w, 3))
		cluster_delete(&w->c, STORE_TASK, id);
	else if (task->status->state < FL__TASK_STATE__PENDING)
		move_task(&w->c, id, FL__TASK_STATE__NEW, FL__TASK_STATE__SHUTDOWN);
	else if (task->desired_state <= FL__TASK_STATE__RUNNING)
		move_task(&w->c, id, roll(w, 2) ? FL__TASK_STATE__RUNNING : FL__TASK_STATE__FAILED,
			  FL__TASK_STATE__SHUTDOWN);
	else
		move_task(&w->c, id, FL__TASK_STATE__SHUTDOWN, FL__TASK_STATE__SHUTDOWN);
}

static void random_event(struct world *w)
{
	switch (roll(w, 8)) {
	case 0:
		random_network(w);
		break;
	case 1:
	case 2:
		random_service(w);
		break;
	case 3:
	case 4:
		random_end(w);
		break;
	default:
		random_task(w);
	}
}

/* A proposal is made, others come before it, and it may be lost. */
static void race(struct world *w)
{
	struct transaction *transaction;
	int64_t next;

	assert_int_equal(allocator_run(w->c.allocator, w->c.now, &transaction, &next), 0);
	if (!transaction)
		return;
	for (unsigned events = roll(w, 3); events; events--)
		random_event(w);
	if (roll(w, 3)) {
		cluster_apply(&w->c, transaction, false);
	} else {
		transaction_free(transaction);
		w->lost++;
	}
	assert_int_equal(allocator_settle(w->c.allocator, view(&w->c), w->c.now), 0);
}

/* Nothing but the reason of a refusal may change. */
static void watch_words(struct cluster *c, const struct store_event *events, size_t count)
{
	(void)c;
	for (size_t i = 0; i < count; i++) {
		const Fl__Network *network = events[i].after;
		const Fl__Service *service = events[i].after;
		const Fl__Task *task = events[i].after;

		if (events[i].table == STORE_NETWORK)
			assert_null(network->driver_state);
		else if (events[i].table == STORE_SERVICE)
			assert_non_null(service->allocation_error);
		else
			assert_int_equal(task->status->state, FL__TASK_STATE__NEW);
	}
}

static void check(struct world *w)
{
	struct allocator_status status;

	allocator_get_status(w->c.allocator, &status);
	assert_int_equal(status.conflicts, 0);
	assert_int_equal(status.waiting + status.in_flight, 0);
	check_networks(w);
	check_services(w);
	check_tasks(w);
	if (roll(w, 4))
		return;
	/* A new leader finds nothing to do, but maybe another reason. */
	assert_int_equal(allocator_reset(w->c.allocator, view(&w->c), w->c.now), 0);
	w->c.watch = watch_words;
	cluster_run(&w->c);
	w->c.watch = NULL;
	allocator_get_status(w->c.allocator, &status);
	assert_int_equal(status.conflicts, 0);
}

static void test_random(void **unused)
{
	const char *rounds = getenv("FL_ROUNDS");
	struct world w = {.state = random_seed()};
	(void)unused;

	for (int i = 0; i < (rounds ? atoi(rounds) : 40); i++) {
		cluster_open(&w.c);
		w.c.allocator = allocator_new();
		put_cluster(&w.c, "10.0.0.0/26", 28);
		put_network(&w.c, (struct test_network){
				      .id = "net0", .ingress = true, .subnets = "203.0.113.0/28"});
		for (int j = 0; j < STEPS; j++) {
			for (unsigned events = 1 + roll(&w, 6); events; events--)
				random_event(&w);
			race(&w);
			cluster_run(&w.c);
			check(&w);
		}
		cluster_close(&w.c);
	}
	print_message("%zu allocations, %zu refusals seen; %zu entries lost\n", w.allocated,
		      w.refused, w.lost);
	assert_true(w.allocated && w.refused && w.lost);
}

/* Printed, never judged. */
static void test_scale(void **unused)
{
	enum { MANY = 10000, OWNERS = 100 };
	struct timespec begin;
	struct cluster c;
	size_t entries = 0;
	double spent;
	(void)unused;

	cluster_open(&c);
	c.allocator = allocator_new();
	put_network(&c,
		    (struct test_network){.id = "in", .ingress = true, .subnets = "10.128.0.0/16"});
	put_network(&c, (struct test_network){.id = "app", .subnets = "10.129.0.0/16"});
	for (int i = 0; i < OWNERS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "s%d", i);
		put_service(&c, (struct test_service){.id = id, .networks = "app", .ports = ":80"});
	}
	for (int i = 0; i < MANY; i++) {
		char id[16], service[16];

		snprintf(id, sizeof(id), "t%d", i);
		snprintf(service, sizeof(service), "s%d", i % OWNERS);
		put_new_task(&c, id, service);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (turn_allocator(&c))
		entries++;
	spent = seconds_since(&begin);
	for (int i = 0; i < MANY; i++) {
		char id[16];

		snprintf(id, sizeof(id), "t%d", i);
		assert_int_equal(get_task(&c, id)->status->state, FL__TASK_STATE__PENDING);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(allocator_reset(c.allocator, view(&c), c.now), 0);
	print_message("%d tasks on 2 networks, %d services: %.1f ms in %zu entries, the store's "
		      "work included; reset %.1f ms\n",
		      MANY, OWNERS, spent * 1e3, entries, seconds_since(&begin) * 1e3);
	cluster_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
					   cmocka_unit_test(test_scale)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
