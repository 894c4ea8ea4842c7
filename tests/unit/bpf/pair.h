/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_PAIR_H
#define FL_TEST_PAIR_H
/*
 * The same node twice: host build and BPF, each with tables of its own. pair_run shows a frame to
 * both and compares what came out: action, bytes, counters by reason, and the flow table but for
 * the flows' stamps (BPF takes time from the kernel). Then the oracle judges.
 */
#include <linux/pkt_cls.h>

#include "bpf_node.h"
#include "oracle.h"

struct pair {
	struct node host;
	struct bpf_node bpf;
	struct oracle oracle;
	uint32_t ticks;                   /* where the host's clock starts: behind BPF's */
	uint64_t counted[LB_REASONS_MAX]; /* BPF's counters less the host's */
	uint64_t seen[HOOKS][LB_REASONS_MAX];
	uint64_t runs, known_routes;
	uint64_t forgotten;        /* how often pair_forget was called */
	struct lb_verdict verdict; /* the host's on the last packet */
	struct packet out;         /* and what it made of it */
	char problem[160];
};

static const char *const pair_reason_name[LB_REASON_COUNT] = {
#define PAIR_NAME(name, text, help) [LB_REASON_##name] = text,
    LB_REASONS(PAIR_NAME)
#undef PAIR_NAME
};

/* Starts anew with the corpus node; flows, fragments and aliases are forgotten. */
static inline void pair_forget(struct pair *p)
{
	int fragments = bpf_map__fd(p->bpf.xdp->maps.fl_fragments);
	int aliases = bpf_map__fd(p->bpf.xdp->maps.fl_aliases);
	struct lb_env *env = &p->host.env;

	for (uint32_t i = 0; i < LB_HOST_FRAGMENTS && i < env->fragment_next; i++)
		bpf_map_delete_elem(fragments, &env->fragments[i].key);
	for (uint32_t i = 0; i < LB_HOST_ALIASES && i < env->alias_next; i++)
		bpf_map_delete_elem(aliases, &env->aliases[i].key);
	memset(env->fragments, 0, sizeof(env->fragments));
	memset(env->aliases, 0, sizeof(env->aliases));
	env->fragment_next = env->alias_next = 0;
	p->oracle.fragments = 0;
	p->forgotten++;
}
static inline void pair_tables_changed(struct pair *p)
{
	bpf_node_fill(&p->bpf, &p->host.tables);
	oracle_forgive(&p->oracle);
}
static inline void pair_restart(struct pair *p)
{
	struct lb_reason_counters reasons = p->host.env.reasons;

	pair_forget(p);
	node_stop(&p->host);
	corpus_node(&p->host);
	p->host.env.reasons = reasons;
	p->host.env.ticks = p->ticks;
	p->host.tables.config->ticks_new = 1 << 25;
	p->host.tables.config->ticks_closed = 1 << 25;
	p->host.tables.config->ticks_udp = 1 << 25;
	for (uint32_t t = 1; t <= NODE_TASKS; t++)
		p->host.tables.tasks[t].ifindex = p->bpf.task[t];
	memset(p->bpf.maps.flows, 0, CORPUS_FLOW_BUCKETS * sizeof(*p->bpf.maps.flows));
	pair_tables_changed(p);
}

/* The host's clock runs behind BPF's, so that stamps of either are in the past. */
static inline bool pair_learn_clock(struct pair *p)
{
	struct corpus_choice c = {.shape = SHAPE_SYN, .port = 7, .client_port = 1};
	struct bpf_run run;
	struct packet in;

	corpus_build(&in, &c);
	if (bpf_node_run(&p->bpf, HOOK_UPLINK, 0, &in, &run))
		return false;
	for (uint32_t i = 0; i < CORPUS_FLOW_BUCKETS * LB_WAYS; i++) {
		const struct lb_flow *w = &p->bpf.maps.flows[i / LB_WAYS].way[i % LB_WAYS];

		if (w->key) {
			p->ticks = (uint32_t)(w->value >> 5) - (1 << 20);
			bpf_node_reasons(&p->bpf, p->counted);
			return true;
		}
	}
	return false;
}

static inline bool pair_retval(const struct pair *p, enum hook hook, const struct lb_verdict *v,
			       uint32_t got)
{
	uint32_t out = p->host.tables.config->flags & LB_CONFIG_TX_REDIRECT ? XDP_REDIRECT : XDP_TX;

	if (hook == HOOK_UPLINK) {
		switch (v->action) {
		case LB_PASS:
			return got == XDP_PASS;
		case LB_DROP:
			return got == XDP_DROP;
		case LB_DELIVER:
			return got == XDP_REDIRECT;
		case LB_RETURN:
			return got == out || got == XDP_PASS;
		default:
			return got == out;
		}
	}
	switch (v->action) {
	case LB_DROP:
		return got == TC_ACT_SHOT;
	case LB_PASS:
	case LB_ICMP: /* not tc's: XDP saw the packet first */
		return got == (hook == HOOK_UPLINK_SKB && v->reason == LB_REASON_ENTRY_UNRESOLVED
				   ? TC_ACT_REDIRECT
				   : TC_ACT_OK);
	default:
		return got == TC_ACT_REDIRECT;
	}
}

/* Bytes as they have to be. For RETURN, XDP fills in the route's Ethernet addresses. */
static inline const char *pair_bytes(struct pair *p, enum hook hook, const struct lb_verdict *v,
				     const struct packet *in, const struct packet *host,
				     const struct bpf_run *run)
{
	const uint8_t *want = host->bytes + host->head;
	uint32_t skip = 0;

	if (v->action == LB_DROP)
		return NULL;
	if (v->action == LB_PASS || (hook == HOOK_UPLINK_SKB && run->retval == TC_ACT_OK)) {
		/* Left to tc, a packet may have taken over the tunnel's congestion mark. */
		if (v->action == LB_PASS && v->reason != LB_REASON_ENTRY_UNRESOLVED &&
		    (host->length != in->length || memcmp(want, in->bytes + in->head, in->length)))
			return "the host changed a frame that it passed";
		if (hook == HOOK_UPLINK_SKB)
			return NULL;
	}
	if (v->action == LB_RETURN && hook == HOOK_UPLINK) {
		if (run->retval == XDP_PASS) {
			if (BE32(v->daddr_be) >> 8 == CLIENT >> 8)
				return "no route to the client";
			return run->length == in->length ? NULL : "length of what was passed";
		}
		if (memcmp(run->bytes, packet_mac_router, 6) ||
		    memcmp(run->bytes + 6, packet_mac_node, 6))
			return "the route's Ethernet addresses";
		p->known_routes++;
	}
	if (hook == HOOK_UPLINK_SKB || v->action == LB_RETURN)
		skip = v->action == LB_DELIVER ? 0 : 12;
	if (run->length != host->length)
		return "length";
	return memcmp(run->bytes + skip, want + skip, host->length - skip) ? "bytes" : NULL;
}

static inline const char *pair_counters(struct pair *p, enum hook hook, const char *problem)
{
	uint64_t now[LB_REASONS_MAX];

	bpf_node_reasons(&p->bpf, now);
	for (uint32_t i = 0; i < LB_REASON_COUNT; i++) {
		if (now[i] - p->counted[i] == p->host.env.reasons.packets[i])
			continue;
		if (hook == HOOK_UPLINK_SKB) /* counts what XDP did not count already */
			p->counted[i] = now[i] - p->host.env.reasons.packets[i];
		else if (!problem)
			problem = pair_reason_name[i];
	}
	return problem;
}

/* Equal but for stamps; then equal, so that both see the same ages from here on. */
static inline const char *pair_flows(struct pair *p)
{
	const uint64_t stamp = (uint64_t)LB_FLOW_TICKS_MASK << LB_FLOW_STATE_BITS;

	for (uint32_t i = 0; i < CORPUS_FLOW_BUCKETS * LB_WAYS; i++) {
		const struct lb_flow *h = &p->host.tables.flows[i / LB_WAYS].way[i % LB_WAYS];
		struct lb_flow *b = &p->bpf.maps.flows[i / LB_WAYS].way[i % LB_WAYS];

		if (h->key != b->key)
			return "flow keys";
		if ((h->value ^ b->value) & ~stamp)
			return "flow values";
		if (h->value != b->value)
			b->value = h->value;
	}
	return NULL;
}

static inline const char *pair_judge(struct pair *p, enum hook hook, const struct lb_verdict *v,
				     const struct packet *in, const struct packet *out)
{
	const struct lb_tables *t = &p->host.tables;
	const uint8_t *from = in->bytes + in->head, *to = out->bytes + out->head;

	switch (v->action) {
	case LB_DELIVER:
		return oracle_deliver(&p->oracle, t, from, in->length, to, v);
	case LB_ENCAP:
	case LB_REENCAP:
		return oracle_tunnel(&p->oracle, t, from, in->length, to, out->length);
	case LB_REPLY:
		return oracle_reply(t, from, to, 14);
	case LB_REPLY_TUNNEL:
		return oracle_reply(t, from, to, 64);
	default:
		if (hook != HOOK_TASK)
			oracle_other(&p->oracle, t, from, in->length);
		return NULL;
	}
}

/* True: both agree and the oracle is content. Else p->problem says what is wrong. */
static inline bool pair_run(struct pair *p, enum hook hook, uint32_t ifindex,
			    const struct packet *in)
{
	struct packet host;
	struct bpf_run run;
	struct lb_verdict v;
	const char *problem = NULL, *flows;
	int err;

	host.head = in->head;
	host.length = in->length;
	memcpy(host.bytes + host.head, in->bytes + in->head, in->length);
	err = bpf_node_run(&p->bpf, hook, ifindex, in, &run);
	/* The kernel makes no skb of less than an IP header. */
	if (err == -EINVAL && hook != HOOK_UPLINK &&
	    in->length < (get16(in->bytes + in->head + 12) == 0x86dd ? 14 + 40 : 14 + 20))
		return true;
	v = hook == HOOK_TASK ? node_from_task(&p->host, &host, ifindex)
			      : node_uplink(&p->host, &host);
	p->runs++;
	p->seen[hook][v.reason]++;
	if (err)
		problem = strerror(-err);
	if (!problem && !pair_retval(p, hook, &v, run.retval))
		problem = "return value";
	if (!problem)
		problem = pair_bytes(p, hook, &v, in, &host, &run);
	problem = pair_counters(p, hook, problem);
	flows = pair_flows(p);
	if (!problem)
		problem = flows;
	if (!problem)
		problem = pair_judge(p, hook, &v, in, &host);
	if (!problem && hook == HOOK_UPLINK_SKB && v.reason == LB_REASON_ENTRY_UNRESOLVED)
		problem = oracle_tunnel(&p->oracle, &p->host.tables, in->bytes + in->head,
					in->length, run.bytes, run.length);
	p->verdict = v;
	p->out.head = host.head;
	p->out.length = host.length;
	memcpy(p->out.bytes + host.head, host.bytes + host.head, host.length);
	if (p->host.env.fragment_next > 48 || p->host.env.alias_next > 48 ||
	    p->oracle.fragments > 48)
		pair_forget(p);
	if (problem)
		snprintf(p->problem, sizeof(p->problem),
			 "%s (host: action %u, %s; BPF: %u, %u bytes)", problem, v.action,
			 pair_reason_name[v.reason], run.retval, run.length);
	return !problem;
}
#endif
