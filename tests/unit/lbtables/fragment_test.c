/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments (RFC 791 section 3.2): a later one carries no ports and has to go where its first went,
 * through second chances too; with ring changes, over several nodes.
 */
#include "golden.h"

static struct node node[NODES];

static int start(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NODES; i++) {
		node_start(&node[i], i, 16);
		node_ring1(&node[i], 1, 0, BACKEND(2, 1));
		publish(&node[i], 1, 0);
	}
	return 0;
}
static int stop(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NODES; i++)
		node_stop(&node[i]);
	return 0;
}
static void rings(uint32_t newest, uint32_t prev, uint32_t backend)
{
	for (unsigned int i = 0; i < NODES; i++) {
		node_ring1(&node[i], newest, prev, backend);
		publish(&node[i], newest, 0);
	}
}

/* Two fragments of one UDP datagram of 40 + 24 payload bytes. */
static struct packet_spec first_of(uint16_t id)
{
	struct packet_spec s = query(NODE_ADDR(0));

	s.id = id;
	s.fragment = FRAG_MF;
	s.payload = 40;
	return s;
}
static struct packet_spec later_of(uint16_t id)
{
	struct packet_spec s = first_of(id);

	s.fragment = 48 / 8;
	s.payload = 24;
	return s;
}

/* From node to node; returns where it ended. */
static unsigned int travel(struct packet *p, unsigned int entry, struct lb_verdict *v)
{
	unsigned int where = entry, hops = 0;

	for (;;) {
		*v = node_uplink(&node[where], p);
		if (v->action != LB_ENCAP && v->action != LB_REENCAP)
			return where;
		if (++hops > 8)
			fail_msg("a fragment travels for ever");
		where = packet_at(p, 33)[0] - 10U;
	}
}

/* Both fragments of datagram id have to come to task of the node where. */
static void assert_together(uint16_t id, unsigned int where, uint32_t task)
{
	struct packet_spec s = first_of(id), l = later_of(id);
	struct lb_verdict v;
	struct packet p;

	packet_build(&p, &s);
	assert_int_equal(travel(&p, 0, &v), where);
	assert_int_equal(v.action, LB_DELIVER);
	assert_int_equal(v.ifindex, TASK_IFINDEX(where, task));
	assert_delivered(&p, &s, where, task, DNS_TARGET);
	packet_build(&p, &l);
	assert_int_equal(travel(&p, 0, &v), where);
	assert_int_equal(v.action, LB_DELIVER);
	assert_int_equal(v.ifindex, TASK_IFINDEX(where, task));
	assert_delivered(&p, &l, where, task, 0);
}

static void to_a_remote_task(void **state)
{
	(void)state;
	assert_together(1, 2, 1);
}
static void to_a_local_task(void **state)
{
	(void)state;
	rings(2, 0, BACKEND(0, 1));
	assert_together(1, 0, 1);
}

/* Without its first, or of another datagram: the kernel's. */
static void later_alone(void **state)
{
	struct packet_spec l = later_of(9);
	struct packet p, before;
	struct lb_verdict v;

	(void)state;
	assert_together(1, 2, 1);
	for (int i = 0; i < 4; i++) {
		l = later_of((uint16_t)(i == 0 ? 9 : 1));
		l.saddr += i == 1;
		l.daddr = i == 2 ? VIP : l.daddr;
		l.proto = i == 3 ? PROTO_TCP : PROTO_UDP;
		packet_build(&p, &l);
		before = p;
		travel(&p, 0, &v);
		assert_verdict(v, LB_PASS, LB_REASON_NOT_OURS);
		assert_unchanged(&p, &before);
	}
}

/* The flow is known at an older owner: the fragments of its datagrams follow it there. */
static void after_a_ring_change(void **state)
{
	(void)state;
	assert_together(1, 2, 1);
	rings(2, 1, BACKEND(1, 1));
	assert_together(2, 2, 1);
	rings(3, 2, BACKEND(3, 1));
	assert_together(3, 2, 1);
}

/* Nobody knows the flow: the first comes back to the newest owner, which must not send on the later
 * ones along the way that the first went in vain. */
static void new_flow_among_generations(void **state)
{
	(void)state;
	rings(2, 1, BACKEND(1, 1));
	assert_together(1, 1, 1);
	assert_together(2, 1, 1);
}

/* The entry node is an older owner: the same datagram is there twice, on its way in and in the
 * tunnel. */
static void entry_is_older_owner(void **state)
{
	(void)state;
	rings(2, 0, BACKEND(0, 1));
	assert_together(1, 0, 1);
	rings(3, 2, BACKEND(1, 1));
	assert_together(2, 0, 1);
}

/* The older owner is another task of the same node. */
static void older_owner_next_door(void **state)
{
	(void)state;
	assert_together(1, 2, 1);
	rings(2, 1, BACKEND(2, 2));
	assert_together(2, 2, 1);
	rings(3, 0, BACKEND(0, 2));
	assert_together(3, 0, 2);
	rings(4, 3, BACKEND(0, 3)); /* and at the entry node itself */
	assert_together(4, 0, 2);
}

/* IDs come round: what was noted about an older datagram does not hold. */
static void id_reused(void **state)
{
	(void)state;
	assert_together(1, 2, 1);
	rings(2, 1, BACKEND(1, 1));
	assert_together(1, 2, 1);
	memset(node[2].tables.flows, 0, 16 * sizeof(struct lb_flow_bucket));
	assert_together(1, 1, 1);
	rings(3, 2, BACKEND(3, 3));
	assert_together(1, 1, 1);
	rings(4, 0, BACKEND(3, 3));
	assert_together(1, 3, 3);
}

/* Notes that contradict each other (nodes that lost some): a later fragment still comes to an end.
 */
static void later_ends(void **state)
{
	struct packet_spec l = later_of(7);
	struct lb_verdict v;
	struct packet p;

	(void)state;
	for (unsigned int i = 0; i < NODES; i++) {
		struct lb_fragment_key key = {.saddr_be = BE32(CLIENT),
					      .daddr_be = BE32(NODE_ADDR(0)),
					      .id_be = BE16(7),
					      .proto = PROTO_UDP,
					      .side = 2};
		struct lb_fragment fragment = {.backend = BACKEND((i + 1) % NODES, 1)};

		lb_env_fragment_put(&node[i].env, &key, &fragment);
	}
	packet_build(&p, &l);
	tunnelled(&p, 0, 1, 1, 0);
	travel(&p, 1, &v);
	assert_int_equal(v.action, LB_DELIVER);
}

static void of_replies(void **state)
{
	struct packet_spec s = query(NODE_ADDR(0)), first = answer(2, 1, true), later;
	struct lb_verdict v;
	struct packet p;

	(void)state;
	packet_build(&p, &s);
	travel(&p, 0, &v);
	first.fragment = FRAG_MF;
	first.payload = 40;
	first.id = 5;
	later = first;
	later.fragment = 48 / 8;
	later.payload = 9;
	packet_build(&p, &later); /* too early */
	assert_verdict(node_from_task(&node[2], &p, TASK_IFINDEX(2, 1)), LB_PASS,
		       LB_REASON_NOT_OURS);
	packet_build(&p, &first);
	assert_verdict(node_from_task(&node[2], &p, TASK_IFINDEX(2, 1)), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_replied(&p, 50, &first, NODE_ADDR(0), DNS);
	assert_verdict(node_uplink(&node[0], &p), LB_RETURN, LB_REASON_TUNNEL_RETURN);
	assert_replied(&p, 0, &first, NODE_ADDR(0), DNS);
	packet_build(&p, &later);
	assert_verdict(node_from_task(&node[2], &p, TASK_IFINDEX(2, 1)), LB_REPLY_TUNNEL,
		       LB_REASON_REPLY_TUNNEL);
	assert_replied(&p, 50, &later, NODE_ADDR(0), 0);
	assert_verdict(node_uplink(&node[0], &p), LB_RETURN, LB_REASON_TUNNEL_RETURN);
	assert_replied(&p, 0, &later, NODE_ADDR(0), 0);
}

int main(void)
{
#define GOLDEN(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    GOLDEN(to_a_remote_task),
	    GOLDEN(to_a_local_task),
	    GOLDEN(later_alone),
	    GOLDEN(after_a_ring_change),
	    GOLDEN(new_flow_among_generations),
	    GOLDEN(entry_is_older_owner),
	    GOLDEN(older_owner_next_door),
	    GOLDEN(id_reused),
	    GOLDEN(later_ends),
	    GOLDEN(of_replies),
	};

	return cmocka_run_group_tests_name("fragments", tests, NULL, NULL);
}
