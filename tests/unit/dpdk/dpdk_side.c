// SPDX-License-Identifier: BSD-2-Clause
#include "dpdk_side.h"

#include <limits.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

enum { POOL = 4095, FRAME_MAX = 4096, DATA_ROOM = 2048 + RTE_PKTMBUF_HEADROOM };

/* libpcap's file format: magic, version, zone, accuracy, longest frame, link type; then frames. */
static const uint32_t file_header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
struct record {
	uint32_t seconds, microseconds, stored, length;
};

static struct {
	char in[PATH_MAX], out[2][PATH_MAX]; /* of the uplink, of the kernel */
	struct rte_mempool *pool;
	struct next_hops *next_hops;
	struct fragments *fragments;
	struct worker worker;
	struct dpdk_counters *counters;
	uint64_t asked;
	FILE *read[2];
	uint8_t frame[FRAME_MAX];
} side;

bool dpdk_side_open(const char *folder)
{
	char *arguments[] = {"test",          "--no-huge",   "-m",        "256",
			     "--no-pci",      "--no-shconf", "-l",        "0",
			     "--no-telemetry", "--log-level", "lib.eal:error", NULL};
	int count = (int)(sizeof(arguments) / sizeof(*arguments)) - 1;

	snprintf(side.in, sizeof(side.in), "%s/in.pcap", folder);
	snprintf(side.out[0], sizeof(side.out[0]), "%s/out.pcap", folder);
	snprintf(side.out[1], sizeof(side.out[1]), "%s/kernel.pcap", folder);
	if (rte_eal_init(count, arguments) < 0)
		return false;
	side.pool = rte_pktmbuf_pool_create("frames", POOL, 0, 0, DATA_ROOM, SOCKET_ID_ANY);
	side.next_hops = next_hops_open(64);
	return side.pool && side.next_hops;
}

void dpdk_side_close(void)
{
	for (int i = 0; i < 2; i++) {
		if (side.read[i])
			fclose(side.read[i]);
		unlink(side.out[i]);
	}
	unlink(side.in);
	next_hops_close(side.next_hops);
	rte_eal_cleanup();
}

bool dpdk_side_next_hop(uint32_t addr_be, const uint8_t macs[12])
{
	struct next_hop hop = {0};

	memcpy(hop.dst, macs, 6);
	memcpy(hop.src, macs + 6, 6);
	return !next_hops_set(side.next_hops, addr_be, &hop);
}

static bool write_capture(const struct dpdk_side_frame *frames, uint32_t count)
{
	FILE *file = fopen(side.in, "w");

	if (!file)
		return false;
	fwrite(file_header, sizeof(file_header), 1, file);
	for (uint32_t i = 0; i < count; i++) {
		struct record r = {.stored = frames[i].length, .length = frames[i].length};

		fwrite(&r, sizeof(r), 1, file);
		fwrite(frames[i].bytes, 1, frames[i].length, file);
	}
	count = (uint32_t)ferror(file);
	return !fclose(file) && !count;
}

static bool port_start(const char *name, const char *arguments, uint16_t *port)
{
	struct rte_eth_conf none = {0};

	return !rte_eal_hotplug_add("vdev", name, arguments) && !rte_eth_dev_get_port_by_name(name, port) &&
	       !rte_eth_dev_configure(*port, 1, 1, &none) &&
	       !rte_eth_rx_queue_setup(*port, 0, 64, (unsigned int)SOCKET_ID_ANY, NULL, side.pool) &&
	       !rte_eth_tx_queue_setup(*port, 0, 64, (unsigned int)SOCKET_ID_ANY, NULL) &&
	       !rte_eth_dev_start(*port);
}

static void ask(void *context, uint32_t addr_be, struct rte_mbuf *frame)
{
	(void)context;
	(void)addr_be;
	side.asked++;
	rte_pktmbuf_free(frame);
}

bool dpdk_side_begin(const struct lb_tables *tables, const struct dpdk_side_frame *frames,
		     uint32_t count)
{
	char arguments[2 * PATH_MAX + 64];

	for (int i = 0; i < 2; i++) {
		if (side.read[i])
			fclose(side.read[i]);
		side.read[i] = NULL;
	}
	if (!write_capture(frames, count))
		return false;
	side.worker = (struct worker){.stride = 1, .queues = 1};
	side.asked = 0;
	snprintf(arguments, sizeof(arguments), "rx_pcap=%s,tx_pcap=%s", side.in, side.out[0]);
	if (!port_start("net_pcap0", arguments, &side.worker.uplink))
		return false;
	snprintf(arguments, sizeof(arguments), "tx_pcap=%s", side.out[1]);
	if (!port_start("net_pcap1", arguments, &side.worker.kernel))
		return false;
	side.fragments = fragments_open(4096);
	side.worker.forwarder.ask = ask;
	side.counters = calloc(1, sizeof(*side.counters) +
				      tables->backend_count * sizeof(side.counters->backends[0]));
	if (!side.fragments || !side.counters)
		return false;
	worker_start(&side.worker, tables, side.counters, side.next_hops, side.fragments);
	return true;
}

uint32_t dpdk_side_poll(uint32_t most)
{
	return worker_poll(&side.worker, (uint16_t)most);
}

const struct lb_backend_counters *dpdk_side_backends(void)
{
	return side.counters->backends;
}

static bool port_stop(uint16_t port, const char *name)
{
	int stopped = rte_eth_dev_stop(port);

	return !rte_eal_hotplug_remove("vdev", name) && !stopped;
}

bool dpdk_side_end(struct dpdk_side_counts *counts)
{
	const struct dpdk_counters *c = side.worker.forwarder.env.counters;
	bool good;

	*counts = (struct dpdk_side_counts){side.asked, c->no_room, c->not_sent, {0}};
	memcpy(counts->reasons, c->reasons.packets, sizeof(counts->reasons));
	worker_stop(&side.worker);
	free(side.counters);
	fragments_close(side.fragments);
	good = port_stop(side.worker.uplink, "net_pcap0");
	good = port_stop(side.worker.kernel, "net_pcap1") && good;
	for (int i = 0; i < 2; i++) {
		side.read[i] = fopen(side.out[i], "r");
		good = good && side.read[i] && !fseek(side.read[i], sizeof(file_header), SEEK_SET);
	}
	return good && rte_mempool_full(side.pool); /* and nothing leaked */
}

bool dpdk_side_next(bool kernel, struct dpdk_side_frame *frame)
{
	struct record r;

	if (fread(&r, sizeof(r), 1, side.read[kernel]) != 1 || r.stored > FRAME_MAX ||
	    fread(side.frame, 1, r.stored, side.read[kernel]) != r.stored)
		return false;
	*frame = (struct dpdk_side_frame){side.frame, r.stored};
	return true;
}
