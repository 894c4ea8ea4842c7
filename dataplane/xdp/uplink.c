// SPDX-License-Identifier: BSD-2-Clause
#include "uplink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* mnl_attr_for_each() narrows a pointer difference. */
#pragma GCC diagnostic ignored "-Wconversion"

static int interface_ioctl(int fd, const char *name, unsigned long request, struct ifreq *ifr)
{
	memset(ifr->ifr_name, 0, sizeof(ifr->ifr_name));
	strncpy(ifr->ifr_name, name, sizeof(ifr->ifr_name) - 1);
	return ioctl(fd, request, ifr) ? -errno : 0;
}

int uplink_read(const char *name, struct uplink *out)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct uplink u = {.ifindex = if_nametoindex(name), .xsk_queues = 1};
	struct ifreq ifr = {0};
	int fd, err;

	if (!u.ifindex)
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = interface_ioctl(fd, name, SIOCGIFMTU, &ifr);
	u.mtu = (uint32_t)ifr.ifr_mtu;
	if (!err)
		err = interface_ioctl(fd, name, SIOCGIFHWADDR, &ifr);
	memcpy(u.mac, ifr.ifr_hwaddr.sa_data, 6);
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_data = (void *)&driver;
	if (!err && !interface_ioctl(fd, name, SIOCETHTOOL, &ifr))
		u.virtual_link = !strcmp(driver.driver, "veth");
	ifr.ifr_data = (void *)&channels;
	if (!err && !interface_ioctl(fd, name, SIOCETHTOOL, &ifr) && channels.combined_count)
		u.xsk_queues = channels.combined_count;
	close(fd);
	if (!err)
		*out = u;
	return err;
}

int uplink_set_mtu(const char *name, uint32_t mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	if (fd < 0)
		return -errno;
	err = interface_ioctl(fd, name, SIOCSIFMTU, &ifr);
	close(fd);
	return err;
}

struct neighbours {
	struct mnl_socket *events, *requests;
	unsigned int sequence;
};

static struct mnl_socket *socket_open(unsigned int groups, bool blocking)
{
	struct mnl_socket *s =
	    mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK));
	struct timeval limit = {.tv_sec = 1};

	if (!s)
		return NULL;
	if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		return NULL;
	}
	/* The kernel answers at once; a lost answer must not stop the daemon. */
	setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return s;
}

struct neighbours *neighbours_open(void)
{
	struct neighbours *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->events = socket_open(RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_LINK, false);
	n->requests = socket_open(0, true);
	n->sequence = (unsigned int)time(NULL);
	if (n->events && n->requests)
		return n;
	neighbours_close(n);
	return NULL;
}

void neighbours_close(struct neighbours *n)
{
	if (!n)
		return;
	if (n->events)
		mnl_socket_close(n->events);
	if (n->requests)
		mnl_socket_close(n->requests);
	free(n);
}

int neighbours_fd(const struct neighbours *n)
{
	return mnl_socket_get_fd(n->events);
}

bool neighbours_heard(struct neighbours *n)
{
	char buffer[8192];
	bool heard = false;

	/* ENOBUFS: too much to read, which is news as well. */
	while (mnl_socket_recvfrom(n->events, buffer, sizeof(buffer)) > 0 || errno == ENOBUFS) {
		heard = true;
		errno = 0;
	}
	return heard;
}

/* Sends a request and hands the answer to parse; 0 or a negative errno. */
static int request(struct neighbours *n, struct nlmsghdr *nlh, mnl_cb_t parse, void *context)
{
	char buffer[8192];
	ssize_t length;
	int result = MNL_CB_OK;

	nlh->nlmsg_seq = ++n->sequence;
	if (mnl_socket_sendto(n->requests, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (result > MNL_CB_STOP) {
		length = mnl_socket_recvfrom(n->requests, buffer, sizeof(buffer));
		if (length < 0)
			return -errno;
		result = mnl_cb_run(buffer, (size_t)length, nlh->nlmsg_seq,
				    mnl_socket_get_portid(n->requests), parse, context);
		if (result < 0)
			return -errno;
		if (parse && !(nlh->nlmsg_flags & NLM_F_DUMP))
			return 0;
	}
	return 0;
}

struct route {
	struct in_addr gateway;
	uint32_t ifindex;
};

static int parse_route(const struct nlmsghdr *nlh, void *context)
{
	struct route *route = context;
	struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg)) {
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			route->gateway.s_addr = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			route->ifindex = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

static int route_to(struct neighbours *n, struct in_addr address, struct route *route)
{
	char buffer[256] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 32;
	mnl_attr_put_u32(nlh, RTA_DST, address.s_addr);
	return request(n, nlh, parse_route, route);
}

struct neighbour {
	uint8_t mac[6];
	bool valid;
};

static int parse_neighbour(const struct nlmsghdr *nlh, void *context)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct neighbour *neighbour = context;
	struct nlattr *attr;

	if (!(ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE |
				NUD_DELAY)))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
		if (mnl_attr_get_type(attr) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attr) == sizeof(neighbour->mac)) {
			memcpy(neighbour->mac, mnl_attr_get_payload(attr), sizeof(neighbour->mac));
			neighbour->valid = true;
		}
	return MNL_CB_OK;
}

static struct nlmsghdr *neighbour_message(char *buffer, uint16_t type, uint16_t flags,
					  struct in_addr address, uint32_t ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ndmsg *ndm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = (int)ifindex;
	mnl_attr_put_u32(nlh, NDA_DST, address.s_addr);
	return nlh;
}

/* Asks the kernel to use the entry as if a packet went there: to find it, or to confirm it. */
static void use(struct neighbours *n, struct in_addr address, uint32_t ifindex)
{
	char buffer[256] = {0};
	struct nlmsghdr *nlh = neighbour_message(
	    buffer, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, address, ifindex);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

	ndm->ndm_flags = NTF_USE;
	ndm->ndm_state = NUD_NONE;
	request(n, nlh, NULL, NULL);
}

int neighbours_resolve(struct neighbours *n, struct in_addr address, uint32_t ifindex,
		       uint8_t mac[6])
{
	struct neighbour neighbour = {0};
	struct route route = {0};
	char buffer[256] = {0};
	struct in_addr hop;
	int err = route_to(n, address, &route);

	if (err)
		return err;
	if (route.ifindex != ifindex)
		return -EHOSTUNREACH;
	hop = route.gateway.s_addr ? route.gateway : address;
	err = request(n, neighbour_message(buffer, RTM_GETNEIGH, NLM_F_REQUEST, hop, ifindex),
		      parse_neighbour, &neighbour);
	use(n, hop, ifindex);
	if (err && err != -ENOENT)
		return err;
	if (!neighbour.valid)
		return -ENOENT;
	memcpy(mac, neighbour.mac, sizeof(neighbour.mac));
	return 0;
}
