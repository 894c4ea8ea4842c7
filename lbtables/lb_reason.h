/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_REASON_H
#define FL_LB_REASON_H
/* Why a packet got its verdict: counters, traces and tests use the same names. */
#define LB_REASONS(X)                                                                              \
	X(NOT_OURS, "not_ours", "not for a published port: left to the kernel")                     \
	X(IPV6, "ipv6", "IPv6: parsed, counted and left to the kernel")                             \
	X(ENTRY_REMOTE, "entry_remote", "published port, task on another node: encapsulated")       \
	X(ENTRY_LOCAL, "entry_local", "published port, task on this node: delivered")               \
	X(ENTRY_UNRESOLVED, "entry_unresolved",                                                     \
	  "published port, next hop not resolved yet: the kernel encapsulates")                     \
	X(ENTRY_OVERSIZE, "entry_oversize", "larger than the uplink's MTU (GSO): left to tc")       \
	X(TUNNEL_DELIVER, "tunnel_deliver", "out of the tunnel, delivered to the task")             \
	X(TUNNEL_RETURN, "tunnel_return", "reply out of the tunnel, forwarded to the client")       \
	X(TUNNEL_SECOND_CHANCE, "tunnel_second_chance",                                             \
	  "no such flow here: forwarded to the owner in an older generation")                       \
	X(TUNNEL_NOT_OURS, "tunnel_not_ours",                                                       \
	  "VXLAN with another VNI or without IPv4 inside: left to the kernel")                      \
	X(REPLY_DIRECT, "reply_direct", "task's reply, sent straight to the client")                \
	X(REPLY_TUNNEL, "reply_tunnel", "task's reply, sent back through the entry node")           \
	X(REPLY_NO_FLOW, "reply_no_flow", "from a task, part of no flow of the mesh: left to the kernel") \
	X(ARP_REPLY, "arp_reply", "ARP for the task's gateway: answered")                           \
	X(ICMP_TOO_BIG, "icmp_too_big", "too big for the tunnel: answered with fragmentation needed") \
	X(ICMP_TIME_EXCEEDED, "icmp_time_exceeded", "time to live ran out: answered")               \
	X(ICMP_UNREACHABLE, "icmp_unreachable", "service has no backend: answered with port unreachable") \
	X(DROP_MALFORMED, "drop_malformed", "header lengths that contradict each other")            \
	X(DROP_NO_BACKEND, "drop_no_backend", "service has no backend")                             \
	X(DROP_NO_SERVICE, "drop_no_service", "tunnelled to a port that this node does not know")   \
	X(DROP_UNKNOWN_TASK, "drop_unknown_task", "tunnelled to a task that does not run here")     \
	X(DROP_UNKNOWN_ENTRY, "drop_unknown_entry", "tunnelled by a node that is not of the mesh")  \
	X(DROP_ECN, "drop_ecn", "congestion mark on a packet that cannot carry it (RFC 6040)")      \
	X(DROP_TTL, "drop_ttl", "reply's time to live ran out")                                     \
	X(DROP_FLOW_RACE, "drop_flow_race", "lost a race for a flow's entry: the sender repeats it") \
	X(DROP_FLOW_CONFLICT, "drop_flow_conflict", "client's port towards the task is taken, and no other free") \
	X(DROP_ICMP_NO_FLOW, "drop_icmp_no_flow", "ICMP error about a flow that is not known here")         \
	X(DROP_TOO_BIG, "drop_too_big", "too big, and too odd to answer")                           \
	X(DROP_INTERNAL, "drop_internal", "a table refers to an entry that is not there")           \
	X(FLOW_EVICTED, "flow_evicted", "a live flow gave way to a new one: the flow table is too small") \
	X(FLOW_ALIASED, "flow_aliased", "a client's port was aliased towards a task")

enum lb_reason {
#define LB_REASON_ENUM(name, text, help) LB_REASON_##name,
	LB_REASONS(LB_REASON_ENUM)
#undef LB_REASON_ENUM
	    LB_REASON_COUNT
};
#endif
