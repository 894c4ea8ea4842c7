/* SPDX-License-Identifier: BSD-2-Clause */
/* Placement constraints, a table of them against one node. */
#include "scheduler_constraint.h"

#include <errno.h>

#include "cluster.h"

static Fl__Node node = FL__NODE__INIT;
static Fl__NodeSpec spec = FL__NODE_SPEC__INIT;
static Fl__NodeDescription description = FL__NODE_DESCRIPTION__INIT;
static Fl__Platform platform = FL__PLATFORM__INIT;
static Fl__EngineDescription engine = FL__ENGINE_DESCRIPTION__INIT;
static Fl__NodeStatus status = FL__NODE_STATUS__INIT;
static Fl__KeyValue zone = FL__KEY_VALUE__INIT, disk = FL__KEY_VALUE__INIT;
static Fl__KeyValue *node_labels[] = {&zone}, *engine_labels[] = {&disk};

static void make_node(void)
{
	zone.key = t("zone");
	zone.value = t("North 1");
	disk.key = t("disk.kind");
	disk.value = t("ssd");
	spec.labels = node_labels;
	spec.n_labels = 1;
	engine.labels = engine_labels;
	engine.n_labels = 1;
	platform.os = t("linux");
	platform.architecture = t("x86_64");
	description.hostname = t("Master");
	description.platform = &platform;
	description.engine = &engine;
	status.addr = t("192.0.2.7");
	node.id = t("vyhn81jk97qz1ntt1z0uxy0u4");
	node.has_role = true;
	node.role = FL__NODE_SPEC__ROLE__MANAGER;
	node.spec = &spec;
	node.description = &description;
	node.status = &status;
}

static const struct {
	const char *text;
	bool matches;
	const char *problem; /* of constraints_check */
} cases[] = {
    {"node.id==vyhn81jk97qz1ntt1z0uxy0u4", true, NULL},
    {"node.id == VYHN81JK97QZ1NTT1Z0UXY0U4", true, NULL},
    {"node.id!=vyhn81jk97qz1ntt1z0uxy0u4", false, NULL},
    {"node.id==vyhn81jk97", false, NULL}, /* no prefixes */
    {"node.hostname==master", true, NULL},
    {"NODE.Hostname == Master ", true, NULL},
    {"node.hostname==Mast*", false, NULL}, /* no patterns */
    {"node.hostname!=worker1", true, NULL},
    {"node.role==manager", true, NULL},
    {"node.role==Manager", true, NULL},
    {"node.role!=worker", true, NULL},
    {"node.role==worker", false, NULL},
    {"node.platform.os==linux", true, NULL},
    {"node.platform.arch==x86_64", true, NULL},
    {"node.platform.arch==amd64", false, NULL},
    {"node.ip==192.0.2.7", true, NULL},
    {"node.ip==192.0.2.0/24", true, NULL},
    {"node.ip!=192.0.2.0/24", false, NULL},
    {"node.ip==198.51.100.0/24", false, NULL},
    {"node.ip!=198.51.100.0/24", true, NULL},
    {"node.ip!=2001:db8::1", true, NULL},
    {"node.ip==nowhere", false, NULL},
    {"node.ip!=nowhere", false, NULL}, /* malformed: as in Swarm, none */
    {"node.labels.zone==north 1", true, NULL},
    {"node.labels.zone!=south", true, NULL},
    {"node.labels.Zone==north 1", false, NULL}, /* keys have a case */
    {"Node.Labels.zone==north 1", true, NULL},
    {"node.labels.rack==1", false, NULL},
    {"node.labels.rack!=1", true, NULL},
    {"engine.labels.disk.kind==ssd", true, NULL},
    {"engine.labels.disk.kind!=ssd", false, NULL},
    {"engine.labels.zone==North 1", false, NULL},
    {"node.labels.==x", false, NULL},
    {"node.colour==red", false, NULL},
    {"node.colour!=red", false, NULL},
    {"node.hostname=Master", false, "constraint expected one operator from ==, !="},
    {"node.hostname", false, "constraint expected one operator from ==, !="},
    {"", false, "constraint expected one operator from ==, !="},
    {"node hostname==Master", false, "key 'node hostname' is invalid"},
    {"1node==Master", false, "key '1node' is invalid"},
    {"==Master", false, "key '' is invalid"},
    {"node.hostname==", false, "value '' is invalid"},
    {"node.hostname==a>b", false, "value 'a>b' is invalid"},
    {"node.hostname==a!=b", false, "value 'a!=b' is invalid"},
};

static void test_table(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = t(cases[i].text);
		struct problem problem = {0};

		if (constraints_match(&text, 1, &node) != cases[i].matches)
			fail_msg("%s: %s", cases[i].text, cases[i].matches ? "no" : "yes");
		assert_int_equal(constraints_check(&text, 1, &problem),
				 cases[i].problem ? -EINVAL : 0);
		assert_string_equal(problem.message, cases[i].problem ? cases[i].problem : "");
	}
}

static void test_all_must_match(void **unused)
{
	char *texts[] = {t("node.role==manager"), t("node.hostname!=master")};
	(void)unused;

	assert_true(constraints_match(texts, 0, &node));
	assert_true(constraints_match(texts, 1, &node));
	assert_false(constraints_match(texts, 2, &node));
}

/* A node that has said nothing yet: all of it is empty. */
static void test_bare_node(void **unused)
{
	static const char *const matching[] = {"node.hostname!=a",        "node.platform.os!=linux",
					       "node.platform.arch!=arm", "node.labels.a!=b",
					       "engine.labels.a!=b",      "node.ip!=10.0.0.0/8"};
	Fl__Node bare = FL__NODE__INIT;
	(void)unused;

	bare.id = t("n");
	for (size_t i = 0; i < COUNT(matching); i++) {
		char *text = t(matching[i]);

		assert_true(constraints_match(&text, 1, &bare));
	}
}

static void test_labels(void **unused)
{
	(void)unused;
	assert_string_equal(constraint_label("node.labels.zone", &node), "North 1");
	assert_string_equal(constraint_label("Engine.Labels.disk.kind", &node), "ssd");
	assert_string_equal(constraint_label("node.labels.nothing", &node), "");
	assert_null(constraint_label("node.hostname", &node));
	assert_null(constraint_label("node.labels.", &node));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_all_must_match),
	    cmocka_unit_test(test_bare_node),
	    cmocka_unit_test(test_labels),
	};

	make_node();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
