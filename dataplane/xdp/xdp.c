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

#include "../dpdk/driver.h"
#include "xdp.h"

/* BPF programs run under RCU; so does membarrier's global command, whose end is a grace period. */
static void grace(void *context)
{
	struct dataplane *dp = context;

	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	if (dp->hooks.grace)
		dp->hooks.grace(dp->hooks.context);
}

static void backend_moved(void *context, uint32_t from, uint32_t to)
{
	struct dataplane *dp = context;
	struct lb_backend_counters counters = {0};

	if (from != UINT32_MAX)
		xdp_maps_sum(&dp->maps, XDP_MAP_BACKEND_STATS, from, &counters, sizeof(counters));
	xdp_maps_store(&dp->maps, XDP_MAP_BACKEND_STATS, to, &counters, sizeof(counters));
	if (dp->hooks.moved)
		dp->hooks.moved(dp->hooks.context, from, to);
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
	dp->mode = dp->hooks.steer ? XDP_ATTACH_JUMP : XDP_ATTACH_LINK;
	err = attach_sockets_map(dp->xdp->maps.xsks_map, dp->xdp->progs.fl_uplink_steer, dp->pin_dir,
				 dp->hooks.steer, error);
	if (err)
		return err;
	if (dp->mode == XDP_ATTACH_LINK && !attach_has_link(dp->pin_dir) && attach_probe_dispatcher())
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
	if (dp->mode == XDP_ATTACH_JUMP)
		return attach_jump(dp->pin_dir, bpf_program__fd(dp->xdp->progs.fl_uplink_steer), error);
	return xdp_attach_plain(dp, error);
}

int xdp_attach_plain(struct dataplane *dp, struct error *error)
{
	attach_remove_afxdp(dp->uplink.ifindex);
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
	reserve_published_ports(&dp->maps.tables, dp->reserved); /* what the daemon before us reserved */
	dp->neighbours = neighbours_open();
	if (!dp->neighbours)
		return error_set(error, -errno, "cannot open a netlink socket: %s", strerror(errno));
	attach_probe_jiffies(&dp->hz);
	if (!dp->hz)
		dp->hz = 250;
	return 0;
}

int xdp_open_with(const struct dp_options *o, const struct xdp_hooks *hooks,
		  struct dataplane **out, struct error *error)
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
	if (hooks)
		dp->hooks = *hooks;
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
		 dp->mode == XDP_ATTACH_DISPATCHER ? "through libxdp's dispatcher"
		 : dp->mode == XDP_ATTACH_JUMP	   ? "beside fairlead-dpdk"
						   : "alone",
		 dp->uplink.mtu);
	*out = dp;
	return 0;
}

static int xdp_open(const struct dp_options *o, struct dataplane **out, struct error *error)
{
	int err = xdp_open_with(o, NULL, out, error);

	if (!err) /* of a daemon before us that ran the other driver */
		dpdk_stop(o->run_dir ? o->run_dir : DP_RUN_DIR);
	return err;
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
	xdp_set_next_hops(dp);
	if (!uplink_read(dp->uplink_name, &now) &&
	    (now.mtu != dp->uplink.mtu || memcmp(now.mac, dp->uplink.mac, 6)))
		return true;
	return heard && dp->missing;
}

static const char *xdp_describe(const struct dataplane *dp)
{
	return dp->description;
}

/* Gives back the local ports that the pinned tables publish. */
static void unreserve(const char *pin_dir)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));
	uint64_t none[RESERVE_WORDS] = {0};

	if (!dp)
		return;
	if (!xdp_maps_open(&dp->maps, pin_dir, 0, NULL)) {
		reserve_published_ports(&dp->maps.tables, dp->reserved);
		reserve_ports(dp->reserved, none, NULL);
		xdp_maps_close(&dp->maps);
	}
	free(dp);
}

static int xdp_detach(const char *pin_dir, const char *run_dir, struct error *error)
{
	char path[PATH_MAX];
	int err;

	(void)run_dir;
	if (!pin_dir)
		pin_dir = DP_PIN_DIR;
	err = attach_remove_all(pin_dir, error);
	if (err)
		return err;
	unreserve(pin_dir);
	for (int i = 0; i < XDP_MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/maps/%s", pin_dir, xdp_map_names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/maps", pin_dir);
	rmdir(path);
	attach_remove_jump(pin_dir);
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
