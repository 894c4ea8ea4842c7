/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes decide_fuzz's seeds: decide_seeds tests/fuzz/corpus/decide. One file per kind of packet,
 * after the one that opens its flow where there is room for both.
 */
#include <stdio.h>

#include "corpus.h"

enum { SEED_MAX = 200 };

static size_t record(uint8_t *out, uint8_t control, const struct packet *p)
{
	out[0] = control;
	out[1] = (uint8_t)p->length;
	out[2] = (uint8_t)(p->length >> 8);
	memcpy(out + 3, p->bytes + p->head, p->length);
	return 3 + p->length;
}

static int seed(const char *folder, const char *name, const struct corpus_choice *c)
{
	struct corpus_choice first = *c;
	struct packet opening, p;
	uint8_t bytes[2 * PACKET_MAX];
	size_t size = 0;
	char path[512];
	FILE *f;

	corpus_build(&p, c);
	first.wrap = WRAP_NONE;
	first.shape = corpus_is_udp(c->shape) ? SHAPE_UDP : SHAPE_ACK;
	corpus_build(&opening, &first);
	if (c->wrap == WRAP_TASK && opening.length + p.length + 6 < SEED_MAX)
		size += record(bytes, 0, &opening);
	size += record(bytes + size, (uint8_t)(c->wrap == WRAP_TASK ? c->task : 0), &p);
	if (size >= SEED_MAX)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const wraps[WRAPS] = {"entry", "tunnel", "return", "task"};
	static const char *const shapes[SHAPES] = {
	    "syn",   "ack",       "data",      "fin",       "rst",       "syn-ack",  "udp",
	    "udp-0", "udp-first", "udp-later", "tcp-first", "tcp-later", "too-big",  "port",
	    "ttl",   "echo",      "options",   "ttl1",      "big",       "oversize", "trailer",
	    "gre",   "check0",    "arp",       "ipv6",
	};
	struct corpus_choice c = {.client_port = 40000, .task = 1, .entry = 1, .port = 7};
	char name[64];

	if (argc != 2) {
		fprintf(stderr, "usage: decide_seeds FOLDER\n");
		return 2;
	}
	for (c.wrap = 0; c.wrap < WRAPS; c.wrap++)
		for (c.shape = 0; c.shape < SHAPES; c.shape++) {
			if (c.wrap == WRAP_RETURN && c.shape > SHAPE_UDP)
				continue;
			c.addr = c.wrap == WRAP_TUNNEL ? 2 : 0;
			c.id = c.shape == SHAPE_ARP || corpus_is_udp(c.shape);
			snprintf(name, sizeof(name), "%s-%s", wraps[c.wrap], shapes[c.shape]);
			if (seed(argv[1], name, &c))
				return 1;
		}
	c.wrap = WRAP_NONE; /* generations and remote tasks */
	for (c.port = 0; c.port < CORPUS_PORTS; c.port++) {
		c.shape = SHAPE_ACK;
		snprintf(name, sizeof(name), "port-%u", CORPUS_PORT + c.port);
		if (seed(argv[1], name, &c))
			return 1;
	}
	return 0;
}
