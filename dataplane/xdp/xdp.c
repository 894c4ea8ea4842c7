// SPDX-License-Identifier: BSD-2-Clause
/*
 * The xdp driver. What it needs to go on after a crash is in the kernel: maps, the XDP link and tc
 * filters are pinned or hang on their interface. open() finds them again, replaces the programs by
 * those of this build in one step each, and apply() changes what differs.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "dataplane.h"
#include "lb_backend.h"
#include "maps.h"
#include "ring.h"
#include "uplink.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "tc.skel.h"
#include "xdp.skel.h"
#pragma GCC diagnostic pop

struct dataplane {
	struct uplink uplink;
	char uplink_name[IF_NAMESIZE];
	char pin_dir[PATH_MAX / 2];
	char description[256];
	struct fl_xdp *xdp;
	struct fl_tc *tc;
	enum xdp_mode mode;
	struct xdp_maps maps;
	struct tables *tables;
	struct neighbours *neighbours;
	struct in_addr *peers;
	uint32_t peer_count;
	unsigned int hz;
	uint32_t missing; /* interfaces that the last apply did not find */
};

/* BPF programs run under RCU; so does membarrier's global command, whose end is a grace period. */
static void grace(void *context)
{
	(void)context;
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static void backend_moved(void *context, uint32_t from, uint32_t to)
{
	struct dataplane *dp = context;
	struct lb_backend_counters counters = {0};

	if (from != UINT32_MAX)
		xdp_maps_sum(&dp->maps, XDP_MAP_BACKEND_STATS, from, &counters, sizeof(counters));
	xdp_maps_store(&dp->maps, XDP_MAP_BACKEND_STATS, to, &counters, sizeof(counters));
}

/* Folders for the pins, on a BPF file system that somebody mounted. */
static int make_pin_dir(const char *pin_dir, struct error *error)
{
	char path[PATH_MAX];
	struct statfs fs;
	char *slash;

	snprintf(path, sizeof(path), "%s", pin_dir);
	slash = strrchr(path, '/');
	if (!slash || slash == path)
		return error_set(error, -EINVAL, "%s is no folder on a BPF file system", pin_dir);
	*slash = 0;
	if (statfs(path, &fs) || fs.f_type != BPF_FS_MAGIC)
		return error_set(error, -ENODEV,
				 "%s is not a BPF file system; mount one: mount -t bpf bpf %s", path,
				 path);
	if (mkdir(pin_dir, 0700) && errno != EEXIST)
		return error_set(error, -errno, "cannot make %s: %s", pin_dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/maps", pin_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return error_set(error, -errno, "cannot make %s: %s", path, strerror(errno));
	return 0;
}

static uint32_t power_of_two(uint64_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1U << 30)
		p *= 2;
	return p;
}

/* Entries that a new map gets; an old one keeps its own. 0: as the object says. */
static uint32_t map_entries(const struct dp_options *o, const char *pin_dir, enum xdp_map map)
{
	uint32_t pinned = xdp_maps_pinned_size(pin_dir, map);

	if (pinned)
		return pinned;
	switch (map) {
	case XDP_MAP_FLOWS:
		return o->flows ? power_of_two((o->flows + LB_WAYS - 1) / LB_WAYS) : 0;
	case XDP_MAP_SLOTS:
		return (uint32_t)((o->slots + 3) / 4);
	case XDP_MAP_BACKENDS:
	case XDP_MAP_BACKEND_STATS:
		return (uint32_t)o->backends;
	default:
		return 0;
	}
}

static int prepare_maps(struct bpf_object *object, const struct dp_options *o, const char *pin_dir)
{
	char path[PATH_MAX];

	for (int i = 0; i < XDP_MAP_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, xdp_map_names[i]);
		uint32_t entries = map_entries(o, pin_dir, (enum xdp_map)i);
		int err;

		if (!map)
			continue;
		snprintf(path, sizeof(path), "%s/maps/%s", pin_dir, xdp_map_names[i]);
		err = bpf_map__set_pin_path(map, path);
		if (!err && entries)
			err = bpf_map__set_max_entries(map, entries);
		if (err)
			return err;
	}
	return 0;
}

static int load_error(struct error *error, int err, const char *pin_dir)
{
	if (err == -EINVAL || err == -EEXIST)
		return error_set(error, err,
				 "the tables pinned under %s are of another version; remove them "
				 "with: fairlead detach",
				 pin_dir);
	return error_set(error, err, "the kernel refuses the BPF programs: %s", strerror(-err));
}

static int load_programs(struct dataplane *dp, const struct dp_options *o, struct error *error)
{
	int err;

	dp->xdp = fl_xdp__open();
	dp->tc = fl_tc__open();
	if (!dp->xdp || !dp->tc)
		return error_set(error, -errno, "cannot open the BPF objects: %s", strerror(errno));
	err = prepare_maps(dp->xdp->obj, o, dp->pin_dir);
	if (!err)
		err = prepare_maps(dp->tc->obj, o, dp->pin_dir);
	if (err)
		return load_error(error, err, dp->pin_dir);
	dp->mode = XDP_ATTACH_LINK;
	if (!attach_has_link(dp->pin_dir) && attach_probe_dispatcher())
		dp->mode = XDP_ATTACH_DISPATCHER;
	if (dp->mode == XDP_ATTACH_DISPATCHER)
		return attach_xdp_dispatcher(dp->xdp->obj, "fl_uplink", dp->uplink.ifindex, error);
	err = fl_xdp__load(dp->xdp);
	if (err)
		return load_error(error, err, dp->pin_dir);
	return 0;
}

static int attach_programs(struct dataplane *dp, struct error *error)
{
	int err = fl_tc__load(dp->tc);

	if (err)
		return load_error(error, err, dp->pin_dir);
	err = attach_tc(dp->uplink.ifindex, bpf_program__fd(dp->tc->progs.fl_uplink_skb), error);
	if (err || dp->mode == XDP_ATTACH_DISPATCHER)
		return err;
	return attach_xdp_link(dp->pin_dir, dp->uplink.ifindex,
			       bpf_program__fd(dp->xdp->progs.fl_uplink), error);
}

static void xdp_close(struct dataplane *dp)
{
	if (!dp)
		return;
	tables_close(dp->tables);
	xdp_maps_close(&dp->maps);
	neighbours_close(dp->neighbours);
	fl_xdp__destroy(dp->xdp);
	fl_tc__destroy(dp->tc);
	free(dp->peers);
	free(dp);
}

static int open_tables(struct dataplane *dp, struct error *error)
{
	int err = xdp_maps_open(&dp->maps, dp->pin_dir, 1, error);

	if (err)
		return err;
	err = tables_open(&dp->maps.tables, grace, dp, &dp->tables);
	if (err)
		return error_set(error, err,
				 "the tables pinned under %s contradict themselves; remove them with: "
				 "fairlead detach",
				 dp->pin_dir);
	tables_on_move(dp->tables, backend_moved);
	dp->neighbours = neighbours_open();
	if (!dp->neighbours)
		return error_set(error, -errno, "cannot open a netlink socket: %s", strerror(errno));
	attach_probe_jiffies(&dp->hz);
	if (!dp->hz)
		dp->hz = 250;
	return 0;
}

static int xdp_open(const struct dp_options *o, struct dataplane **out, struct error *error)
{
	const char *pin_dir = o->pin_dir ? o->pin_dir : DP_PIN_DIR;
	struct dataplane *dp;
	int err;

	if (!o->uplink || !*o->uplink)
		return error_set(error, -EINVAL, "no uplink; name it with --uplink or \"uplink\"");
	if (strlen(pin_dir) >= sizeof(dp->pin_dir))
		return error_set(error, -ENAMETOOLONG, "path too long: %s", pin_dir);
	err = make_pin_dir(pin_dir, error);
	if (err)
		return err;
	dp = calloc(1, sizeof(*dp));
	if (!dp)
		return error_set(error, -ENOMEM, "out of memory");
	for (int i = 0; i < XDP_MAP_COUNT; i++)
		dp->maps.fd[i] = -1;
	snprintf(dp->pin_dir, sizeof(dp->pin_dir), "%s", pin_dir);
	snprintf(dp->uplink_name, sizeof(dp->uplink_name), "%s", o->uplink);
	err = uplink_read(o->uplink, &dp->uplink);
	if (err)
		error_set(error, err, "uplink %s: %s", o->uplink, strerror(-err));
	if (!err)
		err = load_programs(dp, o, error);
	if (!err)
		err = open_tables(dp, error);
	if (!err)
		err = attach_programs(dp, error);
	if (err) {
		xdp_close(dp);
		return err;
	}
	snprintf(dp->description, sizeof(dp->description), "xdp on %s, %s, MTU %u", dp->uplink_name,
		 dp->mode == XDP_ATTACH_DISPATCHER ? "through libxdp's dispatcher" : "alone",
		 dp->uplink.mtu);
	*out = dp;
	return 0;
}

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
	c->flags = dp->uplink.virtual_link ? LB_CONFIG_TX_REDIRECT : 0;
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
	int err = backends && ports ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < s->backend_count && !err; i++) {
		const struct dp_backend *b = &s->backends[i];

		memcpy(backends[i].mac, b->mac, 6);
		backends[i].vtep_be = b->vtep.s_addr;
		backends[i].task = b->local ? task_list_find(l, b->address.s_addr) : 0;
		backends[i].down = is_gone(b) || (b->local && !backends[i].task);
		backends[i].weight = b->state == DP_ACTIVE ? b->weight : 0;
	}
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

static void set_next_hops(struct dataplane *dp)
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
	set_next_hops(dp);
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

static int xdp_apply(struct dataplane *dp, const struct dp_mesh *mesh, struct dp_applied *applied,
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
	if (err) {
		if (error)
			error->code = err;
		return err;
	}
	*applied = done;
	return 0;
}

static int xdp_fd(const struct dataplane *dp)
{
	return neighbours_fd(dp->neighbours);
}

static bool xdp_work(struct dataplane *dp)
{
	bool heard = neighbours_heard(dp->neighbours);
	struct uplink now;

	/* Asking keeps the kernel's entries fresh, so once a second even if nothing was heard. */
	set_next_hops(dp);
	if (!uplink_read(dp->uplink_name, &now) &&
	    (now.mtu != dp->uplink.mtu || memcmp(now.mac, dp->uplink.mac, 6)))
		return true;
	return heard && dp->missing;
}

static const char *xdp_describe(const struct dataplane *dp)
{
	return dp->description;
}

static int xdp_detach(const char *pin_dir, struct error *error)
{
	char path[PATH_MAX];
	int err;

	if (!pin_dir)
		pin_dir = DP_PIN_DIR;
	err = attach_remove_all(pin_dir, error);
	if (err)
		return err;
	for (int i = 0; i < XDP_MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/maps/%s", pin_dir, xdp_map_names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/maps", pin_dir);
	rmdir(path);
	rmdir(pin_dir);
	return 0;
}

const struct dataplane_ops dataplane_xdp = {
    .name = "xdp",
    .open = xdp_open,
    .apply = xdp_apply,
    .fd = xdp_fd,
    .work = xdp_work,
    .describe = xdp_describe,
    .close = xdp_close,
    .detach = xdp_detach,
};
