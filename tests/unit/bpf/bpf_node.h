/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_BPF_NODE_H
#define FL_TEST_BPF_NODE_H
/*
 * The BPF programs over tables of test size, run by BPF_PROG_TEST_RUN in a network namespace of
 * their own:
 *
 *   [ up0 192.0.2.10 ---- up1 ]   task1 task2 task3 (veths)
 *   default route via 192.0.2.1, whose neighbour entry is permanent
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "tc.skel.h"
#include "xdp.skel.h"
#pragma GCC diagnostic pop

#include "corpus.h"

struct bpf_node {
	struct fl_xdp *xdp;
	struct fl_tc *tc;
	struct lb_tables maps; /* mmapped */
	uint32_t uplink, task[NODE_TASKS + 1];
	int cpus;
	struct lb_reason_counters *per_cpu;
};

enum hook { HOOK_UPLINK, HOOK_TASK, HOOK_UPLINK_SKB, HOOKS };

struct bpf_run {
	uint8_t bytes[PACKET_HEAD + PACKET_MAX];
	uint32_t length;
	uint32_t retval;
};

static inline bool shell(const char *command)
{
	int rc = system(command);

	if (rc)
		fprintf(stderr, "# failed: %s\n", command);
	return !rc;
}

/* False where this is not permitted (not root, or a container without CAP_SYS_ADMIN). */
static inline bool bpf_node_namespace(void)
{
	int fd;

	if (geteuid() || unshare(CLONE_NEWNET))
		return false;
	fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return false;
	close(fd);
	return shell("ip link set lo up && ip link add up0 type veth peer name up1 && "
		     "ip link set up0 address 02:00:00:00:00:10 && ip link set up0 up && "
		     "ip link set up1 up && ip address add 192.0.2.10/24 dev up0 && "
		     "ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:fe dev up0 nud permanent && "
		     "ip route add default via 192.0.2.1 && for t in 1 2 3; do "
		     "ip link add task$t type veth peer name peer$t || exit 1; done");
}

static inline void bpf_node_size(struct fl_xdp *x)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, x->obj) bpf_map__set_pin_path(map, NULL);
	bpf_map__set_max_entries(x->maps.fl_rings, NODE_RINGS);
	bpf_map__set_max_entries(x->maps.fl_slots, NODE_RINGS * NODE_RING_MAX / 4);
	bpf_map__set_max_entries(x->maps.fl_backends, NODE_BACKENDS);
	bpf_map__set_max_entries(x->maps.fl_backend_stats, NODE_BACKENDS);
	bpf_map__set_max_entries(x->maps.fl_index, NODE_INDEX_BUCKETS);
	bpf_map__set_max_entries(x->maps.fl_flows, CORPUS_FLOW_BUCKETS);
}

static inline void *bpf_node_map(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *p = mmap(NULL, (size + page - 1) & ~(page - 1), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline bool bpf_node_maps(struct bpf_node *b)
{
	struct lb_tables *t = &b->maps;

	t->config = bpf_node_map(b->xdp->maps.fl_config);
	t->ports = bpf_node_map(b->xdp->maps.fl_ports);
	t->rings = bpf_node_map(b->xdp->maps.fl_rings);
	t->slots = bpf_node_map(b->xdp->maps.fl_slots);
	t->backends = bpf_node_map(b->xdp->maps.fl_backends);
	t->tasks = bpf_node_map(b->xdp->maps.fl_tasks);
	t->vias = bpf_node_map(b->xdp->maps.fl_vias);
	t->index = bpf_node_map(b->xdp->maps.fl_index);
	t->flows = bpf_node_map(b->xdp->maps.fl_flows);
	return t->config && t->ports && t->rings && t->slots && t->backends && t->tasks &&
	       t->vias && t->index && t->flows;
}

/* tc's maps are xdp's. */
static inline bool bpf_node_share(struct bpf_node *b)
{
	struct bpf_map *map, *shared;

	bpf_object__for_each_map(map, b->tc->obj)
	{
		bpf_map__set_pin_path(map, NULL);
		shared = bpf_object__find_map_by_name(b->xdp->obj, bpf_map__name(map));
		if (shared && bpf_map__reuse_fd(map, bpf_map__fd(shared)))
			return false;
	}
	return true;
}

/* test_run takes a veth's receive queue only while the veth has a program: one that passes all. */
static inline int bpf_node_attach(struct bpf_node *b)
{
	const struct bpf_insn pass[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	int err, fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "BSD", pass, 2, NULL);

	if (fd < 0)
		return fd;
	err = bpf_xdp_attach((int)b->uplink, fd, XDP_FLAGS_DRV_MODE, NULL);
	close(fd);
	return err;
}

/* 0, or a negative errno; -EPERM: bpf() is not permitted here. */
static inline int bpf_node_load(struct bpf_node *b)
{
	char name[16];
	int err;

	b->xdp = fl_xdp__open();
	b->tc = fl_tc__open();
	if (!b->xdp || !b->tc)
		return -ENOMEM;
	bpf_node_size(b->xdp);
	err = fl_xdp__load(b->xdp);
	if (err)
		return err;
	if (!bpf_node_share(b))
		return -EINVAL;
	err = fl_tc__load(b->tc);
	if (err)
		return err;
	if (!bpf_node_maps(b))
		return -ENOMEM;
	b->uplink = if_nametoindex("up0");
	for (uint32_t t = 1; t <= NODE_TASKS; t++) {
		snprintf(name, sizeof(name), "task%u", t);
		b->task[t] = if_nametoindex(name);
	}
	b->cpus = libbpf_num_possible_cpus();
	b->per_cpu = calloc((size_t)b->cpus, sizeof(*b->per_cpu));
	return bpf_node_attach(b);
}

static inline int bpf_node_run(const struct bpf_node *b, enum hook hook, uint32_t ifindex,
			       const struct packet *in, struct bpf_run *out)
{
	const struct bpf_program *program = hook == HOOK_UPLINK ? b->xdp->progs.fl_uplink
					    : hook == HOOK_TASK ? b->tc->progs.fl_task
								: b->tc->progs.fl_uplink_skb;
	struct xdp_md md = {.data_end = in->length, .ingress_ifindex = b->uplink};
	struct __sk_buff skb = {.ifindex = ifindex};
	struct bpf_test_run_opts opts = {
	    .sz = sizeof(opts),
	    .data_in = in->bytes + in->head,
	    .data_size_in = in->length,
	    .data_out = out->bytes,
	    .data_size_out = sizeof(out->bytes),
	    .repeat = 1,
	};
	int err;

	if (hook == HOOK_UPLINK) {
		opts.ctx_in = &md;
		opts.ctx_size_in = sizeof(md);
	} else {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	err = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
	out->length = opts.data_size_out;
	out->retval = opts.retval;
	return err;
}

/* Counters so far, over all CPUs. */
static inline void bpf_node_reasons(struct bpf_node *b, uint64_t out[LB_REASONS_MAX])
{
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(b->xdp->maps.fl_reasons), &zero, b->per_cpu))
		abort();
	memset(out, 0, sizeof(*out) * LB_REASONS_MAX);
	for (int cpu = 0; cpu < b->cpus; cpu++)
		for (int i = 0; i < LB_REASONS_MAX; i++)
			out[i] += b->per_cpu[cpu].packets[i];
}

/* The host's tables into the maps: all that a corpus node has. Flows are not touched. */
static inline void bpf_node_fill(struct bpf_node *b, const struct lb_tables *t)
{
	memcpy(b->maps.config, t->config, sizeof(*t->config));
	memcpy(b->maps.rings, t->rings, NODE_RINGS * sizeof(*t->rings));
	memcpy(b->maps.slots, t->slots, (size_t)t->slot_count * sizeof(*t->slots));
	memcpy(b->maps.backends, t->backends, NODE_BACKENDS * sizeof(*t->backends));
	memcpy(b->maps.tasks, t->tasks, (NODE_TASKS + 1) * sizeof(*t->tasks));
	memcpy(b->maps.vias, t->vias, (VIA_VIP + NODES) * sizeof(*t->vias));
	memcpy(b->maps.index, t->index, NODE_INDEX_BUCKETS * sizeof(*t->index));
	for (uint32_t udp = 0; udp < 2; udp++)
		memcpy(b->maps.ports + (udp << 16) + CORPUS_PORT,
		       t->ports + (udp << 16) + CORPUS_PORT, CORPUS_PORTS * sizeof(*t->ports));
	b->maps.ports[65536 + CORPUS_VXLAN_PORT] = t->ports[65536 + CORPUS_VXLAN_PORT];
}

static inline void bpf_node_stop(struct bpf_node *b)
{
	if (b->uplink)
		bpf_xdp_detach((int)b->uplink, XDP_FLAGS_DRV_MODE, NULL);
	free(b->per_cpu);
	fl_tc__destroy(b->tc);
	fl_xdp__destroy(b->xdp);
}
#endif
