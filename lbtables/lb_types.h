/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_TYPES_H
#define FL_LB_TYPES_H
/*
 * The tables' entries, as they lie in memory: BPF array maps, DPDK's shared memory and the heap of
 * the host build hold the same bytes. Host byte order unless a field ends in _be (network order).
 *
 * Publication. Whoever builds tables writes new entries where no reader looks yet and then stores
 * one 64-bit word, a struct lb_port, which makes them visible: a service changes from one state to
 * the next atomically. Entries that are no longer reachable are reused after a grace period
 * (RCU; for BPF programs membarrier(MEMBARRIER_CMD_GLOBAL), which waits for the same thing).
 *
 *   ports[proto][port] --> rings[] --> slots[] --> backends[]        entry
 *                             `-- prev: an older generation
 *   index[inner MAC] --> tasks[]       flows[client, task] --> vias[]  task side
 */
#include <stdint.h>

#include "lb_limits.h"

/* One published port. The whole entry is one word so that one store publishes a service. */
struct lb_port {
	uint32_t ring;           /* index into rings; 0: not published */
	uint16_t target_port_be; /* the task's side */
	uint8_t flags;           /* LB_PORT_* */
	uint8_t reserved;
};
_Static_assert(sizeof(struct lb_port) == 8, "a port is published by one 64-bit store");

enum {
	LB_PORT_DSR = 1 << 0,   /* replies leave from the task's node, not through the entry node */
	LB_PORT_STEER = 1 << 1, /* no task of this node: a forwarder beside the kernel may take it */
};

/* One generation of a service's ring. Immutable once a port or a newer ring refers to it. */
struct lb_ring {
	uint32_t slots;         /* first slot in the slot array */
	uint32_t size;          /* number of slots (M); 0: the service has no backend */
	uint32_t backends;      /* backend of ordinal 0 */
	uint16_t backend_count; /* ordinals below this are valid */
	uint16_t capacity;      /* entries set aside at backends, in units of 8 */
	uint32_t prev;          /* next older live generation, 0: none */
	uint32_t generation;    /* counts changes of this service, from 1 */
	uint32_t checksum;      /* CRC-32C of the owners' names by slot: equal on nodes that agree */
	uint32_t service;       /* hash of the service's name: whose history this is */
};
_Static_assert(sizeof(struct lb_ring) == 32, "two rings per cache line");

/*
 * A backend: the 64 bytes that are put before the client's packet.
 *
 *   0        14          34        42         50               64
 *   | outer  | outer     | UDP     | VXLAN    | inner Ethernet |
 *   | Ether  | IPv4      |         | VNI      | replaces the   |
 *   |        |           |         |          | packet's own   |
 *
 * ip.check holds the folded, not complemented, sum of the outer header with tot_len and tos 0.
 * outer_type_be is ETH_P_IP for a remote task whose next hop is known. Otherwise it is 0 and kind
 * says what the entry is. Both lie in word 1, so that an entry changes kind by one store; readers
 * load that word once (lb_backend_kind). inner_dst, the task's MAC, names the backend in every kind.
 */
enum lb_backend_kind {
	LB_BACKEND_NONE = 0,
	LB_BACKEND_LOCAL = 1,      /* the task runs here: local.task */
	LB_BACKEND_UNRESOLVED = 2, /* next hop has no MAC yet: the kernel finds it. From byte 14 on
				    * the template is complete */
	LB_BACKEND_DOWN = 3,       /* the node or task is gone: not asked for old flows */
	LB_BACKEND_REMOTE = 0x100, /* never stored: what lb_backend_kind says of a template */
};
union lb_backend {
	struct {
		uint8_t dst[6], src[6];
		uint16_t outer_type_be;
		uint8_t ip[20];
		uint16_t udp_src_be, udp_dst_be, udp_len_be, udp_check;
		uint32_t vxlan_flags_be, vxlan_vni_be;
		uint8_t inner_dst[6], inner_src[6];
		uint16_t inner_type_be;
	} __attribute__((packed)) t;
	struct {
		uint32_t task;
		uint32_t reserved;
		uint8_t kind;
		uint8_t reserved2[3];
		uint16_t outer_type_be; /* 0 */
	} __attribute__((packed)) local;
	uint64_t word[8];
} __attribute__((aligned(64)));
_Static_assert(sizeof(union lb_backend) == 64, "a template is one cache line");
_Static_assert(__builtin_offsetof(union lb_backend, t.outer_type_be) == 12, "in word 1");
_Static_assert(__builtin_offsetof(union lb_backend, local.outer_type_be) == 12, "in word 1");
_Static_assert(__builtin_offsetof(union lb_backend, local.kind) == 8, "in word 1");
_Static_assert(__builtin_offsetof(union lb_backend, t.inner_dst) == 50, "RFC 7348 section 5");

/*
 * Locally administered MAC addresses that the mesh puts into the inner Ethernet header. A kernel
 * vxlan device treats them as any other unicast address.
 *
 *   byte 0     1       2..5
 *   | 0x0a | kind  | VTEP of the entry node |   as it leaves the entry node, or a reply
 *   | 0x0e | asked | VTEP of the entry node |   on its second chance
 *
 * As inner source (kind ENTRY): who took the packet in, which survives a second chance. As inner
 * destination (kind RETURN): a reply on its way back. asked: bit g % 8 is set if the owner of the
 * flow's slot in generation g of its ring was asked. It names generations, and does not count them,
 * because nodes need not have the same ones; more than 8 are never alive at once while nodes are at
 * most 4 changes apart. A set that only grows also bounds the way.
 */
enum {
	LB_MAC_PREFIX = 0x0a,
	LB_MAC_PREFIX_ASKED = 0x0e,
	LB_MAC_ENTRY = 0x10,
	LB_MAC_RETURN = 0x20,
	LB_ASKED_ALL = 0xff, /* nobody else is left to ask: who gets it now keeps the flow */
};

/* A task of this node. */
struct lb_task {
	uint32_t addr_be; /* 0: none */
	uint32_t ifindex; /* host side of its veth */
	uint8_t mac[6];
	uint8_t gateway_mac[6]; /* the host side's own */
	uint32_t gateway_be;    /* ARP for this address is answered with gateway_mac */
	uint16_t mtu;
	uint8_t reserved[6];
};
_Static_assert(sizeof(struct lb_task) == 32, "two tasks per cache line");

/* The way a flow came in: the address that the client used and the node that took it in. */
struct lb_via {
	uint32_t addr_be; /* what replies must carry as source */
	uint32_t vtep_be; /* entry node's tunnel address */
};
_Static_assert(sizeof(struct lb_via) == 8, "");

/*
 * A flow on the task's node: 16 bytes, exact (nothing is hashed away).
 *
 *   key   63      48 47      32 31         0
 *         | task|p  | client   | client     |   p: 0 TCP, 1 UDP. task 0: no flow
 *         | 15   1  | port be  | address be |
 *   value 63      48 47      32 31   5 4    0
 *         | via     | published| ticks |state|  ticks: coarse time, see lb_env_ticks
 *         |         | port be  | 27    |  5  |
 *
 * The pair is written value first between two stores of the key (first LB_FLOW_BUSY, then the
 * real one); a reader that sees the same key before and after has read that key's value.
 */
struct lb_flow {
	uint64_t key;
	uint64_t value;
};
struct lb_flow_bucket {
	struct lb_flow way[LB_WAYS];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct lb_flow) <= 16, "16 bytes a flow");
_Static_assert(sizeof(struct lb_flow_bucket) == 128, "two adjacent cache lines");

enum {
	LB_FLOW_REPLIED = 1 << 0,  /* the task has answered */
	LB_FLOW_ESTABLISHED = 1 << 1, /* and the client has answered that */
	LB_FLOW_FIN_CLIENT = 1 << 2,
	LB_FLOW_FIN_TASK = 1 << 3, /* both: closed. RST sets both */
	LB_FLOW_ALIASED = 1 << 4,  /* client's port in the key is an alias */
	LB_FLOW_STATE_BITS = 5,
	LB_FLOW_STATE_MASK = (1 << 5) - 1,
	LB_FLOW_TICKS_MASK = (1 << 27) - 1,
	LB_FLOW_CLOSED = LB_FLOW_FIN_CLIENT | LB_FLOW_FIN_TASK,
};
#define LB_FLOW_BUSY 1ULL /* task 0: matches no key */

/* Exact-match index: small keys to ids. Set-associative, no tombstones: all ways are looked at. */
enum lb_index_kind {
	LB_INDEX_EMPTY = 0,
	LB_INDEX_TASK_MAC,  /* inner destination MAC -> task */
	LB_INDEX_TASK_ADDR, /* task's address -> task */
	LB_INDEX_VIA,       /* address | VTEP << 32 -> via */
};
struct lb_index_entry {
	uint64_t key;
	uint32_t kind;
	uint32_t value;
};
struct lb_index_bucket {
	struct lb_index_entry way[LB_WAYS];
} __attribute__((aligned(64)));

/* What a node is. One entry; each field may change under readers' eyes on its own. */
struct lb_config {
	uint32_t addrs_be[LB_ADDRS_MAX]; /* own addresses and virtual IPs; 0: unused */
	uint32_t vtep_be;
	uint32_t vni_be; /* as it stands in the VXLAN header: VNI << 8 */
	uint16_t vxlan_port_be;
	uint16_t inner_mtu; /* uplink's MTU less 50 */
	uint16_t uplink_mtu;
	uint16_t flags; /* LB_CONFIG_* */
	uint64_t key[2]; /* flow hash secret, the same on each node */
	uint64_t table_key; /* this node's own: spreads flow and index buckets; odd */
	uint32_t flow_mask, index_mask; /* buckets - 1; powers of two */
	uint32_t ticks_closed, ticks_new, ticks_udp; /* when a flow may be forgotten, in ticks */
	uint32_t uplink_ifindex;
	uint32_t sample_mask; /* 0: no packet is sampled; else bit 0, and above it one less than a
			       * power of two: one packet in so many */
	uint32_t reserved;
};
enum {
	LB_CONFIG_TX_REDIRECT = 1 << 0, /* virtual uplink: redirect to it, XDP_TX would be lost */
	LB_CONFIG_DELIVER_GRO = 1 << 1, /* what XDP delivers goes through GRO and tc to its task */
};

/* Per-CPU (per-lcore) counters. bytes are IP lengths. */
struct lb_backend_counters {
	uint64_t packets, bytes, flows; /* flows: TCP SYNs sent to it */
};
struct lb_task_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, flows;
};

#include "lb_reason.h"

enum { LB_REASONS_MAX = 64 }; /* a power of two: BPF masks the index */
_Static_assert((int)LB_REASON_COUNT <= (int)LB_REASONS_MAX, "");
struct lb_reason_counters {
	uint64_t packets[LB_REASONS_MAX];
};

/* Key and value of a fragmented packet's table: later fragments carry no ports. */
struct lb_fragment_key {
	uint32_t saddr_be, daddr_be;
	uint16_t id_be;
	uint8_t proto;
	uint8_t side; /* 0: from a client, 1: from a task, 2: out of the tunnel */
};
struct lb_fragment {
	uint32_t backend; /* sides 0 and 2; LB_NO_BACKEND: the one that was asked for */
	uint16_t port_be; /* published port */
	uint16_t via;     /* side 1 */
};

/*
 * Alias of a client's port. A task sees (client, client port); a client may use the same port
 * towards two nodes of the mesh, and both connections may fall to one task. The second is given
 * another port, in the task's eyes only.
 */
struct lb_alias_key {
	uint64_t flow; /* key of struct lb_flow; with the real port (side 0) or the alias (side 1) */
	uint32_t addr_be;
	uint16_t port_be; /* side 0: the address and port the client used. side 1: 0 and target port */
	uint16_t side;
};
struct lb_alias {
	uint16_t port_be; /* side 0: the alias. side 1: the real port */
	uint16_t reserved;
};

/* A sampled packet's verdict, as it goes through the ring buffer. */
struct lb_sample {
	uint64_t time_ns;
	uint32_t saddr_be, daddr_be;
	uint16_t sport_be, dport_be;
	uint16_t length;
	uint8_t proto;
	uint8_t hook; /* 0: uplink, 1: task */
	uint32_t verdict; /* enum lb_action */
	uint32_t reason;  /* enum lb_reason */
	uint32_t backend; /* or task, by verdict */
	uint32_t reserved;
};
#endif
