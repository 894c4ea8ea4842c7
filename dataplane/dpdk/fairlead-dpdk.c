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
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_telemetry.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "../xdp/uplink.h"
#include "dataplane.h"
#include "lb_reason_text.h"
#include "resolve.h"
#include "state.h"
#include "steer_limits.h"
#include "worker.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "afxdp.skel.h"
#pragma GCC diagnostic pop

enum {
	FRAMES_A_QUEUE = 8191,
	DESCRIPTORS = 2048,
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
    "      --cores LIST      CPUs that forward: 1,3 (the last one); they share the queues\n"
    "      --queues N        of the device (AF_XDP: all that the uplink has; else one for each core)\n"
    "      --device ARGS     another device than AF_XDP on the uplink, as EAL's --vdev or --allow\n"
    "                        take it: net_af_packet0,iface=eth0 or 0000:01:00.0\n"
    "      --kernel ARGS     with --device: a device whose other end is the kernel's, for all that is not\n"
    "                        taken: net_tap0,iface=fl0. That interface then is the --uplink\n"
    "      --huge            hugepages (without: ordinary memory)\n"
    "      --memory MIB      memory for frames (512)\n"
    "      --idle USECONDS   an lcore without frames sleeps so long (0: it never sleeps)\n"
    "      --eal ARGS        more arguments for EAL, separated by spaces\n"
    "      --pin-dir DIR     where the data plane is pinned (" DP_PIN_DIR ")\n"
    "      --run-dir DIR     where its state is kept (/run/fairlead)\n"
    "      --version, --help\n";

struct lcore {
	struct worker worker;
	uint32_t number;
	struct program *program;
};

struct program {
	const char *uplink_name, *cores, *device, *kernel, *memory, *pin_dir, *run_dir;
	char *eal;
	bool huge;
	uint32_t idle_us;
	struct uplink uplink;
	struct dp_view *view;
	struct dpdk_state state;
	struct next_hops *next_hops;
	struct fragments *fragments;
	struct resolver *resolver;
	struct rte_mempool *pool;
	uint16_t port, kernel_port;
	uint32_t cpu[DPDK_LCORES_MAX], lcore_count;
	uint16_t queues;
	struct lcore lcores[DPDK_LCORES_MAX];
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

/* "1,3" or the last CPU that we may run on. */
static int parse_cores(struct program *p)
{
	const char *at = p->cores;
	cpu_set_t allowed;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	if (!at) {
		for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &allowed))
				p->cpu[0] = cpu;
		p->lcore_count = 1;
		return 0;
	}
	for (;;) {
		char *end;
		unsigned long cpu = strtoul(at, &end, 10);

		if (end == at || (*end && *end != ',') || cpu >= CPU_SETSIZE ||
		    p->lcore_count == DPDK_LCORES_MAX || p->lcore_count == FL_STEER_QUEUES)
			return complain("--cores %s: not a list of CPUs like 1,3", p->cores);
		if (!CPU_ISSET(cpu, &allowed))
			return complain("--cores %s: there is no CPU %lu for us", p->cores, cpu);
		p->cpu[p->lcore_count++] = (uint32_t)cpu;
		if (!*end)
			return 0;
		at = end + 1;
	}
}

/*
 * net_af_xdp loads our program itself and lets libbpf pin by its default path. So that its maps are this
 * node's, the folder where the driver pinned them is mounted there, in a mount namespace of our own.
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
		length += snprintf(lcores + length, sizeof(lcores) - (size_t)length, ",%u@%u", i + 1,
				   p->cpu[i]);
	if (!p->device) {
		if (prepare_afxdp(p, object, sizeof(object)))
			return -1;
		if (asprintf(&device, "net_af_xdp0,iface=%s,start_queue=0,queue_count=%u,xdp_prog=%s",
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
	arguments[n++] = (char *)"--file-prefix=fairlead"; /* one a host; a dead one's is taken over */
	arguments[n++] = (char *)(p->huge ? "--in-memory" : "--no-huge");
	if (device || strchr(p->device, ',')) {
		arguments[n++] = (char *)"--no-pci";
		arguments[n++] = (char *)"--vdev";
	} else {
		arguments[n++] = (char *)"--allow";
	}
	arguments[n++] = device ? device : (char *)p->device;
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

static int configure_port(struct program *p, uint16_t port, uint16_t rx_queues, uint16_t tx_queues,
			  const struct rte_eth_conf *conf)
{
	uint16_t descriptors = DESCRIPTORS, tx_descriptors = DESCRIPTORS;
	unsigned int socket = (unsigned int)rte_eth_dev_socket_id(port);
	int err = rte_eth_dev_configure(port, rx_queues, tx_queues, conf);

	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(port, &descriptors, &tx_descriptors);
	for (uint16_t q = 0; q < rx_queues && !err; q++)
		err = rte_eth_rx_queue_setup(port, q, descriptors, socket, NULL, p->pool);
	for (uint16_t q = 0; q < tx_queues && !err; q++)
		err = rte_eth_tx_queue_setup(port, q, tx_descriptors, socket, NULL);
	if (!err)
		err = rte_eth_dev_start(port);
	return err ? complain("device %u does not start: %s", port, rte_strerror(-err)) : 0;
}

/* The kernel's end: lcores send to it on queues of their own, the first one takes what it sends. */
static int start_kernel_port(struct program *p)
{
	struct rte_eth_conf conf = {0};
	char name[64];

	p->kernel_port = WORKER_NO_PORT;
	if (!p->kernel)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(p->kernel, ","), p->kernel);
	if (rte_eth_dev_get_port_by_name(name, &p->kernel_port))
		return complain("--kernel %s: no such device", p->kernel);
	return configure_port(p, p->kernel_port, (uint16_t)p->lcore_count, (uint16_t)p->lcore_count,
			      &conf);
}

static int start_port(struct program *p)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	uint16_t queues = p->queues;

	p->port = (uint16_t)rte_eth_find_next(0);
	if (p->port >= RTE_MAX_ETHPORTS || rte_eth_dev_info_get(p->port, &info))
		return complain("%s: no such device, or it does not start",
				p->device ? p->device : p->uplink_name);
	if (queues > info.max_rx_queues || queues > info.max_tx_queues)
		return complain("--queues %u: the device has %u", queues,
				 RTE_MIN(info.max_rx_queues, info.max_tx_queues));
	if (queues > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
		    info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
		if (!conf.rx_adv_conf.rss_conf.rss_hf)
			conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	}
	p->pool = rte_pktmbuf_pool_create("frames", FRAMES_A_QUEUE * p->queues, 250, 0,
					  RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!p->pool)
		return complain("no memory for frames: %s; give it more with --memory",
				rte_strerror(rte_errno));
	if (start_kernel_port(p))
		return -1;
	return configure_port(p, p->port, queues, queues, &conf);
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
		worker_send(&l->worker, l->worker.uplink, l->worker.queue, frames, (uint16_t)count);
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

static int start_lcores(struct program *p)
{
	const struct lb_tables *tables = dp_view_tables(p->view);

	p->next_hops = next_hops_open(RESOLVE_KNOWN_MAX);
	p->fragments = fragments_open(FRAGMENTS);
	if (p->next_hops)
		p->resolver = resolver_open(p->next_hops, p->uplink.ifindex, p->uplink.mac,
					    p->lcore_count);
	if (!p->resolver || !p->fragments)
		return complain("out of memory; give it more with --memory");
	for (uint32_t i = 0; i < p->lcore_count; i++) {
		struct lcore *l = &p->lcores[i];

		l->number = i;
		l->program = p;
		l->worker = (struct worker){
		    .uplink = p->port,
		    .kernel = p->kernel_port,
		    .kernel_queue = (uint16_t)i,
		    .from_kernel = p->kernel && !i,
		    .queue = (uint16_t)i,
		    .stride = (uint16_t)p->lcore_count,
		    .queues = p->queues,
		    .lcore = i};
		l->worker.forwarder.ask = ask;
		l->worker.forwarder.ask_context = l;
		worker_start(&l->worker, tables, dpdk_state_counters(&p->state, i), p->next_hops,
			     p->fragments);
		if (rte_eal_remote_launch(run_lcore, l, i + 1))
			return complain("lcore %u does not start", i + 1);
	}
	return 0;
}

/* DPDK's telemetry socket: what `fairlead dataplane show` and `fairlead counters` say, for its tools. */
static struct program *telemetry_program;

static int telemetry_frames(const char *command, const char *arguments, struct rte_tel_data *data)
{
	const struct program *p = telemetry_program;
	struct resolver_counters r = resolver_counters(p->resolver);
	uint64_t received = 0, sent = 0, to_kernel = 0, no_room = 0, not_sent = 0, waited = 0;

	(void)command, (void)arguments;
	for (uint32_t i = 0; i < p->lcore_count; i++) {
		const struct dpdk_counters *c = dpdk_state_counters(&p->state, i);

		received += c->received;
		sent += c->sent;
		to_kernel += c->to_kernel;
		no_room += c->no_room;
		not_sent += c->not_sent;
		waited += c->no_next_hop;
	}
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "received", received);
	rte_tel_data_add_dict_u64(data, "sent", sent);
	rte_tel_data_add_dict_u64(data, "to_kernel", to_kernel);
	rte_tel_data_add_dict_u64(data, "no_room", no_room);
	rte_tel_data_add_dict_u64(data, "not_sent", not_sent);
	rte_tel_data_add_dict_u64(data, "waited", waited);
	rte_tel_data_add_dict_u64(data, "resolved", r.resolved);
	rte_tel_data_add_dict_u64(data, "unreachable", r.unreachable);
	rte_tel_data_add_dict_u64(data, "timed_out", r.timed_out);
	return 0;
}

static int telemetry_reasons(const char *command, const char *arguments, struct rte_tel_data *data)
{
	const struct program *p = telemetry_program;

	(void)command, (void)arguments;
	rte_tel_data_start_dict(data);
	for (uint32_t reason = 0; reason < LB_REASON_COUNT; reason++) {
		uint64_t packets = 0;

		for (uint32_t i = 0; i < p->lcore_count; i++)
			packets += dpdk_state_counters(&p->state, i)->reasons.packets[reason];
		rte_tel_data_add_dict_u64(data, lb_reason_name(reason), packets);
	}
	return 0;
}

static void start_telemetry(struct program *p)
{
	telemetry_program = p;
	rte_telemetry_register_cmd("/fairlead/frames", telemetry_frames,
				   "Frames taken in, sent, and what became of the others");
	rte_telemetry_register_cmd("/fairlead/reasons", telemetry_reasons,
				   "Packets by verdict, as fairlead counters shows them");
}

static void describe(struct program *p)
{
	struct dpdk_shared *shared = p->state.shared;
	int n = snprintf(shared->description, sizeof(shared->description), "%s, %u queue%s, CPU",
			 p->device ? p->device : "AF_XDP", p->queues,
			 p->queues == 1 ? "" : "s");

	for (uint32_t i = 0; i < p->lcore_count && n < (int)sizeof(shared->description); i++)
		n += snprintf(shared->description + n, sizeof(shared->description) - (size_t)n, "%c%u",
			      i ? ',' : ' ', p->cpu[i]);
	if (n < (int)sizeof(shared->description))
		snprintf(shared->description + n, sizeof(shared->description) - (size_t)n, ", %s",
			 p->huge ? "hugepages" : "no hugepages");
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
	if (!p->queues)
		p->queues = (uint16_t)(p->device ? p->lcore_count : p->uplink.rx_queues);
	if (p->queues < p->lcore_count)
		return complain("%u cores for %u queues; name fewer with --cores", p->lcore_count,
				p->queues);
	if (!p->device && p->queues > FL_STEER_QUEUES)
		return complain("%s has %u queues, %d are the most; set fewer with ethtool -L",
				p->uplink_name, p->queues, FL_STEER_QUEUES);
	if (dp_view_open(p->pin_dir, p->run_dir, &p->view, &error))
		return complain("%s", error.message);
	snprintf(path, sizeof(path), "%s/dpdk.state", p->run_dir);
	if (dpdk_state_create(path, p->lcore_count, dp_view_tables(p->view)->backend_count, &p->state,
			      &error))
		return complain("%s", error.message);
	if (start_eal(p))
		return -1;
	if (start_port(p) || start_lcores(p)) {
		stopping = 1;
	} else {
		start_telemetry(p);
		describe(p);
		fprintf(stderr, "fairlead-dpdk: %s on %s\n", p->state.shared->description,
			p->uplink_name);
		while (!stopping)
			resolver_work(p->resolver, 100);
		err = 0;
	}
	rte_eal_mp_wait_lcore();
	if (p->kernel && p->kernel_port != WORKER_NO_PORT) {
		rte_eth_dev_stop(p->kernel_port);
		rte_eth_dev_close(p->kernel_port);
	}
	rte_eth_dev_stop(p->port);
	rte_eth_dev_close(p->port); /* takes the XDP program off */
	return p->state.shared->running ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"uplink", required_argument, NULL, 'u'},  {"cores", required_argument, NULL, 'c'},
	    {"device", required_argument, NULL, 'd'},  {"huge", no_argument, NULL, 'H'},
	    {"memory", required_argument, NULL, 'm'},  {"idle", required_argument, NULL, 'i'},
	    {"kernel", required_argument, NULL, 'k'},
	    {"queues", required_argument, NULL, 'q'},  {"eal", required_argument, NULL, 'e'},     {"pin-dir", required_argument, NULL, 'p'},
	    {"run-dir", required_argument, NULL, 'r'}, {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},          {0},
	};
	static struct program p = {.port = WORKER_NO_PORT, .kernel_port = WORKER_NO_PORT, .memory = "512", .pin_dir = DP_PIN_DIR, .run_dir = DP_RUN_DIR};
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
			p.device = optarg;
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
		complain("%s", p.uplink_name ? "too many arguments" : "--uplink INTERFACE is required");
		fputs("See 'fairlead-dpdk --help'.\n", stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (p.kernel && !p.device) {
		complain("--kernel goes with --device; AF_XDP leaves the rest to the kernel by itself");
		return 2;
	}
	return parse_cores(&p) || run(&p) ? 1 : 0;
}
