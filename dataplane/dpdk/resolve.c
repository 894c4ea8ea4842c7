// SPDX-License-Identifier: BSD-2-Clause
#include "resolve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../xdp/uplink.h"

enum {
	RING = RESOLVE_WAITING_MAX * 2,
	AGAIN_MS = 5,        /* between two questions about a neighbour that the kernel looks for */
	PATIENCE_MS = 1000,  /* as long as the kernel itself would queue */
	TICK_MS = 1000,      /* between two rounds of asking about known clients anew */
	REFRESH_MAX = 500,   /* in a round; the next one goes on from there */
	REFRESH_NEWS = 5000, /* in a round after routes or neighbours changed; our own questions are news, too */
};

/* A frame that waits; where from and for whom is in the frame (place_of). */
struct place {
	uint32_t addr_be;
	uint32_t lcore;
};

struct waiting {
	struct rte_mbuf *frame;
	uint64_t since_ms, again_ms;
};

struct resolver {
	struct next_hops *hops;
	struct neighbours *neighbours;
	uint32_t ifindex;
	uint8_t mac[6];
	unsigned int lcores;
	int event;
	struct rte_ring *asked, **ready;
	struct waiting waiting[RESOLVE_WAITING_MAX];
	uint32_t waiting_count;
	uint32_t *known; /* addresses in hops */
	uint32_t known_count, refresh_next;
	uint64_t tick_ms;
	bool news;
	struct resolver_counters counters;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A received frame's hash is of no use any more. */
static struct place *place_of(struct rte_mbuf *frame)
{
	_Static_assert(sizeof(struct place) <= sizeof(frame->hash), "");
	return (struct place *)&frame->hash;
}

/* Where the lcore is, or wherever there is memory. */
static struct rte_ring *make_ready_ring(unsigned int lcore, int node)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "ready_%u", lcore);
	ring = rte_ring_create(name, RING, node, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return ring ? ring : rte_ring_create(name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

struct resolver *resolver_open(struct next_hops *hops, uint32_t ifindex, const uint8_t mac[6],
			       unsigned int lcores, const int *nodes)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->hops = hops;
	r->ifindex = ifindex;
	memcpy(r->mac, mac, 6);
	r->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->neighbours = neighbours_open();
	r->known = calloc(RESOLVE_KNOWN_MAX, sizeof(*r->known));
	r->ready = calloc(lcores, sizeof(struct rte_ring *));
	r->asked = rte_ring_create("asked", RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	for (unsigned int i = 0; r->ready && i < lcores; i++) {
		r->ready[i] = make_ready_ring(i, nodes[i]);
		r->lcores = r->ready[i] ? i + 1 : r->lcores;
	}
	if (r->event >= 0 && r->neighbours && r->known && r->asked && r->lcores == lcores)
		return r;
	resolver_close(r);
	return NULL;
}

static void drain(struct rte_ring *ring)
{
	void *frame;

	while (ring && !rte_ring_dequeue(ring, &frame))
		rte_pktmbuf_free(frame);
	rte_ring_free(ring);
}

void resolver_close(struct resolver *r)
{
	if (!r)
		return;
	drain(r->asked);
	for (unsigned int i = 0; i < r->lcores; i++)
		drain(r->ready[i]);
	for (uint32_t i = 0; i < r->waiting_count; i++)
		rte_pktmbuf_free(r->waiting[i].frame);
	neighbours_close(r->neighbours);
	if (r->event >= 0)
		close(r->event);
	free(r->ready);
	free(r->known);
	free(r);
}

bool resolver_ask(struct resolver *r, unsigned int lcore, uint32_t addr_be, struct rte_mbuf *frame)
{
	const uint64_t one = 1;

	*place_of(frame) = (struct place){addr_be, lcore};
	if (rte_ring_enqueue(r->asked, frame)) {
		rte_pktmbuf_free(frame);
		return false;
	}
	(void)!write(r->event, &one, sizeof(one));
	return true;
}

unsigned int resolver_ready(struct resolver *r, unsigned int lcore, struct rte_mbuf **frames,
			    unsigned int count)
{
	return rte_ring_dequeue_burst(r->ready[lcore], (void **)frames, count, NULL);
}

/* What the kernel says now: 0 and the hop is written, or as neighbours_resolve. */
static int ask_kernel(struct resolver *r, uint32_t addr_be, struct next_hop *hop)
{
	*hop = (struct next_hop){0};
	memcpy(hop->src, r->mac, 6);
	return neighbours_resolve(r->neighbours, (struct in_addr){addr_be}, r->ifindex, hop->dst);
}

static void learn(struct resolver *r, uint32_t addr_be, const struct next_hop *hop)
{
	bool is_new = !next_hops_find(r->hops, addr_be);
	uint32_t at = r->known_count;

	/* Full: one that was asked about long ago gives way. */
	if (is_new && at == RESOLVE_KNOWN_MAX) {
		at = r->refresh_next++ % RESOLVE_KNOWN_MAX;
		next_hops_set(r->hops, r->known[at], NULL);
	}
	if (next_hops_set(r->hops, addr_be, hop) || !is_new)
		return;
	r->known[at] = addr_be;
	if (at == r->known_count)
		r->known_count++;
}

static void let_go(struct resolver *r, struct rte_mbuf *frame, const struct next_hop *hop)
{
	memcpy(rte_pktmbuf_mtod(frame, void *), hop->dst, 12); /* and src */
	if (rte_ring_enqueue(r->ready[place_of(frame)->lcore], frame))
		rte_pktmbuf_free(frame);
}

/* True: the frame is done with. */
static bool try_frame(struct resolver *r, struct waiting *w, uint64_t now)
{
	uint32_t addr_be = place_of(w->frame)->addr_be;
	const struct next_hop *known = next_hops_find(r->hops, addr_be);
	struct next_hop hop;
	int err = 0;

	if (known) {
		hop = *known;
	} else {
		err = ask_kernel(r, addr_be, &hop);
		if (!err)
			learn(r, addr_be, &hop);
	}
	if (!err) {
		r->counters.resolved++;
		let_go(r, w->frame, &hop);
		return true;
	}
	if (err == -ENOENT && now - w->since_ms < PATIENCE_MS) {
		w->again_ms = now + AGAIN_MS;
		return false;
	}
	if (err == -ENOENT)
		r->counters.timed_out++;
	else
		r->counters.unreachable++;
	rte_pktmbuf_free(w->frame);
	return true;
}

static void take_asked(struct resolver *r, uint64_t now)
{
	void *frame;

	while (r->waiting_count < RESOLVE_WAITING_MAX && !rte_ring_dequeue(r->asked, &frame)) {
		r->counters.asked++;
		r->waiting[r->waiting_count++] = (struct waiting){.frame = frame, .since_ms = now};
	}
}

static void try_waiting(struct resolver *r, uint64_t now)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < r->waiting_count; i++) {
		struct waiting *w = &r->waiting[i];

		if (w->again_ms > now || !try_frame(r, w, now))
			r->waiting[left++] = *w;
	}
	r->waiting_count = left;
}

/* Asks about known clients again, in turn: routes change, neighbours get other addresses. */
static void refresh(struct resolver *r, uint32_t count)
{
	if (count > r->known_count)
		count = r->known_count;
	for (uint32_t n = 0; n < count && r->known_count; n++) {
		uint32_t at = r->refresh_next++ % r->known_count;
		struct next_hop hop;

		if (!ask_kernel(r, r->known[at], &hop)) {
			next_hops_set(r->hops, r->known[at], &hop);
			continue;
		}
		next_hops_set(r->hops, r->known[at], NULL);
		r->known[at] = r->known[--r->known_count];
	}
}

void resolver_work(struct resolver *r, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = r->event, .events = POLLIN},
			       {.fd = neighbours_fd(r->neighbours), .events = POLLIN}};
	uint64_t events, now;

	if (r->waiting_count && timeout_ms > AGAIN_MS)
		timeout_ms = AGAIN_MS;
	poll(fds, 2, timeout_ms);
	now = now_ms();
	(void)!read(r->event, &events, sizeof(events));
	r->news |= neighbours_heard(r->neighbours);
	take_asked(r, now);
	try_waiting(r, now);
	if (now < r->tick_ms)
		return;
	r->tick_ms = now + TICK_MS;
	refresh(r, r->news ? REFRESH_NEWS : REFRESH_MAX);
	r->news = false;
}

struct resolver_counters resolver_counters(const struct resolver *r)
{
	return r->counters;
}
