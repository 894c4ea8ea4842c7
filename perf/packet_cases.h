/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PACKET_CASES_H
#define FL_PACKET_CASES_H
/*
 * The packets that are measured, the small mesh that they meet, and what must have become of them.
 *
 *   entry      client 10.x.x.x --> 192.0.2.1:8000 (this node) ==> 100 backends on 10 other nodes
 *   host side  client 10.x.x.x --> 198.51.100.1:8001 (another) ==> this node --> task 172.30.0.2:80
 *
 * 198.51.100.1..10 are the other nodes, by tunnel address too.
 */
#include "packet_bed.h"

enum packet_frame {
	PACKET_ENTRY_ACK,
	PACKET_ENTRY_SYN,
	PACKET_TUNNEL_ACK,
	PACKET_TUNNEL_SYN,
	PACKET_OTHER_PORT, /* TCP to our address, port 22 */
	PACKET_OTHER_ADDRESS,
	PACKET_IPV6,
	PACKET_FRAMES,
};

enum packet_flows {
	PACKET_HOT, /* one flow */
	PACKET_MANY,  /* one after the other, over and over */
	PACKET_DRAWN, /* as many, each packet of one by lot */
	PACKET_NEW, /* each packet is the first of its flow */
};

enum packet_effect {
	PACKET_SAME,
	PACKET_SWAPPED,
	PACKET_WRAPPED, /* by a constant header */
	PACKET_ENTERED, /* encapsulated towards a backend */
	PACKET_DELIVERED,
};

struct packet_case {
	const char *name, *text;
	enum packet_program program;
	enum packet_frame frame;
	enum packet_flows flows;
	enum packet_effect effect;
	uint32_t verdict; /* enum xdp_action */
	int reason;       /* enum lb_reason that is counted once per packet; -1: none is */
	double goal_ns;   /* net; 0: none */
	int goal_case;    /* or: no dearer than that case; -1: none */
};
extern const struct packet_case packet_cases[];
extern const uint32_t packet_case_count;

/* Config, vias, one task, two services. 0 or a negative errno. */
int packet_world_fill(struct packet_bed *bed);

/* A frame as it is before the driver gives it a flow; returns its length. */
uint32_t packet_frame_make(enum packet_frame kind, uint8_t *out);
/* Lets the driver start frames of this kind over and over. */
void packet_plan_set(struct floors_plan *plan, enum packet_frame kind, uint32_t mask, bool draw,
		     uint32_t next);

/* Is this what the case's program makes of a flow's frame? NULL, or what is wrong. */
const char *packet_check(const struct packet_case *c, uint32_t flow, const struct packet_run *run);
#endif
