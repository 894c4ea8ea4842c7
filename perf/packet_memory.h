/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PACKET_MEMORY_H
#define FL_PACKET_MEMORY_H
/* What a large cluster's tables take: every TCP port but one published, 10,000 backends. */
#include <stdint.h>

enum {
	PACKET_MEMORY_SERVICES = 100,
	PACKET_MEMORY_BACKENDS = 10000,
	PACKET_MEMORY_PORTS = 65535,
};

struct packet_memory {
	double fill_ms;                  /* tables_set_service, all services */
	double change_ms;                /* one backend of one service less */
	uint64_t maps;                   /* bytes the kernel accounts to the maps */
	uint64_t rss_before, rss_after;  /* of this process, maps' touched pages with it */
	uint32_t ports, backends, rings; /* in use, as the writer says */
	uint64_t slots;
};

/* Over maps of its own, default sizes. 0 or a negative errno, said on stderr. */
int packet_memory(struct packet_memory *out);
#endif
