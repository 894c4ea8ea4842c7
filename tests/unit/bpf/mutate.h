/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_MUTATE_H
#define FL_TEST_MUTATE_H
/* Random packets of the corpus, damage to them, and changes of the tables under them. */
#include "corpus.h"

struct mutator {
	uint64_t state; /* SplitMix64 */
};

static inline uint32_t mutator_next(struct mutator *m)
{
	uint64_t x = m->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((x ^ x >> 31) >> 16);
}
static inline uint32_t mutator_below(struct mutator *m, uint32_t bound)
{
	return mutator_next(m) % bound;
}

/* Few clients and ports, so that packets meet flows; some many, so that buckets fill up. */
static inline void mutate_choice(struct mutator *m, const struct node *n, struct corpus_choice *c)
{
	uint32_t alias = mutator_below(m, LB_HOST_ALIASES);

	memset(c, 0, sizeof(*c));
	c->wrap = mutator_below(m, WRAPS);
	c->shape = mutator_below(m, SHAPES);
	c->port = mutator_below(m, CORPUS_PORTS);
	c->client = mutator_below(m, 4);
	c->client_port = 40000 + mutator_below(m, mutator_below(m, 2) ? 2 : 64);
	c->addr = mutator_below(m, 4);
	c->task = 1 + mutator_below(m, mutator_below(m, 4) ? NODE_TASKS : NODE_TASKS + 1);
	c->asked = mutator_below(m, 2) ? 256 : mutator_below(m, 256);
	/* Mostly the entry node that has the address. */
	c->entry = c->addr > 1 && mutator_below(m, 8) ? c->addr - 1 : mutator_below(m, NODES + 2);
	c->outer_tos = (uint8_t)(mutator_below(m, 4) ? 0 : mutator_next(m));
	c->tos = (uint8_t)(mutator_below(m, 4) ? 0 : mutator_next(m));
	c->id = (uint16_t)mutator_below(m, 8);
	if (n->env.aliases[alias].key.flow && !mutator_below(m, 2)) {
		c->client_port = BE16(n->env.aliases[alias].value.port_be);
		c->client = BE32((uint32_t)n->env.aliases[alias].key.flow) - CLIENT;
	}
}

/* A header byte is worth more than one of the payload. */
static inline uint32_t mutate_offset(struct mutator *m, const struct packet *p, bool tunnel)
{
	uint32_t limit = tunnel ? 64 + 48 : 14 + 48;

	if (!mutator_below(m, 8))
		limit = p->length;
	return mutator_below(m, limit < p->length ? limit : p->length);
}

static inline void mutate_packet(struct mutator *m, struct packet *p, bool tunnel)
{
	static const uint16_t edges[] = {0,      1,      7,      8,      19,     20,     0x7fff,
					 0x8000, 0xfffe, 0xffff, 0x2000, 0x0001, 0x4500, 80,
					 8000,   8003,   8007,   4789,   5353,   0x0800};
	uint32_t rounds = mutator_below(m, 5);

	for (uint32_t i = 0; i < rounds; i++) {
		uint8_t *at = packet_at(p, mutate_offset(m, p, tunnel));

		switch (mutator_below(m, 6)) {
		case 0:
			*at = (uint8_t)(*at ^ 1U << mutator_below(m, 8));
			break;
		case 1:
			*at = (uint8_t)mutator_next(m);
			break;
		case 2: /* past the end is within the buffer */
			put16(at, edges[mutator_below(m, sizeof(edges) / sizeof(*edges))]);
			break;
		case 3:
			put16(at, get16(at) + mutator_below(m, 9) - 4U);
			break;
		case 4:
			if (!mutator_below(m, 3))
				p->length = 14 + mutator_below(m, p->length - 13);
			break;
		default:
			if (!mutator_below(m, 3) && p->length < 1500) {
				memset(packet_at(p, p->length), 0xc3, 64);
				p->length += mutator_below(m, 64);
			}
		}
	}
	/* A damaged header with a right checksum gets further at real receivers: the decision does
	 * not look, so both are worth trying. */
	if (rounds && mutator_below(m, 2) && p->length >= 34)
		ip_check_set(packet_at(p, 14));
}

static inline void mutate_backend(struct mutator *m, struct node *n)
{
	uint32_t where = mutator_below(m, NODES), task = 1 + mutator_below(m, NODE_TASKS);

	if (mutator_below(m, 2))
		node_backend(n, where, task);
	else
		node_backend_kind(n, BACKEND(where, task), mutator_below(m, LB_BACKEND_DOWN + 1));
}

static inline void mutate_index(struct mutator *m, struct node *n)
{
	struct lb_index_bucket *bucket = &n->tables.index[mutator_below(m, NODE_INDEX_BUCKETS)];

	memset(&bucket->way[mutator_below(m, LB_WAYS)], 0, sizeof(bucket->way[0]));
}

/* One change as a driver might make it, or worse. The same for the same m: no two of its numbers are
 * drawn in one expression, whose order the compiler chooses. */
static inline void mutate_tables(struct mutator *m, struct node *n)
{
	struct lb_tables *t = &n->tables;
	uint32_t number = CORPUS_PORT + mutator_below(m, CORPUS_PORTS);
	struct lb_port *port = &t->ports[number + 65536 * mutator_below(m, 2)];
	uint32_t ring = 1 + mutator_below(m, 19), task = 1 + mutator_below(m, NODE_TASKS);
	uint32_t node = mutator_below(m, NODES);

	switch (mutator_below(m, 12)) {
	case 0:
	case 1:
		port->ring = mutator_below(m, 8) ? ring : 0;
		break;
	case 2:
	case 3: /* a generation more; rings may even form a circle */
		t->rings[ring].prev = mutator_below(m, 20);
		break;
	case 4:
	case 5:
		mutate_backend(m, n);
		break;
	case 6:
		t->tasks[task].addr_be = t->tasks[task].addr_be ? 0 : BE32(TASK_ADDR(0, task));
		break;
	case 7:
		mutate_index(m, n);
		break;
	case 8:
		port->flags ^= LB_PORT_DSR;
		break;
	case 9:
		t->config->flags ^= LB_CONFIG_TX_REDIRECT;
		break;
	case 10: /* a slot changes hands */
		t->slots[ring * NODE_RING_MAX] =
		    (uint16_t)BACKEND(node, 1 + mutator_below(m, NODE_TASKS));
		break;
	default:
		t->config->addrs_be[1] = t->config->addrs_be[1] ? 0 : BE32(VIP);
	}
}
#endif
