/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PACKET_REPORT_H
#define FL_PACKET_REPORT_H
/* A run's figures, for people and as JSON. */
#include <stdio.h>

#include "harness.h"
#include "packet_cases.h"
#include "packet_memory.h"

struct packet_figures {
	struct harness_spread gross, floor,
	    net;          /* ns; floor: the empty program on the same packets */
	uint64_t evicted; /* flows that gave way to others, all rounds */
};

struct packet_report {
	struct harness_machine machine;
	int cpu;
	uint32_t rounds, repeat, flows, buckets;
	double busy_limit;
	uint32_t busy_rounds;         /* before which the machine was busier than that */
	struct harness_spread busy;   /* percent */
	struct harness_spread bare;   /* the empty program without driver */
	struct harness_spread read;   /* one random read in as much memory as the flow table has */
	struct packet_figures *cases; /* packet_case_count; the caller's */
	bool memory_known;
	struct packet_memory memory;
};

void packet_report_print(const struct packet_report *r, FILE *out);
void packet_report_json(const struct packet_report *r, FILE *out);
#endif
