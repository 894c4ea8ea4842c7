/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PACKET_BED_H
#define FL_PACKET_BED_H
/*
 * What packets are measured in: the production program fl_uplink over maps of its own (not pinned,
 * attached to nothing), tables filled by their own writer, and the driver with its floors. One
 * thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "floors.h"
#include "tables.h"

struct fl_xdp;
struct fl_floors;

enum packet_program {
	PACKET_EMPTY,
	PACKET_SWAP,
	PACKET_ENCAPSULATE,
	PACKET_UPLINK,
	PACKET_PROGRAMS,
};

enum {
	PACKET_MAPS = 9, /* the arrays of struct lb_tables */
	PACKET_FRAME_MAX = 256,
};

struct packet_bed {
	struct fl_xdp *xdp;
	struct fl_floors *floors;
	struct floors_plan *plan; /* the driver's, in its global data */
	struct lb_tables l;
	struct tables *tables;
	struct {
		void *at;
		size_t size;
	} maps[PACKET_MAPS];
	int programs[PACKET_PROGRAMS], driver, target;
};

/* Loads everything; tables are new. flow_buckets: 0 is the default. 0 or a negative errno, said on
 * stderr. */
int packet_bed_open(struct packet_bed *bed, uint32_t flow_buckets);
void packet_bed_close(struct packet_bed *bed);

/* What the driver calls from now on. */
int packet_bed_aim(struct packet_bed *bed, enum packet_program program);

/* The outcome of one BPF_PROG_TEST_RUN. */
struct packet_run {
	double ns; /* an iteration: this thread's CPU time, so without what others took meanwhile */
	uint32_t verdict; /* of the last iteration, as its frame is */
	uint32_t length;
	uint8_t frame[PACKET_FRAME_MAX];
};
/* A program by itself, or (bed->driver) what is aimed at. */
int packet_bed_run(struct packet_bed *bed, int program, const uint8_t *frame, uint32_t length,
		   uint32_t repeat, struct packet_run *out);

/* fl_reasons, summed over CPUs. */
int packet_bed_reasons(struct packet_bed *bed, uint64_t out[LB_REASONS_MAX]);

/* Bytes that the kernel accounts to the production program's maps. */
uint64_t packet_bed_memory(const struct packet_bed *bed);
#endif
