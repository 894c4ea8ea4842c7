// SPDX-License-Identifier: BSD-2-Clause
/*
 * fairlead-bench pktgen: sends packets of many flows at a given rate to any load balancer, and says how
 * many came back and how late. One device, or one to send and one to receive; on one CPU.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dpdk_bench.h"
#include "harness.h"
#include "histogram.h"
#include "pktgen_frames.h"
#include "pool.h"

enum { BURST = 32, DESCRIPTORS = 2048, POOL = 16383, FLOWS_MAX = 1 << 22, DRAIN_MS = 200, LINK_MS = 5000 };

static const char usage[] =
    "usage: fairlead-bench pktgen --device ARGS --mac MAC --to ADDRESS:PORT [options]\n"
    "\n"
    "  --device ARGS    as EAL's --vdev (net_memif0,..., net_af_xdp0,iface=eth0) or --allow (0000:01:00.0)\n"
    "  --receive ARGS   another device, where the packets come out (default: the same)\n"
    "  --mac MAC        next hop\n"
    "  --to ADDR:PORT   the published port\n"
    "  --from ADDR/LEN  clients (198.18.0.0/15); ARP for them is answered\n"
    "  --kind KIND      udp, syn (a flood of new connections), ack (packets in the middle of some)\n"
    "  --flows N        (1024); syn: before they come again\n"
    "  --size BYTES     of the frame without its checksum, 70 to 1514 (70)\n"
    "  --rate PPS       (0: as fast as it goes)\n"
    "  --seconds N      (5)\n"
    "  --eal ARGS       more for EAL, in one argument; \"--no-huge\" if there are no hugepages\n";

struct pktgen {
	struct pktgen_plan plan;
	const char *device, *receive;
	char *eal;
	double rate;
	uint32_t seconds;
	uint16_t tx_port, rx_port;
	struct rte_mempool *pool;
	uint8_t (*frames)[128]; /* headers and stamp of each flow */
	uint32_t next;
	uint64_t sent, refused, received, foreign, arp;
	struct histogram latency;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "pktgen: %s: %s\n", what, why);
	return -1;
}

static bool parse_target(const char *text, struct pktgen_plan *plan)
{
	char host[32];
	const char *colon = strchr(text, ':');
	unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
	struct in_addr address;

	if (!colon || (size_t)(colon - text) >= sizeof(host) || !port || port > 65535)
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (inet_pton(AF_INET, host, &address) != 1)
		return false;
	plan->target = ntohl(address.s_addr);
	plan->port = (uint16_t)port;
	return true;
}

static bool parse_source(const char *text, struct pktgen_plan *plan)
{
	char host[32];
	const char *slash = strchr(text, '/');
	unsigned long length = slash ? strtoul(slash + 1, NULL, 10) : 32;
	struct in_addr address;

	if (length < 8 || length > 32)
		return false;
	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : 31, text);
	if (inet_pton(AF_INET, host, &address) != 1)
		return false;
	plan->sources = (uint32_t)(1ULL << (32 - length));
	plan->source = ntohl(address.s_addr) & ~(plan->sources - 1);
	return true;
}

static bool parse_kind(const char *text, struct pktgen_plan *plan)
{
	static const char *const names[] = {"udp", "syn", "ack"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(text, names[i])) {
			plan->kind = (enum pktgen_kind)i;
			return true;
		}
	return false;
}

static bool parse_count(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (uint32_t)n;
	return *text && !*end && n >= least && n <= most;
}

static bool parse(int argc, char **argv, struct pktgen *g)
{
	static const struct option options[] = {
	    {"device", required_argument, NULL, 'd'}, {"receive", required_argument, NULL, 'r'},
	    {"mac", required_argument, NULL, 'm'},    {"to", required_argument, NULL, 't'},
	    {"from", required_argument, NULL, 'f'},   {"kind", required_argument, NULL, 'k'},
	    {"flows", required_argument, NULL, 'n'},  {"size", required_argument, NULL, 's'},
	    {"rate", required_argument, NULL, 'p'},   {"seconds", required_argument, NULL, 'c'},
	    {"eal", required_argument, NULL, 'e'},    {0},
	};
	struct rte_ether_addr mac;
	bool good = true, hop = false;
	uint32_t size = PKTGEN_LENGTH_MIN;
	int c;

	parse_source("198.18.0.0/15", &g->plan); /* RFC 2544 */
	g->plan.flows = 1024;
	g->seconds = 5;
	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd') {
			g->device = optarg;
		} else if (c == 'r') {
			g->receive = optarg;
		} else if (c == 'm') {
			good = hop = !rte_ether_unformat_addr(optarg, &mac);
			memcpy(g->plan.dst_mac, &mac, 6);
		} else if (c == 't') {
			good = parse_target(optarg, &g->plan);
		} else if (c == 'f') {
			good = parse_source(optarg, &g->plan);
		} else if (c == 'k') {
			good = parse_kind(optarg, &g->plan);
		} else if (c == 'n') {
			good = parse_count(optarg, 1, FLOWS_MAX, &g->plan.flows);
		} else if (c == 's') {
			good = parse_count(optarg, PKTGEN_LENGTH_MIN, PKTGEN_LENGTH_MAX, &size);
		} else if (c == 'p') {
			g->rate = strtod(optarg, NULL);
			good = g->rate >= 0;
		} else if (c == 'c') {
			good = parse_count(optarg, 1, 86400, &g->seconds);
		} else if (c == 'e') {
			g->eal = optarg;
		} else {
			return false;
		}
		if (!good)
			fprintf(stderr, "pktgen: not understood: %s\n", optarg);
	}
	g->plan.length = (uint16_t)size;
	return good && g->device && hop && g->plan.target && optind == argc;
}

/* A device by EAL's words: those with a comma or a known prefix are virtual. */
static void add_device(char **arguments, int *n, const char *device)
{
	bool is_virtual = strncmp(device, "net_", 4) == 0 || strchr(device, ',');

	arguments[(*n)++] = (char *)(is_virtual ? "--vdev" : "--allow");
	arguments[(*n)++] = (char *)device;
}

static int start_eal(struct pktgen *g, int cpu)
{
	char *arguments[40], core[16];
	int n = 0;

	snprintf(core, sizeof(core), "%d", cpu);
	arguments[n++] = (char *)"pktgen";
	arguments[n++] = (char *)"-l";
	arguments[n++] = core;
	arguments[n++] = (char *)"--file-prefix=fairlead-pktgen";
	add_device(arguments, &n, g->device);
	if (g->receive)
		add_device(arguments, &n, g->receive);
	for (char *word = g->eal ? strtok(g->eal, " ") : NULL; word && n < 39; word = strtok(NULL, " "))
		arguments[n++] = word;
	arguments[n] = NULL;
	return rte_eal_init(n, arguments) < 0 ? complain("EAL", rte_strerror(rte_errno)) : 0;
}

static int start_port(struct pktgen *g, uint16_t port)
{
	struct rte_eth_conf conf = {0};
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	unsigned int socket = (unsigned int)rte_eth_dev_socket_id(port);
	int err = rte_eth_dev_configure(port, 1, 1, &conf);

	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx);
	if (!err)
		err = rte_eth_rx_queue_setup(port, 0, rx, socket, NULL, g->pool);
	if (!err)
		err = rte_eth_tx_queue_setup(port, 0, tx, socket, NULL);
	if (!err)
		err = rte_eth_dev_start(port);
	if (!err)
		rte_eth_promiscuous_enable(port); /* replies are for clients that are not there */
	return err ? complain("device", rte_strerror(-err)) : 0;
}

static int start_ports(struct pktgen *g)
{
	struct rte_ether_addr mac;

	bool af_xdp = strstr(g->device, "net_af_xdp") || (g->receive && strstr(g->receive, "net_af_xdp"));

	g->pool = pool_create(POOL, pool_buffer_size(RTE_ETHER_MTU, af_xdp), SOCKET_ID_ANY);
	if (!g->pool)
		return complain("memory for frames", rte_strerror(rte_errno));
	if (rte_eth_dev_count_avail() < (g->receive ? 2 : 1))
		return complain("device", "it did not start");
	g->tx_port = (uint16_t)rte_eth_find_next(0);
	g->rx_port = g->receive ? (uint16_t)rte_eth_find_next(g->tx_port + 1U) : g->tx_port;
	if (start_port(g, g->tx_port) || (g->receive && start_port(g, g->rx_port)))
		return -1;
	rte_eth_macaddr_get(g->tx_port, &mac);
	memcpy(g->plan.src_mac, &mac, 6);
	return 0;
}

/* memif's other end may come later, and what is sent before that is refused. */
static void await_link(uint16_t port)
{
	struct rte_eth_link link = {0};

	for (int ms = 0; ms < LINK_MS; ms++) {
		if (rte_eth_link_get_nowait(port, &link) || link.link_status)
			return;
		rte_delay_us_sleep(1000);
	}
	fprintf(stderr, "pktgen: device %u has no link\n", port);
}

/* Headers of all flows, made once; a frame's rest is zeros, whose sum is nothing. */
static int make_frames(struct pktgen *g)
{
	uint8_t frame[PKTGEN_LENGTH_MAX];

	g->plan.mark = 0x666c706b74676e00ULL ^ rte_rdtsc() << 8;
	g->frames = malloc((size_t)g->plan.flows * sizeof(*g->frames));
	if (!g->frames)
		return complain("flows", strerror(ENOMEM));
	for (uint32_t i = 0; i < g->plan.flows; i++) {
		pktgen_make(&g->plan, i, frame);
		memcpy(g->frames[i], frame, PKTGEN_LENGTH_MIN);
	}
	return 0;
}

static uint32_t send_burst(struct pktgen *g, uint32_t count)
{
	struct rte_mbuf *frames[BURST];
	uint16_t sent;

	if (rte_pktmbuf_alloc_bulk(g->pool, frames, count))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *p = (uint8_t *)rte_pktmbuf_append(frames[i], g->plan.length);

		memcpy(p, g->frames[g->next], PKTGEN_LENGTH_MIN);
		memset(p + PKTGEN_LENGTH_MIN, 0, (size_t)g->plan.length - PKTGEN_LENGTH_MIN);
		pktgen_stamp(&g->plan, p, rte_rdtsc());
		g->next = g->next + 1 == g->plan.flows ? 0 : g->next + 1;
	}
	sent = rte_eth_tx_burst(g->tx_port, 0, frames, (uint16_t)count);
	rte_pktmbuf_free_bulk(frames + sent, count - sent);
	g->sent += sent;
	g->refused += count - sent;
	return sent;
}

static void receive_frame(struct pktgen *g, uint16_t port, struct rte_mbuf *m, double ns_per_tick)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint64_t time;

	if (pktgen_read(&g->plan, p, m->data_len, &time)) {
		g->received++;
		histogram_add(&g->latency, (uint64_t)((double)(rte_rdtsc() - time) * ns_per_tick));
	} else if (pktgen_answer_arp(&g->plan, p, m->data_len)) {
		g->arp++;
		if (rte_eth_tx_burst(port, 0, &m, 1))
			return;
	} else {
		g->foreign++;
	}
	rte_pktmbuf_free(m);
}

static void receive_burst(struct pktgen *g, uint16_t port, double ns_per_tick)
{
	struct rte_mbuf *frames[BURST];
	uint16_t count = rte_eth_rx_burst(port, 0, frames, BURST);

	for (uint16_t i = 0; i < count; i++)
		receive_frame(g, port, frames[i], ns_per_tick);
}

/* Sends what is due, receives what is there. Seconds that it took. */
static double run(struct pktgen *g)
{
	double hz = (double)rte_get_tsc_hz(), ns_per_tick = 1e9 / hz, took;
	uint64_t start = rte_rdtsc(), end = start + (uint64_t)(hz * g->seconds), now = start;

	while (now < end && !stopping) {
		double due = g->rate > 0 ? (double)(now - start) / hz * g->rate -
					       (double)(g->sent + g->refused)
					 : BURST;

		if (due >= 1)
			send_burst(g, due > BURST ? BURST : (uint32_t)due);
		receive_burst(g, g->rx_port, ns_per_tick);
		if (g->rx_port != g->tx_port)
			receive_burst(g, g->tx_port, ns_per_tick);
		now = rte_rdtsc();
	}
	took = (double)(now - start) / hz;
	end = now + (uint64_t)(hz * DRAIN_MS / 1000);
	while (rte_rdtsc() < end)
		receive_burst(g, g->rx_port, ns_per_tick);
	return took;
}

static void report(const struct pktgen *g, double seconds)
{
	static const double shares[] = {0.5, 0.9, 0.99, 0.999};
	double sent = (double)g->sent, received = (double)g->received;

	printf("sent       %12" PRIu64 "  %12.0f /s  %8.3f Gbit/s\n", g->sent, sent / seconds,
	       sent * g->plan.length * 8 / seconds / 1e9);
	printf("came back  %12" PRIu64 "  %12.0f /s  %8.3f %% of what was sent\n", g->received,
	       received / seconds, g->sent ? received / sent * 100 : 0);
	printf("refused    %12" PRIu64 "  by the device, its queue was full\n", g->refused);
	printf("foreign    %12" PRIu64 "  frames of others; %" PRIu64 " ARP requests answered\n",
	       g->foreign, g->arp);
	if (!g->received)
		return;
	printf("latency us  min %.1f", (double)g->latency.least / 1e3);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		printf("  p%g %.1f", shares[i] * 100,
		       (double)histogram_quantile(&g->latency, shares[i]) / 1e3);
	printf("  max %.1f\n", (double)g->latency.most / 1e3);
}

int dpdk_pktgen(int argc, char **argv)
{
	static struct pktgen g;
	struct sigaction action = {.sa_handler = on_signal};
	int cpu;

	if (!parse(argc, argv, &g)) {
		fputs(usage, stderr);
		return 2;
	}
	cpu = harness_pin(-1);
	if (cpu < 0 || start_eal(&g, cpu) || start_ports(&g) || make_frames(&g))
		return 1;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	await_link(g.tx_port);
	await_link(g.rx_port);
	report(&g, run(&g));
	rte_eth_dev_stop(g.tx_port);
	rte_eth_dev_close(g.tx_port);
	if (g.receive) {
		rte_eth_dev_stop(g.rx_port);
		rte_eth_dev_close(g.rx_port);
	}
	return 0;
}
