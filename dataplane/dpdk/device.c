// SPDX-License-Identifier: BSD-2-Clause
#include "device.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"
#include "worker.h"

enum {
	FRAMES_A_QUEUE = 8191,
	DESCRIPTORS = 2048,
	FRAMES_A_WORKER = SPREAD_RING + DESCRIPTORS + 512, /* in its ring, in the device's, in its cache */
};

static uint16_t least(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

uint32_t device_mtu_max(const struct rte_eth_dev_info *info)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	/* As ethdev reckons. */
	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	return RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - overhead);
}

static int find(const struct device_want *want, struct device *d, struct rte_eth_dev_info *info,
		struct error *error)
{
	uint64_t port = rte_eth_find_next(0);

	if (port >= RTE_MAX_ETHPORTS || rte_eth_dev_info_get((uint16_t)port, info))
		return error_set(error, -ENODEV, "%s: no such device, or it does not start",
				 want->name);
	d->port = (uint16_t)port;
	return 0;
}

static int plan_queues(const struct device_want *want, struct device *d,
		       const struct rte_eth_dev_info *info, struct error *error)
{
	uint16_t most = least(info->max_rx_queues, info->max_tx_queues);

	if (want->queues > most)
		return error_set(error, -EINVAL, "--queues %u: %s has %u", want->queues, want->name,
				 most);
	d->queues = want->queues ? want->queues : least(want->lcores, most);
	d->plan = spread_plan(d->queues, want->lcores);
	/* One to send by for each lcore, where the device has them (try_queues). */
	d->tx_queues = d->plan.workers ? least(want->lcores, info->max_tx_queues) : d->queues;
	return 0;
}

static int make_pool(const struct device_want *want, struct device *d, bool af_xdp,
		     struct error *error)
{
	uint32_t size = pool_buffer_size(d->mtu, af_xdp);

	if (!size)
		return error_set(error, -EMSGSIZE,
				 "MTU %u: AF_XDP's buffers are a page, %d is the most; give the "
				 "interface less, or the card to DPDK's own driver",
				 d->mtu, POOL_AF_XDP_MTU_MAX);
	d->pool = pool_create((uint32_t)FRAMES_A_QUEUE * d->queues +
				  (uint32_t)FRAMES_A_WORKER * d->plan.workers,
			      size, want->node);
	if (!d->pool)
		return error_set(error, -ENOMEM,
				 "no memory for frames: %s; give it more with --memory",
				 rte_strerror(rte_errno));
	return 0;
}

static int start_port(const struct device_want *want, struct rte_mempool *pool, uint16_t port,
		      uint16_t rx_queues, uint16_t tx_queues, struct error *error)
{
	uint16_t descriptors = DESCRIPTORS, tx_descriptors = DESCRIPTORS;
	unsigned int node = (unsigned int)want->node;
	int err = rte_eth_dev_adjust_nb_rx_tx_desc(port, &descriptors, &tx_descriptors);

	for (uint16_t q = 0; q < rx_queues && !err; q++)
		err = rte_eth_rx_queue_setup(port, q, descriptors, node, NULL, pool);
	for (uint16_t q = 0; q < tx_queues && !err; q++)
		err = rte_eth_tx_queue_setup(port, q, tx_descriptors, node, NULL);
	if (!err)
		err = rte_eth_dev_start(port);
	return err ? error_set(error, err, "device %u does not start: %s", port, rte_strerror(-err))
		   : 0;
}

/* RSS where the card has it; what has it not (AF_XDP) fills queues in a way of its own. */
static void ask_for_rss(struct device *d, const struct rte_eth_dev_info *info,
			struct rte_eth_conf *conf)
{
	uint64_t kinds =
	    info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);

	d->rss = d->queues > 1 && kinds;
	if (!d->rss)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = kinds;
}

/* Several drivers have no more queues to send by than to receive by, and say so only here. */
static int try_queues(struct device *d, const struct rte_eth_conf *conf)
{
	int err = rte_eth_dev_configure(d->port, d->queues, d->tx_queues, conf);

	if (!err || d->tx_queues == d->queues)
		return err;
	d->tx_queues = d->queues;
	return rte_eth_dev_configure(d->port, d->queues, d->tx_queues, conf);
}

static int start_uplink(const struct device_want *want, struct device *d,
			const struct rte_eth_dev_info *info, struct error *error)
{
	struct rte_eth_conf conf = {.rxmode.mtu = d->mtu};
	uint32_t most = device_mtu_max(info);
	int err;

	if (d->mtu > most)
		return error_set(error, -EMSGSIZE, "MTU %u: %s takes %u at the most (driver %s)",
				 d->mtu, want->name, most, info->driver_name);
	ask_for_rss(d, info, &conf);
	d->sums = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (d->sums)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	err = try_queues(d, &conf);
	if (err)
		return error_set(error, err, "device %u does not start: %s", d->port,
				 rte_strerror(-err));
	return start_port(want, d->pool, d->port, d->queues, d->tx_queues, error);
}

/* The kernel's end. Its frames are spread by its own hash; each lcore takes and sends by a queue.
 */
static int start_kernel(const struct device_want *want, struct device *d, struct error *error)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	char name[64];
	int err;

	if (!want->kernel)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(want->kernel, ","), want->kernel);
	if (rte_eth_dev_get_port_by_name(name, &d->kernel_port) ||
	    rte_eth_dev_info_get(d->kernel_port, &info))
		return error_set(error, -ENODEV, "--kernel %s: no such device", want->kernel);
	d->kernel_queues = least(want->lcores, least(info.max_rx_queues, info.max_tx_queues));
	d->kernel_mtu = RTE_MIN(d->mtu, device_mtu_max(&info));
	conf.rxmode.mtu = d->kernel_mtu;
	err = rte_eth_dev_configure(d->kernel_port, d->kernel_queues, d->kernel_queues, &conf);
	if (err)
		return error_set(error, err, "--kernel %s does not start: %s", want->kernel,
				 rte_strerror(-err));
	return start_port(want, d->pool, d->kernel_port, d->kernel_queues, d->kernel_queues, error);
}

int device_start(const struct device_want *want, struct device *out, struct error *error)
{
	struct device d = {.port = WORKER_NO_PORT, .kernel_port = WORKER_NO_PORT, .mtu = want->mtu};
	struct rte_eth_dev_info info;
	int err = find(want, &d, &info, error);

	if (!err)
		err = plan_queues(want, &d, &info, error);
	if (!err)
		err = make_pool(want, &d, !strcmp(info.driver_name, "net_af_xdp"), error);
	if (!err)
		err = start_kernel(want, &d, error);
	if (!err)
		err = start_uplink(want, &d, &info, error);
	if (err)
		device_stop(&d);
	else
		*out = d;
	return err;
}

static void stop_port(uint16_t port)
{
	if (port == WORKER_NO_PORT)
		return;
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
}

void device_stop(const struct device *d)
{
	stop_port(d->kernel_port);
	stop_port(d->port); /* takes the XDP program off */
}
