/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_ORACLE_H
#define FL_TEST_ORACLE_H
/*
 * A slow model of what may not happen: a packet delivered to a task that does not own it, sent to a
 * node that does not own it, or changed in a byte that is not the mesh's to change. It reads
 * packets and tables on its own; of the code under test it uses the flow hash alone, which is a
 * definition. Each function returns what is wrong, or NULL.
 */
#include "outer.h"

/* A packet between a client and a published port, seen from the client. */
struct oracle_flow {
	const uint8_t *ip; /* the packet that was decided about */
	uint32_t client, addr;
	uint16_t client_port, port;
	uint8_t proto;
	bool icmp, later, first;
};

enum {
	ORACLE_FRAGMENTS = 64,
	ORACLE_AWAY = 0xffff, /* to another node */
	ORACLE_ANY = 0xfffe,  /* not told: dropped, left to the kernel, or tables changed since */
};
struct oracle {
	/* Where first fragments went; the tunnel's apart. */
	struct oracle_fragment {
		uint32_t client, addr, task;
		uint32_t asked; /* the task named in the tunnel */
		uint16_t id;
		uint8_t proto;
		bool tunnel;
	} fragment[ORACLE_FRAGMENTS];
	uint32_t fragments;
};

static inline bool oracle_is_tunnel(const struct lb_tables *t, const uint8_t *frame,
				    uint32_t length)
{
	return length >= 14 + 20 + 8 + 8 + 14 + 20 && get16(frame + 12) == 0x0800 &&
	       frame[14] == 0x45 && !(get16(frame + 20) & 0x3fff) && frame[23] == PROTO_UDP &&
	       get16(frame + 36) == 4789 && get32(frame + 30) == BE32(t->config->vtep_be);
}

static inline void oracle_parse(struct oracle_flow *f, const uint8_t *ip)
{
	const uint8_t *l4 = ip + ip_header_length(ip);

	memset(f, 0, sizeof(*f));
	f->ip = ip;
	f->client = get32(ip + 12);
	f->addr = get32(ip + 16);
	f->proto = ip[9];
	f->later = get16(ip + 6) & 0x1fff;
	f->first = !f->later && (get16(ip + 6) & FRAG_MF);
	if (f->later)
		return;
	if (f->proto == PROTO_ICMP) { /* quotes what the published port sent */
		f->icmp = true;
		f->proto = l4[8 + 9];
		f->client = get32(l4 + 8 + 16);
		f->port = get16(l4 + 8 + 20);
		f->client_port = get16(l4 + 8 + 22);
		return;
	}
	f->client_port = get16(l4);
	f->port = get16(l4 + 2);
}

/* Backends of a flow's slot, newest generation first; at most LB_GENERATIONS_MAX. */
static inline uint32_t oracle_owners(const struct lb_tables *t, const struct oracle_flow *f,
				     uint32_t owners[LB_GENERATIONS_MAX])
{
	uint32_t index = (f->proto == PROTO_UDP ? 65536U : 0) + f->port, count = 0;
	uint32_t ring = t->ports[index].ring;
	uint64_t hash = lb_flow_hash(t->config->key, BE32(f->client), BE32(f->addr),
				     BE16(f->client_port), BE16(f->port), f->proto);

	for (uint32_t i = 0; ring && ring < t->ring_count && i < LB_GENERATIONS_MAX; i++) {
		const struct lb_ring *r = &t->rings[ring];
		uint64_t slot = (hash >> 32) * r->size >> 32;

		if (r->size && t->slots[r->slots + slot] < r->backend_count)
			owners[count++] = r->backends + t->slots[r->slots + slot];
		ring = r->prev;
	}
	return count;
}

static inline struct oracle_fragment *oracle_fragment(struct oracle *o, const struct oracle_flow *f,
						      bool tunnel)
{
	for (uint32_t i = 0; i < o->fragments; i++) {
		struct oracle_fragment *e = &o->fragment[i];

		if (e->client == f->client && e->addr == f->addr && e->id == get16(f->ip + 4) &&
		    e->proto == f->proto && e->tunnel == tunnel)
			return e;
	}
	return NULL;
}
static inline void oracle_fragment_note(struct oracle *o, const struct oracle_flow *f, bool tunnel,
					uint32_t asked, uint32_t task)
{
	struct oracle_fragment *e = oracle_fragment(o, f, tunnel);

	if (!e) {
		assert(o->fragments < ORACLE_FRAGMENTS);
		e = &o->fragment[o->fragments++];
	}
	*e = (struct oracle_fragment){f->client,        f->addr,  task,  asked,
				      get16(f->ip + 4), f->proto, tunnel};
}
/* After the tables changed. */
static inline void oracle_forgive(struct oracle *o)
{
	for (uint32_t i = 0; i < o->fragments; i++)
		o->fragment[i].task = ORACLE_ANY;
}

static inline uint32_t oracle_task_by_mac(const struct lb_tables *t, const uint8_t *mac)
{
	for (uint32_t i = 1; i <= NODE_TASKS; i++)
		if (!memcmp(t->tasks[i].mac, mac, 6))
			return i;
	return 0;
}

/* May this task have the packet? */
static inline const char *oracle_owner(struct oracle *o, const struct lb_tables *t,
				       const struct oracle_flow *f, bool tunnel, uint32_t asked,
				       uint32_t task)
{
	uint32_t owners[LB_GENERATIONS_MAX], count;
	const struct oracle_fragment *first;

	if (f->later) {
		first = oracle_fragment(o, f, tunnel);
		if (!first)
			return tunnel && task != asked ? "fragment to a task not asked for" : NULL;
		if (first->task == ORACLE_ANY || first->task == task)
			return NULL;
		if (first->asked != asked && task == asked) /* no entry node parts them so */
			return NULL;
		/* Moved often enough: it stays with the task that was asked for. */
		if (first->task == ORACLE_AWAY && f->ip[-8] == 0x0e && f->ip[-7] == LB_ASKED_ALL &&
		    task == asked)
			return NULL;
		return "fragment parted from its first";
	}
	if (f->first)
		oracle_fragment_note(o, f, tunnel, asked, task);
	if (tunnel && task == asked)
		return NULL;
	count = oracle_owners(t, f, owners);
	for (uint32_t i = 0; i < count; i++) {
		const union lb_backend *b = &t->backends[owners[i]];

		if (b->local.outer_type_be == 0 && b->local.kind == LB_BACKEND_LOCAL &&
		    b->local.task == task)
			return NULL;
	}
	return "delivered to a task that owns the flow in no generation";
}

/* The flow table says the same connection as the packet that went out, and only once. */
static inline const char *oracle_flow_known(const struct lb_tables *t, const struct oracle_flow *f,
					    uint32_t task, uint16_t port_seen)
{
	uint32_t base = f->proto == PROTO_UDP ? 65536U : 0;
	uint16_t target = t->ports[base + f->port].target_port_be;
	uint32_t found = 0;

	for (uint32_t i = 0; i < t->flow_buckets * LB_WAYS; i++) {
		const struct lb_flow *w = &t->flows[i / LB_WAYS].way[i % LB_WAYS];
		uint16_t port = BE16(w->value >> 32);
		bool same;

		if (w->key >> 49 != task || (w->key >> 48 & 1) != (f->proto == PROTO_UDP) ||
		    (uint32_t)w->key != BE32(f->client) ||
		    (uint16_t)(w->key >> 32) != BE16(port_seen))
			continue;
		same = t->vias[w->value >> 48].addr_be == BE32(f->addr) && port == f->port;
		if (same && !(w->value & LB_FLOW_ALIASED) != (port_seen == f->client_port))
			return "alias and the client's own port mistaken for each other";
		if (same)
			found++;
		else if (t->ports[base + port].ring &&
			 t->ports[base + port].target_port_be == target)
			return "two connections look the same to the task";
	}
	return found ? NULL : "delivered without a flow";
}

/* Equal but for what a rewrite may change. Checksums that were right are right. */
static inline const char *oracle_rewritten(const uint8_t *before, const uint8_t *after)
{
	uint32_t header = ip_header_length(before), total = get16(before + 2), from = header;
	bool later = get16(before + 6) & 0x1fff, fragment = get16(before + 6) & 0x3fff;

	if (before[0] != after[0] || memcmp(before + 2, after + 2, 6) || before[9] != after[9] ||
	    (before[1] ^ after[1]) & 0xfc)
		return "a field that is not the mesh's was changed";
	if (after[8] != before[8] - (before[8] > 1))
		return "TTL";
	if (ip_check_valid(before) && !ip_check_valid(after))
		return "IP checksum";
	if (memcmp(before + 20, after + 20, header - 20))
		return "IP options";
	if (!later)
		from += before[9] == PROTO_ICMP ? 8 + 28 : before[9] == PROTO_UDP ? 8 : 20;
	if (total > from && memcmp(before + from, after + from, total - from))
		return "payload";
	if (later)
		return NULL;
	if (before[9] == PROTO_ICMP)
		return icmp_check_valid(before) && !icmp_check_valid(after) ? "ICMP checksum"
									    : NULL;
	if (before[9] == PROTO_UDP && !get16(before + header + 6))
		return get16(after + header + 6) ? "UDP checksum out of nothing" : NULL;
	if (!fragment && l4_check_valid(before) &&
	    (!l4_check_valid(after) || (before[9] == PROTO_UDP && !get16(after + header + 6))))
		return "transport checksum";
	return NULL;
}

static inline const char *oracle_deliver(struct oracle *o, const struct lb_tables *t,
					 const uint8_t *in, uint32_t in_length, const uint8_t *out,
					 const struct lb_verdict *v)
{
	bool tunnel = oracle_is_tunnel(t, in, in_length);
	uint32_t offset = tunnel ? 64 : 14, task = oracle_task_by_mac(t, out);
	const uint8_t *ip = out + 14, *l4 = ip + ip_header_length(ip);
	uint16_t target, seen;
	struct oracle_flow f;
	const char *problem;

	oracle_parse(&f, in + offset);
	if (!task || t->tasks[task].addr_be != BE32(get32(ip + 16)) ||
	    memcmp(out + 6, t->tasks[task].gateway_mac, 6))
		return "no task has these addresses";
	if (v->ifindex != t->tasks[task].ifindex || v->task != task)
		return "wrong interface";
	if (get32(ip + 12) != get32(f.ip + 12))
		return "the client's address was changed";
	problem = oracle_owner(o, t, &f, tunnel, tunnel ? oracle_task_by_mac(t, in + 50) : 0, task);
	if (!problem)
		problem = oracle_rewritten(in + offset, ip);
	if (problem || f.later)
		return problem;
	target = f.icmp ? get16(l4 + 8 + 20) : get16(l4 + 2);
	seen = f.icmp ? get16(l4 + 8 + 22) : get16(l4);
	if (target != BE16(t->ports[(f.proto == PROTO_UDP ? 65536U : 0) + f.port].target_port_be))
		return "not the target port";
	if (f.icmp && get32(l4 + 8 + 12) != get32(ip + 16))
		return "the quoted address is not the task's";
	return oracle_flow_known(t, &f, task, seen);
}

/* Out of the uplink in a tunnel: to the node of an owner, the inner packet as it came. */
static inline const char *oracle_tunnel(struct oracle *o, const struct lb_tables *t,
					const uint8_t *in, uint32_t in_length, const uint8_t *out,
					uint32_t out_length)
{
	bool tunnel = oracle_is_tunnel(t, in, in_length);
	uint32_t offset = tunnel ? 64 : 14, node, owners[LB_GENERATIONS_MAX], count;
	struct outer_expected e = {.saddr = BE32(t->config->vtep_be)};
	struct oracle_flow f;

	oracle_parse(&f, in + offset);
	node = out[50 + 4];
	if (node >= NODES || out[50 + 3] != 0xff)
		return "inner destination is no task";
	e.daddr = NODE_VTEP(node);
	e.inner_tos = out[64 + 1];
	e.inner_length = in_length - (tunnel ? 50 : 0);
	if (outer_problem(out, out_length, &e))
		return outer_problem(out, out_length, &e);
	if ((out[56] != 0x0a || out[57] != LB_MAC_ENTRY) && (out[56] != 0x0e || !out[57]))
		return "inner source is no entry node";
	if (tunnel && in[56] == 0x0e && (in[57] & ~out[57] || in[57] == out[57]))
		return "forgot whom it had asked";
	if ((out[64 + 1] ^ in[offset + 1]) & 0xfc || memcmp(in + offset + 2, out + 66, 8) ||
	    memcmp(in + offset + 12, out + 76, in_length - offset - 12))
		return "the client's packet was changed in the tunnel";
	if (f.first)
		oracle_fragment_note(o, &f, tunnel, tunnel ? oracle_task_by_mac(t, in + 50) : 0,
				     ORACLE_AWAY);
	if (f.later)
		return NULL;
	count = oracle_owners(t, &f, owners);
	for (uint32_t i = 0; i < count; i++)
		if (owners[i] == BACKEND(node, out[50 + 5]))
			return NULL;
	return "sent to a node that owns the flow in no generation";
}

/* Dropped or passed: nothing is promised about the later fragments of a first one. */
static inline void oracle_other(struct oracle *o, const struct lb_tables *t, const uint8_t *in,
				uint32_t in_length)
{
	bool tunnel = oracle_is_tunnel(t, in, in_length);
	const uint8_t *ip = in + (tunnel ? 64 : 14);
	struct oracle_flow f = {.ip = ip};

	if (in_length < 14 + 20 || get16(in + 12) != 0x0800 || !(get16(ip + 6) & FRAG_MF) ||
	    get16(ip + 6) & 0x1fff)
		return;
	f.client = get32(ip + 12);
	f.addr = get32(ip + 16);
	f.proto = ip[9];
	oracle_fragment_note(o, &f, tunnel, 0, ORACLE_ANY);
}

/* A task's reply: some flow of the task says just this source, and the client's own port. */
static inline const char *oracle_reply(const struct lb_tables *t, const uint8_t *in,
				       const uint8_t *out, uint32_t ip_offset)
{
	const uint8_t *before = in + 14, *after = out + ip_offset;
	const uint8_t *l4 = before + ip_header_length(before);
	const uint8_t *new_l4 = after + ip_header_length(after);
	uint32_t client = get32(before + 16), addr = get32(after + 12);
	bool udp = (before[9] == PROTO_ICMP ? l4[8 + 9] : before[9]) == PROTO_UDP;

	if (get32(after + 16) != client)
		return "the reply's destination was changed";
	if (oracle_rewritten(before, after))
		return oracle_rewritten(before, after);
	if (get16(before + 6) & 0x1fff)
		return NULL;
	if (before[9] == PROTO_ICMP) { /* the quoted packet is the client's */
		l4 += 8 + 20;
		new_l4 += 8 + 20;
	} else {
		l4 += 2;
		new_l4 += 2;
	}
	for (uint32_t i = 0; i < t->flow_buckets * LB_WAYS; i++) {
		const struct lb_flow *w = &t->flows[i / LB_WAYS].way[i % LB_WAYS];
		/* Where the packet names the client's port and where the published one. */
		uint32_t mine = before[9] == PROTO_ICMP ? 2 : 0;
		const uint8_t *port = before[9] == PROTO_ICMP ? new_l4 + mine : new_l4 - 2;

		if (w->key && w->key >> 49 <= NODE_TASKS && (uint32_t)w->key == BE32(client) &&
		    (w->key >> 48 & 1) == udp && (uint16_t)(w->key >> 32) == BE16(get16(l4)) &&
		    TASK_ADDR(0, (uint32_t)(w->key >> 49)) == get32(before + 12) &&
		    t->vias[w->value >> 48].addr_be == BE32(addr) &&
		    BE16(w->value >> 32) == get16(port) &&
		    ((w->value & LB_FLOW_ALIASED) || get16(new_l4) == get16(l4)))
			return NULL;
	}
	return "the reply belongs to no flow";
}
#endif
