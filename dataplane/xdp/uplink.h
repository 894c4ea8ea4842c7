/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_XDP_UPLINK_H
#define FL_XDP_UPLINK_H
/* Facts about an interface, and where other nodes are from here: routes and neighbours, by netlink. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct uplink {
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool virtual_link; /* veth: XDP_TX reaches nobody */
	uint32_t xsk_queues; /* that net_af_xdp knows of: combined channels, else 1 */
};

/* 0, or a negative errno (-ENODEV: no such interface). */
int uplink_read(const char *name, struct uplink *out);
/* 0, or a negative errno. */
int uplink_set_mtu(const char *name, uint32_t mtu);

struct neighbours;

/* A socket that hears of changes to routes, neighbours and links. NULL without memory or sockets. */
struct neighbours *neighbours_open(void);
void neighbours_close(struct neighbours *n);
int neighbours_fd(const struct neighbours *n);
/* Reads what was heard; true if something changed. */
bool neighbours_heard(struct neighbours *n);
/* Ethernet address of the next hop towards address out of ifindex. 0; -ENOENT: not known yet, and
 * the kernel was asked to find it; -EHOSTUNREACH: the route leads elsewhere. */
int neighbours_resolve(struct neighbours *n, struct in_addr address, uint32_t ifindex,
		       uint8_t mac[6]);
#endif
