/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_TASK_SIDE_H
#define FL_LB_TASK_SIDE_H
/*
 * The task's side of the mesh: a packet has reached the node where its task runs, through the tunnel
 * or because this node took it in. Find or make its flow, rewrite it, deliver it.
 *
 * Second chance. The ring may have changed while a connection was open, and nodes learn of it at
 * different moments. A mid-flow packet without a flow is therefore shown to the other owners of its
 * slot, generation by generation as this node knows them, newest first, before it is believed to be
 * new here. The inner source MAC carries which generations were asked (lb_types.h) and the node
 * that took the packet in. When all have been asked the newest owner keeps the flow (LB_ASKED_ALL).
 * A SYN is never asked about: it opens a flow where the entry node sent it.
 */
#include "lb_flow.h"
#include "lb_index.h"
#include "lb_ring.h"
#include "lb_rewrite.h"

/* A packet at its task's node, and what was found out on the way. */
struct lb_arrival {
	uint64_t key;  /* of its flow, with the client's real port */
	uint64_t hash; /* ring hash; filled by the slow path */
	uint64_t found; /* key under which the flow is kept: key, or with an alias as port */
	uint32_t task;
	uint32_t via;
	uint32_t entry_vtep_be;
	uint32_t daddr_be, saddr_be;
	uint32_t backend; /* out: LB_FORWARD, or LB_ADMIT to another task than was asked for */
	struct lb_port port;
	uint16_t sport_be, dport_be;
	uint16_t id_be;
	uint16_t client_port_be; /* out: real or alias */
	uint8_t tcp_flags;
	uint8_t proto;
	uint8_t asked; /* LB_FORWARD: with those who were asked here */
	bool opening, icmp, fragment_first, tunnel;
	bool new_flow; /* out */
	uint8_t reason; /* out: LB_REFUSE */
};

enum lb_arrival_result {
	LB_ADMIT,   /* deliver to arrival.task */
	LB_FORWARD, /* to arrival.backend, with arrival.asked */
	LB_REFUSE,
	LB_CREATE,  /* deliver it to arrival.task, as the first packet of a flow */
};

/* Notes a packet in a flow that was found. */
lb_inline void lb_flow_touch(struct lb_env *env, struct lb_flow *flow, uint64_t value,
			     const struct lb_arrival *a)
{
	uint32_t state = lb_flow_state(value);

	if (!a->icmp)
		state = lb_flow_next_state(state, a->proto == LB_PROTO_UDP, a->tcp_flags, false);
	lb_flow_update(flow, value,
		       lb_flow_value(a->via, a->dport_be, lb_env_ticks(env), state));
}

enum lb_seek {
	LB_SEEK_NOTHING = 0,
	LB_SEEK_FOUND = 1,    /* and touched: it may now come in through another node */
	LB_SEEK_CONFLICT = 2, /* the task knows this client port, of another connection */
	LB_SEEK_CLOSED = 4,   /* found, but that connection has ended: it may be another's packet */
};

/* A connection that ended here, and a packet in the middle of one: the client may have used its port
 * again meanwhile, towards another owner of the slot. */
lb_inline bool lb_flow_has_ended(uint64_t value, const struct lb_arrival *a)
{
	return (lb_flow_state(value) & LB_FLOW_CLOSED) == LB_FLOW_CLOSED && !a->opening;
}

/* A flow by key, published port and the address that the client used. */
lb_cold int lb_flow_seek(struct lb_env *env, const struct lb_arrival *a, uint64_t key)
{
	const struct lb_config *config;
	struct lb_flow_bucket *bucket;
	int seen = LB_SEEK_NOTHING;
	uint32_t aliased;

	if (!env || !a)
		return seen;
	config = lb_env_config(env);
	if (!config)
		return seen;
	bucket = lb_flow_bucket_of(env, config, key);
	if (!bucket)
		return seen;
	aliased = key != a->key ? LB_FLOW_ALIASED : 0;
	for (int i = 0; i < LB_WAYS; i++) {
		uint64_t value = lb_flow_peek(&bucket->way[i], key);
		const struct lb_via *via;
		struct lb_port other;

		if (!value)
			continue;
		via = lb_env_via(env, lb_flow_via(value));
		if (lb_flow_port(value) == a->dport_be && via && via->addr_be == a->daddr_be &&
		    (value & LB_FLOW_ALIASED) == aliased) {
			lb_flow_touch(env, &bucket->way[i], value, a);
			return lb_flow_has_ended(value, a) ? LB_SEEK_CLOSED : LB_SEEK_FOUND;
		}
		other = lb_port_read(env, lb_port_index(lb_flow_port(value), lb_flow_is_udp(key)));
		/* A port that is not published now may be again, and its replies look the same then. */
		if (!other.ring || other.target_port_be == a->port.target_port_be)
			seen = LB_SEEK_CONFLICT;
	}
	return seen;
}

lb_inline void lb_alias_key_of(struct lb_alias_key *k, const struct lb_arrival *a)
{
	k->flow = a->key;
	k->addr_be = a->daddr_be;
	k->port_be = a->dport_be;
	k->side = 0;
}

/* Looks for the flow under the client's own port, then under its alias: enum lb_seek. */
lb_cold int lb_flow_lookup(struct lb_env *env, struct lb_arrival *a)
{
	struct lb_alias_key alias_key;
	struct lb_alias alias = {0};
	int seen;

	if (!env || !a)
		return LB_SEEK_NOTHING;
	a->found = a->key;
	a->client_port_be = a->sport_be;
	seen = lb_flow_seek(env, a, a->key);
	if (seen == LB_SEEK_FOUND || seen == LB_SEEK_CLOSED)
		return seen;
	lb_alias_key_of(&alias_key, a);
	if (lb_env_alias_get(env, &alias_key, &alias))
		return seen;
	a->found = lb_flow_key_port(a->key, alias.port_be);
	a->client_port_be = alias.port_be;
	return lb_flow_seek(env, a, a->found);
}

/* Gives the client another port towards this task: LB_CREATE, LB_ADMIT when it was given one before and
 * that was forgotten (aliases are kept by use, flows for ever), LB_REFUSE when four tries found none
 * free. */
lb_cold int lb_alias_make(struct lb_env *env, struct lb_arrival *a)
{
	const struct lb_config *config;
	struct lb_alias_key alias_key;
	struct lb_alias alias = {0};

	if (!env || !a)
		return LB_REFUSE;
	config = lb_env_config(env);
	if (!config)
		return LB_REFUSE;
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t salt = a->key + i + 1 + ((uint64_t)a->daddr_be << 16) +
				((uint64_t)a->dport_be << 3);
		uint16_t port =
		    (uint16_t)(1024 + lb_table_hash(config->table_key, salt) % (65536 - 1024));
		uint64_t key = lb_flow_key_port(a->key, lb_swap16(port));
		int seen;

		alias_key.flow = key;
		alias_key.addr_be = 0;
		alias_key.port_be = a->port.target_port_be;
		alias_key.side = 1;
		if (!lb_env_alias_get(env, &alias_key, &alias) && alias.port_be != a->sport_be)
			continue;
		seen = lb_flow_seek(env, a, key);
		if (seen == LB_SEEK_CONFLICT)
			continue;
		a->found = key;
		a->client_port_be = lb_swap16(port);
		alias.port_be = a->sport_be;
		lb_env_alias_put(env, &alias_key, &alias);
		alias.port_be = a->client_port_be;
		lb_alias_key_of(&alias_key, a);
		lb_env_alias_put(env, &alias_key, &alias);
		lb_env_count(env, LB_REASON_FLOW_ALIASED);
		return seen == LB_SEEK_NOTHING ? LB_CREATE : LB_ADMIT;
	}
	return LB_REFUSE;
}

/* Makes the flow of a packet that opens one, or that nobody else knows, under a->found. */
lb_cold int lb_flow_create(struct lb_env *env, struct lb_arrival *a)
{
	const struct lb_config *config;
	struct lb_flow_bucket *bucket;
	uint64_t value;

	if (!env || !a)
		return LB_REFUSE;
	config = lb_env_config(env);
	a->reason = LB_REASON_DROP_INTERNAL;
	if (!config)
		return LB_REFUSE;
	value = lb_flow_value(a->via, a->dport_be, lb_env_ticks(env),
			      a->found != a->key ? LB_FLOW_ALIASED : 0);
	bucket = lb_flow_bucket_of(env, config, a->found);
	if (!bucket)
		return LB_REFUSE;
	a->reason = LB_REASON_DROP_FLOW_RACE;
	if (lb_flow_insert(env, bucket, a->found, value))
		return LB_REFUSE;
	a->new_flow = true;
	return LB_ADMIT;
}

/* On another node. One whose next hop is not known counts as well: to pass it over would break the
 * connections that it has. */
lb_inline bool lb_is_elsewhere(uint32_t kind)
{
	return kind == LB_BACKEND_REMOTE || kind == LB_BACKEND_UNRESOLVED;
}

/* Shows the packet to its other owners in the generations that a->asked does not have; also the
 * newest one's, which is another when the entry node knows a newer or older one. Returns LB_FORWARD
 * for one on another node, LB_ADMIT for a task of this node that knows the flow, else LB_REFUSE. */
lb_cold int lb_other_owner(struct lb_env *env, struct lb_arrival *a)
{
	const struct lb_ring *ring;
	uint64_t own_key;
	uint32_t own_task, asked;

	if (!env || !a)
		return LB_REFUSE;
	own_key = a->key;
	own_task = a->task;
	asked = a->asked;
	ring = lb_env_ring(env, a->port.ring);
	for (uint32_t depth = 0; depth < LB_GENERATIONS_MAX; depth++) {
		const union lb_backend *owner;
		uint32_t index, kind, bit;

		if (depth)
			ring = ring->prev ? lb_env_ring(env, ring->prev) : (const struct lb_ring *)0;
		if (!ring)
			break;
		bit = 1U << (ring->generation % 8);
		if (asked & bit)
			continue;
		asked |= bit;
		index = lb_ring_pick(env, ring, a->hash);
		owner = lb_env_backend(env, index);
		if (!owner)
			continue;
		kind = lb_backend_kind(owner);
		if (lb_is_elsewhere(kind)) {
			a->backend = index;
			a->asked = (uint8_t)asked;
			return LB_FORWARD;
		}
		if (kind != LB_BACKEND_LOCAL || owner->local.task == own_task)
			continue;
		a->backend = index;
		a->task = owner->local.task;
		a->key = lb_flow_key(a->saddr_be, a->sport_be, a->task, a->proto == LB_PROTO_UDP);
		if (lb_flow_lookup(env, a) == LB_SEEK_FOUND)
			return LB_ADMIT;
		a->task = own_task;
		a->key = own_key;
	}
	return LB_REFUSE;
}

/* No other owner is left to ask: the newest owner keeps the flow. LB_ADMIT: it is a task
 * of this node, by now a->task; the older owner that the packet was sent to may be its neighbour. */
lb_cold int lb_newest_owner(struct lb_env *env, struct lb_arrival *a)
{
	const union lb_backend *owner;
	const struct lb_ring *newest;
	uint32_t index, kind;

	if (!env || !a || !a->asked || a->asked == LB_ASKED_ALL)
		return LB_ADMIT; /* that is here */
	newest = lb_env_ring(env, a->port.ring);
	if (!newest)
		return LB_ADMIT;
	index = lb_ring_pick(env, newest, a->hash);
	owner = lb_env_backend(env, index);
	if (!owner)
		return LB_ADMIT;
	kind = lb_backend_kind(owner);
	if (lb_is_elsewhere(kind)) {
		a->backend = index;
		a->asked = LB_ASKED_ALL;
		return LB_FORWARD;
	}
	if (kind == LB_BACKEND_LOCAL) {
		a->backend = index;
		a->task = owner->local.task;
		a->key = lb_flow_key(a->saddr_be, a->sport_be, a->task, a->proto == LB_PROTO_UDP);
	}
	return LB_ADMIT;
}

/* A packet without a flow here: second chance, or a new flow. */
lb_inline int lb_flow_miss(struct lb_env *env, struct lb_arrival *a)
{
	const struct lb_config *config;
	const struct lb_ring *newest;
	int seen, result;

	if (!env || !a)
		return LB_REFUSE;
	a->reason = LB_REASON_DROP_INTERNAL;
	config = lb_env_config(env);
	newest = lb_env_ring(env, a->port.ring);
	if (!config || !newest)
		return LB_REFUSE;
	seen = lb_flow_lookup(env, a);
	if (seen == LB_SEEK_FOUND)
		return LB_ADMIT;
	if (!a->opening && a->asked != LB_ASKED_ALL) {
		a->hash = lb_flow_hash(config->key, a->saddr_be, a->daddr_be, a->sport_be,
				       a->dport_be, a->proto);
		result = lb_other_owner(env, a);
		if (result == LB_REFUSE && seen != LB_SEEK_CLOSED)
			result = lb_newest_owner(env, a) == LB_FORWARD ? LB_FORWARD : LB_REFUSE;
		if (result != LB_REFUSE)
			return result;
		seen = lb_flow_lookup(env, a); /* of the own task again, or the newest owner's */
	}
	if (seen == LB_SEEK_FOUND || seen == LB_SEEK_CLOSED)
		return LB_ADMIT; /* the last words of what ended here */
	if (a->icmp) {
		a->reason = LB_REASON_DROP_ICMP_NO_FLOW;
		return LB_REFUSE;
	}
	if (seen != LB_SEEK_CONFLICT)
		return LB_CREATE;
	a->reason = LB_REASON_DROP_FLOW_CONFLICT;
	return lb_alias_make(env, a);
}

/* The way one hot look-up goes: same flow, same entry node, same state. */
lb_inline int lb_flow_admit(struct lb_env *env, const struct lb_config *config, struct lb_arrival *a)
{
	struct lb_flow_bucket *bucket = lb_flow_bucket_of(env, config, a->key);
	uint32_t want = a->via << 16 | a->dport_be;
	int result;

	a->reason = LB_REASON_DROP_INTERNAL;
	if (!bucket)
		return LB_REFUSE;
#pragma GCC unroll 8
	for (int i = 0; i < LB_WAYS; i++) {
		uint64_t value = lb_flow_peek(&bucket->way[i], a->key);

		/* An aliased flow's key says another port than its client uses. */
		if ((uint32_t)(value >> 32) == want && value && !(value & LB_FLOW_ALIASED) &&
		    !lb_flow_has_ended(value, a)) {
			lb_flow_touch(env, &bucket->way[i], value, a);
			return LB_ADMIT;
		}
	}
	result = lb_flow_miss(env, a);
	return result == LB_CREATE ? lb_flow_create(env, a) : result;
}

/* Later fragments carry no ports: they go where their first fragment went. */
lb_inline void lb_fragment_key_of(struct lb_fragment_key *k, uint32_t saddr_be, uint32_t daddr_be,
				  uint16_t id_be, uint8_t proto, uint8_t side)
{
	k->saddr_be = saddr_be;
	k->daddr_be = daddr_be;
	k->id_be = id_be;
	k->proto = proto;
	k->side = side;
}

/* Notes where the later fragments of a first one have to go. Entry and tunnel are told apart: a packet
 * may come back through the tunnel to the node that took it in. */
lb_inline void lb_fragment_note(struct lb_env *env, const struct lb_arrival *a, uint32_t backend)
{
	struct lb_fragment_key key = {0};
	struct lb_fragment fragment = {.backend = backend, .port_be = a->dport_be};

	lb_fragment_key_of(&key, a->saddr_be, a->daddr_be, a->id_be, a->proto, a->tunnel ? 2 : 0);
	lb_env_fragment_put(env, &key, &fragment);
}

/* To another owner; through the tunnel header that is there, or with a new one. Where XDP knows no next
 * hop, tc decides again. */
lb_inline void lb_forward(struct lb_env *env, uint32_t backend, bool tunnel, struct lb_verdict *v)
{
	const union lb_backend *owner = lb_env_backend(env, backend);
	uint32_t kind = owner ? lb_backend_kind(owner) : (uint32_t)LB_BACKEND_NONE;

	/* Asked again, because it may have changed since it was chosen. */
	v->backend = backend;
	v->template = owner;
	if (!owner) {
		lb_refuse(v, LB_REASON_DROP_INTERNAL);
	} else if (kind == LB_BACKEND_REMOTE || (LB_ENV_RESOLVES && kind == LB_BACKEND_UNRESOLVED)) {
		v->action = tunnel ? LB_REENCAP : LB_ENCAP;
		v->reason = LB_REASON_TUNNEL_SECOND_CHANCE;
	} else if (kind == LB_BACKEND_UNRESOLVED) {
		v->action = LB_PASS;
		v->reason = LB_REASON_ENTRY_UNRESOLVED;
	} else {
		lb_refuse(v, LB_REASON_DROP_NO_BACKEND);
	}
}

/* A later fragment at the node of the task that was chosen for it: true if it goes to another node,
 * else *task is told. It follows its first fragment; asked counts its moves, a bit for each. */
lb_inline bool lb_fragment_moved(struct lb_env *env, const struct lb_ip *p, uint32_t entry_vtep_be,
				 uint8_t asked, uint32_t *task, struct lb_verdict *v)
{
	struct lb_fragment_key key = {0};
	struct lb_fragment fragment = {0};
	const union lb_backend *owner;
	uint32_t kind;

	lb_fragment_key_of(&key, p->saddr_be, p->daddr_be, p->id_be, p->proto, 2);
	if (lb_env_fragment_get(env, &key, &fragment))
		return false;
	owner = lb_env_backend(env, fragment.backend);
	if (!owner)
		return false;
	kind = lb_backend_kind(owner);
	if (kind == LB_BACKEND_LOCAL)
		*task = owner->local.task;
	if (!lb_is_elsewhere(kind) || asked == LB_ASKED_ALL)
		return false;
	v->hash = p->id_be;
	v->vtep_be = entry_vtep_be;
	v->asked = (uint8_t)(asked | (asked + 1));
	lb_forward(env, fragment.backend, true, v);
	return true;
}

/* Rewrites a packet for its task and says where it goes. strip: bytes before its Ethernet header. */
lb_inline void lb_deliver(struct lb_env *env, const struct lb_ip *p, uint32_t task_id,
			  uint16_t target_port_be, uint16_t client_port_be, struct lb_verdict *v)
{
	const struct lb_task *task = lb_env_task(env, task_id);
	struct lb_rewrite to;

	to.addr_be = task ? lb_read_once32(&task->addr_be) : 0;
	if (!task || !to.addr_be) {
		lb_refuse(v, LB_REASON_DROP_UNKNOWN_TASK);
		return;
	}
	to.port_be = target_port_be;
	to.client_port_be = client_port_be;
	lb_rewrite_request(p, &to, v);
	lb_copy_mac(p->ip - LB_ETH_LEN, task->mac);
	lb_copy_mac(p->ip - LB_ETH_LEN + 6, task->gateway_mac);
	v->action = LB_DELIVER;
	v->ifindex = task->ifindex;
	v->task = task_id;
}

/* A packet for one of this node's tasks. port: its published port, already read. */
lb_inline void lb_to_task(struct lb_env *env, const struct lb_config *config, const struct lb_ip *p,
			  struct lb_port port, uint32_t task_id, uint32_t entry_vtep_be,
			  uint8_t asked, bool tunnel, uint8_t reason, struct lb_verdict *v)
{
	struct lb_arrival a;
	int result;

	v->reason = reason;
	if (p->fragment_later) {
		if (!tunnel || !lb_fragment_moved(env, p, entry_vtep_be, asked, &task_id, v))
			lb_deliver(env, p, task_id, 0, 0, v);
		return;
	}
	a.via = lb_index_find(env, config, lb_via_key(p->daddr_be, entry_vtep_be), LB_INDEX_VIA);
	if (!a.via) {
		lb_refuse(v, LB_REASON_DROP_UNKNOWN_ENTRY);
		return;
	}
	a.key = lb_flow_key(p->saddr_be, p->sport_be, task_id, p->proto == LB_PROTO_UDP);
	a.found = a.key;
	a.hash = 0;
	a.task = task_id;
	a.entry_vtep_be = entry_vtep_be;
	a.daddr_be = p->daddr_be;
	a.saddr_be = p->saddr_be;
	a.sport_be = p->sport_be;
	a.dport_be = p->dport_be;
	a.id_be = p->id_be;
	a.tcp_flags = p->tcp_flags;
	a.proto = p->proto;
	a.asked = asked;
	a.opening = lb_is_opening(p);
	a.icmp = p->icmp != (uint8_t *)0;
	a.fragment_first = p->fragment_first;
	a.tunnel = tunnel;
	a.port = port;
	a.client_port_be = p->sport_be;
	a.new_flow = false;
	a.reason = LB_REASON_DROP_INTERNAL;
	a.backend = 0;
	result = lb_flow_admit(env, config, &a);
	if (result == LB_FORWARD) {
		if (a.fragment_first)
			lb_fragment_note(env, &a, a.backend);
		v->vtep_be = entry_vtep_be;
		v->asked = a.asked;
		v->hash = (uint32_t)a.hash;
		lb_forward(env, a.backend, tunnel, v);
		return;
	}
	if (result == LB_REFUSE) {
		lb_refuse(v, a.reason);
		return;
	}
	if (a.fragment_first && (tunnel || a.task != task_id))
		lb_fragment_note(env, &a, a.task != task_id ? a.backend : (uint32_t)LB_NO_BACKEND);
	lb_env_count_task(env, a.task, p->total, false, a.new_flow);
	lb_deliver(env, p, a.task, port.target_port_be, a.client_port_be, v);
}
#endif
