/* SPDX-License-Identifier: BSD-2-Clause */
/* What is given to whom, what is refused and in what words, what comes back. */
#include "allocator.h"

#include <errno.h>

#include "allocation.h"

static struct cluster c;

static int setup(void **state)
{
	(void)state;
	cluster_open(&c);
	c.allocator = allocator_new();
	return c.allocator ? 0 : -1;
}

static int teardown(void **state)
{
	struct allocator_status status;
	(void)state;

	allocator_get_status(c.allocator, &status);
	cluster_close(&c);
	return (int)status.conflicts;
}

static const char *subnet(const char *network)
{
	const Fl__IPAMOptions *ipam = get_network(&c, network)->ipam_options;

	return ipam ? ipam->configs[0]->subnet : "";
}

static const char *why_not(const char *network)
{
	const char *text = get_network(&c, network)->allocation_error;

	return text ? text : "";
}

/* "in=10.0.0.2/24 app=10.0.1.2/24" */
static const char *virtual_ips(const char *service)
{
	static char text[512];
	const Fl__Endpoint *endpoint = get_service(&c, service)->endpoint;

	text[0] = '\0';
	for (size_t i = 0; endpoint && i < endpoint->n_virtual_ips; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%s", i ? " " : "",
			 endpoint->virtual_ips[i]->network_id, endpoint->virtual_ips[i]->addr);
	return text;
}

static const char *attachments(const char *task)
{
	static char text[512];
	const Fl__Task *found = get_task(&c, task);

	text[0] = '\0';
	for (size_t i = 0; i < found->n_networks_attachments; i++) {
		const Fl__NetworkAttachment *a = found->networks_attachments[i];

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=", i ? " " : "",
			 a->network_id);
		for (size_t j = 0; j < a->n_addresses; j++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 j ? "," : "", a->addresses[j]);
	}
	return text;
}

static uint32_t port(const char *service, size_t i)
{
	return get_service(&c, service)->endpoint->ports[i]->published_port;
}

static void ingress(void)
{
	put_network(&c, (struct test_network){.id = "in", .name = "ingress", .ingress = true});
	cluster_run(&c);
}

/* As a real swarm has them (golden/objects/networks_manager.json, network_inspect.json). */
static void test_network(void **unused)
{
	const Fl__Network *network;
	(void)unused;

	ingress();
	put_network(&c, (struct test_network){.id = "app"});
	cluster_run(&c);
	network = get_network(&c, "in");
	assert_int_equal(network->vni, 4096);
	assert_string_equal(subnet("in"), "10.0.0.0/24");
	assert_string_equal(network->ipam_options->configs[0]->gateway, "10.0.0.1");
	assert_string_equal(network->ipam_options->driver->name, "default");
	assert_string_equal(network->driver_state->name, "overlay");
	assert_string_equal(network->driver_state->options[0]->key,
			    "com.docker.network.driver.overlay.vxlanid_list");
	assert_string_equal(network->driver_state->options[0]->value, "4096");
	network = get_network(&c, "app");
	assert_int_equal(network->vni, 4097);
	assert_string_equal(subnet("app"), "10.0.1.0/24");
	/* Others than overlay are each node's own. */
	put_network(&c, (struct test_network){.id = "host", .driver = "host"});
	cluster_run(&c);
	network = get_network(&c, "host");
	assert_string_equal(network->driver_state->name, "host");
	assert_null(network->ipam_options);
	assert_false(network->has_vni);
}

static void test_network_of_the_user(void **unused)
{
	const Fl__IPAMConfig *config;
	(void)unused;

	put_network(&c, (struct test_network){.id = "a",
					      .subnets = "10.0.9.7/24",
					      .range = "10.0.9.128/25",
					      .gateway = "10.0.9.254",
					      .vni = "5000"});
	cluster_run(&c);
	config = get_network(&c, "a")->ipam_options->configs[0];
	assert_string_equal(config->subnet, "10.0.9.0/24");
	assert_string_equal(config->range, "10.0.9.128/25");
	assert_string_equal(config->gateway, "10.0.9.254");
	assert_int_equal(get_network(&c, "a")->vni, 5000);
	put_service(&c, (struct test_service){.id = "s", .networks = "a"});
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "a=10.0.9.128/24");
	/* The pools go around it. */
	put_network(&c, (struct test_network){.id = "b", .subnets = "10.0.0.0/22"});
	cluster_run(&c);
	put_network(&c, (struct test_network){.id = "d"});
	cluster_run(&c);
	assert_string_equal(subnet("d"), "10.0.4.0/24");
}

static void test_two_families(void **unused)
{
	(void)unused;
	put_network(&c, (struct test_network){.id = "a", .subnets = "192.0.2.0/24,2001:db8::/64"});
	put_network(&c, (struct test_network){.id = "b", .subnets = "2001:db8:1::/64"});
	put_service(&c, (struct test_service){.id = "s", .networks = "a,b"});
	put_new_task(&c, "t", "s");
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "a=192.0.2.2/24 b=2001:db8:1::2/64");
	assert_string_equal(attachments("t"), "a=192.0.2.3/24,2001:db8::2/64 b=2001:db8:1::3/64");
}

static void test_default_pools(void **unused)
{
	(void)unused;
	put_cluster(&c, "172.20.0.0/23,not a pool,172.30.0.0/24", 25);
	for (char id[] = "a"; *id <= 'g'; ++*id)
		put_network(&c, (struct test_network){.id = id});
	cluster_run(&c);
	assert_string_equal(subnet("a"), "172.20.0.0/25");
	assert_string_equal(subnet("d"), "172.20.1.128/25");
	assert_string_equal(subnet("e"), "172.30.0.0/25");
	assert_string_equal(subnet("f"), "172.30.0.128/25");
	assert_string_equal(subnet("g"), "");
	assert_string_equal(why_not("g"),
			    "could not find an available, non-overlapping IPv4 address pool among "
			    "the defaults to assign to the network");
	assert_null(get_network(&c, "g")->driver_state);
	/* Tried again when one goes. */
	cluster_delete(&c, STORE_NETWORK, "b");
	cluster_run(&c);
	assert_string_equal(subnet("g"), "172.20.0.128/25");
	assert_string_equal(why_not("g"), "");
	assert_int_equal(get_network(&c, "g")->vni, 4103); /* ids are not used again at once */
}

static void test_network_refusals(void **unused)
{
	static const struct {
		struct test_network network;
		const char *why;
	} cases[] = {
	    {{.subnets = "10.0.0.128/25"},
	     "invalid pool request: Pool overlaps with other one on this address space"},
	    {{.subnets = "0.0.0.0/0"},
	     "invalid pool request: Pool overlaps with other one on this address space"},
	    {{.subnets = "192.0.2.0/24,192.0.2.0/25"},
	     "invalid pool request: Pool overlaps with other one on this address space"},
	    {{.subnets = "192.0.2/24"}, "ipam configuration: invalid subnet 192.0.2/24"},
	    {{.subnets = "192.0.2.0/31"},
	     "ipam configuration: subnet 192.0.2.0/31 has no room for hosts"},
	    {{.subnets = "192.0.2.0/24", .range = "x"}, "ipam configuration: invalid range x"},
	    {{.subnets = "192.0.2.0/24", .range = "192.0.0.0/16"},
	     "ipam configuration: subnet 192.0.2.0/24 does not contain range 192.0.0.0/16"},
	    {{.subnets = "192.0.2.0/24", .gateway = "192.0.2.300"},
	     "ipam configuration: invalid gateway 192.0.2.300"},
	    {{.subnets = "192.0.2.0/24", .gateway = "192.0.3.1"},
	     "ipam configuration: subnet 192.0.2.0/24 does not contain gateway 192.0.3.1"},
	    {{.vni = "4096"}, "VXLAN id 4096 is in use by another network"},
	    {{.vni = "16777216"}, "invalid VXLAN id 16777216"},
	    {{.vni = "0"}, "invalid VXLAN id 0"},
	    {{.vni = "12x"}, "invalid VXLAN id 12x"},
	    {{.vni = "-5"}, "invalid VXLAN id -5"},
	};
	(void)unused;

	ingress();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_network network = cases[i].network;

		network.id = "bad";
		put_network(&c, network);
		cluster_run(&c);
		assert_string_equal(why_not("bad"), cases[i].why);
		assert_null(get_network(&c, "bad")->ipam_options);
		/* The API says the same before (of VNIs it leaves the word to the allocator). */
		if (!network.vni) {
			const Fl__Network *stored = get_network(&c, "bad");
			struct problem problem = {0};

			store_object_hold(stored);
			cluster_delete(&c, STORE_NETWORK, "bad");
			assert_true(allocator_check_network(view(&c), stored->spec, &problem) < 0);
			assert_string_equal(problem.message, cases[i].why);
			store_object_release(stored);
		} else {
			cluster_delete(&c, STORE_NETWORK, "bad");
		}
		cluster_run(&c);
	}
	/* Nothing of them stayed taken. */
	put_network(&c, (struct test_network){.id = "good", .subnets = "192.0.2.0/24"});
	cluster_run(&c);
	assert_string_equal(subnet("good"), "192.0.2.0/24");
	assert_int_equal(get_network(&c, "good")->vni, 4097);
}

/* golden/objects/tasks_running.json: on the ingress network first, then on its own. */
static void test_service_and_tasks(void **unused)
{
	const Fl__Task *task;
	(void)unused;

	ingress();
	put_network(&c, (struct test_network){.id = "app"});
	put_service(&c, (struct test_service){.id = "web", .networks = "app", .ports = "8000:80"});
	put_new_task(&c, "t1", "web");
	put_new_task(&c, "t2", "web");
	cluster_run(&c);
	assert_string_equal(virtual_ips("web"), "in=10.0.0.2/24 app=10.0.1.2/24");
	assert_int_equal(port("web", 0), 8000);
	assert_string_equal(attachments("t1"), "in=10.0.0.3/24 app=10.0.1.3/24");
	assert_string_equal(attachments("t2"), "in=10.0.0.4/24 app=10.0.1.4/24");
	task = get_task(&c, "t1");
	assert_int_equal(task->status->state, FL__TASK_STATE__PENDING);
	assert_string_equal(task->status->message, "pending task scheduling");
	assert_int_equal(task->status->timestamp, c.now);
	assert_int_equal(task->endpoint->ports[0]->published_port, 8000);
	assert_int_equal(task->networks_attachments[0]->mac.len, 6);
	assert_memory_equal(task->networks_attachments[0]->mac.data, "\x02\x42\x0a\x00\x00\x03", 6);
}

static void test_service_without(void **unused)
{
	(void)unused;
	put_service(&c, (struct test_service){.id = "s", .bare = true});
	put_new_task(&c, "t", "s");
	put_new_task(&c, "alone", NULL);
	cluster_run(&c);
	assert_non_null(get_service(&c, "s")->endpoint->spec);
	assert_string_equal(virtual_ips("s"), "");
	assert_int_equal(get_task(&c, "t")->status->state, FL__TASK_STATE__PENDING);
	assert_int_equal(get_task(&c, "alone")->status->state, FL__TASK_STATE__PENDING);
	assert_string_equal(attachments("t"), "");
}

static void test_dnsrr(void **unused)
{
	(void)unused;
	put_network(&c, (struct test_network){.id = "app"});
	put_network(&c, (struct test_network){.id = "host", .driver = "host"});
	put_service(&c, (struct test_service){.id = "s", .networks = "app,host", .dnsrr = true});
	put_new_task(&c, "t", "s");
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "");
	assert_string_equal(attachments("t"), "app=10.0.0.2/24 host=");
	/* And back, and back again. */
	put_service(&c, (struct test_service){.id = "s", .networks = "app,host"});
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "app=10.0.0.3/24");
	put_service(&c, (struct test_service){.id = "s", .networks = "app,host", .dnsrr = true});
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "");
}

/* What an update leaves as it was stays as it was. */
static void test_service_update(void **unused)
{
	uint64_t version;
	(void)unused;

	ingress();
	put_network(&c, (struct test_network){.id = "a"});
	put_network(&c, (struct test_network){.id = "b"});
	put_service(&c, (struct test_service){.id = "s", .networks = "a", .ports = ":80,8000:81"});
	cluster_run(&c);
	assert_int_equal(port("s", 0), 30000);
	assert_string_equal(virtual_ips("s"), "in=10.0.0.2/24 a=10.0.1.2/24");
	put_service(
	    &c, (struct test_service){.id = "s", .networks = "a,b", .ports = "9000:90,:80,:82"});
	cluster_run(&c);
	assert_int_equal(port("s", 0), 9000);
	assert_int_equal(port("s", 1), 30000);
	assert_int_equal(port("s", 2), 30001);
	assert_string_equal(virtual_ips("s"), "in=10.0.0.2/24 a=10.0.1.2/24 b=10.0.2.2/24");
	/* 8000 is free again. */
	put_service(&c, (struct test_service){.id = "other", .ports = "8000:80"});
	cluster_run(&c);
	assert_int_equal(port("other", 0), 8000);
	put_service(&c, (struct test_service){.id = "s", .networks = "b"});
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "b=10.0.2.2/24");
	version = get_service(&c, "s")->version;
	cluster_run(&c);
	assert_int_equal(get_service(&c, "s")->version, version);
}

static void test_ports(void **unused)
{
	(void)unused;
	ingress();
	put_service(&c, (struct test_service){.id = "h", .ports = "h30001:80"});
	put_service(&c, (struct test_service){.id = "s", .ports = ":80,30000:81,u:53,h:90"});
	cluster_run(&c);
	/* 30000 is its own, 30001 a host's; UDP has ports of its own. */
	assert_int_equal(port("s", 0), 30002);
	assert_int_equal(port("s", 1), 30000);
	assert_int_equal(port("s", 2), 30000);
	assert_int_equal(port("s", 3), 0); /* its node chooses */
	put_new_task(&c, "t", "h");
	cluster_run(&c);
	assert_string_equal(attachments("t"), ""); /* host mode needs no ingress network */
	assert_int_equal(get_task(&c, "t")->endpoint->ports[0]->published_port, 30001);
}

/* Two ports that look alike keep a number each. */
static void test_ports_alike(void **unused)
{
	(void)unused;
	ingress();
	put_service(&c, (struct test_service){.id = "s", .ports = ":80,:80"});
	cluster_run(&c);
	put_service(&c, (struct test_service){.id = "s", .ports = ":80,:80,:80"});
	cluster_run(&c);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(port("s", i), 30000 + i);
}

static void test_port_conflicts(void **unused)
{
	static const struct {
		const char *ports;
		const char *why; /* NULL: fine */
	} cases[] = {
	    {"8000:80", "port '8000' is already in use by service 'web' (gb4p) as an ingress port"},
	    {"1:1,8000:9",
	     "port '8000' is already in use by service 'web' (gb4p) as an ingress port"},
	    {"h8000:80",
	     "port '8000' is already in use by service 'web' (gb4p) as an ingress port"},
	    {"8005:80",
	     "port '8005' is already in use by service 'hp' (ftue) as a host-published port"},
	    {"30000:80",
	     "port '30000' is already in use by service 'dyn' (dyn1) as an ingress port"},
	    {"h8005:80", NULL}, /* on different nodes they get along */
	    {"u8000:80", NULL},
	    {":80", NULL},
	};
	const char *service_id = "gb4p";
	(void)unused;

	ingress();
	put_service(&c, (struct test_service){.id = "gb4p", .name = "web", .ports = "8000:80"});
	put_service(&c, (struct test_service){.id = "ftue", .name = "hp", .ports = "h8005:80"});
	put_service(&c, (struct test_service){.id = "dyn1", .name = "dyn", .ports = ":80"});
	cluster_run(&c);
	for (size_t i = 0; i < COUNT(cases); i++) {
		Fl__EndpointSpec spec = FL__ENDPOINT_SPEC__INIT;
		Fl__PortConfig ports[PARTS_MAX], *list[PARTS_MAX];
		struct list_of_words words;
		struct problem problem = {0};

		split_list(&words, cases[i].ports);
		for (size_t j = 0; j < words.count; j++) {
			make_port(&ports[j], words.items[j]);
			list[j] = &ports[j];
		}
		spec.ports = list;
		spec.n_ports = words.count;
		assert_int_equal(allocator_check_ports(view(&c), NULL, &spec, &problem),
				 cases[i].why ? -EEXIST : 0);
		assert_string_equal(problem.message, cases[i].why ? cases[i].why : "");
		/* A service is not in its own way. */
		if (!i)
			assert_int_equal(allocator_check_ports(view(&c), service_id, &spec, NULL),
					 0);
	}
}

/* Two services came through at once: one has the port, the other waits and says why, with nothing.
 */
static void test_port_conflict_in_store(void **unused)
{
	const char *const why =
	    "port '8000' is already in use by service 'web' (s1) as an ingress port";
	(void)unused;

	ingress();
	put_service(&c, (struct test_service){.id = "s1", .name = "web", .ports = "8000:80"});
	put_service(&c, (struct test_service){.id = "s2", .ports = "7000:70,8000:80"});
	put_new_task(&c, "t", "s2");
	cluster_run(&c);
	assert_string_equal(get_service(&c, "s2")->allocation_error, why);
	assert_null(get_service(&c, "s2")->endpoint);
	assert_int_equal(get_task(&c, "t")->status->state, FL__TASK_STATE__NEW);
	assert_string_equal(get_task(&c, "t")->status->err, why);
	/* 7000 was not kept. */
	put_service(&c, (struct test_service){.id = "s3", .ports = "7000:70"});
	cluster_run(&c);
	assert_int_equal(port("s3", 0), 7000);
	cluster_delete(&c, STORE_SERVICE, "s3");
	cluster_delete(&c, STORE_SERVICE, "s1");
	cluster_run(&c);
	assert_int_equal(port("s2", 1), 8000);
	assert_null(get_service(&c, "s2")->allocation_error);
	assert_int_equal(get_task(&c, "t")->status->state, FL__TASK_STATE__PENDING);
	assert_null(get_task(&c, "t")->status->err);
}

static void test_ports_exhausted(void **unused)
{
	enum { PORTS = ALLOCATOR_PORT_LAST - ALLOCATOR_PORT_FIRST + 1 };
	char last[16];
	(void)unused;

	put_network(&c,
		    (struct test_network){.id = "in", .ingress = true, .subnets = "10.0.0.0/16"});
	for (int i = 0; i <= PORTS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "s%04d", i);
		put_service(&c, (struct test_service){.id = id, .ports = ":80"});
	}
	cluster_run(&c);
	snprintf(last, sizeof(last), "s%04d", PORTS - 1);
	assert_int_equal(port(last, 0), ALLOCATOR_PORT_LAST);
	snprintf(last, sizeof(last), "s%04d", PORTS);
	assert_string_equal(get_service(&c, last)->allocation_error,
			    "no port is left in 30000-32767 to publish port 80 on");
	cluster_delete(&c, STORE_SERVICE, "s0042");
	cluster_run(&c);
	assert_int_equal(port(last, 0), 30042);
}

static void test_no_ingress(void **unused)
{
	(void)unused;
	put_service(&c, (struct test_service){.id = "s", .ports = "80:80"});
	cluster_run(&c);
	assert_string_equal(get_service(&c, "s")->allocation_error, "no ingress network found");
	ingress();
	assert_string_equal(virtual_ips("s"), "in=10.0.0.2/24");
}

/* A /29 has six addresses: a gateway, a virtual IP, four tasks. */
static void test_addresses_exhausted(void **unused)
{
	const char *const why =
	    "no available IPv4 addresses on this network's address pools: small (net)";
	(void)unused;

	put_network(&c,
		    (struct test_network){.id = "net", .name = "small", .subnets = "192.0.2.0/29"});
	put_network(&c, (struct test_network){.id = "big"});
	put_service(&c, (struct test_service){.id = "s", .networks = "big,net"});
	for (char id[] = "t0"; id[1] <= '4'; ++id[1])
		put_new_task(&c, id, "s");
	cluster_run(&c);
	assert_string_equal(attachments("t0"), "big=10.0.0.3/24 net=192.0.2.3/29");
	assert_string_equal(attachments("t3"), "big=10.0.0.6/24 net=192.0.2.6/29");
	assert_string_equal(attachments("t4"), "");
	assert_string_equal(get_task(&c, "t4")->status->err, why);
	assert_int_equal(get_task(&c, "t4")->status->state, FL__TASK_STATE__NEW);
	/* An update that leaves the network as it is needs no room in it. */
	put_service(&c, (struct test_service){.id = "s", .networks = "big,net", .ports = "h80:80"});
	cluster_run(&c);
	assert_null(get_service(&c, "s")->allocation_error);
	assert_int_equal(port("s", 0), 80);
	/* Stopped on paper is not stopped. */
	move_task(&c, "t1", FL__TASK_STATE__RUNNING, FL__TASK_STATE__SHUTDOWN);
	cluster_run(&c);
	assert_string_equal(attachments("t4"), "");
	move_task(&c, "t1", FL__TASK_STATE__SHUTDOWN, FL__TASK_STATE__SHUTDOWN);
	cluster_run(&c);
	/* The attempts that failed have left nothing behind on the other network. */
	assert_int_equal(get_task(&c, "t4")->status->state, FL__TASK_STATE__PENDING);
	assert_string_equal(attachments("t4"), "big=10.0.0.7/24 net=192.0.2.4/29");
	assert_string_equal(attachments("t1"), "big=10.0.0.4/24 net=192.0.2.4/29"); /* history */
	/* Another virtual IP finds no room either. */
	put_service(&c, (struct test_service){.id = "s2", .networks = "net"});
	cluster_run(&c);
	assert_string_equal(get_service(&c, "s2")->allocation_error, why);
	cluster_delete(&c, STORE_TASK, "t0");
	cluster_run(&c);
	assert_string_equal(virtual_ips("s2"), "net=192.0.2.3/29");
}

/* Addresses rest: a task's is not at once the next one's. */
static void test_addresses_rest(void **unused)
{
	(void)unused;
	put_network(&c, (struct test_network){.id = "a"});
	put_service(&c, (struct test_service){.id = "s", .networks = "a"});
	put_new_task(&c, "t1", "s");
	cluster_run(&c);
	assert_string_equal(attachments("t1"), "a=10.0.0.3/24");
	cluster_delete(&c, STORE_TASK, "t1");
	put_new_task(&c, "t2", "s");
	cluster_run(&c);
	assert_string_equal(attachments("t2"), "a=10.0.0.4/24");
}

/* Deleted under a task's feet: its subnet is not another's before the task is gone. */
static void test_network_deleted_in_use(void **unused)
{
	(void)unused;
	put_cluster(&c, "10.0.0.0/24", 24);
	put_network(&c, (struct test_network){.id = "a"});
	put_service(&c, (struct test_service){.id = "s", .networks = "a"});
	put_new_task(&c, "t", "s");
	cluster_run(&c);
	cluster_delete(&c, STORE_SERVICE, "s");
	cluster_delete(&c, STORE_NETWORK, "a");
	put_network(&c, (struct test_network){.id = "b"});
	cluster_run(&c);
	assert_string_equal(subnet("b"), "");
	cluster_delete(&c, STORE_TASK, "t");
	cluster_run(&c);
	assert_string_equal(subnet("b"), "10.0.0.0/24");
}

static void test_network_failed_under_service(void **unused)
{
	(void)unused;
	put_network(&c, (struct test_network){.id = "a", .subnets = "10.0.0.0/24"});
	put_network(&c, (struct test_network){.id = "b", .subnets = "10.0.0.0/24"});
	put_service(&c, (struct test_service){.id = "s", .networks = "b"});
	cluster_run(&c);
	assert_string_equal(get_service(&c, "s")->allocation_error,
			    "network b: invalid pool request: Pool overlaps with other one on this "
			    "address space");
	cluster_delete(&c, STORE_NETWORK, "a");
	cluster_run(&c);
	assert_string_equal(virtual_ips("s"), "b=10.0.0.2/24");
}

/* The entry is lost: all that was in it can be given out again. */
static void test_lost(void **unused)
{
	struct transaction *transaction;
	int64_t next;
	(void)unused;

	put_cluster(&c, "10.0.0.0/24", 24);
	put_network(&c, (struct test_network){.id = "a", .vni = "7000"});
	for (int i = 0; i < 3; i++) {
		assert_int_equal(allocator_run(c.allocator, c.now, &transaction, &next), 0);
		assert_non_null(transaction);
		transaction_free(transaction);
		assert_int_equal(allocator_settle(c.allocator, view(&c), c.now), 0);
	}
	cluster_delete(&c, STORE_NETWORK, "a");
	put_network(&c, (struct test_network){.id = "b", .vni = "7000"});
	cluster_run(&c);
	assert_string_equal(subnet("b"), "10.0.0.0/24");
	assert_int_equal(get_network(&c, "b")->vni, 7000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_network),
	    TEST(test_network_of_the_user),
	    TEST(test_two_families),
	    TEST(test_default_pools),
	    TEST(test_network_refusals),
	    TEST(test_service_and_tasks),
	    TEST(test_service_without),
	    TEST(test_dnsrr),
	    TEST(test_service_update),
	    TEST(test_ports),
	    TEST(test_ports_alike),
	    TEST(test_port_conflicts),
	    TEST(test_port_conflict_in_store),
	    TEST(test_ports_exhausted),
	    TEST(test_no_ingress),
	    TEST(test_addresses_exhausted),
	    TEST(test_addresses_rest),
	    TEST(test_network_deleted_in_use),
	    TEST(test_network_failed_under_service),
	    TEST(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
