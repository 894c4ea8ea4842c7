// SPDX-License-Identifier: BSD-2-Clause
/* Which CPUs forward: the choice itself, and what it is told by a made-up /sys of two NUMA nodes.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* order matters */
#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cores.h"

enum { CPUS = 1024 };

/* CPUs of two sockets, as many machines number them. */
static const struct core two_nodes[] = {{0, 0}, {1, 1}, {2, 0}, {3, 1}, {4, 0}, {5, 1}};
static const struct core one_node[] = {{0, 0}, {1, 0}, {3, 0}};
static const struct core unknown[] = {{0, -1}, {1, -1}};

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof((a)[0]))

static void test_default_is_on_the_devices_node(void **state)
{
	(void)state;
	assert_int_equal(cores_choose(two_nodes, COUNT(two_nodes), 0).cpu, 4);
	assert_int_equal(cores_choose(two_nodes, COUNT(two_nodes), 1).cpu, 5);
	assert_int_equal(cores_choose(two_nodes, 2, 0).cpu, 0);
}

static void test_default_where_nothing_is_known(void **state)
{
	(void)state;
	assert_int_equal(cores_choose(two_nodes, COUNT(two_nodes), -1).cpu, 5);
	assert_int_equal(cores_choose(one_node, COUNT(one_node), 1).cpu,
			 3); /* none of ours is there */
	assert_int_equal(cores_choose(unknown, COUNT(unknown), 0).cpu, 1);
	assert_int_equal(cores_choose(unknown, 1, -1).cpu, 0);
}

static void test_far(void **state)
{
	(void)state;
	assert_true(cores_is_far((struct core){1, 1}, 0));
	assert_false(cores_is_far((struct core){1, 1}, 1));
	assert_false(cores_is_far((struct core){1, -1}, 0));
	assert_false(cores_is_far((struct core){1, 1}, -1));
}

static void test_list(void **state)
{
	struct core out[4];
	struct error error;

	(void)state;
	assert_int_equal(cores_parse("5,2", two_nodes, COUNT(two_nodes), out, 4, &error), 2);
	assert_int_equal(out[0].cpu, 5);
	assert_int_equal(out[0].node, 1);
	assert_int_equal(out[1].cpu, 2);
	assert_int_equal(out[1].node, 0);
	assert_int_equal(cores_parse("3", one_node, COUNT(one_node), out, 4, &error), 1);
}

static void test_lists_that_are_refused(void **state)
{
	static const struct {
		const char *list, *message;
	} cases[] = {
	    {"", ": not a list of CPUs like 1,3"},
	    {"1,", "1,: not a list of CPUs like 1,3"},
	    {"1;3", "1;3: not a list of CPUs like 1,3"},
	    {"-1", "-1: not a list of CPUs like 1,3"},
	    {" 1", " 1: not a list of CPUs like 1,3"},
	    {"1,9", "1,9: there is no CPU 9 for us"},
	    {"4294967296", "4294967296: there is no CPU 4294967296 for us"},
	    {"1,2,3,4,5", "1,2,3,4,5: more than 4 CPUs"},
	};
	struct core out[4];
	struct error error;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(
		    cores_parse(cases[i].list, two_nodes, COUNT(two_nodes), out, 4, &error),
		    -EINVAL);
		assert_string_equal(error.message, cases[i].message);
	}
}

/* A made-up /sys */
static char sys[] = "/tmp/fairlead-cores.XXXXXX";

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
	char command[PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void test_nodes_of_cpus(void **state)
{
	struct core all[CPUS];
	uint32_t count, first;

	(void)state;
	count = cores_available(sys, all, CPUS);
	assert_true(count >= 1);
	assert_int_equal(all[0].node, -1);
	first = all[0].cpu;
	shell("mkdir -p %s/devices/system/cpu/cpu%u/node3", sys, first);
	assert_int_equal(cores_available(sys, all, CPUS), count);
	assert_int_equal(all[0].node, 3);
	for (uint32_t i = 1; i < count; i++) {
		assert_int_equal(all[i].node, -1);
		assert_true(all[i].cpu > all[i - 1].cpu);
	}
	assert_int_equal(cores_available(sys, all, 1), 1);
}

static void test_node_of_a_device(void **state)
{
	(void)state;
	shell("cd %s && mkdir -p class/net/eth7/device class/net/eth8/device "
	      "bus/pci/devices/0000:01:00.0 "
	      "&& echo 1 > class/net/eth7/device/numa_node && echo -1 > "
	      "class/net/eth8/device/numa_node "
	      "&& echo 2 > bus/pci/devices/0000:01:00.0/numa_node",
	      sys);
	assert_int_equal(cores_device_node(sys, NULL, "eth7"), 1);
	assert_int_equal(cores_device_node(sys, NULL, "eth8"), -1);
	assert_int_equal(cores_device_node(sys, NULL, "eth9"), -1);
	assert_int_equal(cores_device_node(sys, "0000:01:00.0", "eth7"), 2);
	assert_int_equal(cores_device_node(sys, "0000:01:00.0,rxq=2", "eth7"), 2);
	assert_int_equal(cores_device_node(sys, "net_af_xdp0,iface=eth7,queue_count=2", "eth9"), 1);
	assert_int_equal(cores_device_node(sys, "net_memif0,role=server", "eth7"), -1);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(sys) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	shell("rm -r %s", sys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_default_is_on_the_devices_node),
	    cmocka_unit_test(test_default_where_nothing_is_known),
	    cmocka_unit_test(test_far),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_lists_that_are_refused),
	    cmocka_unit_test(test_nodes_of_cpus),
	    cmocka_unit_test(test_node_of_a_device),
	};

	return cmocka_run_group_tests_name("cores", tests, setup, teardown);
}
