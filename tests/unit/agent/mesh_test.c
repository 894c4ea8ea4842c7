/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mesh files: what is read, and what is said of each fault. JSON stands here with ' for " so that
 * it can be read; the documents themselves hold no '.
 */
#include "mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each optional key is here. */
static const char full[] =
    "{'node': 'host1', 'uplink': 'eth0', 'vni': 77, 'vxlan_port': 8472,\n"
    " 'key': '000102030405060708090a0B0c0D0e0f', 'vips': ['192.0.2.10'],\n"
    " 'nodes': [\n"
    "  {'name': 'host1', 'vtep': '10.99.0.1', 'addresses': ['10.99.0.1', '198.51.100.1']},\n"
    "  {'name': 'host2', 'vtep': '10.99.0.2', 'addresses': ['198.51.100.2']},\n"
    "  {'name': 'host3', 'vtep': '10.99.0.3'}],\n"
    " 'services': [\n"
    "  {'name': 'web', 'return': 'dsr', 'ring_size': 1031,\n"
    "   'ports': [{'published': 8000, 'target': 80, 'protocol': 'tcp'},\n"
    "             {'published': 8000, 'target': 81, 'protocol': 'udp'}],\n"
    "   'backends': [\n"
    "    {'node': 'host1', 'address': '10.1.1.2', 'mac': '02:42:0A:01:01:02',\n"
    "     'interface': 'veth-web1', 'gateway': '10.1.1.1', 'weight': 3, 'state': 'active'},\n"
    "    {'node': 'host2', 'address': '10.1.2.2', 'weight': 65535, 'state': 'drain'}]},\n"
    "  {'name': 'db.2_x-y', 'ports': [{'published': 65535, 'target': 1}],\n"
    "   'backends': [{'node': 'host1', 'address': '10.1.1.3', 'state': 'down'},\n"
    "                {'node': 'host2', 'address': '10.1.2.2'}]}],\n"
    " 'limits': {'flows': 2048, 'slots': 70000, 'backends': 16}}";

static const char least[] =
    "{'key':'000102030405060708090a0b0c0d0e0f','nodes':[{'name':'a','vtep':'10.0.0.1'}],"
    "'services':[]}";

static char *quoted(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *at = copy; (at = strchr(at, '\''));)
		*at = '"';
	return copy;
}

static void unquote(char *text)
{
	while ((text = strchr(text, '"')))
		*text = '\'';
}

/* text with the first `from` replaced; from "" stands for the whole text. */
static char *edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *result, *json;

	if (!from[0])
		return quoted(to);
	if (!at)
		fail_msg("the document does not hold %s", from);
	assert_return_code(
	    asprintf(&result, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
	json = quoted(result);
	free(result);
	return json;
}

static int parse(const char *json, size_t length, struct mesh **mesh, struct error *error)
{
	return mesh_parse(json, length, "mesh.json", NULL, NULL, mesh, error);
}

static void assert_address(struct in_addr address, const char *text)
{
	assert_string_equal(inet_ntoa(address), text);
}

static struct mesh *parse_good(const char *text, const char *node, const char *uplink)
{
	struct error error = {0};
	struct mesh *mesh = NULL;
	char *json = quoted(text);

	if (mesh_parse(json, strlen(json), "mesh.json", node, uplink, &mesh, &error) != 0)
		fail_msg("%s", error.message);
	free(json);
	assert_int_equal(error.code, 0);
	return mesh;
}

static void reads_each_key(void **state)
{
	struct mesh *mesh = parse_good(full, NULL, NULL);

	(void)state;
	assert_int_equal(mesh->self, 0);
	assert_string_equal(mesh->uplink, "eth0");
	assert_int_equal(mesh->vni, 77);
	assert_int_equal(mesh->vxlan_port, 8472);
	for (uint8_t i = 0; i < 16; i++)
		assert_int_equal(mesh->key[i], i);
	assert_int_equal(mesh->vip_count, 1);
	assert_address(mesh->vips[0], "192.0.2.10");
	assert_int_equal(mesh->node_count, 3);
	assert_string_equal(mesh->nodes[1].name, "host2");
	assert_address(mesh->nodes[1].vtep, "10.99.0.2");
	assert_int_equal(mesh->nodes[0].address_count, 2);
	assert_address(mesh->nodes[0].addresses[1], "198.51.100.1");
	assert_int_equal(mesh->nodes[1].address_count, 1);
	assert_address(mesh->nodes[1].addresses[0], "198.51.100.2");
	assert_int_equal(mesh->nodes[2].address_count, 1);
	assert_address(mesh->nodes[2].addresses[0], "10.99.0.3");
	assert_int_equal(mesh->flows_max, 2048);
	assert_int_equal(mesh->slots_max, 70000);
	assert_int_equal(mesh->backends_max, 16);
	assert_int_equal(mesh->service_count, 2);
	mesh_free(mesh);
}

static void reads_services(void **state)
{
	struct mesh *mesh = parse_good(full, NULL, NULL);
	const struct mesh_service *web = &mesh->services[0], *db = &mesh->services[1];

	(void)state;
	assert_string_equal(web->name, "web");
	assert_true(web->dsr);
	assert_int_equal(web->ring_size, 1031);
	assert_int_equal(web->port_count, 2);
	assert_int_equal(web->ports[1].published, 8000);
	assert_int_equal(web->ports[1].target, 81);
	assert_int_equal(web->ports[0].protocol, IPPROTO_TCP);
	assert_int_equal(web->ports[1].protocol, IPPROTO_UDP);
	assert_int_equal(web->backend_count, 2);
	assert_int_equal(web->backends[0].node, 0);
	assert_address(web->backends[0].address, "10.1.1.2");
	assert_memory_equal(web->backends[0].mac, "\x02\x42\x0a\x01\x01\x02", 6);
	assert_string_equal(web->backends[0].interface, "veth-web1");
	assert_address(web->backends[0].gateway, "10.1.1.1");
	assert_int_equal(web->backends[0].weight, 3);
	assert_int_equal(web->backends[0].state, MESH_ACTIVE);
	assert_int_equal(web->backends[1].node, 1);
	assert_memory_equal(web->backends[1].mac, "\x02\x42\x0a\x01\x02\x02", 6);
	assert_string_equal(web->backends[1].interface, "");
	assert_int_equal(web->backends[1].gateway.s_addr, 0);
	assert_int_equal(web->backends[1].weight, 65535);
	assert_int_equal(web->backends[1].state, MESH_DRAIN);
	assert_false(db->dsr);
	assert_int_equal(db->ring_size, 0);
	assert_int_equal(db->ports[0].published, 65535);
	assert_int_equal(db->ports[0].protocol, IPPROTO_TCP);
	assert_int_equal(db->backends[0].state, MESH_DOWN);
	assert_int_equal(db->backends[1].weight, 1);
	mesh_free(mesh);
}

static void defaults_and_arguments(void **state)
{
	struct mesh *mesh = parse_good(least, "a", "bond0.100");

	(void)state;
	assert_int_equal(mesh->self, 0);
	assert_string_equal(mesh->uplink, "bond0.100");
	assert_int_equal(mesh->vni, MESH_VNI_DEFAULT);
	assert_int_equal(mesh->vxlan_port, MESH_VXLAN_PORT_DEFAULT);
	assert_int_equal(mesh->vip_count, 0);
	assert_int_equal(mesh->service_count, 0);
	assert_int_equal(mesh->flows_max, 0);
	assert_int_equal(mesh->slots_max, 0);
	assert_int_equal(mesh->backends_max, 0);
	mesh_free(mesh);

	mesh = parse_good(full, "host3", "eth1");
	assert_int_equal(mesh->self, 2);
	assert_string_equal(mesh->uplink, "eth1");
	mesh_free(mesh);
}

/* The last case: host2's task has no interface, which other nodes need not know. */
static void argument_faults(void **state)
{
	static const struct {
		const char *text, *node, *uplink, *message;
	} cases[] = {
	    {least, NULL, "eth0", "mesh.json: node: missing; say which node this is: add"},
	    {least, "a", NULL, "mesh.json: uplink: missing; name the node's interface"},
	    {least, "b", "eth0",
	     "mesh.json: node: no node is called \"b\" (from --node); nodes are a"},
	    {least, "", "eth0", "mesh.json: node: no node is called \"\" (from --node); nodes are"},
	    {least, "a", "", "mesh.json: uplink: \"\" (from --uplink) is empty"},
	    {least, "a", "a/b", "mesh.json: uplink: \"a/b\" (from --uplink) is not an interface's"},
	    {least, "a", "0123456789abcdef",
	     "mesh.json: uplink: \"0123456789abcdef\" (from --uplink) is too long"},
	    {full, "host2", NULL,
	     "mesh.json: services[0].backends[1].interface: missing; the task runs on this node "
	     "(\"host2\"): name the host side of its veth, or set state \"down\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mesh *mesh = NULL;
		struct error error = {0};
		char *json = quoted(cases[i].text);
		assert_int_equal(mesh_parse(json, strlen(json), "mesh.json", cases[i].node,
					    cases[i].uplink, &mesh, &error),
				 -EINVAL);
		free(json);
		assert_null(mesh);
		if (strncmp(error.message, cases[i].message, strlen(cases[i].message)))
			fail_msg("%s\n  is not\n%s", error.message, cases[i].message);
	}
}

/* One edit of the full document, and what is said of it: "mesh.json: " and this. */
struct fault {
	const char *from, *to, *message;
};

static void check_faults(const struct fault *faults, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct mesh *mesh = NULL;
		struct error error = {0};
		char *json = edited(full, faults[i].from, faults[i].to);
		const int rc = parse(json, strlen(json), &mesh, &error);
		unquote(error.message);
		if (strncmp(error.message, "mesh.json: ", 11) ||
		    strncmp(error.message + 11, faults[i].message, strlen(faults[i].message)))
			fail_msg("case %zu, %s:\n%d %s\n  is not\n%s", i, faults[i].to, rc,
				 error.message, faults[i].message);
		assert_int_equal(rc, -EINVAL);
		assert_int_equal(error.code, rc);
		assert_null(mesh);
		/* No error object is fine too. */
		assert_int_equal(parse(json, strlen(json), &mesh, NULL), -EINVAL);
		free(json);
	}
}

static void syntax_faults(void **state)
{
	static const struct fault faults[] = {
	    {"", "", "is empty; it must hold a JSON object"},
	    {"", " \n\t ", "is empty; it must hold a JSON object"},
	    {"", "[]", "is an array; must be an object"},
	    {"", "null", "is null; must be an object"},
	    {"", "7", "is a whole number; must be an object"},
	    {"", "{'node': }", "line 1, column 10: unexpected token near '}'"},
	    {"", "{\n'node': 'a'\n'vni': 1}", "line 3, column 5: '}' expected near ''vni''"},
	    {"", "{'node': 'a',}", "line 1, column 14: string or '}' expected near '}'"},
	    {"", "{} {}", "line 1, column 4: end of file expected near '{'; keep one object"},
	    {"", "{'node': 'a", "line 1, column 11: premature end of input near ''a'"},
	    {"", "\xef\xbb\xbf{}", "starts with a byte order mark; save it as UTF-8 without"},
	    {"", "\xff\xfe{}", "starts with a byte order mark; save it as UTF-8 without"},
	    {"", "{'node': 'a\xff'}",
	     "line 1, column 11: unable to decode byte 0xff near ''a'; save"},
	    {"", "{'node': '\\u0000'}", "line 1, column 17: \\u0000 is not allowed without"},
	    {"", "{'vni': 99999999999999999999}",
	     "line 1, column 28: too big integer near '99999999999999999999'"},
	    {"", "{'vni': 1e999}", "line 1, column 13: real number overflow near '1e999'"},
	    {"'vni': 77", "'vni': 77, 'vni': 78",
	     "line 1, column 52: duplicate object key near ''vni''; keep one of the two"},
	    {"'weight': 3", "'weight': 3, 'weight': 3",
	     "line 13, column 75: duplicate object key near ''weight''; keep one of the two"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

static void top_faults(void **state)
{
	static const struct fault faults[] = {
	    {"'vni'", "'vmi'", "vmi: unknown key; did you mean 'vni'?"},
	    {"'vni'", "'VNI'", "VNI: unknown key; did you mean 'vni'?"},
	    {"'vni'", "'overlay'",
	     "overlay: unknown key; known are node, uplink, vni, vxlan_port, key, vips, nodes, "
	     "services, limits"},
	    {"'vni'", "''", "['']: unknown key; known are node"},
	    {"'vni'", "'a b\\u001b[31mcccccccccccccccccccccccccccccccccccccccccccccccccccccccccc'",
	     "['a b?[31mcccccccccccccccccccccccccccccccccccc...']: unknown key; known are"},
	    {"'node': 'host1'", "'node': 3", "node: is a whole number; must be a string"},
	    {"'node': 'host1'", "'node': 'ho st'", "node: 'ho st' is not a name; use letters"},
	    {"'node': 'host1'", "'node': 'hsot1'",
	     "node: no node is called 'hsot1'; nodes are host1, host2, host3"},
	    {"'eth0'", "'eth 0'", "uplink: 'eth 0' is not an interface's name; use no '/'"},
	    {"'eth0'", "null", "uplink: is null; must be a string"},
	    {"77", "0", "vni: 0 is not a VNI; use 1 to 16777215"},
	    {"77", "16777216", "vni: 16777216 is not a VNI; use 1 to 16777215"},
	    {"77", "'77'", "vni: is a string; must be a whole number"},
	    {"8472", "0", "vxlan_port: 0 is not a port; use 1 to 65535"},
	    {"8472", "true", "vxlan_port: is true or false; must be a whole number"},
	    {"'key': '000102030405060708090a0B0c0D0e0f', ", "", "key: missing; add 'key': '...'"},
	    {"0e0f", "0e0", "key: has 31 characters; must be exactly 32 hex digits (make one"},
	    {"0e0f", "0e0f0", "key: has 33 characters; must be exactly 32 hex digits"},
	    {"0e0f", "0e0g",
	     "key: has 32 characters, not all of them hex digits; must be exactly 32"},
	    {"'192.0.2.10'", "4", "vips[0]: is a whole number; must be a string"},
	    {"['192.0.2.10']", "'192.0.2.10'", "vips: is a string; must be an array"},
	    {"'192.0.2.10'", "'192.0.2.10','192.0.2.10'",
	     "vips[1]: 192.0.2.10 is already used by vips[0]; use another address"},
	    {"'192.0.2.10'", "'198.51.100.2'",
	     "vips[0]: 198.51.100.2 is already used by nodes[1].addresses[0]; use another"},
	    {"'192.0.2.10'",
	     "'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4','192.0.2.5','192.0.2.6','192.0.2.7'",
	     "nodes[0].addresses: 2 addresses of this node and 7 vips are too many; a node answers "
	     "on at most 8"},
	    {"{'flows': 2048", "{'flow': 2048", "limits.flow: unknown key; did you mean 'flows'?"},
	    {"{'flows': 2048, 'slots': 70000, 'backends': 16}", "[]",
	     "limits: is an array; must be an object"},
	    {"2048", "1023", "limits.flows: 1023 is not a limit; use 1024 to 268435456"},
	    {"2048", "268435457", "limits.flows: 268435457 is not a limit"},
	    {"70000", "65536", "limits.slots: 65536 is not a limit; use 65537 to 268435456"},
	    {"70000", "268435457", "limits.slots: 268435457 is not a limit"},
	    {"'backends': 16}", "'backends': 15}",
	     "limits.backends: 15 is not a limit; use 16 to 4194304"},
	    {"'backends': 16}", "'backends': 4194305}", "limits.backends: 4194305 is not a limit"},
	    {"'backends': 16}", "'backends': 16.5}",
	     "limits.backends: 16.5 has a fraction or exponent; use a whole number from 16 to"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

static void node_faults(void **state)
{
	static const struct fault faults[] = {
	    {"'nodes'", "'nodess'", "nodess: unknown key; did you mean 'nodes'?"},
	    {"", "{'uplink':'e','key':'000102030405060708090a0b0c0d0e0f','services':[]}",
	     "nodes: missing; add 'nodes': [...]"},
	    {"", "{'uplink':'e','key':'000102030405060708090a0b0c0d0e0f','services':[],'nodes':[]}",
	     "nodes: has 0 entries; needs at least 1"},
	    {"", "{'uplink':'e','key':'000102030405060708090a0b0c0d0e0f','services':[],'nodes':{}}",
	     "nodes: is an object; must be an array"},
	    {"{'name': 'host3', 'vtep': '10.99.0.3'}", "'host3'",
	     "nodes[2]: is a string; must be an object"},
	    {"'vtep': '10.99.0.3'", "'vtpe': '10.99.0.3'",
	     "nodes[2].vtpe: unknown key; did you mean 'vtep'?"},
	    {", 'vtep': '10.99.0.3'", "", "nodes[2].vtep: missing; add 'vtep': '...'"},
	    {"'name': 'host3', ", "", "nodes[2].name: missing; add 'name': '...'"},
	    {"'name': 'host3'", "'name': 'host1'",
	     "nodes[2].name: 'host1' is already the name of nodes[0]; rename one"},
	    {"'name': 'host3'", "'name': ''", "nodes[2].name: '' is not a name; use letters"},
	    {"'name': 'host3'", "'name': '-a'", "nodes[2].name: '-a' is not a name"},
	    {"'name': 'host3'",
	     "'name': 'a123456789b123456789c123456789d123456789e123456789f1234567890123'",
	     "nodes[2].name: 'a123456789b123456789c123456789d123456789e123...' has 64 characters; "
	     "a name has at most 63"},
	    {"10.99.0.3", "10.99.0.2",
	     "nodes[2].vtep: 10.99.0.2 is already used by nodes[1].vtep; use another address"},
	    {"10.99.0.3", "198.51.100.1",
	     "nodes[2].vtep: 198.51.100.1 is already used by nodes[0].addresses[1]"},
	    {"['198.51.100.2']", "['198.51.100.2', '198.51.100.2']",
	     "nodes[1].addresses[1]: 198.51.100.2 is already used by nodes[1].addresses[0]"},
	    {"['198.51.100.2']", "['10.99.0.2', '10.99.0.2']",
	     "nodes[1].addresses[1]: 10.99.0.2 is already used by nodes[1].vtep"},
	    {"['198.51.100.2']", "'198.51.100.2'", "nodes[1].addresses: is a string; must be an"},
	    {"['198.51.100.2']", "[[]]", "nodes[1].addresses[0]: is an array; must be a string"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

static void address_faults(void **state)
{
	static const struct fault faults[] = {
	    {"'10.99.0.3'", "'0.1.2.3'",
	     "nodes[2].vtep: 0.1.2.3 is within 0.0.0.0/8, which no node or task has; use a "
	     "unicast"},
	    {"'10.99.0.3'", "'127.0.0.1'", "nodes[2].vtep: 127.0.0.1 is a loopback address"},
	    {"'10.99.0.3'", "'224.0.0.1'", "nodes[2].vtep: 224.0.0.1 is a multicast address"},
	    {"'10.99.0.3'", "'239.255.255.255'", "nodes[2].vtep: 239.255.255.255 is a multicast"},
	    {"'10.99.0.3'", "'255.255.255.255'", "nodes[2].vtep: 255.255.255.255 is the broadcast"},
	    {"'10.99.0.3'", "'2001:db8::1'",
	     "nodes[2].vtep: '2001:db8::1': IPv6 is not supported here; use an IPv4 address"},
	    {"'10.99.0.3'", "'::ffff:10.0.0.1'", "nodes[2].vtep: '::ffff:10.0.0.1': IPv6 is not"},
	    {"'10.99.0.3'", "'10.99.0'", "nodes[2].vtep: '10.99.0' is not an IPv4 address; write"},
	    {"'10.99.0.3'", "'10.99.0.03'", "nodes[2].vtep: '10.99.0.03' is not an IPv4 address"},
	    {"'10.99.0.3'", "'10.99.0.256'", "nodes[2].vtep: '10.99.0.256' is not an IPv4 address"},
	    {"'10.99.0.3'", "'10.99.0.3/24'", "nodes[2].vtep: '10.99.0.3/24' is not an IPv4"},
	    {"'10.99.0.3'", "' 10.99.0.3'", "nodes[2].vtep: ' 10.99.0.3' is not an IPv4 address"},
	    {"'10.99.0.3'", "'host3'", "nodes[2].vtep: 'host3' is not an IPv4 address"},
	    {"'10.99.0.3'", "''", "nodes[2].vtep: '' is not an IPv4 address"},
	    {"'10.1.1.2'", "'0x0a010102'",
	     "services[0].backends[0].address: '0x0a010102' is not an IPv4 address"},
	    {"'10.1.1.1'", "'224.0.0.5'",
	     "services[0].backends[0].gateway: 224.0.0.5 is a multicast address"},
	    {"'10.1.1.1'", "'10.1.1.2'",
	     "services[0].backends[0].gateway: is the task's own address; give its next hop"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

static void service_faults(void **state)
{
	static const struct fault faults[] = {
	    {"'ring_size'", "'ringsize'",
	     "services[0].ringsize: unknown key; did you mean 'ring_size'?"},
	    {"'name': 'web', ", "", "services[0].name: missing; add 'name': '...'"},
	    {"'name': 'db.2_x-y'", "'name': 'web'",
	     "services[1].name: 'web' is already the name of services[0]; rename one"},
	    {"'name': 'db.2_x-y'", "'name': 'd/b'", "services[1].name: 'd/b' is not a name"},
	    {"'dsr'", "'DSR'",
	     "services[0].return: 'DSR' is not known here; use one of 'symmetric', 'dsr'"},
	    {"'dsr'", "false", "services[0].return: is true or false; must be a string"},
	    {"1031", "0",
	     "services[0].ring_size: 0 is not a ring size; use 1 to 655373, 1 or an odd"},
	    {"1031", "2",
	     "services[0].ring_size: 2 is not 1 or an odd prime; use 3, or leave it out"},
	    {"1031", "9", "services[0].ring_size: 9 is not 1 or an odd prime; use 11"},
	    {"1031", "65536", "services[0].ring_size: 65536 is not 1 or an odd prime; use 65537"},
	    {"1031", "655372",
	     "services[0].ring_size: 655372 is not 1 or an odd prime; use 655373"},
	    {"1031", "655374", "services[0].ring_size: 655374 is not a ring size; use 1 to 655373"},
	    {"1031", "-3", "services[0].ring_size: -3 is not a ring size"},
	    {"[{'published': 65535, 'target': 1}]", "[]",
	     "services[1].ports: has 0 entries; needs at least 1"},
	    {"'ports': [{'published': 65535, 'target': 1}],", "",
	     "services[1].ports: missing; add 'ports': [...]"},
	    {"{'published': 65535, 'target': 1}", "65535",
	     "services[1].ports[0]: is a whole number; must be an object"},
	    {"'published': 65535, ", "",
	     "services[1].ports[0].published: missing; add 'published': NUMBER"},
	    {", 'target': 1}", "}", "services[1].ports[0].target: missing; add 'target': NUMBER"},
	    {"'published': 65535", "'published': 0",
	     "services[1].ports[0].published: 0 is not a port; use 1 to 65535"},
	    {"'published': 65535", "'published': 65536",
	     "services[1].ports[0].published: 65536 is not a port; use 1 to 65535"},
	    {"'published': 65535", "'published': -1",
	     "services[1].ports[0].published: -1 is not a port; use 1 to 65535"},
	    {"'published': 65535", "'published': 80.5",
	     "services[1].ports[0].published: 80.5 has a fraction or exponent; use a whole number "
	     "from 1 to 65535"},
	    {"'published': 65535", "'published': '80'",
	     "services[1].ports[0].published: is a string; must be a whole number"},
	    {"'target': 1}", "'target': 0}",
	     "services[1].ports[0].target: 0 is not a port; use 1 to 65535"},
	    {"'udp'", "'sctp'",
	     "services[0].ports[1].protocol: 'sctp' is not known here; use one of 'tcp', 'udp'"},
	    {"'udp'", "'tcp'",
	     "services[0].ports[1]: published port 8000/tcp is already used by service 'web' "
	     "(services[0]); publish another"},
	    {"'published': 65535", "'published': 8000",
	     "services[1].ports[0]: published port 8000/tcp is already used by service 'web' "
	     "(services[0]); publish another"},
	    {"{'published': 65535, 'target': 1}",
	     "{'published': 8000, 'target': 1, 'protocol': 'udp'}",
	     "services[1].ports[0]: published port 8000/udp is already used by service 'web'"},
	    {"'target': 1}", "'traget': 1}",
	     "services[1].ports[0].traget: unknown key; did you mean 'target'?"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

static void backend_faults(void **state)
{
	static const struct fault faults[] = {
	    {"'weight': 65535", "'wieght': 65535",
	     "services[0].backends[1].wieght: unknown key; did you mean 'weight'?"},
	    {"'weight': 65535", "'weight': 0",
	     "services[0].backends[1].weight: 0 is not a weight; use 1 to 65535 (and state 'drain' "
	     "for no new flows)"},
	    {"'weight': 65535", "'weight': 65536",
	     "services[0].backends[1].weight: 65536 is not a weight; use 1 to 65535"},
	    {"'drain'", "'draining'",
	     "services[0].backends[1].state: 'draining' is not known here; use one of 'active', "
	     "'drain', 'down'"},
	    {"{'node': 'host2', 'address': '10.1.2.2', 'w",
	     "{'node': 'hsot2', 'address': '10.1.2.2', 'w",
	     "services[0].backends[1].node: no node is called 'hsot2'; nodes are host1, host2, "
	     "host3"},
	    {"{'node': 'host2', 'address': '10.1.2.2', 'w", "{'address': '10.1.2.2', 'w",
	     "services[0].backends[1].node: missing; add 'node': '...'"},
	    {"'address': '10.1.2.2', ", "",
	     "services[0].backends[1].address: missing; add 'address': '...'"},
	    {"'interface': 'veth-web1', ", "",
	     "services[0].backends[0].interface: missing; the task runs on this node ('host1')"},
	    {"'down'", "'drain'",
	     "services[1].backends[0].interface: missing; the task runs on this node ('host1')"},
	    {"'veth-web1'", "'0123456789abcdef'",
	     "services[0].backends[0].interface: '0123456789abcdef' is too long; an interface's"},
	    {"'veth-web1'", "'a/b'",
	     "services[0].backends[0].interface: 'a/b' is not an interface"},
	    {"'veth-web1'", "'a b'",
	     "services[0].backends[0].interface: 'a b' is not an interface"},
	    {"'veth-web1'", "''", "services[0].backends[0].interface: '' is empty"},
	    {"'veth-web1'", "'..'", "services[0].backends[0].interface: '..' is not an interface"},
	    {"02:42:0A:01:01:02", "03:42:0a:01:01:02",
	     "services[0].backends[0].mac: 03:42:0a:01:01:02 is a multicast address; use a "
	     "unicast"},
	    {"02:42:0A:01:01:02", "00:00:00:00:00:00",
	     "services[0].backends[0].mac: 00:00:00:00:00:00 is all zero; use the MAC of the "
	     "task's"},
	    {"02:42:0A:01:01:02", "0a:1f:00:00:00:01",
	     "services[0].backends[0].mac: 0a:1f:00:00:00:01 is reserved: the mesh itself uses"},
	    {"02:42:0A:01:01:02", "0A:20:00:00:00:01",
	     "services[0].backends[0].mac: 0A:20:00:00:00:01 is reserved: the mesh itself uses"},
	    {"02:42:0A:01:01:02", "02:42:0a:01:01",
	     "services[0].backends[0].mac: '02:42:0a:01:01' is"},
	    {"02:42:0A:01:01:02", "02-42-0a-01-01-02",
	     "services[0].backends[0].mac: '02-42-0a-01-01-02' is not a MAC address; write six"},
	    {"02:42:0A:01:01:02", "02:42:0a:01:01:0g",
	     "services[0].backends[0].mac: '02:42:0a:01:01:0g' is not a MAC address"},
	    {"'10.1.2.2', 'weight'", "'10.1.1.2', 'weight'",
	     "services[0].backends[1].address: 10.1.1.2 is already a backend of this service "
	     "(services[0].backends[0]); remove one"},
	    {"{'node': 'host2', 'address': '10.1.2.2'}", "{'node': 'host3', 'address': '10.1.2.2'}",
	     "services[1].backends[1].node: 10.1.2.2 runs on another node "
	     "(services[0].backends[1]); "
	     "a task runs on one node"},
	    {"{'node': 'host2', 'address': '10.1.2.2'}",
	     "{'node': 'host2', 'address': '10.1.2.2', 'mac': '02:00:00:00:00:01'}",
	     "services[1].backends[1].mac: 10.1.2.2 has another MAC (services[0].backends[1]); "
	     "give"},
	    {"{'node': 'host2', 'address': '10.1.2.2'}",
	     "{'node': 'host2', 'address': '10.1.2.3', 'mac': '02:42:0a:01:02:02'}",
	     "services[1].backends[1].mac: 10.1.2.3 has the same MAC as another task "
	     "(services[0].backends[1]); give each task its own"},
	    {"{'node': 'host2', 'address': '10.1.2.2'}",
	     "{'node': 'host1', 'address': '10.1.1.2', 'interface': 'veth-web2'}",
	     "services[1].backends[1].interface: 10.1.1.2 has another interface "
	     "(services[0].backends[0]); give one interface"},
	    {"{'node': 'host2', 'address': '10.1.2.2'}",
	     "{'node': 'host1', 'address': '10.1.1.2', 'interface': 'veth-web1', 'gateway': "
	     "'10.9.9.9'}",
	     "services[1].backends[1].gateway: 10.1.1.2 has another gateway "
	     "(services[0].backends[0]); give one gateway"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

/* The first contradiction in the file is named, not the first one in sorted order. */
static void names_first_duplicate(void **state)
{
	static const struct fault faults[] = {
	    {"{'published': 65535, 'target': 1}",
	     "{'published': 9, 'target': 1}, {'published': 9, 'target': 1},"
	     "{'published': 5, 'target': 1}, {'published': 5, 'target': 1},"
	     "{'published': 9, 'target': 1}",
	     "services[1].ports[1]: published port 9/tcp is already used by service 'db.2_x-y' "
	     "(services[1])"},
	};

	(void)state;
	check_faults(faults, COUNT(faults));
}

static void accepts_edges(void **state)
{
	static const struct {
		const char *from, *to;
	} edits[] = {
	    {"77", "16777215"},
	    {"77", "1"},
	    {"1031", "1"},
	    {"1031", "3"},
	    {"1031", "655373"},
	    {"2048", "1024"},
	    {"2048", "268435456"},
	    {"70000", "65537"},
	    {"'backends': 16}", "'backends': 4194304}"},
	    {"'veth-web1'", "'0123456789abcde'"},
	    {"02:42:0A:01:01:02", "0a:30:00:00:00:01"},
	    {"02:42:0A:01:01:02", "0a:0f:00:00:00:01"},
	    {"'name': 'host3'", "'name': 'a123456789b123456789c123456789d123456789e123456789f12'"},
	    {"{'node': 'host2', 'address': '10.1.2.2'}",
	     "{'node': 'host1', 'address': '10.1.1.2', 'interface': 'veth-web1'}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(edits); i++) {
		char *json = edited(full, edits[i].from, edits[i].to);
		mesh_free(parse_good(json, NULL, NULL));
		free(json);
	}
}

/* Whatever is cut off or overwritten: an error or a mesh, and (under ASan) no leak or overrun. */
static void truncated_anywhere(void **state)
{
	char *json = quoted(full);

	(void)state;
	for (size_t length = 0; length < strlen(json); length++) {
		struct mesh *mesh = NULL;
		struct error error = {0};
		char *exact = malloc(length ? length : 1);
		assert_non_null(exact);
		memcpy(exact, json, length);
		assert_int_equal(parse(exact, length, &mesh, &error), -EINVAL);
		assert_null(mesh);
		assert_memory_equal(error.message, "mesh.json: ", 11);
		free(exact);
	}
	free(json);
}

static void overwritten_anywhere(void **state)
{
	static const char bytes[] = {'\0', '"', '{', ']',  ',',    '9',
				     '-',  'e', ' ', '\\', '\x7f', '\xff'};
	char *json = quoted(full);
	const size_t length = strlen(json);

	(void)state;
	for (size_t i = 0; i < length * sizeof(bytes); i++) {
		struct mesh *mesh = NULL;
		struct error error = {0};
		const char kept = json[i / sizeof(bytes)];
		json[i / sizeof(bytes)] = bytes[i % sizeof(bytes)];
		const int rc = parse(json, length, &mesh, &error);
		json[i / sizeof(bytes)] = kept;
		assert_int_equal(rc == 0, mesh != NULL);
		assert_int_equal(rc, error.code);
		mesh_free(mesh);
	}
	free(json);
}

/* jansson's allocations fail one after the other. */
static size_t allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- ? malloc(size) : (allocations_left = 0, NULL);
}

static void survives_no_memory(void **state)
{
	char *json = quoted(full);
	size_t count;
	int rc = -ENOMEM;

	(void)state;
	json_set_alloc_funcs(scarce_malloc, free);
	for (count = 0; rc != 0 && count < 10000; count++) {
		struct mesh *mesh = NULL;
		struct error error = {0};
		allocations_left = count;
		rc = parse(json, strlen(json), &mesh, &error);
		assert_int_equal(rc == 0, mesh != NULL);
		if (count == 0)
			assert_int_equal(rc, -ENOMEM);
		if (rc == -ENOMEM)
			assert_string_equal(error.message,
					    "mesh.json: not enough memory to read it");
		mesh_free(mesh);
	}
	json_set_alloc_funcs(malloc, free);
	assert_in_range(count, 100, 9999);
	free(json);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void write_backends(FILE *out, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "%s{\"node\":\"node%u\",\"address\":\"10.%u.%u.%u\"}", i ? "," : "",
			1 + i % 4095, 1 + (i >> 16), i >> 8 & 0xff, i & 0xff);
}

/* nodes node0 (this one) to node4095, one service with these many ports and backends */
static char *big_mesh(unsigned int ports, unsigned int backends, const char *limits)
{
	size_t length;
	char *json;
	FILE *out = open_memstream(&json, &length);

	assert_non_null(out);
	fputs("{\"node\":\"node0\",\"uplink\":\"e\",\"key\":\"000102030405060708090a0b0c0d0e0f\",",
	      out);
	fprintf(out, "%s\"nodes\":[", limits);
	for (unsigned int i = 0; i < MESH_NODES_MAX; i++)
		fprintf(out, "%s{\"name\":\"node%u\",\"vtep\":\"172.16.%u.%u\"}", i ? "," : "", i,
			i >> 8, i & 0xff);
	fputs("],\"services\":[{\"name\":\"s\",\"ports\":[", out);
	for (unsigned int i = 1; i <= ports; i++)
		fprintf(out, "%s{\"published\":%u,\"target\":80}", i > 1 ? "," : "", i);
	fputs("],\"backends\":[", out);
	write_backends(out, backends);
	fputs("]}]}", out);
	fclose(out);
	return json;
}

static void large_mesh_is_fast(void **state)
{
	char *json = big_mesh(65535, 10000, "");
	struct mesh *mesh = NULL;
	struct error error = {0};
	const double start = seconds();

	(void)state;
	if (parse(json, strlen(json), &mesh, &error) != 0)
		fail_msg("%s", error.message);
	print_message("4096 nodes, 65535 ports, 10000 backends, %zu bytes: %.3f s\n", strlen(json),
		      seconds() - start);
	assert_int_equal(mesh->services[0].port_count, 65535);
	assert_int_equal(mesh->services[0].backend_count, 10000);
	mesh_free(mesh);
	free(json);
}

static void counts_are_bounded(void **state)
{
	static const struct {
		unsigned int backends;
		const char *limits, *message;
	} cases[] = {
	    {65535, "", NULL},
	    {65536, "\"limits\":{\"backends\":100000},",
	     "mesh.json: services[0].backends: has 65536 entries; the most is 65535"},
	    {17, "\"limits\":{\"backends\":16},",
	     "mesh.json: services[0].backends: with these the mesh has 17 backends, more than 16; "
	     "raise limits.backends"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *json = big_mesh(1, cases[i].backends, cases[i].limits);
		struct mesh *mesh = NULL;
		struct error error = {0};
		const int rc = parse(json, strlen(json), &mesh, &error);
		assert_int_equal(rc, cases[i].message ? -EINVAL : 0);
		if (cases[i].message)
			assert_string_equal(error.message, cases[i].message);
		mesh_free(mesh);
		free(json);
	}
}

/* The default for all services together holds where no service is too large. */
static void total_backends_are_bounded(void **state)
{
	struct error error = {0};
	struct mesh *mesh = NULL;
	size_t length;
	char *json;
	FILE *out = open_memstream(&json, &length);

	(void)state;
	fputs("{\"node\":\"a\",\"uplink\":\"e\",\"key\":\"000102030405060708090a0b0c0d0e0f\","
	      "\"nodes\":[{\"name\":\"a\",\"vtep\":\"10.0.0.1\"}],\"services\":[",
	      out);
	for (int i = 0; i < 2; i++) {
		fprintf(out,
			"%s{\"name\":\"s%d\",\"ports\":[{\"published\":%d,\"target\":1}],"
			"\"backends\":[",
			i ? "," : "", i, i + 1);
		for (unsigned int j = 0; j < 32769; j++)
			fprintf(out,
				"%s{\"node\":\"a\",\"state\":\"down\",\"address\":\"10.1.%u.%u\"}",
				j ? "," : "", j >> 8, j & 0xff);
		fputs("]}", out);
	}
	fputs("]}", out);
	fclose(out);
	assert_int_equal(parse(json, length, &mesh, &error), -EINVAL);
	assert_string_equal(error.message,
			    "mesh.json: services[1].backends: with these the mesh has 65538 "
			    "backends, more than 65536; raise limits.backends");
	free(json);
}

static void lists_are_bounded(void **state)
{
	char *json = big_mesh(1, 1, "");
	struct mesh *mesh = NULL;
	struct error error = {0};
	size_t length;
	FILE *out;

	(void)state;
	assert_int_equal(mesh_parse(json, strlen(json), "m", "x", NULL, &mesh, &error), -EINVAL);
	assert_string_equal(
	    error.message,
	    "m: node: no node is called \"x\" (from --node); nodes are node0, node1, "
	    "node2, node3, node4, node5, node6, node7, ...");
	free(json);

	out = open_memstream(&json, &length);
	fputs("{\"uplink\":\"e\",\"key\":\"000102030405060708090a0b0c0d0e0f\",\"nodes\":[1", out);
	for (int i = 0; i < MESH_NODES_MAX; i++)
		fputs(",1", out);
	fputs("]}", out);
	fclose(out);
	assert_int_equal(parse(json, length, &mesh, &error), -EINVAL);
	assert_string_equal(error.message, "mesh.json: nodes: has 4097 entries; the most is 4096");
	free(json);
}

static void nul_bytes_are_refused(void **state)
{
	static const char document[] = "{\"node\": \"a\0b\"}";
	struct mesh *mesh = NULL;
	struct error error = {0};

	(void)state;
	assert_int_equal(parse(document, sizeof(document) - 1, &mesh, &error), -EINVAL);
	assert_non_null(strstr(error.message, "mesh.json: line 1, column "));
	assert_int_equal(parse("\0", 1, &mesh, &error), -EINVAL);
	assert_non_null(strstr(error.message, "mesh.json: line 1, column "));
}

static void repeat(char *bytes, size_t length, const char *text)
{
	for (size_t i = 0, size = strlen(text); i < length; i++)
		bytes[i] = text[i % size];
}

/* Few bytes can ask for much memory: refused before jansson sees them, or by its depth limit. */
static void greedy_documents_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		int code;
		const char *message;
	} cases[] = {
	    {"[", 5000, -EINVAL,
	     "mesh.json: line 1, column 2049: maximum parsing depth reached near "
	     "'['; nest less deeply"},
	    {"{\"a\":", 50000, -EINVAL, "mesh.json: line 1, column "},
	    {"[", MESH_FILE_BYTES_MAX, -EFBIG,
	     "mesh.json: holds more than 2097152 objects and arrays"},
	    {"[],", MESH_FILE_BYTES_MAX, -EFBIG, "mesh.json: holds more than 2097152 objects and"},
	    {"1,", MESH_FILE_BYTES_MAX, -EFBIG, "mesh.json: holds more than 2097152 objects and"},
	    {" ", MESH_FILE_BYTES_MAX, -EINVAL, "mesh.json: is empty"},
	    {" ", (size_t)MESH_FILE_BYTES_MAX + 1, -EFBIG, "mesh.json: is larger than 64 MiB, the"},
	};
	char *bytes = malloc((size_t)MESH_FILE_BYTES_MAX + 1);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mesh *mesh = NULL;
		struct error error = {0};
		repeat(bytes, cases[i].length, cases[i].text);
		assert_int_equal(parse(bytes, cases[i].length, &mesh, &error), cases[i].code);
		if (strncmp(error.message, cases[i].message, strlen(cases[i].message)))
			fail_msg("%s\n  is not\n%s", error.message, cases[i].message);
	}
	free(bytes);
}

static char folder[] = "/tmp/mesh_test.XXXXXX";

static void in_folder(char path[64], const char *name)
{
	snprintf(path, 64, "%s/%s", folder, name);
}

static void loads_files(void **state)
{
	struct mesh *mesh = NULL;
	struct error error = {0};
	char path[64], *json = quoted(full);
	int fd;

	(void)state;
	in_folder(path, "mesh.json");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_return_code(fd, errno);
	assert_int_equal(write(fd, json, strlen(json)), (ssize_t)strlen(json));
	assert_return_code(close(fd), errno);
	assert_int_equal(mesh_load(path, NULL, NULL, &mesh, &error), 0);
	assert_int_equal(mesh->service_count, 2);
	mesh_free(mesh);
	mesh = NULL;
	assert_int_equal(mesh_load(path, "nobody", NULL, &mesh, &error), -EINVAL);
	assert_memory_equal(error.message, path, strlen(path));
	assert_null(mesh);

	/* A sparse file of 1 GiB is refused by its size alone. */
	assert_return_code(truncate(path, 1 << 30), errno);
	assert_int_equal(mesh_load(path, NULL, NULL, &mesh, &error), -EFBIG);
	assert_non_null(strstr(error.message, "mesh.json: is larger than 64 MiB, the most"));
	/* One as large as can be is read. */
	assert_return_code(truncate(path, MESH_FILE_BYTES_MAX), errno);
	assert_int_equal(mesh_load(path, NULL, NULL, &mesh, &error), -EINVAL);
	unlink(path);
	free(json);
}

static void file_faults(void **state)
{
	static const struct {
		const char *path;
		int code;
		const char *message;
	} cases[] = {
	    {"/nowhere/mesh.json", -ENOENT,
	     "/nowhere/mesh.json: cannot open it: No such file or directory"},
	    {"", -ENOENT, ": cannot open it: No such file or directory"},
	    {"/tmp", -EISDIR, "/tmp: is a folder; name a file in it"},
	    {"/dev/zero", -EFBIG, "/dev/zero: is larger than 64 MiB, the most that is read"},
	    {"/dev/null", -EINVAL, "/dev/null: is empty; it must hold a JSON object"},
	    {"/proc/self/mem", -EIO, "/proc/self/mem: cannot read it: Input/output error"},
	};
	char path[600];
	struct mesh *mesh = NULL;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(mesh_load(cases[i].path, NULL, NULL, &mesh, &error),
				 cases[i].code);
		assert_string_equal(error.message, cases[i].message);
		assert_null(mesh);
	}
	/* A long path leaves room for what is said about it. */
	repeat(path, sizeof(path), "/x");
	strcpy(path + sizeof(path) - 11, "/mesh.json");
	assert_int_equal(mesh_load(path, NULL, NULL, &mesh, &error), -ENOENT);
	assert_memory_equal(error.message, "...", 3);
	assert_non_null(strstr(error.message, "/mesh.json: cannot open it: No such file"));
}

/* A pipe that never ends is read up to the limit; a short one is read whole. */
static void load_pipe(const char *text, bool forever, int code)
{
	struct mesh *mesh = NULL;
	struct error error = {0};
	char path[64];
	int ends[2], status;
	pid_t writer;

	assert_return_code(pipe(ends), errno);
	writer = fork();
	assert_return_code(writer, errno);
	if (writer == 0) {
		close(ends[0]);
		while (write(ends[1], text, strlen(text)) > 0 && forever)
			;
		_exit(0);
	}
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(mesh_load(path, "a", "eth0", &mesh, &error), code);
	close(ends[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	mesh_free(mesh);
}

static void pipes_are_bounded(void **state)
{
	char brackets[4097], *json = quoted(least);

	(void)state;
	repeat(brackets, sizeof(brackets) - 1, "[");
	brackets[sizeof(brackets) - 1] = '\0';
	load_pipe(brackets, true, -EFBIG);
	load_pipe(json, false, 0);
	free(json);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_each_key),
	    cmocka_unit_test(reads_services),
	    cmocka_unit_test(defaults_and_arguments),
	    cmocka_unit_test(accepts_edges),
	    cmocka_unit_test(argument_faults),
	    cmocka_unit_test(syntax_faults),
	    cmocka_unit_test(top_faults),
	    cmocka_unit_test(node_faults),
	    cmocka_unit_test(address_faults),
	    cmocka_unit_test(service_faults),
	    cmocka_unit_test(backend_faults),
	    cmocka_unit_test(names_first_duplicate),
	    cmocka_unit_test(truncated_anywhere),
	    cmocka_unit_test(overwritten_anywhere),
	    cmocka_unit_test(survives_no_memory),
	    cmocka_unit_test(large_mesh_is_fast),
	    cmocka_unit_test(counts_are_bounded),
	    cmocka_unit_test(total_backends_are_bounded),
	    cmocka_unit_test(lists_are_bounded),
	    cmocka_unit_test(nul_bytes_are_refused),
	    cmocka_unit_test(greedy_documents_are_refused),
	    cmocka_unit_test_setup_teardown(loads_files, make_folder, remove_folder),
	    cmocka_unit_test(file_faults),
	    cmocka_unit_test(pipes_are_bounded),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
