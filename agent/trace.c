// SPDX-License-Identifier: BSD-2-Clause
#include "trace.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "lb_host.h"
#include "lb_reason_text.h"

enum { HEADROOM = 128, FRAME_MAX = 65536 };

static uint16_t checksum(const uint8_t *p, size_t length, uint64_t sum)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += lb_load16(p + i);
	if (length & 1)
		sum += p[length - 1];
	return (uint16_t)~lb_fold(sum);
}

/* The packet as it would stand on the wire; returns its length. */
static uint32_t build(uint8_t *p, const struct lb_config *config, const struct trace *t)
{
	bool udp = t->protocol == LB_PROTO_UDP;
	uint32_t header = udp ? LB_UDP_LEN : LB_TCP_MIN, l4_length = header + t->payload;
	uint8_t *ip = p + LB_ETH_LEN, *l4 = ip + LB_IP_MIN;
	uint64_t pseudo = lb_sum32(t->saddr_be) + lb_sum32(t->daddr_be) +
			  htons(t->protocol) + htons((uint16_t)l4_length);

	(void)config;
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE);
	ip[0] = 0x45;
	lb_store16(ip + 2, htons((uint16_t)(LB_IP_MIN + l4_length)));
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = t->protocol;
	lb_store32(ip + 12, t->saddr_be);
	lb_store32(ip + 16, t->daddr_be);
	lb_store16(ip + 10, checksum(ip, LB_IP_MIN, 0));
	lb_store16(l4, t->sport_be);
	lb_store16(l4 + 2, t->dport_be);
	if (udp) {
		lb_store16(l4 + 4, htons((uint16_t)l4_length));
		lb_store16(l4 + 6, checksum(l4, l4_length, pseudo));
	} else {
		l4[12] = 5 << 4;
		l4[13] = t->tcp_flags;
		lb_store16(l4 + 16, checksum(l4, l4_length, pseudo));
	}
	return LB_ETH_LEN + LB_IP_MIN + l4_length;
}

static void say_backend(const struct show *s, const char *service, uint32_t index)
{
	const union lb_backend *b = &s->tables->backends[index];
	const struct names_backend *name = names_backend_of(s->names, service, b->t.inner_dst);
	uint32_t kind = lb_backend_kind(b);

	if (name)
		printf("task %s on %s, weight %u, %s", show_ip(name->address.s_addr), name->node,
		       name->weight, name->state);
	else
		printf("task %s", show_mac(b->t.inner_dst));
	if (kind == LB_BACKEND_LOCAL)
		printf(", on this node\n");
	else if (kind == LB_BACKEND_DOWN)
		printf(", gone: not asked\n");
	else
		printf(", VTEP %s%s\n", show_ip(lb_load32(b->t.ip + 16)),
		       kind == LB_BACKEND_UNRESOLVED ? ", next hop not resolved yet" : "");
}

static void say_ring(const struct show *s, struct lb_env *env, const char *service,
		     const struct trace *t, struct lb_port port)
{
	const struct lb_config *c = s->tables->config;
	uint64_t hash =
	    lb_flow_hash(c->key, t->saddr_be, t->daddr_be, t->sport_be, t->dport_be, t->protocol);
	uint32_t depth = 0;

	for (uint32_t id = port.ring; id && id < s->tables->ring_count && depth < LB_GENERATIONS_MAX;
	     id = s->tables->rings[id].prev, depth++) {
		const struct lb_ring *r = &s->tables->rings[id];
		uint32_t backend = lb_ring_pick(env, r, hash);

		printf("  %s %u: %u slots, checksum %08x", depth ? "older generation" : "generation",
		       r->generation, r->size, r->checksum);
		if (backend == LB_NO_BACKEND || backend >= s->tables->backend_count) {
			printf("; no backend\n");
			continue;
		}
		printf(", slot %u:\n      ", lb_ring_slot(hash, r->size));
		say_backend(s, service, backend);
	}
}

static void say_verdict(const struct show *s, const struct lb_verdict *v, const uint8_t *out)
{
	static const char *const actions[] = {
	    [LB_PASS] = "pass to the kernel",
	    [LB_DROP] = "drop",
	    [LB_ENCAP] = "encapsulate",
	    [LB_REENCAP] = "encapsulate again",
	    [LB_DELIVER] = "deliver",
	    [LB_RETURN] = "forward to the client",
	    [LB_ICMP] = "answer by ICMP",
	};

	printf("verdict: %s (%s: %s)\n", actions[v->action], lb_reason_name(v->reason),
	       lb_reason_help(v->reason));
	if (v->action == LB_ENCAP)
		printf("  outer: %s -> %s, next hop %s, UDP %u -> %u, VNI %u, inner MAC %s\n",
		       show_ip(lb_load32(out + 26)), show_ip(lb_load32(out + 30)), show_mac(out),
		       ntohs(lb_load16(out + 34)), ntohs(lb_load16(out + 36)),
		       ntohl(lb_load32(out + 46)) >> 8, show_mac(out + 50));
	if (v->action == LB_DELIVER)
		printf("  task %s port %u, interface %u, MAC %s\n", show_ip(lb_load32(out + 30)),
		       ntohs(lb_load16(out + LB_ETH_LEN + LB_IP_MIN + 2)), v->ifindex, show_mac(out));
	if (v->action == LB_ICMP)
		printf("  type %u code %u%s\n", v->icmp_type, v->icmp_code,
		       v->icmp_code == 4 ? " (fragmentation needed)" : "");
	(void)s;
}

/* Flows are written by the decision: it gets a copy of them. */
static struct lb_env *private_env(const struct lb_tables *tables, struct lb_tables *copy)
{
	struct lb_env *env = calloc(1, sizeof(*env));
	size_t bytes = tables->flow_buckets * sizeof(*tables->flows);

	*copy = *tables;
	copy->flows = aligned_alloc(64, bytes);
	if (!env || !copy->flows) {
		free(env);
		free(copy->flows);
		return NULL;
	}
	memcpy(copy->flows, tables->flows, bytes);
	env->tables = copy;
	return env;
}

int trace_packet(const struct show *s, const struct trace *t)
{
	uint32_t index = lb_port_index(t->dport_be, t->protocol == LB_PROTO_UDP);
	const char *service = names_service_of_port(s->names, t->protocol, ntohs(t->dport_be));
	struct lb_host_frame frame = {.head = HEADROOM, .size = FRAME_MAX + HEADROOM};
	struct lb_tables copy;
	struct lb_env *env = private_env(s->tables, &copy);
	struct lb_verdict verdict;
	struct lb_port port;
	double tick;

	frame.bytes = calloc(1, frame.size);
	if (!env || !frame.bytes) {
		fputs("fairlead: out of memory\n", stderr);
		return 1;
	}
	env->ticks = dp_view_ticks(s->view, &tick);
	frame.length = build(frame.bytes + frame.head, s->tables->config, t);
	printf("packet: %s %s:%u -> %s:%u, %u bytes%s\n", t->protocol == LB_PROTO_UDP ? "udp" : "tcp",
	       show_ip(t->saddr_be), ntohs(t->sport_be), show_ip(t->daddr_be), ntohs(t->dport_be),
	       frame.length - LB_ETH_LEN,
	       t->protocol == LB_PROTO_UDP	      ? ""
	       : t->tcp_flags & LB_TCP_SYN ? ", SYN"
					   : ", mid-flow");
	if (!lb_is_own(s->tables->config, t->daddr_be))
		printf("  %s is not an address of this node, nor a virtual IP\n", show_ip(t->daddr_be));
	port = lb_port_read(env, index);
	if (port.ring) {
		printf("  published port %u: service %s, target port %u, return %s\n",
		       ntohs(t->dport_be), service ? service : "?", ntohs(port.target_port_be),
		       port.flags & LB_PORT_DSR ? "dsr" : "symmetric");
		say_ring(s, env, service, t, port);
	} else {
		printf("  port %u is not published\n", ntohs(t->dport_be));
	}
	lb_host_uplink(env, &frame, &verdict);
	say_verdict(s, &verdict, frame.bytes + frame.head);
	free(frame.bytes);
	free(copy.flows);
	free(env);
	return 0;
}
