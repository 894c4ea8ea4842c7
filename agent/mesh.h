/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_MESH_H
#define FL_MESH_H
/*
 * The static mesh: what `fairleadd --static mesh.json` reads.
 *
 *   {
 *     "node": "host1",                      which node this is; --node NAME comes first
 *     "uplink": "eth0",                     --uplink NAME comes first
 *     "vni": 4096, "vxlan_port": 4789,      optional
 *     "key": "32 hex digits",               flow hash secret: the same on each node
 *     "vips": ["192.0.2.10"],               optional: addresses that every node answers on
 *     "nodes": [
 *       {"name": "host1", "vtep": "10.99.0.1",
 *        "addresses": ["10.99.0.1"]}        optional, default: the VTEP
 *     ],
 *     "services": [
 *       {"name": "web",
 *        "ports": [{"published": 8000, "target": 80, "protocol": "tcp"}],   protocol: default tcp
 *        "return": "symmetric",             or "dsr"; default symmetric
 *        "ring_size": 65537,                optional: 1 or a prime; default by number of backends
 *        "backends": [
 *          {"node": "host1", "address": "10.1.1.2",
 *           "mac": "02:42:0a:01:01:02",     optional, default: 02:42 and the address, as docker does
 *           "interface": "veth-web1",       host side of the task's veth; needed on the task's node
 *           "gateway": "10.1.1.1",          optional: the task's next hop, ARP for it is answered
 *           "weight": 1, "state": "active"} weight 1..65535, state active | drain | down
 *        ]}
 *     ],
 *     "limits": {"flows": 1048576, "slots": 16777216, "backends": 65536}  optional
 *   }
 *
 * A mesh is a value: parse it, look at it, free it. One thread at a time.
 */
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

enum {
	MESH_FILE_BYTES_MAX = 64 << 20,
	MESH_NODES_MAX = 4096,
	MESH_NAME_MAX = 64, /* with the final 0; [A-Za-z0-9][A-Za-z0-9_.-]* */
	MESH_SERVICES_MAX = 65535,
	MESH_VNI_DEFAULT = 4096,
	MESH_VXLAN_PORT_DEFAULT = 4789,
};

enum mesh_state { MESH_ACTIVE, MESH_DRAIN, MESH_DOWN };

struct mesh_node {
	char name[MESH_NAME_MAX];
	struct in_addr vtep;
	struct in_addr *addresses;
	uint32_t address_count;
};

struct mesh_backend {
	uint32_t node; /* index into nodes */
	struct in_addr address;
	uint8_t mac[ETH_ALEN];
	char interface[IF_NAMESIZE]; /* "" where not given */
	struct in_addr gateway;      /* 0 where not given */
	uint16_t weight;
	enum mesh_state state;
};

struct mesh_port {
	uint16_t published, target; /* host byte order */
	uint8_t protocol;           /* IPPROTO_TCP, IPPROTO_UDP */
};

struct mesh_service {
	char name[MESH_NAME_MAX];
	struct mesh_port *ports;
	uint32_t port_count;
	struct mesh_backend *backends;
	uint32_t backend_count;
	bool dsr;
	uint32_t ring_size; /* 0: by number of backends */
};

struct mesh {
	uint32_t self; /* index into nodes */
	char uplink[IF_NAMESIZE];
	uint32_t vni;
	uint16_t vxlan_port;
	uint8_t key[16];
	struct in_addr *vips;
	uint32_t vip_count;
	struct mesh_node *nodes;
	uint32_t node_count;
	struct mesh_service *services;
	uint32_t service_count;
	uint64_t flows_max, slots_max, backends_max; /* 0: default */
};

/*
 * Reads and checks the whole file. node and uplink (either may be NULL) come before what the file
 * says. Returns 0 and a mesh that mesh_free frees, or a negative errno and an error that names the
 * place in the file ("services[2].backends[0].weight: ...") and the cure; *mesh is then untouched.
 * Whatever the bytes are, no more than MESH_FILE_BYTES_MAX of them are read.
 */
int mesh_load(const char *path, const char *node, const char *uplink, struct mesh **mesh,
	      struct error *error);
/* The same for bytes in memory; name stands for the file in messages. */
int mesh_parse(const char *bytes, size_t length, const char *name, const char *node,
	       const char *uplink, struct mesh **mesh, struct error *error);
void mesh_free(struct mesh *mesh);
#endif
