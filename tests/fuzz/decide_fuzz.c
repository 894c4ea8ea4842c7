/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over the forwarding decision: frames from the uplink and from tasks, one after the
 * other, through the node of corpus.h. Each frame's last byte is the last of its allocation, so
 * that AddressSanitizer sees an overread; the oracle judges what comes out.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... && ./decide_fuzz tests/fuzz/corpus/decide
 *
 * Input: records of | control | length, 2 bytes, little-endian | frame |
 *   control  bits 0-1: 0 from the uplink, else from that task; bits 2-4: ticks that pass, times 16
 */
#include <stdio.h>

#include "corpus.h"
#include "oracle.h"

enum { RECORDS_MAX = 32, FRAME_MAX = 2048, ROOM = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reset(struct node *n)
{
	static bool started;

	if (!started)
		corpus_node(n);
	started = true;
	memset(n->tables.flows, 0, CORPUS_FLOW_BUCKETS * sizeof(*n->tables.flows));
	memset(&n->env, 0, sizeof(n->env));
	n->env.tables = &n->tables;
}

static const char *judge(struct oracle *o, const struct lb_tables *t, const uint8_t *in,
			 uint32_t in_length, const struct lb_host_frame *f,
			 const struct lb_verdict *v)
{
	const uint8_t *out = f->bytes + f->head;

	switch (v->action) {
	case LB_PASS:
		/* What tc is to forward may have taken over the tunnel's congestion mark. */
		if (v->reason == LB_REASON_ENTRY_UNRESOLVED)
			return NULL;
		return f->length != in_length || memcmp(in, out, in_length) ? "changed and passed"
									    : NULL;
	case LB_DELIVER:
		return oracle_deliver(o, t, in, in_length, out, v);
	case LB_ENCAP:
	case LB_REENCAP:
		return oracle_tunnel(o, t, in, in_length, out, f->length);
	case LB_REPLY:
		return oracle_reply(t, in, out, 14);
	case LB_REPLY_TUNNEL:
		return oracle_reply(t, in, out, 64);
	default:
		oracle_other(o, t, in, in_length);
		return NULL;
	}
}

static void one_frame(struct node *n, struct oracle *o, uint32_t from, const uint8_t *in,
		      uint32_t length)
{
	uint8_t *bytes = malloc(ROOM + length);
	struct lb_host_frame f = {
	    .bytes = bytes, .head = ROOM, .length = length, .size = ROOM + length};
	struct lb_verdict v;
	const char *problem;

	if (!bytes)
		return;
	if (length)
		memcpy(bytes + ROOM, in, length);
	if (from)
		lb_host_task(&n->env, &f, TASK_IFINDEX(0, from), &v);
	else
		lb_host_uplink(&n->env, &f, &v);
	problem = judge(o, &n->tables, in, length, &f, &v);
	if (problem) {
		fprintf(stderr, "%s (action %u, reason %u)\n", problem, v.action, v.reason);
		abort();
	}
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct node node;
	struct oracle oracle = {.fragments = 0};

	reset(&node);
	for (int i = 0; i < RECORDS_MAX && size >= 3; i++) {
		uint32_t length = data[1] | (uint32_t)data[2] << 8;

		if (length > FRAME_MAX || length > size - 3)
			length = (uint32_t)(size - 3 < FRAME_MAX ? size - 3 : FRAME_MAX);
		node.env.ticks += (uint32_t)(data[0] >> 2 & 7) << 4;
		one_frame(&node, &oracle, data[0] & 3, data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
	return 0;
}
