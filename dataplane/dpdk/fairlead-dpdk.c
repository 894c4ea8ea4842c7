// SPDX-License-Identifier: BSD-2-Clause
/*
 * fairlead-dpdk: takes a node's published traffic in by DPDK, beside the kernel. It reads the tables
 * that the xdp driver keeps in the kernel, and keeps nothing that would be missed: killed, the kernel's
 * XDP program goes on with the next frame.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "../xdp/uplink.h"
#include "cores.h"
#include "dataplane.h"
#include "device.h"
#include "resolve.h"
#include "state.h"
#include "steer_limits.h"
#include "telemetry.h"
#include "worker.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "afxdp.skel.h"
#pragma GCC diagnostic pop

enum {
	CPUS_MAX = 1024,
	FRAGMENTS = 4096,
	EMPTY_POLLS = 64, /* before an lcore sleeps, if it may */
	EAL_ARGUMENTS_MAX = 64,
};

static const char usage[] =
    "Usage: fairlead-dpdk --uplink INTERFACE [options]\n"
    "\n"
    "Takes published traffic in by DPDK, beside the kernel (fairleadd --dataplane dpdk starts it).\n"
    "\n"
    "      --uplink NAME     interface towards clients and nodes\n"
    "      --cores LIST      CPUs that forward: 1,3 (one on the card's NUMA node); they share the queues\n"
    "      --queues N        of the device (AF_XDP: all that the uplink has; else one for each core).\n"
    "                        Where cores are more than queues, some receive for the others\n"
    "      --device ARGS     another device than AF_XDP on the uplink, as EAL's --vdev or --allow\n"
    "                        take it: net_af_packet0,iface=eth0 or 0000:01:00.0\n"
    "      --kernel ARGS     with --device: a device whose other end is the kernel's, for all that is not\n"
    "                        taken: net_tap0,iface=fl0. That interface then is the --uplink, and its\n"
    "                        MTU the device's\n"
    "      --huge            hugepages (without: ordinary memory)\n"
    "      --memory MIB      memory for frames (512)\n"
    "      --idle USECONDS   an lcore without frames sleeps so long (0: it never sleeps)\n"
    "      --eal ARGS        more arguments for EAL, separated by spaces\n"
    "      --pin-dir DIR     where the data plane is pinned (" DP_PIN_DIR ")\n"
    "      --run-dir DIR     where its state is kept (/run/fairlead)\n"
    "      --version, --help\n";

/* In memory of its CPU's NUMA node. */
struct lcore {
	struct worker worker;
	uint32_t number;
	struct program *program;
} __rte_cache_aligned;

struct queue_lock {
	rte_spinlock_t lock;
} __rte_cache_aligned;

struct program {
	const char *uplink_name, *cores, *device_arguments, *kernel, *memory, *pin_dir, *run_dir;
	char *eal;
	bool huge;
	uint32_t idle_us;
	struct uplink uplink;
	struct dp_view *view;
	struct dpdk_state state;
	struct next_hops *next_hops;
	struct fragments *fragments;
	struct resolver *resolver;
	int node; /* the device's NUMA node */
	struct device device;
	struct spread spread;
	struct queue_lock tx_locks[DPDK_LCORES_MAX], kernel_locks[DPDK_LCORES_MAX];
	struct core cpu[DPDK_LCORES_MAX];
	uint32_t lcore_count;
	uint16_t queues;
	struct lcore *lcores[DPDK_LCORES_MAX];
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("fairlead-dpdk: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -1;
}

/* Those that were named, or one near the device. */
static int pick_cores(struct program *p)
{
	struct core all[CPUS_MAX];
	uint32_t count = cores_available("/sys", all, CPUS_MAX);
	struct error error;
	int named;

	p->node = cores_device_node("/sys", p->device_arguments, p->uplink_name);
	if (!count)
		return complain("there is no CPU for us");
	p->cpu[0] = cores_choose(all, count, p->node);
	p->lcore_count = 1;
	if (!p->cores)
		return 0;
	named = cores_parse(p->cores, all, count, p->cpu, DPDK_LCORES_MAX, &error);
	if (named < 0)
		return complain("--cores %s", error.message);
	p->lcore_count = (uint32_t)named;
	for (uint32_t i = 0; i < p->lcore_count; i++)
		if (cores_is_far(p->cpu[i], p->node))
			complain(
			    "CPU %u is on NUMA node %d and the device on %d: each frame crosses "
			    "between them; name CPUs of node %d with --cores",
			    p->cpu[i].cpu, p->cpu[i].node, p->node, p->node);
	return 0;
}

/*
 * net_af_xdp loads our program itself and lets libbpf pin by its default path. So that its maps are
 * this node's, the folder where the driver pinned them is mounted there, in a mount namespace of
 * our own.
 */
static int prepare_afxdp(const struct program *p, char *object, size_t size)
{
	char pins[PATH_MAX];
	const void *elf;
	size_t length;
	FILE *f;

	snprintf(pins, sizeof(pins), "%s/dpdk", p->pin_dir);
	if (access(pins, F_OK))
		return complain("no %s; start fairleadd --dataplane dpdk first", pins);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(pins, "/sys/fs/bpf", NULL, MS_BIND, NULL))
		return complain("cannot mount %s: %s", pins, strerror(errno));
	snprintf(object, size, "%s/afxdp.bpf.o", p->run_dir);
	elf = fl_afxdp__elf_bytes(&length);
	f = fopen(object, "we");
	if (!f || fwrite(elf, 1, length, f) != length || fclose(f))
		return complain("cannot write %s: %s", object, strerror(errno));
	return 0;
}

/* EAL's arguments; those that are made here are never freed, because EAL keeps them. */
static int start_eal(struct program *p)
{
	char *arguments[EAL_ARGUMENTS_MAX], lcores[1024], *device = NULL, object[PATH_MAX];
	int n = 0, length;

	length = snprintf(lcores, sizeof(lcores), "0@(0-%ld)", sysconf(_SC_NPROCESSORS_CONF) - 1);
	for (uint32_t i = 0; i < p->lcore_count; i++)
		length += snprintf(lcores + length, sizeof(lcores) - (size_t)length, ",%u@%u",
				   i + 1, p->cpu[i].cpu);
	if (!p->device_arguments) {
		if (prepare_afxdp(p, object, sizeof(object)))
			return -1;
		if (asprintf(&device,
			     "net_af_xdp0,iface=%s,start_queue=0,queue_count=%u,xdp_prog=%s",
			     p->uplink_name, p->queues, object) < 0)
			return complain("out of memory");
	}
	arguments[n++] = (char *)"fairlead-dpdk";
	arguments[n++] = (char *)"--lcores";
	arguments[n++] = strdup(lcores);
	arguments[n++] = (char *)"--main-lcore";
	arguments[n++] = (char *)"0";
	arguments[n++] = (char *)"-m";
	arguments[n++] = (char *)p->memory;
	arguments[n++] =
	    (char *)"--file-prefix=fairlead"; /* one a host; a dead one's is taken over */
	arguments[n++] = (char *)(p->huge ? "--in-memory" : "--no-huge");
	if (device || strchr(p->device_arguments, ',')) {
		arguments[n++] = (char *)"--no-pci";
		arguments[n++] = (char *)"--vdev";
	} else {
		arguments[n++] = (char *)"--allow";
	}
	arguments[n++] = device ? device : (char *)p->device_arguments;
	if (p->kernel) {
		arguments[n++] = (char *)"--vdev";
		arguments[n++] = (char *)p->kernel;
	}
	for (char *word = p->eal ? strtok(p->eal, " ") : NULL; word && n < EAL_ARGUMENTS_MAX - 1;
	     word = strtok(NULL, " "))
		arguments[n++] = word;
	arguments[n] = NULL;
	return rte_eal_init(n, arguments) < 0
		   ? complain("EAL does not start: %s", rte_strerror(rte_errno))
		   : 0;
}

/*
 * AF_XDP beside the kernel gets no frame over FL_STEER_LENGTH; a device of its own gets what the
 * wire carries, and net_tap, when it takes its interface over, has set that one's MTU to 1500.
 */
static int start_device(struct program *p)
{
	struct device_want want = {.name =
				       p->device_arguments ? p->device_arguments : p->uplink_name,
				   .kernel = p->kernel,
				   .queues = p->queues,
				   .lcores = (uint16_t)p->lcore_count,
				   .mtu = p->uplink.mtu,
				   .node = p->node};
	struct error error = {0};
	int err;

	if (!p->device_arguments)
		want.mtu = RTE_MIN(want.mtu, (uint32_t)(FL_STEER_LENGTH - RTE_ETHER_HDR_LEN));
	if (device_start(&want, &p->device, &error))
		return complain("%s", error.message);
	if (p->kernel && p->device.kernel_mtu < p->device.mtu)
		complain("--kernel %s takes %u bytes at the most: longer packets for this node "
			 "itself, and for "
			 "tasks on it, are lost",
			 p->kernel, p->device.kernel_mtu);
	err = p->kernel ? uplink_set_mtu(p->uplink_name, p->uplink.mtu) : 0;
	return err ? complain("%s: cannot set MTU %u: %s", p->uplink_name, p->uplink.mtu,
			      strerror(-err))
		   : 0;
}

static void ask(void *context, uint32_t addr_be, struct rte_mbuf *frame)
{
	struct lcore *l = context;

	resolver_ask(l->program->resolver, l->number, addr_be, frame);
}

static unsigned int send_ready(struct lcore *l)
{
	struct rte_mbuf *frames[FORWARD_BURST];
	unsigned int count = resolver_ready(l->program->resolver, l->number, frames, FORWARD_BURST);

	if (count)
		worker_send(&l->worker, l->worker.uplink, l->worker.tx_queue, frames,
			    (uint16_t)count);
	return count;
}

static int run_lcore(void *context)
{
	struct lcore *l = context;
	struct dpdk_shared *shared = l->program->state.shared;
	const struct timespec idle = {.tv_nsec = (long)l->program->idle_us * 1000};
	uint32_t empty = 0;

	dpdk_state_quiet(shared, l->number);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* online before the first look at a table */
	while (!stopping) {
		uint32_t count = worker_poll(&l->worker, FORWARD_BURST);

		count += send_ready(l);
		dpdk_state_quiet(shared, l->number);
		empty = count ? 0 : empty + 1;
		if (idle.tv_nsec && empty > EMPTY_POLLS)
			nanosleep(&idle, NULL);
	}
	worker_stop(&l->worker); /* nobody waits for it to read next hops */
	dpdk_state_offline(shared, l->number);
	return 0;
}

/* Who receives from which queues, decides on what and sends by which. */
static void place_worker(struct program *p, struct worker *w, uint16_t i)
{
	const struct device *d = &p->device;
	uint16_t receivers = d->plan.receivers;

	w->lcore = i;
	w->uplink = d->port;
	w->sums = d->sums;
	w->queue = i;
	w->stride = receivers;
	w->queues = i < receivers ? d->queues : 0;
	w->tx_queue = i % d->tx_queues;
	w->kernel = d->kernel_port;
	if (p->kernel) {
		w->kernel_queue = i % d->kernel_queues;
		w->from_kernel = i < d->kernel_queues;
		if (d->kernel_queues < p->lcore_count)
			w->kernel_lock = &p->kernel_locks[w->kernel_queue].lock;
	}
	if (!d->plan.workers)
		return;
	if (d->tx_queues < p->lcore_count)
		w->tx_lock = &p->tx_locks[w->tx_queue].lock;
	if (i < receivers)
		w->spread = &p->spread;
	else
		w->share = p->spread.rings[i - receivers];
}

static int start_lcore(struct program *p, uint16_t i)
{
	struct lcore *l =
	    rte_zmalloc_socket("lcore", sizeof(*l), RTE_CACHE_LINE_SIZE, p->cpu[i].node);

	if (!l)
		l = rte_zmalloc("lcore", sizeof(*l), RTE_CACHE_LINE_SIZE);
	if (!l)
		return complain("out of memory; give it more with --memory");
	p->lcores[i] = l;
	l->number = i;
	l->program = p;
	place_worker(p, &l->worker, i);
	l->worker.forwarder.ask = ask;
	l->worker.forwarder.ask_context = l;
	worker_start(&l->worker, dp_view_tables(p->view), dpdk_state_counters(&p->state, i),
		     p->next_hops, p->fragments);
	return rte_eal_remote_launch(run_lcore, l, i + 1U)
		   ? complain("lcore %u does not start", i + 1U)
		   : 0;
}

static int start_lcores(struct program *p)
{
	int nodes[DPDK_LCORES_MAX];

	for (uint32_t i = 0; i < p->lcore_count; i++)
		nodes[i] = p->cpu[i].node;
	p->next_hops = next_hops_open(RESOLVE_KNOWN_MAX);
	p->fragments = fragments_open(FRAGMENTS);
	if (p->next_hops)
		p->resolver = resolver_open(p->next_hops, p->uplink.ifindex, p->uplink.mac,
					    p->lcore_count, nodes);
	if (!p->resolver || !p->fragments ||
	    spread_open(&p->spread, p->device.plan, nodes + p->device.plan.receivers))
		return complain("out of memory; give it more with --memory");
	for (uint16_t i = 0; i < p->lcore_count; i++)
		if (start_lcore(p, i))
			return -1;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct dpdk_shared *shared,
						      const char *format, ...)
{
	size_t size = sizeof(shared->description), length = strnlen(shared->description, size - 1);
	va_list args;

	va_start(args, format);
	vsnprintf(shared->description + length, size - length, format, args);
	va_end(args);
}

static void describe(struct program *p)
{
	struct dpdk_shared *shared = p->state.shared;
	const struct device *d = &p->device;
	uint16_t receivers = d->plan.workers ? d->plan.receivers : 0;

	say(shared, "%s, %u queue%s%s, ", p->device_arguments ? p->device_arguments : "AF_XDP",
	    d->queues, d->queues == 1 ? "" : "s", d->rss ? " by RSS" : "");
	for (uint32_t i = 0; i < p->lcore_count; i++) {
		shared->cpu[i] = p->cpu[i].cpu;
		say(shared, "%s%u",
		    !i               ? "CPU "
		    : i == receivers ? " receiving for CPU "
				     : ",",
		    p->cpu[i].cpu);
	}
	say(shared, ", MTU %u, %s", d->mtu, p->huge ? "hugepages" : "no hugepages");
	__atomic_store_n(&shared->running, 1, __ATOMIC_RELEASE);
}

static int run(struct program *p)
{
	char path[PATH_MAX];
	struct error error;
	int err;

	err = uplink_read(p->uplink_name, &p->uplink);
	if (err)
		return complain("uplink %s: %s", p->uplink_name, strerror(-err));
	if (!p->queues && !p->device_arguments) /* what comes by others stays the kernel's */
		p->queues = (uint16_t)p->uplink.xsk_queues;
	if (!p->device_arguments && p->queues > FL_STEER_QUEUES)
		return complain("%s has %u queues, %d are the most; set fewer with ethtool -L",
				p->uplink_name, p->queues, FL_STEER_QUEUES);
	if (dp_view_open(p->pin_dir, p->run_dir, &p->view, &error))
		return complain("%s", error.message);
	snprintf(path, sizeof(path), "%s/dpdk.state", p->run_dir);
	if (dpdk_state_create(path, p->lcore_count, dp_view_tables(p->view)->backend_count,
			      &p->state, &error))
		return complain("%s", error.message);
	if (start_eal(p))
		return -1;
	if (start_device(p) || start_lcores(p)) {
		stopping = 1;
	} else {
		telemetry_start(&p->state, p->resolver);
		describe(p);
		fprintf(stderr, "fairlead-dpdk: %s on %s\n", p->state.shared->description,
			p->uplink_name);
		while (!stopping)
			resolver_work(p->resolver, 100);
		err = 0;
	}
	rte_eal_mp_wait_lcore();
	spread_close(&p->spread);
	device_stop(&p->device);
	return p->state.shared->running ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"uplink", required_argument, NULL, 'u'},  {"cores", required_argument, NULL, 'c'},
	    {"device", required_argument, NULL, 'd'},  {"huge", no_argument, NULL, 'H'},
	    {"memory", required_argument, NULL, 'm'},  {"idle", required_argument, NULL, 'i'},
	    {"kernel", required_argument, NULL, 'k'},  {"queues", required_argument, NULL, 'q'},
	    {"eal", required_argument, NULL, 'e'},     {"pin-dir", required_argument, NULL, 'p'},
	    {"run-dir", required_argument, NULL, 'r'}, {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},          {0},
	};
	static struct program p = {
	    .device = {.port = WORKER_NO_PORT, .kernel_port = WORKER_NO_PORT},
	    .memory = "512",
	    .pin_dir = DP_PIN_DIR,
	    .run_dir = DP_RUN_DIR,
	};
	struct sigaction action = {.sa_handler = on_signal};
	int option;

	setlinebuf(stderr);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'u':
			p.uplink_name = optarg;
			break;
		case 'c':
			p.cores = optarg;
			break;
		case 'd':
			p.device_arguments = optarg;
			break;
		case 'k':
			p.kernel = optarg;
			break;
		case 'q':
			p.queues = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'H':
			p.huge = true;
			break;
		case 'm':
			p.memory = optarg;
			break;
		case 'i':
			p.idle_us = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'e':
			p.eal = optarg;
			break;
		case 'p':
			p.pin_dir = optarg;
			break;
		case 'r':
			p.run_dir = optarg;
			break;
		case 'v':
			puts("fairlead-dpdk " FL_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs("See 'fairlead-dpdk --help'.\n", stderr);
			return 2;
		}
	}
	if (!p.uplink_name || optind < argc) {
		complain("%s",
			 p.uplink_name ? "too many arguments" : "--uplink INTERFACE is required");
		fputs("See 'fairlead-dpdk --help'.\n", stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (p.kernel && !p.device_arguments) {
		complain(
		    "--kernel goes with --device; AF_XDP leaves the rest to the kernel by itself");
		return 2;
	}
	return pick_cores(&p) || run(&p) ? 1 : 0;
}
