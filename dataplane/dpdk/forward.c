// SPDX-License-Identifier: BSD-2-Clause
#include "forward.h"

#include <rte_prefetch.h>
#include <string.h>

#include "lb_entry_fast.h"

enum { PREFETCH = 8 };

/* A frame that waits gets its first twelve bytes from whoever finds the way. */
static inline void send_or_ask(struct forwarder *f, struct rte_mbuf *m, uint8_t *p, uint32_t addr_be,
			       struct forwarded *done)
{
	const struct next_hop *hop = next_hops_find(f->next_hops, addr_be);

	if (!hop) {
		f->env.counters->no_next_hop++;
		f->ask(f->ask_context, addr_be, m);
		return;
	}
	memcpy(p, hop->dst, 12); /* and src */
	done->out[done->out_count++] = m;
}

static inline void take_off(struct forwarder *f, struct rte_mbuf *m, struct forwarded *done,
			    const struct lb_verdict *v)
{
	uint8_t *p = (uint8_t *)rte_pktmbuf_adj(m, v->strip);

	if (!p) {
		f->env.counters->no_room++;
		rte_pktmbuf_free(m);
		return;
	}
	send_or_ask(f, m, p, v->daddr_be, done);
}

static inline void encapsulate(struct forwarder *f, struct rte_mbuf *m, struct forwarded *done,
			       const struct lb_verdict *v)
{
	uint32_t inner_length = m->pkt_len;
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, LB_OUTER_LEN);

	if (unlikely(!p)) {
		f->env.counters->no_room++;
		rte_pktmbuf_free(m);
		return;
	}
	lb_write_outer(p, v, inner_length);
	if (unlikely(v->unresolved))
		send_or_ask(f, m, p, lb_load32(p + LB_ETH_LEN + 16), done);
	else
		done->out[done->out_count++] = m;
}

/* Cuts a frame to its first LB_ICMP_FRAME - LB_ICMP_ROOM bytes and puts the error in front of them. */
static void answer(struct forwarder *f, struct rte_mbuf *m, struct forwarded *done,
		   const struct lb_verdict *v)
{
	uint8_t *p;

	if (m->next) { /* the headers lie in the first segment, or there would be no verdict */
		rte_pktmbuf_free(m->next);
		m->next = NULL;
		m->nb_segs = 1;
		m->pkt_len = m->data_len;
	}
	p = (uint8_t *)rte_pktmbuf_prepend(m, LB_ICMP_ROOM);
	if (!p || m->data_len < LB_ICMP_FRAME) {
		f->env.counters->no_room++;
		rte_pktmbuf_free(m);
		return;
	}
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - LB_ICMP_FRAME));
	lb_write_icmp(p, v);
	done->out[done->out_count++] = m;
}

/* What becomes of a frame that the decision has been made about. */
static inline void carry_out(struct forwarder *f, struct rte_mbuf *m, struct forwarded *done,
			     const struct lb_verdict *v)
{
	if (v->action == LB_PASS) { /* counted where it is decided again */
		done->kernel[done->kernel_count++] = m;
		return;
	}
	lb_env_count(&f->env, v->reason);
	if (likely(v->action == LB_ENCAP)) {
		encapsulate(f, m, done, v);
	} else if (v->action == LB_RETURN) {
		take_off(f, m, done, v);
	} else if (v->action == LB_ICMP) {
		answer(f, m, done, v);
	} else {
		rte_pktmbuf_free(m);
	}
}

static inline struct lb_frame frame_of(const struct rte_mbuf *m)
{
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	return (struct lb_frame){.data = data, .end = data + m->data_len, .length = m->pkt_len};
}

static __attribute__((noinline)) void decide(struct forwarder *f, struct rte_mbuf *m,
					     struct forwarded *done)
{
	struct lb_frame frame = frame_of(m);
	struct lb_verdict v;

	lb_uplink(&f->env, &frame, &v);
	carry_out(f, m, done, &v);
}

/* Room in front was looked for. */
static inline void encapsulate_fast(struct forwarder *f, struct rte_mbuf *m, const struct lb_fast *e)
{
	uint32_t length = m->pkt_len, offset = m->data_off - (uint32_t)LB_OUTER_LEN;
	uint8_t *p = (uint8_t *)m->buf_addr + offset;

	lb_env_count_backend(&f->env, e->backend, e->total, e->opening);
	lb_copy_template(p, e->template);
	lb_store16(p + 12, LB_ETHERTYPE_IPV4_BE); /* as in lb_write_outer */
	lb_patch_outer(p, length, e->tos, e->hash);
	m->data_off = (uint16_t)offset;
	m->data_len = (uint16_t)(m->data_len + LB_OUTER_LEN);
	m->pkt_len = length + LB_OUTER_LEN;
}

/* In two steps, so that slots and backends of some frames come from memory while others are looked at. The
 * second goes in order: a first fragment is decided on before its next. */
void forward_burst(struct forwarder *f, struct rte_mbuf **in, uint16_t count, struct forwarded *done)
{
	struct lb_fast fast[FORWARD_BURST];
	uint32_t encapsulated = 0;

	done->out_count = done->kernel_count = 0;
	for (uint32_t i = 0; i < count && i < PREFETCH; i++)
		rte_prefetch0(rte_pktmbuf_mtod(in[i], void *));
	for (uint32_t i = 0; i < count; i++) {
		struct lb_frame frame = frame_of(in[i]);

		if (i + PREFETCH < count)
			rte_prefetch0(rte_pktmbuf_mtod(in[i + PREFETCH], void *));
		lb_entry_fast(&f->env, &frame, &fast[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *m = in[i];

		if (likely(fast[i].template && m->data_off >= LB_OUTER_LEN)) {
			encapsulate_fast(f, m, &fast[i]);
			done->out[done->out_count++] = m;
			encapsulated++;
		} else {
			decide(f, m, done);
		}
	}
	f->env.counters->reasons.packets[LB_REASON_ENTRY_REMOTE] += encapsulated;
}
