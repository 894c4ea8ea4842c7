// SPDX-License-Identifier: BSD-2-Clause
/* From a mesh to tables, attached tasks and next hops: the order in which things change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb_backend.h"
#include "ring.h"
#include "xdp.h"

/* The node's part of the tables. */
static void make_config(const struct dataplane *dp, const struct dp_mesh *mesh,
			struct lb_config *c)
{
	/* A tick is 256 jiffies. */
	uint32_t per_minute = dp->hz * 60 / 256;

	memset(c, 0, sizeof(*c));
	for (uint32_t i = 0; i < mesh->address_count; i++)
		c->addrs_be[i] = mesh->addresses[i].s_addr;
	c->vtep_be = mesh->vtep.s_addr;
	c->vni_be = htonl(mesh->vni << 8);
	c->vxlan_port_be = htons(mesh->vxlan_port);
	c->uplink_mtu = (uint16_t)(dp->uplink.mtu > UINT16_MAX ? UINT16_MAX : dp->uplink.mtu);
	c->inner_mtu = (uint16_t)(c->uplink_mtu - LB_OUTER_LEN);
	c->flags = LB_CONFIG_DELIVER_GRO;
	if (dp->uplink.virtual_link)
		c->flags |= LB_CONFIG_TX_REDIRECT;
	memcpy(c->key, mesh->key, sizeof(c->key));
	c->ticks_closed = per_minute; /* TIME-WAIT is 60 s on Linux */
	c->ticks_new = per_minute;    /* five SYN retransmissions */
	c->ticks_udp = per_minute * 3;
	c->uplink_ifindex = dp->uplink.ifindex;
}

/* Packets towards clients are forwarded packets to bpf_fib_lookup. */
static int allow_forwarding(const struct dataplane *dp, struct error *error)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", dp->uplink_name);
	f = fopen(path, "we");
	if (!f || fputs("1\n", f) < 0 || fclose(f))
		return error_set(error, -errno, "cannot write 1 to %s: %s", path, strerror(errno));
	return 0;
}

static int reserve_published(struct dataplane *dp, struct error *error)
{
	uint64_t wanted[RESERVE_WORDS];

	reserve_published_ports(&dp->maps.tables, wanted);
	return reserve_ports(dp->reserved, wanted, error);
}

static bool is_gone(const struct dp_backend *b)
{
	return b->state == DP_DOWN;
}

/* A task's side of a local backend. False: its interface is not there. */
static bool task_of(const struct dataplane *dp, const struct dp_backend *b, struct lb_task *task)
{
	struct uplink veth;

	if (!b->interface || uplink_read(b->interface, &veth))
		return false;
	memset(task, 0, sizeof(*task));
	task->addr_be = b->address.s_addr;
	task->ifindex = veth.ifindex;
	memcpy(task->mac, b->mac, 6);
	memcpy(task->gateway_mac, veth.mac, 6);
	task->gateway_be = b->gateway.s_addr;
	task->mtu = (uint16_t)(dp->uplink.mtu - LB_OUTER_LEN);
	return true;
}

struct task_list {
	struct lb_task *task;
	uint32_t *id;
	uint32_t count, size;
};

static void task_list_free(struct task_list *l)
{
	free(l->task);
	free(l->id);
}

static int task_list_add(struct task_list *l, const struct lb_task *task)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (l->task[i].addr_be == task->addr_be)
			return 0;
	if (l->count == l->size) {
		uint32_t size = l->size ? l->size * 2 : 64;
		struct lb_task *tasks = realloc(l->task, size * sizeof(*tasks));
		uint32_t *ids;

		if (!tasks)
			return -ENOMEM;
		l->task = tasks;
		ids = realloc(l->id, size * sizeof(*ids));
		if (!ids)
			return -ENOMEM;
		l->id = ids;
		l->size = size;
	}
	l->task[l->count++] = *task;
	return 0;
}

static uint32_t task_list_find(const struct task_list *l, uint32_t addr_be)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (l->task[i].addr_be == addr_be)
			return l->id[i];
	return 0;
}

static int collect_tasks(struct dataplane *dp, const struct dp_mesh *mesh, struct task_list *l)
{
	dp->missing = 0;
	for (uint32_t s = 0; s < mesh->service_count; s++)
		for (uint32_t b = 0; b < mesh->services[s].backend_count; b++) {
			const struct dp_backend *backend = &mesh->services[s].backends[b];
			struct lb_task task;
			int err;

			if (!backend->local || is_gone(backend))
				continue;
			if (!task_of(dp, backend, &task)) {
				dp->missing++;
				continue;
			}
			err = task_list_add(l, &task);
			if (err)
				return err;
		}
	return 0;
}

/* New tasks come before the services that use them, old ones go after: until then both are there. */
static int set_tasks_with_old(struct dataplane *dp, const struct task_list *new)
{
	struct task_list all = {0};
	int err = 0;

	for (uint32_t i = 0; i < new->count && !err; i++)
		err = task_list_add(&all, &new->task[i]);
	for (uint32_t id = 1; id < LB_TASKS_MAX && !err; id++)
		if (dp->maps.tables.tasks[id].addr_be)
			err = task_list_add(&all, &dp->maps.tables.tasks[id]);
	if (!err)
		err = tables_set_tasks(dp->tables, all.task, all.count, all.id);
	for (uint32_t i = 0; i < new->count && !err; i++)
		new->id[i] = all.id[i];
	task_list_free(&all);
	return err;
}

static int attach_tasks(struct dataplane *dp, const struct task_list *l, struct error *error)
{
	for (uint32_t i = 0; i < l->count; i++) {
		int err = attach_tc(l->task[i].ifindex, bpf_program__fd(dp->tc->progs.fl_task), error);

		if (err)
			return err;
	}
	return 0;
}

static int set_service(struct dataplane *dp, const struct dp_service *s, const struct task_list *l,
		       uint64_t *keep, struct dp_applied *applied)
{
	struct tables_backend *backends = calloc(s->backend_count + 1, sizeof(*backends));
	struct tables_port *ports = calloc(s->port_count + 1, sizeof(*ports));
	struct tables_service service = {
	    .name = (uint32_t)ring_name(s->name, strlen(s->name)),
	    .ports = ports,
	    .port_count = s->port_count,
	    .backends = backends,
	    .backend_count = s->backend_count,
	    .ring_size = s->ring_size,
	    .flags = s->dsr ? LB_PORT_DSR : 0,
	};
	uint32_t moved = 0;
	bool here = false;
	int err = backends && ports ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < s->backend_count && !err; i++) {
		const struct dp_backend *b = &s->backends[i];

		memcpy(backends[i].mac, b->mac, 6);
		backends[i].vtep_be = b->vtep.s_addr;
		backends[i].task = b->local ? task_list_find(l, b->address.s_addr) : 0;
		backends[i].down = is_gone(b) || (b->local && !backends[i].task);
		backends[i].weight = b->state == DP_ACTIVE ? b->weight : 0;
		here = here || (b->local && !is_gone(b));
	}
	if (dp->hooks.steer && !here)
		service.flags |= LB_PORT_STEER;
	for (uint32_t i = 0; i < s->port_count && !err; i++) {
		const struct dp_port *p = &s->ports[i];

		ports[i].index = lb_port_index(htons(p->published), p->protocol == IPPROTO_UDP);
		ports[i].target_port_be = htons(p->target);
		keep[ports[i].index / 64] |= 1ULL << (ports[i].index % 64);
	}
	if (!err)
		err = tables_set_service(dp->tables, &service, &moved);
	applied->slots_moved += moved;
	applied->generations += moved != 0;
	applied->services++;
	applied->ports += s->port_count;
	applied->backends += s->backend_count;
	free(backends);
	free(ports);
	return err;
}

void xdp_set_next_hops(struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->peer_count; i++) {
		uint8_t mac[6];
		int err = neighbours_resolve(dp->neighbours, dp->peers[i], dp->uplink.ifindex, mac);

		tables_set_next_hop(dp->tables, dp->peers[i].s_addr, err ? NULL : mac,
				    dp->uplink.mac);
	}
}

static int set_peers(struct dataplane *dp, const struct dp_mesh *mesh)
{
	struct in_addr *peers = calloc(mesh->peer_count + 1, sizeof(*peers));

	if (!peers)
		return -ENOMEM;
	memcpy(peers, mesh->peers, mesh->peer_count * sizeof(*peers));
	free(dp->peers);
	dp->peers = peers;
	dp->peer_count = mesh->peer_count;
	xdp_set_next_hops(dp);
	return 0;
}

static int set_services(struct dataplane *dp, const struct dp_mesh *mesh, const struct task_list *l,
			struct dp_applied *applied, struct error *error)
{
	uint64_t *keep = calloc(LB_PORTS_MAX / 64, sizeof(*keep));
	int err = keep ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < mesh->service_count && !err; i++) {
		err = set_service(dp, &mesh->services[i], l, keep, applied);
		if (err)
			error_set(error, err,
				  "service %s does not fit into the tables (%s); raise \"limits\" and "
				  "start anew after: fairlead detach",
				  mesh->services[i].name, strerror(-err));
	}
	if (!err)
		err = tables_keep_ports(dp->tables, keep);
	free(keep);
	return err;
}

int xdp_apply(struct dataplane *dp, const struct dp_mesh *mesh, struct dp_applied *applied,
	      struct error *error)
{
	struct dp_applied done = {0};
	struct task_list tasks = {0};
	struct lb_config config;
	int err;

	if (mesh->address_count > LB_ADDRS_MAX)
		return error_set(error, -EINVAL, "more than %d own addresses and VIPs", LB_ADDRS_MAX);
	if (uplink_read(dp->uplink_name, &dp->uplink))
		return error_set(error, -ENODEV, "uplink %s is gone", dp->uplink_name);
	if (dp->uplink.mtu < LB_MTU_MIN + LB_OUTER_LEN)
		return error_set(error, -EINVAL, "uplink %s has an MTU of %u; %u is the least",
				 dp->uplink_name, dp->uplink.mtu, LB_MTU_MIN + LB_OUTER_LEN);
	err = allow_forwarding(dp, error);
	if (err)
		return err;
	error_set(error, 0, "out of memory or room in the tables");
	make_config(dp, mesh, &config);
	err = tables_set_config(dp->tables, &config);
	if (!err)
		err = tables_set_vias(dp->tables, mesh->vias, mesh->via_count);
	if (!err)
		err = collect_tasks(dp, mesh, &tasks);
	if (!err)
		err = set_tasks_with_old(dp, &tasks);
	if (!err)
		err = attach_tasks(dp, &tasks, error);
	if (!err)
		err = set_peers(dp, mesh);
	if (!err)
		err = set_services(dp, mesh, &tasks, &done, error);
	if (!err)
		err = tables_set_tasks(dp->tables, tasks.task, tasks.count, tasks.id);
	task_list_free(&tasks);
	if (!err)
		err = reserve_published(dp, error);
	if (err) {
		if (error)
			error->code = err;
		return err;
	}
	*applied = done;
	return 0;
}
