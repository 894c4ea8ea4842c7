// SPDX-License-Identifier: BSD-2-Clause
#include "packet_cases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "lb_reason.h"
#include "lb_verdict.h"

enum {
	OWN = 0xc0000201,   /* 192.0.2.1 */
	OTHER = 0xc0000263, /* 192.0.2.99 */
	NODES = 0xc6336401, /* 198.51.100.1 and on */
	TASK = 0xac1e0002,  /* 172.30.0.2 */
	NODE_COUNT = 10,
	BACKEND_COUNT = 100,
	ENTRY_PORT = 8000,
	HOST_PORT = 8001,
	SSH_PORT = 22,
	TARGET_PORT = 80,
	VXLAN_PORT = 4789,
	VNI = 4096,
	TASK_IFINDEX = 1,
	TTL = 63,
	FRAME_LENGTH = 60, /* the shortest on Ethernet, without its checksum */
};

static const uint8_t own_mac[6] = {0x02, 0, 0, 0, 0, 1}, router_mac[6] = {0x02, 0, 0, 0, 0, 2},
		     task_mac[6] = {0x02, 0x42, 0xac, 0x1e, 0, 2},
		     gateway_mac[6] = {0x02, 0x42, 0xac, 0x1e, 0, 1};

#define ENTRY(name_, text_, frame_, flows_, goal, goal_case_)                                      \
	{                                                                                          \
		.name = name_, .text = text_, .program = PACKET_UPLINK, .frame = frame_,           \
		.flows = flows_, .effect = PACKET_ENTERED, .verdict = XDP_TX,                      \
		.reason = LB_REASON_ENTRY_REMOTE, .goal_ns = goal, .goal_case = goal_case_         \
	}
#define HOST(name_, text_, frame_, flows_, goal)                                                   \
	{                                                                                          \
		.name = name_, .text = text_, .program = PACKET_UPLINK, .frame = frame_,           \
		.flows = flows_, .effect = PACKET_DELIVERED, .verdict = XDP_REDIRECT,              \
		.reason = LB_REASON_TUNNEL_DELIVER, .goal_ns = goal, .goal_case = -1               \
	}
#define OTHERS(name_, text_, frame_, reason_)                                                      \
	{                                                                                          \
		.name = name_, .text = text_, .program = PACKET_UPLINK, .frame = frame_,           \
		.flows = PACKET_HOT, .effect = PACKET_SAME, .verdict = XDP_PASS,                   \
		.reason = reason_, .goal_ns = 10, .goal_case = -1                                  \
	}
#define FLOOR(name_, text_, program_, effect_)                                                     \
	{                                                                                          \
		.name = name_, .text = text_, .program = program_, .frame = PACKET_ENTRY_ACK,      \
		.effect = effect_, .verdict = XDP_TX, .reason = -1, .goal_case = -1                \
	}

enum { CASE_ENTRY_MANY = 3 };

const struct packet_case packet_cases[] = {
    FLOOR("floor_swap", "MAC swap, XDP_TX", PACKET_SWAP, PACKET_SWAPPED),
    FLOOR("floor_encap", "bare encapsulation", PACKET_ENCAPSULATE, PACKET_WRAPPED),
    ENTRY("entry_hot", "entry, 1 flow", PACKET_ENTRY_ACK, PACKET_HOT, 40, -1),
    [CASE_ENTRY_MANY] =
	ENTRY("entry_many", "entry, many flows", PACKET_ENTRY_ACK, PACKET_MANY, 45, -1),
    ENTRY("entry_new", "entry, new flows (SYN)", PACKET_ENTRY_SYN, PACKET_NEW, 0, CASE_ENTRY_MANY),
    HOST("host_hot", "host side, 1 flow", PACKET_TUNNEL_ACK, PACKET_HOT, 70),
    HOST("host_many", "host side, many flows", PACKET_TUNNEL_ACK, PACKET_MANY, 150),
    HOST("host_drawn", "host side, many, by lot", PACKET_TUNNEL_ACK, PACKET_DRAWN, 0),
    HOST("host_new", "host side, new flows (SYN)", PACKET_TUNNEL_SYN, PACKET_NEW, 0),
    OTHERS("other_port", "not ours: port 22", PACKET_OTHER_PORT, -1),
    OTHERS("other_address", "not ours: address", PACKET_OTHER_ADDRESS, -1),
    OTHERS("ipv6", "not ours: IPv6", PACKET_IPV6, LB_REASON_IPV6),
};
const uint32_t packet_case_count = sizeof(packet_cases) / sizeof(*packet_cases);

static void backend_mac(uint8_t mac[6], uint32_t number)
{
	const uint8_t m[6] = {0x02, 0x42, 10, 0, (uint8_t)(number >> 8), (uint8_t)number};

	memcpy(mac, m, 6);
}

static int fill_node(struct tables *t)
{
	struct lb_config config = {
	    .addrs_be = {htonl(OWN)},
	    .vtep_be = htonl(OWN),
	    .vni_be = htonl((uint32_t)VNI << 8),
	    .vxlan_port_be = htons(VXLAN_PORT),
	    .inner_mtu = 1450,
	    .uplink_mtu = 1500,
	    .key = {0x243f6a8885a308d3, 0x13198a2e03707344},
	    .ticks_closed = 60,
	    .ticks_new = 60,
	    .ticks_udp = 180,
	    .uplink_ifindex = 1,
	};
	struct lb_via vias[NODE_COUNT + 1] = {{htonl(OWN), htonl(OWN)}};
	int err = tables_set_config(t, &config);

	for (uint32_t n = 0; n < NODE_COUNT; n++) {
		vias[n + 1] = (struct lb_via){htonl(NODES + n), htonl(NODES + n)};
		if (!err)
			err = tables_set_next_hop(t, htonl(NODES + n), router_mac, own_mac);
	}
	return err ? err : tables_set_vias(t, vias, NODE_COUNT + 1);
}

static int fill_entry(struct tables *t)
{
	struct tables_backend backends[BACKEND_COUNT] = {0};
	struct tables_port port = {ENTRY_PORT, htons(TARGET_PORT)};
	struct tables_service service = {.name = 1,
					 .ports = &port,
					 .port_count = 1,
					 .backends = backends,
					 .backend_count = BACKEND_COUNT};

	for (uint32_t b = 0; b < BACKEND_COUNT; b++) {
		backend_mac(backends[b].mac, b);
		backends[b].weight = 100;
		backends[b].vtep_be = htonl(NODES + b % NODE_COUNT);
	}
	return tables_set_service(t, &service, NULL);
}

static int fill_host(struct tables *t)
{
	struct lb_task task = {.addr_be = htonl(TASK), .ifindex = TASK_IFINDEX, .mtu = 1450};
	struct tables_backend backend = {.weight = 100};
	struct tables_port port = {HOST_PORT, htons(TARGET_PORT)};
	struct tables_service service = {
	    .name = 2, .ports = &port, .port_count = 1, .backends = &backend, .backend_count = 1};
	int err;

	memcpy(task.mac, task_mac, 6);
	memcpy(task.gateway_mac, gateway_mac, 6);
	memcpy(backend.mac, task_mac, 6);
	err = tables_set_tasks(t, &task, 1, &backend.task);
	return err ? err : tables_set_service(t, &service, NULL);
}

int packet_world_fill(struct packet_bed *bed)
{
	union lb_backend outer;
	int err = fill_node(bed->tables);

	if (!err)
		err = fill_entry(bed->tables);
	if (!err)
		err = fill_host(bed->tables);
	if (err)
		return err;
	lb_make_outer(&outer, bed->l.config, htonl(NODES));
	memcpy(outer.t.dst, router_mac, 6);
	memcpy(outer.t.src, own_mac, 6);
	memcpy(bed->plan->outer, &outer, sizeof(bed->plan->outer));
	return 0;
}

static uint64_t sum_bytes(const uint8_t *p, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += lb_load16(p + i);
	return sum;
}
/* Of a TCP segment with its pseudo header; p is the IPv4 header. */
static uint16_t sum_tcp(const uint8_t *p)
{
	uint32_t length = lb_swap16(lb_load16(p + 2)) - (uint32_t)LB_IP_MIN;

	return lb_fold(sum_bytes(p + 12, 8) + htons(LB_PROTO_TCP) + htons((uint16_t)length) +
		       sum_bytes(p + LB_IP_MIN, length));
}

static void make_ip(uint8_t *ip, uint32_t length, uint8_t proto, uint32_t saddr, uint32_t daddr)
{
	memset(ip, 0, LB_IP_MIN);
	ip[0] = 0x45;
	lb_store16(ip + 2, htons((uint16_t)length));
	ip[6] = 0x40;
	ip[8] = TTL;
	ip[9] = proto;
	lb_store32(ip + 12, htonl(saddr));
	lb_store32(ip + 16, htonl(daddr));
	lb_store16(ip + 10, (uint16_t)~lb_fold(sum_bytes(ip, LB_IP_MIN)));
}

/* Checksums are those of a client 0.0.0.0:0: the driver puts in addresses and leaves the sums,
 * which the programs only ever update. */
static void make_segment(uint8_t *eth, uint32_t daddr, uint16_t port, uint8_t flags)
{
	uint8_t *ip = eth + LB_ETH_LEN, *tcp = ip + LB_IP_MIN;

	memset(eth, 0, FRAME_LENGTH);
	memcpy(eth, own_mac, 6);
	memcpy(eth + 6, router_mac, 6);
	lb_store16(eth + 12, LB_ETHERTYPE_IPV4_BE);
	make_ip(ip, FRAME_LENGTH - LB_ETH_LEN, LB_PROTO_TCP, 0, daddr);
	lb_store16(tcp + 2, htons(port));
	lb_store32(tcp + 4, htonl(0x01020304));
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	lb_store16(tcp + 14, htons(512));
	lb_store16(tcp + 16, (uint16_t)~sum_tcp(ip));
}

static uint32_t make_tunnel(uint8_t *out, uint8_t flags)
{
	uint8_t *udp = out + LB_ETH_LEN + LB_IP_MIN, *inner = out + LB_OUTER_LEN;

	memcpy(out, own_mac, 6);
	memcpy(out + 6, router_mac, 6);
	lb_store16(out + 12, LB_ETHERTYPE_IPV4_BE);
	make_ip(out + LB_ETH_LEN, LB_OUTER_LEN - LB_ETH_LEN + FRAME_LENGTH, LB_PROTO_UDP, NODES,
		OWN);
	lb_store16(udp, htons(50000));
	lb_store16(udp + 2, htons(VXLAN_PORT));
	lb_store16(udp + 4, htons(16 + FRAME_LENGTH));
	lb_store16(udp + 6, 0);
	lb_store32(udp + 8, LB_VXLAN_FLAGS_BE);
	lb_store32(udp + 12, htonl((uint32_t)VNI << 8));
	make_segment(inner, NODES, HOST_PORT, flags);
	memcpy(inner, task_mac, 6);
	lb_write_mesh_mac(inner + 6, LB_MAC_ENTRY, htonl(NODES));
	return LB_OUTER_LEN + FRAME_LENGTH;
}

uint32_t packet_frame_make(enum packet_frame kind, uint8_t *out)
{
	switch (kind) {
	case PACKET_ENTRY_ACK:
		make_segment(out, OWN, ENTRY_PORT, LB_TCP_ACK);
		break;
	case PACKET_ENTRY_SYN:
		make_segment(out, OWN, ENTRY_PORT, LB_TCP_SYN);
		break;
	case PACKET_TUNNEL_ACK:
		return make_tunnel(out, LB_TCP_ACK);
	case PACKET_TUNNEL_SYN:
		return make_tunnel(out, LB_TCP_SYN);
	case PACKET_OTHER_PORT:
		make_segment(out, OWN, SSH_PORT, LB_TCP_ACK);
		break;
	case PACKET_OTHER_ADDRESS:
		make_segment(out, OTHER, ENTRY_PORT, LB_TCP_ACK);
		break;
	case PACKET_IPV6:
	case PACKET_FRAMES:
		make_segment(out, OWN, ENTRY_PORT, LB_TCP_ACK);
		lb_store16(out + 12, LB_ETHERTYPE_IPV6_BE);
		out[LB_ETH_LEN] = 0x60;
		break;
	}
	return FRAME_LENGTH;
}

static uint32_t frame_block(enum packet_frame kind)
{
	return kind == PACKET_TUNNEL_ACK || kind == PACKET_TUNNEL_SYN ? (uint32_t)LB_OUTER_LEN : 0;
}

void packet_plan_set(struct floors_plan *plan, enum packet_frame kind, uint32_t mask, bool draw,
		     uint32_t next)
{
	uint8_t frame[PACKET_FRAME_MAX];

	plan->length = packet_frame_make(kind, frame);
	plan->at = frame_block(kind);
	plan->mask = mask;
	plan->draw = draw;
	plan->next = next;
	memcpy(plan->block, frame + plan->at, FLOORS_BLOCK);
}

/* The outer header, field by field (RFC 7348 section 5), around an inner frame of this length. */
static const char *check_outer(const uint8_t *p, uint32_t inner_length)
{
	const uint8_t *ip = p + LB_ETH_LEN, *udp = ip + LB_IP_MIN;
	uint32_t node = ntohl(lb_load32(ip + 16));

	if (memcmp(p, router_mac, 6) || memcmp(p + 6, own_mac, 6) ||
	    lb_load16(p + 12) != LB_ETHERTYPE_IPV4_BE)
		return "outer Ethernet header";
	if (ip[0] != 0x45 || ip[9] != LB_PROTO_UDP || lb_load32(ip + 12) != htonl(OWN) ||
	    node < NODES || node >= NODES + NODE_COUNT)
		return "outer IP header";
	if (lb_load16(ip + 2) != htons((uint16_t)(inner_length + LB_OUTER_LEN - LB_ETH_LEN)) ||
	    lb_load16(udp + 4) != htons((uint16_t)(inner_length + 16)))
		return "outer length";
	if (lb_fold(sum_bytes(ip, LB_IP_MIN)) != 0xffff)
		return "outer IP checksum";
	if (lb_load16(udp + 2) != htons(VXLAN_PORT))
		return "UDP port";
	if (lb_load32(udp + 8) != LB_VXLAN_FLAGS_BE ||
	    lb_load32(udp + 12) != htonl((uint32_t)VNI << 8))
		return "VXLAN header";
	return NULL;
}

static const char *check_entered(const uint8_t *p, const uint8_t *in, uint32_t length)
{
	const char *wrong = check_outer(p, length);
	const uint8_t *inner = p + LB_OUTER_LEN;
	uint32_t number = (uint32_t)inner[4] << 8 | inner[5];
	uint8_t mac[6];

	if (wrong)
		return wrong;
	backend_mac(mac, number);
	if (memcmp(inner, mac, 6) || number >= BACKEND_COUNT ||
	    ntohl(lb_load32(p + LB_ETH_LEN + 16)) != NODES + number % NODE_COUNT)
		return "backend";
	if (!lb_is_mesh_mac(inner + 6, LB_MAC_ENTRY) || lb_load32(inner + 8) != htonl(OWN) ||
	    lb_load16(inner + 12) != LB_ETHERTYPE_IPV4_BE)
		return "inner Ethernet header";
	if (ntohs(lb_load16(p + LB_ETH_LEN + LB_IP_MIN)) < LB_ENTROPY_FIRST)
		return "entropy port";
	return memcmp(inner + LB_ETH_LEN, in + LB_ETH_LEN, length - LB_ETH_LEN) ? "inner packet"
										: NULL;
}

static const char *check_delivered(const uint8_t *p, const uint8_t *in)
{
	const uint8_t *ip = p + LB_ETH_LEN, *tcp = ip + LB_IP_MIN;
	const uint8_t *in_ip = in + LB_OUTER_LEN + LB_ETH_LEN;

	if (memcmp(p, task_mac, 6) || memcmp(p + 6, gateway_mac, 6) ||
	    lb_load16(p + 12) != LB_ETHERTYPE_IPV4_BE)
		return "Ethernet header";
	if (lb_load32(ip + 12) != lb_load32(in_ip + 12) || lb_load32(ip + 16) != htonl(TASK) ||
	    ip[8] != TTL - 1 || lb_load16(tcp) != lb_load16(in_ip + LB_IP_MIN) ||
	    lb_load16(tcp + 2) != htons(TARGET_PORT))
		return "addresses and ports";
	/* What was wrong before by the flow's address and port is wrong by as much now. */
	if (lb_fold(sum_bytes(ip, LB_IP_MIN)) != lb_fold(sum_bytes(in_ip, LB_IP_MIN)) ||
	    sum_tcp(ip) != sum_tcp(in_ip))
		return "checksum";
	return NULL;
}

const char *packet_check(const struct packet_case *c, uint32_t flow, const struct packet_run *run)
{
	static const int grown[] = {[PACKET_WRAPPED] = LB_OUTER_LEN,
				    [PACKET_ENTERED] = LB_OUTER_LEN,
				    [PACKET_DELIVERED] = -LB_OUTER_LEN};
	uint32_t length, mixed = floors_mix(flow);
	uint8_t in[PACKET_FRAME_MAX], *block;
	const uint8_t *p = run->frame;

	length = packet_frame_make(c->frame, in);
	block = in + frame_block(c->frame);
	lb_store32(block + LB_ETH_LEN + 12, floors_client_be(mixed));
	lb_store16(block + LB_ETH_LEN + LB_IP_MIN, floors_port_be(mixed));
	if (run->verdict != c->verdict)
		return "verdict";
	if ((int)run->length != (int)length + grown[c->effect])
		return "length";
	switch (c->effect) {
	case PACKET_SAME:
		return memcmp(p, in, length) ? "bytes" : NULL;
	case PACKET_SWAPPED:
		return memcmp(p, in + 6, 6) || memcmp(p + 6, in, 6) ||
			       memcmp(p + 12, in + 12, length - 12)
			   ? "bytes"
			   : NULL;
	case PACKET_WRAPPED:
		return check_outer(p, length);
	case PACKET_ENTERED:
		return check_entered(p, in, length);
	case PACKET_DELIVERED:
		return check_delivered(p, in);
	}
	return "effect";
}
