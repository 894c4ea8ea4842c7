// SPDX-License-Identifier: BSD-2-Clause
#include "packet_memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "packet_bed.h"

enum {
	PER_SERVICE = PACKET_MEMORY_BACKENDS / PACKET_MEMORY_SERVICES,
	NODE_COUNT = 250,
	NODES = 0xc6120001, /* 198.18.0.1 and on */
};

static int set_service(struct tables *t, uint32_t service, uint32_t backend_count)
{
	struct tables_backend backends[PER_SERVICE] = {0};
	struct tables_port ports[PACKET_MEMORY_PORTS / PACKET_MEMORY_SERVICES + 1];
	struct tables_service s = {.name = service + 1,
				   .ports = ports,
				   .backends = backends,
				   .backend_count = backend_count};

	for (uint32_t p = service + 1; p <= PACKET_MEMORY_PORTS; p += PACKET_MEMORY_SERVICES)
		ports[s.port_count++] = (struct tables_port){p, htons(80)};
	for (uint32_t b = 0; b < backend_count; b++) {
		uint32_t number = service * PER_SERVICE + b;
		const uint8_t mac[6] = {0x02, 0x42, 10, 1, (uint8_t)(number >> 8), (uint8_t)number};

		memcpy(backends[b].mac, mac, 6);
		backends[b].weight = 100;
		backends[b].vtep_be = htonl(NODES + number % NODE_COUNT);
	}
	return tables_set_service(t, &s, NULL);
}

static int fill(struct tables *t)
{
	struct lb_config config = {.vtep_be = htonl(NODES + 1000), .key = {1, 2}};
	int err = tables_set_config(t, &config);

	for (uint32_t s = 0; s < PACKET_MEMORY_SERVICES && !err; s++)
		err = set_service(t, s, PER_SERVICE);
	return err;
}

static int measure(struct packet_bed *bed, struct packet_memory *m)
{
	struct tables_usage usage;
	double start_ms = harness_now_ms();
	int err = fill(bed->tables);

	m->fill_ms = harness_now_ms() - start_ms;
	m->rss_after = harness_rss();
	if (err)
		return err;
	usage = tables_usage(bed->tables);
	m->ports = usage.ports;
	m->backends = usage.backends;
	m->rings = usage.rings;
	m->slots = usage.slots;
	m->maps = packet_bed_memory(bed);
	start_ms = harness_now_ms();
	err = set_service(bed->tables, PACKET_MEMORY_SERVICES / 2, PER_SERVICE - 1);
	m->change_ms = harness_now_ms() - start_ms;
	return err;
}

int packet_memory(struct packet_memory *out)
{
	struct packet_memory m = {.rss_before = harness_rss()};
	struct packet_bed bed;
	int err = packet_bed_open(&bed, 0);

	if (err)
		return err;
	err = measure(&bed, &m);
	packet_bed_close(&bed);
	if (err)
		fprintf(stderr, "packet: filling the large tables: %s\n", strerror(-err));
	else
		*out = m;
	return err;
}
