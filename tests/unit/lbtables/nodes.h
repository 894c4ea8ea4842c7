/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_NODES_H
#define FL_TEST_NODES_H
/*
 * Nodes of a small mesh, their tables filled in by hand (not by tables.c, which has its own tests):
 *
 *   client 203.0.113.7 ---- node 0 .. 3: 192.0.2.10+n, VTEP 10.9.0.10+n, virtual IP 198.51.100.80
 *                                 `-- task t: 10.255.n.t, MAC 02:00:00:ff:n:t, veth 100 n + t
 *
 * Every node lists every backend at the same index: BACKEND(n, t).
 */
#include <assert.h>
#include <stdlib.h>

#include "lb_host.h"

#include "packets.h"

enum {
	NODES = 4,
	NODE_TASKS = 3, /* per node, ids 1 to 3 */
	NODE_RING_MAX = 16,
	NODE_RINGS = 48,
	NODE_BACKENDS = 64,
	NODE_INDEX_BUCKETS = 64,
	NODE_VNI = 4096,
	NODE_MTU = 1500,
	NODE_INNER_MTU = 1450,
	VIA_VIP = 16, /* via ids: 1 + n, and 16 + n for the virtual IP */
};
#define CLIENT             IP4(203, 0, 113, 7)
#define VIP                IP4(198, 51, 100, 80)
#define NODE_ADDR(n)       IP4(192, 0, 2, 10 + (n))
#define NODE_VTEP(n)       IP4(10, 9, 0, 10 + (n))
#define TASK_ADDR(n, t)    IP4(10, 255, (n), (t))
#define TASK_GATEWAY(n)    IP4(10, 255, (n), 254)
#define TASK_IFINDEX(n, t) (100U * (n) + (t))
#define BACKEND(n, t)      (8U + 4U * (n) + (t))
#define BE32(x)            __builtin_bswap32(x)
#define BE16(x)            __builtin_bswap16((uint16_t)(x))

struct node {
	unsigned int self;
	struct lb_tables tables;
	struct lb_env env;
};

/* MAC addresses by name; the caller's array. */
static inline const uint8_t *task_mac(uint8_t mac[6], unsigned int node, unsigned int task)
{
	const uint8_t m[6] = {0x02, 0, 0, 0xff, (uint8_t)node, (uint8_t)task};

	return memcpy(mac, m, 6);
}
static inline const uint8_t *gateway_mac(uint8_t mac[6], unsigned int node)
{
	const uint8_t m[6] = {0x02, 0, 0, 0xfe, (uint8_t)node, 0xfe};

	return memcpy(mac, m, 6);
}
/* lb_types.h: 0x0a, kind, VTEP. */
static inline const uint8_t *mesh_mac(uint8_t mac[6], uint8_t kind, uint32_t vtep)
{
	mac[0] = 0x0a;
	mac[1] = kind;
	put32(mac + 2, vtep);
	return mac;
}
/* 0x0e, generations that were asked, VTEP. */
static inline const uint8_t *asked_mac(uint8_t mac[6], uint8_t asked, uint32_t vtep)
{
	mac[0] = 0x0e;
	mac[1] = asked;
	put32(mac + 2, vtep);
	return mac;
}

static inline void node_index(struct node *n, uint64_t key, enum lb_index_kind kind, uint32_t value)
{
	struct lb_index_bucket *bucket =
	    &n->tables.index[lb_index_bucket_of(n->tables.config, key)];

	for (int i = 0; i < LB_WAYS; i++)
		if (bucket->way[i].kind == LB_INDEX_EMPTY) {
			bucket->way[i] = (struct lb_index_entry){key, (uint32_t)kind, value};
			return;
		}
	abort(); /* full */
}
static inline uint64_t mac_key(const uint8_t *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac, 6);
	return key;
}

static inline void node_task(struct node *n, uint32_t id, uint32_t addr, const uint8_t *mac,
			     uint32_t ifindex)
{
	struct lb_task *task = &n->tables.tasks[id];

	task->addr_be = BE32(addr);
	task->ifindex = ifindex;
	memcpy(task->mac, mac, 6);
	gateway_mac(task->gateway_mac, n->self);
	task->gateway_be = BE32(TASK_GATEWAY(n->self));
	task->mtu = NODE_INNER_MTU;
	node_index(n, mac_key(mac), LB_INDEX_TASK_MAC, id);
	node_index(n, task->addr_be, LB_INDEX_TASK_ADDR, id);
}
static inline void node_via(struct node *n, uint32_t id, uint32_t addr, uint32_t vtep)
{
	n->tables.vias[id] = (struct lb_via){BE32(addr), BE32(vtep)};
	node_index(n, (uint64_t)BE32(vtep) << 32 | BE32(addr), LB_INDEX_VIA, id);
}

/* The task of that node as a backend: local here, remote elsewhere. */
static inline void node_backend(struct node *n, unsigned int where, uint32_t task)
{
	union lb_backend *b = &n->tables.backends[BACKEND(where, task)];
	const uint8_t next_hop[6] = {0x02, 0, 0, 0, 1, (uint8_t)where};

	memset(b, 0, sizeof(*b));
	if (where == n->self) {
		b->local.task = task;
		b->local.kind = LB_BACKEND_LOCAL;
		task_mac(b->t.inner_dst, where, task);
		return;
	}
	lb_make_outer(b, n->tables.config, BE32(NODE_VTEP(where)));
	memcpy(b->t.dst, next_hop, 6);
	memcpy(b->t.src, packet_mac_node, 6);
	task_mac(b->t.inner_dst, where, task);
	mesh_mac(b->t.inner_src, LB_MAC_ENTRY, NODE_VTEP(n->self));
}
/* From remote to what a driver makes of it. */
static inline void node_backend_kind(struct node *n, uint32_t index, enum lb_backend_kind kind)
{
	n->tables.backends[index].local.outer_type_be = 0;
	n->tables.backends[index].local.kind = (uint8_t)kind;
}

/* A ring of count slots that name backends by index; prev: the generation before it, 0 none. */
static inline void node_ring(struct node *n, uint32_t id, uint32_t prev, const uint32_t *backends,
			     uint32_t count)
{
	struct lb_ring *ring = &n->tables.rings[id];

	assert(count <= NODE_RING_MAX && id < NODE_RINGS);
	memset(ring, 0, sizeof(*ring));
	ring->slots = id * NODE_RING_MAX;
	ring->size = count;
	ring->backend_count = NODE_BACKENDS;
	ring->prev = prev;
	ring->generation = 1 + n->tables.rings[prev].generation;
	for (uint32_t i = 0; i < count; i++)
		n->tables.slots[ring->slots + i] = (uint16_t)backends[i];
}
static inline void node_ring1(struct node *n, uint32_t id, uint32_t prev, uint32_t backend)
{
	node_ring(n, id, prev, &backend, 1);
}
static inline void node_port(struct node *n, uint16_t port, bool udp, uint32_t ring,
			     uint16_t target, uint8_t flags)
{
	n->tables.ports[(uint32_t)udp << 16 | port] =
	    (struct lb_port){.ring = ring, .target_port_be = BE16(target), .flags = flags};
}

static inline void node_config(struct node *n)
{
	struct lb_config *c = n->tables.config;

	c->addrs_be[0] = BE32(NODE_ADDR(n->self));
	c->addrs_be[1] = BE32(VIP);
	c->addrs_be[2] = BE32(NODE_VTEP(n->self));
	c->vtep_be = BE32(NODE_VTEP(n->self));
	c->vni_be = BE32((uint32_t)NODE_VNI << 8);
	c->vxlan_port_be = BE16(4789);
	c->inner_mtu = NODE_INNER_MTU;
	c->uplink_mtu = NODE_MTU;
	c->key[0] = 0x0123456789abcdefULL;
	c->key[1] = 0xfedcba9876543210ULL;
	c->table_key = 0x9e3779b97f4a7c15ULL ^ (uint64_t)n->self << 8;
	c->flow_mask = n->tables.flow_buckets - 1;
	c->index_mask = n->tables.index_buckets - 1;
	c->ticks_closed = 10;
	c->ticks_new = 100;
	c->ticks_udp = 50;
}

/* A node with its own tasks and everybody's vias and backends; no service yet. */
static inline void node_start(struct node *n, unsigned int self, uint32_t flow_buckets)
{
	uint8_t mac[6];

	memset(n, 0, sizeof(*n));
	n->self = self;
	n->tables.ring_count = NODE_RINGS;
	n->tables.slot_count = NODE_RINGS * NODE_RING_MAX;
	n->tables.backend_count = NODE_BACKENDS;
	n->tables.index_buckets = NODE_INDEX_BUCKETS;
	n->tables.flow_buckets = flow_buckets;
	if (lb_tables_alloc(&n->tables))
		abort();
	n->env.tables = &n->tables;
	n->env.ticks = 1000;
	node_config(n);
	for (uint32_t t = 1; t <= NODE_TASKS; t++)
		node_task(n, t, TASK_ADDR(self, t), task_mac(mac, self, t), TASK_IFINDEX(self, t));
	for (uint32_t i = 0; i < NODES; i++) {
		node_via(n, 1 + i, NODE_ADDR(i), NODE_VTEP(i));
		node_via(n, VIA_VIP + i, VIP, NODE_VTEP(i));
		for (uint32_t t = 1; t <= NODE_TASKS; t++)
			node_backend(n, i, t);
	}
}
static inline void node_stop(struct node *n)
{
	lb_tables_free(&n->tables);
}

/* A frame through the node; p becomes what would go out. */
static inline struct lb_verdict node_uplink(struct node *n, struct packet *p)
{
	struct lb_host_frame f = {
	    .bytes = p->bytes, .head = p->head, .length = p->length, .size = sizeof(p->bytes)};
	struct lb_verdict v;

	lb_host_uplink(&n->env, &f, &v);
	p->head = f.head;
	p->length = f.length;
	return v;
}
static inline struct lb_verdict node_from_task(struct node *n, struct packet *p, uint32_t ifindex)
{
	struct lb_host_frame f = {
	    .bytes = p->bytes, .head = p->head, .length = p->length, .size = sizeof(p->bytes)};
	struct lb_verdict v;

	lb_host_task(&n->env, &f, ifindex, &v);
	p->head = f.head;
	p->length = f.length;
	return v;
}
#endif
