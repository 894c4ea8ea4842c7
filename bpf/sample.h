/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_SAMPLE_H
#define FL_BPF_SAMPLE_H
/* Sampled verdicts for `fairlead watch`. Off by default: one branch on a word that is hot anyway. */
static __noinline int fl_sample_send(const uint8_t *ip, const struct lb_verdict *v, uint32_t length,
				     uint32_t hook)
{
	struct lb_sample *s = bpf_ringbuf_reserve(&fl_samples, sizeof(*s), 0);

	if (!s)
		return 0;
	s->time_ns = bpf_ktime_get_ns();
	s->saddr_be = lb_load32(ip);
	s->daddr_be = lb_load32(ip + 4);
	s->sport_be = lb_load16(ip + 8);
	s->dport_be = lb_load16(ip + 10);
	s->proto = ip[12];
	s->length = (uint16_t)length;
	s->hook = (uint8_t)hook;
	s->verdict = v->action;
	s->reason = v->reason;
	s->backend = v->action == LB_DELIVER ? v->task : v->backend;
	s->reserved = 0;
	bpf_ringbuf_submit(s, 0);
	return 0;
}

static __always_inline void fl_sample(const struct lb_config *config, const struct lb_frame *frame,
				      const struct lb_verdict *v, uint32_t hook)
{
	uint8_t ip[16] = {0};
	uint8_t *p = frame->data + LB_ETH_LEN;

	if (bpf_get_prandom_u32() & (config->sample_mask >> 1))
		return;
	if (p + LB_IP_MIN + 4 > frame->end)
		return;
	lb_store32(ip, lb_load32(p + 12));
	lb_store32(ip + 4, lb_load32(p + 16));
	lb_store32(ip + 8, lb_load32(p + 20));
	ip[12] = p[9];
	fl_sample_send(ip, v, frame->length, hook);
}
#endif
