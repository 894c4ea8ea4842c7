/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_ALLOCATION_H
#define FL_TEST_ALLOCATION_H
/* Networks, services and tasks in a line each, for tests of the allocator. Lists are "a,b". */
#include "cluster.h"

enum { PARTS_MAX = 16 };

struct test_network {
	const char *id, *name; /* name NULL: id */
	const char *subnets;   /* "10.1.0.0/24,2001:db8::/64" */
	const char *range, *gateway;
	const char *driver, *vni;
	bool ingress;
};

struct test_service {
	const char *id, *name;
	const char *networks;
	/* "8000:80" ingress, ":80" of the allocator's choice, "h8000:80" host mode, "u53:53" UDP */
	const char *ports;
	bool dnsrr, bare; /* bare: without an endpoint spec */
};

struct list_of_words {
	char text[256];
	char *items[PARTS_MAX];
	size_t count;
};

static inline void split_list(struct list_of_words *words, const char *list)
{
	char *rest = words->text;

	*words = (struct list_of_words){0};
	snprintf(words->text, sizeof(words->text), "%s", list ? list : "");
	while (*words->text && rest && words->count < PARTS_MAX)
		words->items[words->count++] = strsep(&rest, ",");
}

static inline void put_cluster(struct cluster *c, const char *pools, unsigned size)
{
	Fl__Cluster cluster = FL__CLUSTER__INIT;
	struct list_of_words words;

	split_list(&words, pools);
	cluster.id = t("c");
	cluster.default_addr_pool = words.items;
	cluster.n_default_addr_pool = words.count;
	cluster.has_subnet_size = true;
	cluster.subnet_size = size;
	cluster_put(c, &cluster.base);
}

static inline void put_network(struct cluster *c, struct test_network from)
{
	Fl__Network network = FL__NETWORK__INIT;
	Fl__NetworkSpec spec = FL__NETWORK_SPEC__INIT;
	Fl__Driver driver = FL__DRIVER__INIT;
	Fl__KeyValue option = FL__KEY_VALUE__INIT, *options[] = {&option};
	Fl__IPAMOptions ipam = FL__IPAMOPTIONS__INIT;
	Fl__IPAMConfig configs[PARTS_MAX], *list[PARTS_MAX];
	struct list_of_words subnets;

	split_list(&subnets, from.subnets);
	for (size_t i = 0; i < subnets.count; i++) {
		fl__ipamconfig__init(&configs[i]);
		configs[i].subnet = subnets.items[i];
		configs[i].range = t(from.range);
		configs[i].gateway = t(from.gateway);
		list[i] = &configs[i];
	}
	ipam.configs = list;
	ipam.n_configs = subnets.count;
	driver.name = t(from.driver ? from.driver : "overlay");
	option.key = t(ALLOCATOR_VNI_OPTION);
	option.value = t(from.vni);
	driver.options = options;
	driver.n_options = from.vni != NULL;
	spec.name = t(from.name ? from.name : from.id);
	spec.driver_configuration = from.ingress ? NULL : &driver;
	spec.has_ingress = true;
	spec.ingress = from.ingress;
	spec.ipam_options = &ipam;
	network.id = t(from.id);
	network.spec = &spec;
	cluster_put(c, &network.base);
}

static inline void make_port(Fl__PortConfig *port, const char *text)
{
	fl__port_config__init(port);
	port->has_publish_mode = port->has_protocol = true;
	if (*text == 'h') {
		port->publish_mode = FL__PORT_CONFIG__PUBLISH_MODE__HOST;
		text++;
	}
	if (*text == 'u') {
		port->protocol = FL__PORT_CONFIG__PROTOCOL__UDP;
		text++;
	}
	port->published_port = (uint32_t)atoi(text);
	port->has_published_port = port->published_port != 0;
	port->has_target_port = true;
	port->target_port = (uint32_t)atoi(strchr(text, ':') + 1);
}

/* A service's spec, with what an object of that id has already. */
static inline void put_service(struct cluster *c, struct test_service from)
{
	const Fl__Service *old = get_service(c, from.id);
	Fl__Service service = FL__SERVICE__INIT;
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__TaskSpec task = FL__TASK_SPEC__INIT;
	Fl__EndpointSpec endpoint = FL__ENDPOINT_SPEC__INIT;
	Fl__PortConfig ports[PARTS_MAX], *port_list[PARTS_MAX];
	Fl__NetworkAttachmentConfig networks[PARTS_MAX], *network_list[PARTS_MAX];
	struct list_of_words port_words, network_words;

	split_list(&port_words, from.ports);
	split_list(&network_words, from.networks);
	for (size_t i = 0; i < port_words.count; i++) {
		make_port(&ports[i], port_words.items[i]);
		port_list[i] = &ports[i];
	}
	for (size_t i = 0; i < network_words.count; i++) {
		fl__network_attachment_config__init(&networks[i]);
		networks[i].target = network_words.items[i];
		network_list[i] = &networks[i];
	}
	if (old)
		service = *old;
	endpoint.has_mode = true;
	endpoint.mode = from.dnsrr ? FL__ENDPOINT_SPEC__MODE__DNSRR : FL__ENDPOINT_SPEC__MODE__VIP;
	endpoint.ports = port_list;
	endpoint.n_ports = port_words.count;
	task.networks = network_list;
	task.n_networks = network_words.count;
	spec.name = t(from.name ? from.name : from.id);
	spec.task_template = &task;
	spec.endpoint_spec = from.bare ? NULL : &endpoint;
	service.id = t(from.id);
	service.spec = &spec;
	cluster_put(c, &service.base);
}

static inline void put_new_task(struct cluster *c, const char *id, const char *service_id)
{
	const Fl__Service *service = service_id ? get_service(c, service_id) : NULL;
	Fl__Task task = FL__TASK__INIT;
	Fl__TaskStatus status = FL__TASK_STATUS__INIT;

	status.has_state = true;
	status.state = FL__TASK_STATE__NEW;
	status.message = t("created");
	task.id = t(id);
	task.service_id = t(service_id);
	task.spec = service ? service->spec->task_template : NULL;
	task.status = &status;
	task.has_desired_state = true;
	task.desired_state = FL__TASK_STATE__RUNNING;
	cluster_put(c, &task.base);
}

static inline void move_task(struct cluster *c, const char *id, Fl__TaskState state,
			     Fl__TaskState desired)
{
	Fl__Task task = *get_task(c, id);
	Fl__TaskStatus status = *task.status;

	status.state = state;
	task.status = &status;
	task.desired_state = desired;
	cluster_put(c, &task.base);
}
#endif
