// SPDX-License-Identifier: BSD-2-Clause
#include "attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if FL_HAVE_LIBXDP
#include <xdp/libxdp.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "probe.skel.h"
#pragma GCC diagnostic pop

enum {
	TC_HANDLE = 0xf1,
	TC_PRIORITY = 0xf1,
	DISPATCHER_PRIORITY = 20, /* before libxdp's default of 50 */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

bool attach_probe_dispatcher(void)
{
#if FL_HAVE_LIBXDP
	libbpf_print_fn_t print = libbpf_set_print(quiet);
	struct fl_probe *target = fl_probe__open();
	struct fl_probe *extension = fl_probe__open();
	bool allowed = false;

	if (target && extension) {
		bpf_program__set_autoload(target->progs.fl_probe_ext, false);
		bpf_program__set_autoload(extension->progs.fl_probe_target, false);
		bpf_program__set_autoload(extension->progs.fl_probe_jiffies, false);
		if (!fl_probe__load(target) &&
		    !bpf_program__set_attach_target(extension->progs.fl_probe_ext,
						    bpf_program__fd(target->progs.fl_probe_target),
						    "fl_probe_slot"))
			allowed = !fl_probe__load(extension);
	}
	fl_probe__destroy(extension);
	fl_probe__destroy(target);
	libbpf_set_print(print);
	return allowed;
#else
	return false;
#endif
}

static uint64_t jiffies_now(int prog_fd)
{
	uint64_t data[8] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = sizeof(data),
		    .data_out = data, .data_size_out = sizeof(data), .repeat = 1);

	return bpf_prog_test_run_opts(prog_fd, &opts) ? 0 : data[0];
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint64_t attach_probe_jiffies(unsigned int *hz)
{
	static const unsigned int usual[] = {100, 250, 300, 1000};
	struct fl_probe *probe = fl_probe__open();
	struct timespec pause = {.tv_nsec = 60 * 1000 * 1000};
	uint64_t first = 0;

	*hz = 0;
	if (!probe)
		return 0;
	bpf_program__set_autoload(probe->progs.fl_probe_ext, false);
	if (!fl_probe__load(probe)) {
		int fd = bpf_program__fd(probe->progs.fl_probe_jiffies);
		double start = seconds_now(), rate;

		first = jiffies_now(fd);
		nanosleep(&pause, NULL);
		rate = (double)(jiffies_now(fd) - first) / (seconds_now() - start);
		for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
			if (rate > usual[i] * 0.8 && rate < usual[i] * 1.15)
				*hz = usual[i];
		/* 250 and 300 overlap: the nearer one. */
		if (*hz == 300 && rate < 275)
			*hz = 250;
	}
	fl_probe__destroy(probe);
	return first;
}

static int link_path(char *path, size_t size, const char *pin_dir)
{
	return snprintf(path, size, "%s/xdp", pin_dir) >= (int)size ? -ENAMETOOLONG : 0;
}

bool attach_has_link(const char *pin_dir)
{
	char path[PATH_MAX];

	return !link_path(path, sizeof(path), pin_dir) && !access(path, F_OK);
}

/* The interface of a pinned link, 0 if it is gone (the link outlives its device). */
static unsigned int link_ifindex(int link_fd)
{
	struct bpf_link_info info = {0};
	uint32_t length = sizeof(info);

	return bpf_obj_get_info_by_fd(link_fd, &info, &length) ? 0 : info.xdp.ifindex;
}

int attach_xdp_link(const char *pin_dir, unsigned int ifindex, int prog_fd, struct error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	char path[PATH_MAX];
	int fd, err = link_path(path, sizeof(path), pin_dir);

	if (err)
		return error_set(error, err, "path too long: %s", pin_dir);
	fd = bpf_obj_get(path);
	if (fd >= 0 && link_ifindex(fd) == ifindex) {
		err = bpf_link_update(fd, prog_fd, NULL) ? -errno : 0;
		close(fd);
		return err ? error_set(error, err, "cannot replace the XDP program: %s",
				       strerror(-err))
			   : 0;
	}
	if (fd >= 0) { /* of an interface that is gone, or of another uplink */
		close(fd);
		unlink(path);
	}
	fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EINVAL)) {
		opts.flags = XDP_FLAGS_SKB_MODE; /* a driver without XDP: slower, but it works */
		fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);
	}
	if (fd < 0)
		return error_set(error, -errno,
				 errno == EBUSY
				     ? "another XDP program is on the uplink (%s); remove it, or use "
				       "a kernel that allows libxdp's dispatcher"
				     : "cannot attach XDP to the uplink: %s",
				 strerror(errno));
	err = bpf_obj_pin(fd, path) ? -errno : 0;
	close(fd);
	return err ? error_set(error, err, "cannot pin %s: %s", path, strerror(-err)) : 0;
}

#if FL_HAVE_LIBXDP
/* Ours that hangs in the interface's dispatcher since before, or NULL. */
static struct xdp_program *dispatcher_find(struct xdp_multiprog *all, const char *name)
{
	struct xdp_program *p = NULL;

	while ((p = xdp_multiprog__next_prog(p, all)))
		if (!strcmp(xdp_program__name(p), name))
			return p;
	return NULL;
}

int attach_xdp_dispatcher(struct bpf_object *object, const char *program, unsigned int ifindex,
			  struct error *error)
{
	struct xdp_multiprog *before = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *mine = xdp_program__from_bpf_obj(object, "xdp.frags"), *old = NULL;
	int err = (int)libxdp_get_error(mine);

	if (err)
		return error_set(error, err, "libxdp cannot use %s: %s", program, strerror(-err));
	xdp_program__set_run_prio(mine, DISPATCHER_PRIORITY);
	xdp_program__set_chain_call_enabled(mine, XDP_PASS, true);
	if (!libxdp_get_error(before))
		old = dispatcher_find(before, program);
	/* New first: for a moment both run, and what the first handles the second never sees. */
	err = xdp_program__attach(mine, (int)ifindex, XDP_MODE_NATIVE, 0);
	if (!err && old)
		xdp_program__detach(old, (int)ifindex, XDP_MODE_NATIVE, 0);
	if (!libxdp_get_error(before))
		xdp_multiprog__close(before);
	return err ? error_set(error, err, "libxdp cannot attach %s: %s", program, strerror(-err))
		   : 0;
}

static void dispatcher_remove(unsigned int ifindex)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *mine;

	if (libxdp_get_error(all))
		return;
	mine = xdp_multiprog__is_legacy(all) ? NULL : dispatcher_find(all, "fl_uplink");
	if (mine)
		xdp_program__detach(mine, (int)ifindex, xdp_multiprog__attach_mode(all), 0);
	xdp_multiprog__close(all);
}
#else
int attach_xdp_dispatcher(struct bpf_object *object, const char *program, unsigned int ifindex,
			  struct error *error)
{
	(void)object;
	(void)program;
	(void)ifindex;
	return error_set(error, -EOPNOTSUPP, "built without libxdp");
}
static void dispatcher_remove(unsigned int ifindex)
{
	(void)ifindex;
}
#endif

static bool is_named(uint32_t prog_id, const char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool same = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length))
		same = !strcmp(info.name, name);
	close(fd);
	return same;
}

static int pinned(char *path, size_t size, const char *pin_dir, const char *name, struct error *error)
{
	if (snprintf(path, size, "%s/dpdk%s%s", pin_dir, *name ? "/" : "", name) >= (int)size)
		return error_set(error, -ENAMETOOLONG, "path too long: %s", pin_dir);
	return 0;
}

int attach_sockets_map(struct bpf_map *map, struct bpf_program *program, const char *pin_dir, bool steer,
		       struct error *error)
{
	char path[PATH_MAX];
	int err = bpf_program__set_autoload(program, steer);

	if (err || !steer)
		return err;
	err = pinned(path, sizeof(path), pin_dir, "", error);
	if (!err && mkdir(path, 0700) && errno != EEXIST)
		err = error_set(error, -errno, "cannot make %s: %s", path, strerror(errno));
	if (!err)
		err = pinned(path, sizeof(path), pin_dir, "xsks_map", error);
	return err ? err : bpf_map__set_pin_path(map, path);
}

int attach_jump(const char *pin_dir, int prog_fd, struct error *error)
{
	uint32_t first = 0;
	char path[PATH_MAX];
	int fd, err = pinned(path, sizeof(path), pin_dir, "fl_jump", error);

	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "fl_jump", sizeof(uint32_t),
				    sizeof(uint32_t), 1, NULL);
		if (fd < 0 || bpf_obj_pin(fd, path))
			err = -errno;
	}
	if (!err && bpf_map_update_elem(fd, &first, &prog_fd, BPF_ANY))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err ? error_set(error, err, "cannot pin %s: %s", path, strerror(-err)) : 0;
}

void attach_remove_jump(const char *pin_dir)
{
	static const char *const names[] = {"fl_jump", "xsks_map", ""};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!pinned(path, sizeof(path), pin_dir, names[i], NULL))
			remove(path);
}

void attach_remove_link(const char *pin_dir)
{
	char path[PATH_MAX];
	int fd;

	if (link_path(path, sizeof(path), pin_dir))
		return;
	fd = bpf_obj_get(path);
	if (fd >= 0) {
		bpf_link_detach(fd);
		close(fd);
	}
	unlink(path);
}

void attach_remove_afxdp(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return;
	if (query.drv_prog_id && is_named(query.drv_prog_id, "fl_afxdp"))
		bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL);
	if (query.skb_prog_id && is_named(query.skb_prog_id, "fl_afxdp"))
		bpf_xdp_detach((int)ifindex, XDP_FLAGS_SKB_MODE, NULL);
}

int attach_tc(unsigned int ifindex, int prog_fd, struct error *error)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	libbpf_print_fn_t print = libbpf_set_print(quiet); /* "already exists" is no news */
	int err = bpf_tc_hook_create(&hook);

	libbpf_set_print(print);
	if (err && err != -EEXIST)
		return error_set(error, err, "cannot add clsact to interface %u: %s", ifindex,
				 strerror(-err));
	err = bpf_tc_attach(&hook, &opts);
	return err ? error_set(error, err, "cannot attach tc to interface %u: %s", ifindex,
			       strerror(-err))
		   : 0;
}

/* Is the program with this id one of ours? Others may have taken our handle. */
static bool is_ours(uint32_t prog_id)
{
	return is_named(prog_id, "fl_task") || is_named(prog_id, "fl_uplink_skb");
}

static void tc_remove(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	if (bpf_tc_query(&hook, &opts) || !is_ours(opts.prog_id))
		return;
	opts.prog_fd = 0;
	opts.prog_id = 0;
	opts.flags = 0;
	bpf_tc_detach(&hook, &opts);
}

int attach_remove_all(const char *pin_dir, struct error *error)
{
	libbpf_print_fn_t print = libbpf_set_print(quiet);
	struct if_nameindex *all = if_nameindex();

	if (!all) {
		libbpf_set_print(print);
		return error_set(error, -errno, "cannot list interfaces: %s", strerror(errno));
	}
	/* The uplink first: what it delivers must find its way back until it stops. */
	attach_remove_link(pin_dir);
	for (const struct if_nameindex *i = all; i->if_index; i++)
		attach_remove_afxdp(i->if_index);
	for (const struct if_nameindex *i = all; i->if_index; i++)
		dispatcher_remove(i->if_index);
	for (const struct if_nameindex *i = all; i->if_index; i++)
		tc_remove(i->if_index);
	if_freenameindex(all);
	libbpf_set_print(print);
	return 0;
}
