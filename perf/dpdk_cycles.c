// SPDX-License-Identifier: BSD-2-Clause
/*
 * fairlead-bench cycles: what the DPDK forwarder costs per packet, in cycles of the time stamp
 * counter, next to a control that parses and swaps the Ethernet addresses. No card: frames lie in
 * memory, and a maker writes each one's headers anew, the same for all cases.
 *
 *   net = gross - the maker alone, in the same round; ratio = to the control, gross and net
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <arpa/inet.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk_bench.h"
#include "dpdk_flow_side.h"
#include "floors.h"
#include "forward.h"
#include "harness.h"
#include "lb_packet.h"
#include "tables.h"

enum {
	OWN = 0x0a630003,
	VNI = 4096,
	PORT = 8000,
	FLOW_PORT = 8001, /* its task runs here: the decision keeps a flow */
	TASK = 0x0a00000a,
	FLOW_BUCKETS = 1 << 18, /* 2M flows in 32 MiB */
	BACKENDS = 100,
	NODES = 8,
	ROUNDS = 9,
	PACKETS = 1 << 20,
	NEAR = FORWARD_BURST, /* frames that stay in the first cache */
	FAR = 8192,           /* and that do not: 18 MiB of buffers, 1.5 MiB of lines touched */
	FRAME = 64,
	LANES = 2,
};

enum program { MAKER, CONTROL, ENTRY, FLOW };

struct case_ {
	const char *text;
	enum program program;
	uint32_t flows, frames;
	double goal; /* ratio; 0: none */
	double gross[64], net[64], ratio[64], net_ratio[64];
};

static struct case_ cases[] = {
    {.text = "MAC swap with parse", .program = CONTROL, .flows = 1 << 16, .frames = NEAR},
    {.text = "entry, 1 flow", .program = ENTRY, .flows = 1, .frames = NEAR, .goal = 1.6},
    {.text = "entry, 64k flows", .program = ENTRY, .flows = 1 << 16, .frames = NEAR, .goal = 1.6},
    {.text = "entry, 1M flows", .program = ENTRY, .flows = 1 << 20, .frames = NEAR},
    {.text = "entry, new flows (SYN)", .program = ENTRY, .flows = 0, .frames = NEAR},
    {.text = "flow table, 1 flow", .program = FLOW, .flows = 1, .frames = NEAR},
    {.text = "flow table, 64k flows", .program = FLOW, .flows = 1 << 16, .frames = NEAR, .goal = 4},
    {.text = "flow table, 1M flows", .program = FLOW, .flows = 1 << 20, .frames = NEAR, .goal = 6},
    {.text = "MAC swap, many buffers", .program = CONTROL, .flows = 1 << 20, .frames = FAR},
    {.text = "entry, 1M flows, buffers", .program = ENTRY, .flows = 1 << 20, .frames = FAR, .goal = 3},
};
enum { CASES = sizeof(cases) / sizeof(*cases) };

/* What each core has of its own; the tables they share. */
struct lane {
	struct forwarder forwarder;
	struct rte_mbuf *frames[FAR];
	/* Written for each packet: apart from what the neighbour reads. */
	uint32_t next __attribute__((aligned(128)));
	uint32_t packets;
	volatile uint32_t sink;
	enum program program;
	double ns; /* of a run in which all lanes run at once */
	int err;
} __attribute__((aligned(128)));

static struct {
	struct lb_tables l;
	struct tables *tables;
	struct flow_side *flow_side;
	uint32_t task;
	struct rte_mempool *pool;
	struct next_hops *next_hops;
	struct fragments *fragments;
	uint8_t block[FLOORS_BLOCK];
	struct lane lanes[LANES];
	uint32_t go; /* lanes start when it is 1 */
} bed;

static void no_grace(void *context)
{
	(void)context;
}

static int fill_task(void)
{
	const struct lb_via via = {htonl(OWN), htonl(OWN)};
	const struct lb_task task = {.addr_be = htonl(TASK),
				     .ifindex = 2,
				     .mac = {2, 0x42, 10, 0, 0, 0xaa},
				     .mtu = 1450};
	struct tables_backend backend = {.mac = {2, 0x42, 10, 0, 0, 0xaa}, .weight = 100};
	struct tables_port port = {FLOW_PORT, htons(80)};
	struct tables_service service = {
	    .name = 2, .ports = &port, .port_count = 1, .backends = &backend, .backend_count = 1};
	int err = tables_set_vias(bed.tables, &via, 1);

	if (!err)
		err = tables_set_tasks(bed.tables, &task, 1, &backend.task);
	bed.task = backend.task;
	return err ? err : tables_set_service(bed.tables, &service, NULL);
}

static int fill_tables(void)
{
	static const uint8_t router[6] = {2, 0, 0, 0, 0, 0xfe}, own[6] = {2, 0, 0, 0, 0, 3};
	struct lb_config config = {.addrs_be = {htonl(OWN)},
				   .vtep_be = htonl(OWN),
				   .vni_be = htonl((uint32_t)VNI << 8),
				   .vxlan_port_be = htons(4789),
				   .inner_mtu = 1450,
				   .uplink_mtu = 1500,
				   .key = {0x243f6a8885a308d3, 0x13198a2e03707344}};
	struct tables_backend backends[BACKENDS] = {0};
	struct tables_port port = {PORT, htons(80)};
	struct tables_service service = {.name = 1,
					 .ports = &port,
					 .port_count = 1,
					 .backends = backends,
					 .backend_count = BACKENDS,
					 .ring_size = LB_RING_SIZE_DEFAULT};
	int err;

	bed.l.flow_buckets = FLOW_BUCKETS;
	err = lb_tables_alloc(&bed.l);

	if (!err)
		err = tables_open(&bed.l, no_grace, NULL, &bed.tables);
	if (!err)
		err = tables_set_config(bed.tables, &config);
	for (uint32_t n = 0; n < NODES && !err; n++)
		err = tables_set_next_hop(bed.tables, htonl(OWN + 1 + n), router, own);
	for (uint32_t b = 0; b < BACKENDS; b++)
		backends[b] = (struct tables_backend){.mac = {2, 0x42, 10, 0, 0, (uint8_t)b},
						      .weight = 100,
						      .vtep_be = htonl(OWN + 1 + b % NODES)};
	if (!err)
		err = tables_set_service(bed.tables, &service, NULL);
	return err ? err : fill_task();
}

static void make_block(uint8_t *p)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0xfe};
	uint8_t *ip = p + LB_ETH_LEN, *tcp = ip + LB_IP_MIN;

	memset(p, 0, FLOORS_BLOCK);
	memcpy(p, macs, 12);
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	ip[0] = 0x45;
	lb_store16(ip + 2, htons(FRAME - LB_ETH_LEN));
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = LB_PROTO_TCP;
	lb_store32(ip + 16, htonl(OWN));
	lb_store16(tcp + 2, htons(PORT));
	tcp[12] = 0x50;
	tcp[13] = LB_TCP_ACK;
}

static int open_bed(void)
{
	int err = fill_tables();

	if (err)
		return err;
	bed.pool = rte_pktmbuf_pool_create("frames", LANES * FAR + 127, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					   SOCKET_ID_ANY);
	bed.next_hops = next_hops_open(64);
	bed.fragments = fragments_open(4096);
	bed.flow_side = flow_side_open(&bed.l, bed.task);
	if (!bed.pool || !bed.next_hops || !bed.fragments || !bed.flow_side)
		return -ENOMEM;
	for (int i = 0; i < LANES; i++) {
		struct dpdk_counters *counters = calloc(
		    1, sizeof(*counters) + bed.l.backend_count * sizeof(counters->backends[0]));

		if (!counters || rte_pktmbuf_alloc_bulk(bed.pool, bed.lanes[i].frames, FAR))
			return -ENOMEM;
		bed.lanes[i].forwarder = (struct forwarder){
		    .env = {.tables = &bed.l, .counters = counters, .fragments = bed.fragments},
		    .next_hops = bed.next_hops};
	}
	make_block(bed.block);
	return 0;
}

/* The frames of a burst as a card leaves them: headers of the next flows, room in front. */
static inline void make(struct lane *lane, struct rte_mbuf **frames, uint32_t mask, uint8_t port)
{
	for (int i = 0; i < FORWARD_BURST; i++) {
		struct rte_mbuf *m = frames[i];
		uint32_t mixed = floors_mix(lane->next++ & mask);
		uint8_t *p;

		m->data_off = RTE_PKTMBUF_HEADROOM;
		m->data_len = FRAME;
		m->pkt_len = FRAME;
		p = rte_pktmbuf_mtod(m, uint8_t *);
		memcpy(p, bed.block, FLOORS_BLOCK);
		lb_store32(p + 26, floors_client_be(mixed));
		lb_store16(p + 34, floors_port_be(mixed));
		p[37] = port;
		p[47] = mask == UINT32_MAX ? LB_TCP_SYN : LB_TCP_ACK;
	}
}

/* The least that a packet processor does: parse what the decision parses, exchange addresses. */
static inline void control(struct lane *lane, struct rte_mbuf **frames)
{
	uint32_t ports = 0;

	for (int i = 0; i < FORWARD_BURST; i++) {
		uint8_t *p = rte_pktmbuf_mtod(frames[i], uint8_t *), mac[6];
		struct lb_ip ip;

		if (lb_load16(p + 12) != LB_ETHERTYPE_IPV4_BE ||
		    lb_parse_ip(&ip, p + LB_ETH_LEN, p + frames[i]->data_len,
				frames[i]->pkt_len - LB_ETH_LEN) != LB_PARSED_OK ||
		    lb_parse_l4(&ip, p + frames[i]->data_len) != LB_PARSED_OK)
			continue;
		ports += ip.dport_be;
		memcpy(mac, p, 6);
		memcpy(p, p + 6, 6);
		memcpy(p + 6, mac, 6);
	}
	lane->sink += ports;
}

static int entry(struct lane *lane, struct rte_mbuf **frames)
{
	struct forwarded done;

	forward_burst(&lane->forwarder, frames, FORWARD_BURST, &done);
	return done.out_count == FORWARD_BURST ? 0 : -EPROTO;
}

static int run(struct lane *lane, enum program program, uint32_t flows, uint32_t frames,
	       uint32_t packets, double *cycles)
{
	uint8_t port = program == FLOW ? (uint8_t)FLOW_PORT : (uint8_t)PORT;
	uint64_t start;
	int err = 0;

	if (flows) /* new flows go on where they were */
		lane->next = 0;
	start = rte_rdtsc_precise();
	for (uint32_t n = 0; n < packets && !err; n += FORWARD_BURST) {
		struct rte_mbuf **burst = lane->frames + n % frames;

		make(lane, burst, flows - 1, port);
		if (program == CONTROL)
			control(lane, burst);
		else if (program == ENTRY)
			err = entry(lane, burst);
		else if (program == FLOW)
			err = flow_side_burst(bed.flow_side, burst, FORWARD_BURST) ? 0 : -EPROTO;
	}
	*cycles = (double)(rte_rdtsc_precise() - start) / packets;
	return err;
}

/* Last, because it looks at what a case left: a right VXLAN frame for the last flow. */
static int judge(void)
{
	const struct rte_mbuf *last = bed.lanes[0].frames[FORWARD_BURST - 1];
	const uint8_t *p = rte_pktmbuf_mtod(last, const uint8_t *);
	uint64_t sum = 0;

	for (int i = 0; i < LB_IP_MIN; i += 2)
		sum += lb_load16(p + LB_ETH_LEN + i);
	return last->pkt_len == FRAME + LB_OUTER_LEN &&
		       lb_load16(p + 36) == htons(4789) && lb_fold(sum) == 0xffff &&
		       lb_load32(p + 50 + LB_ETH_LEN + 16) == htonl(OWN)
		   ? 0
		   : -EPROTO;
}

static int measure_round(uint32_t round, uint32_t packets)
{
	double control_gross = 0, control_net = 0;

	for (int i = 0; i < CASES; i++) {
		struct case_ *c = &cases[i];
		double maker, again, gross;
		int err = run(&bed.lanes[0], MAKER, c->flows, c->frames, packets, &maker);

		/* Warm: all flows that a table keeps. */
		if (!err)
			err = run(&bed.lanes[0], c->program, c->flows, c->frames,
				  c->program == FLOW ? packets : packets / 4, &gross);
		if (!err)
			err = run(&bed.lanes[0], c->program, c->flows, c->frames, packets, &gross);
		if (!err && c->program == ENTRY)
			err = judge();
		if (!err)
			err = run(&bed.lanes[0], MAKER, c->flows, c->frames, packets, &again);
		if (err)
			return err;
		c->gross[round] = gross;
		c->net[round] = gross - (maker + again) / 2;
		if (c->program == CONTROL) {
			control_gross = c->gross[round];
			control_net = c->net[round];
		}
		c->ratio[round] = c->gross[round] / control_gross;
		c->net_ratio[round] = c->net[round] / control_net;
	}
	return 0;
}

static int run_lane(void *context)
{
	struct lane *lane = context;
	double cycles;

	while (!__atomic_load_n(&bed.go, __ATOMIC_ACQUIRE))
		rte_pause();
	lane->err = run(lane, lane->program, 1 << 16, NEAR, lane->packets, &cycles);
	lane->ns = cycles * 1e9 / (double)rte_get_tsc_hz();
	return 0;
}

/* One lane, then both at once: packets per second of all. */
static int measure_scaling(enum program program, uint32_t packets, double *one, double *both)
{
	unsigned int lcore = rte_get_next_lcore(UINT32_MAX, 1, 0);

	for (int i = 0; i < LANES; i++) {
		bed.lanes[i].packets = packets;
		bed.lanes[i].program = program;
	}
	bed.go = 1;
	run_lane(&bed.lanes[0]);
	*one = 1e9 / bed.lanes[0].ns;
	bed.go = 0;
	if (rte_eal_remote_launch(run_lane, &bed.lanes[1], lcore))
		return -EBUSY;
	__atomic_store_n(&bed.go, 1, __ATOMIC_RELEASE);
	run_lane(&bed.lanes[0]);
	rte_eal_wait_lcore(lcore);
	*both = 1e9 / bed.lanes[0].ns + 1e9 / bed.lanes[1].ns;
	return bed.lanes[0].err ? bed.lanes[0].err : bed.lanes[1].err;
}

static int report_scaling(uint32_t rounds, uint32_t packets)
{
	double one[64], both[64], ratio[64], maker[64];
	struct harness_spread a, b, c, d;

	if (rte_lcore_count() < LANES) {
		printf("\nscaling: there is one CPU only\n");
		return 0;
	}
	for (uint32_t r = 0; r < rounds; r++) {
		int err = measure_scaling(MAKER, packets, &one[r], &both[r]);

		maker[r] = both[r] / one[r];
		if (!err)
			err = measure_scaling(ENTRY, packets, &one[r], &both[r]);
		if (err)
			return err;
		ratio[r] = both[r] / one[r];
	}
	a = harness_spread(one, rounds);
	b = harness_spread(both, rounds);
	c = harness_spread(ratio, rounds);
	d = harness_spread(maker, rounds);
	printf("\n1 core %.1f Mpps (%.1f..%.1f), 2 cores %.1f Mpps (%.1f..%.1f): %.2f times (%.2f..%.2f)"
	       "  >= 1.8 %s\n",
	       a.median / 1e6, a.p10 / 1e6, a.p90 / 1e6, b.median / 1e6, b.p10 / 1e6, b.p90 / 1e6,
	       c.median, c.p10, c.p90, c.median >= 1.8 ? "met" : "MISSED");
	printf("what the cores themselves allow (the frames' maker alone): %.2f times (%.2f..%.2f)\n",
	       d.median, d.p10, d.p90);
	return 0;
}

static void report(uint32_t rounds, uint32_t packets, double busy)
{
	struct harness_machine m;

	harness_machine(&m);
	printf("kernel %s, %s; TSC %.2f GHz; %s; %" PRIu32 " rounds of %" PRIu32
	       " packets; machine busy %.0f %% before\n\n",
	       m.kernel, m.processor, (double)rte_get_tsc_hz() / 1e9,
	       rte_eal_has_hugepages() ? "hugepages" : "no hugepages", rounds, packets, busy);
	printf("%-26s %8s %14s %8s %7s %12s %7s  %s\n", "cycles per packet", "gross", "p10..p90", "net",
	       "ratio", "p10..p90", "of net", "goal (ratio)");
	for (int i = 0; i < CASES; i++) {
		struct case_ *c = &cases[i];
		struct harness_spread gross = harness_spread(c->gross, rounds),
				      net = harness_spread(c->net, rounds),
				      ratio = harness_spread(c->ratio, rounds),
				      net_ratio = harness_spread(c->net_ratio, rounds);

		printf("%-26s %8.1f %6.1f..%-6.1f %8.1f %7.2f %5.2f..%-5.2f %7.2f", c->text,
		       gross.median, gross.p10, gross.p90, net.median, ratio.median, ratio.p10,
		       ratio.p90, net_ratio.median);
		if (c->goal > 0)
			printf("  <= %.1f %s", c->goal, ratio.median <= c->goal ? "met" : "MISSED");
		printf("\n");
	}
}

int dpdk_cycles(int argc, char **argv)
{
	uint32_t rounds = ROUNDS, packets = PACKETS;
	char cpus[32], main_lcore[16];
	char *eal[] = {argv[0],    "--no-huge", "-m", "256", "--no-pci", "--no-shconf", "--no-telemetry",
		       "--log-level", "lib.eal:error", "--main-lcore", main_lcore, "-l", cpus, NULL};
	double busy;
	int err, c;
	static const struct option longs[] = {{"rounds", required_argument, NULL, 'r'},
					      {"packets", required_argument, NULL, 'n'},
					      {NULL, 0, NULL, 0}};

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint32_t n = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		if (c == 'r' && n >= 1 && n <= 64) {
			rounds = n;
		} else if (c == 'n' && n >= FAR) {
			packets = n / FORWARD_BURST * FORWARD_BURST;
		} else {
			fprintf(stderr, "usage: fairlead-bench-dpdk cycles [--rounds 1..64] [--packets N]\n");
			return 2;
		}
	}
	err = harness_pin(-1);
	if (err >= 0) {
		snprintf(main_lcore, sizeof(main_lcore), "%d", err);
		/* The first one for the others' sake is the last CPU; the second core is the one before. */
		snprintf(cpus, sizeof(cpus), err ? "%d,%d" : "%d", err, err - 1);
		err = rte_eal_init((int)(sizeof(eal) / sizeof(*eal)) - 1, eal) < 0 ? -EINVAL : open_bed();
	}
	busy = harness_wait_quiet(15, 10000);
	for (uint32_t r = 0; r < rounds && err >= 0; r++)
		err = measure_round(r, packets);
	if (err < 0) {
		fprintf(stderr, "fairlead-bench-dpdk: %s\n",
			err == -EPROTO ? "not what was to be measured" : strerror(-err));
		return 1;
	}
	report(rounds, packets, busy);
	return report_scaling(rounds, packets) ? 1 : 0;
}
