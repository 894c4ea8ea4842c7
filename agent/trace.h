/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TRACE_H
#define FL_TRACE_H
/*
 * One packet through the forwarding decision, said aloud: the same code as in the kernel, over a copy
 * of the tables as they are now, so that nothing is changed by looking.
 */
#include "show.h"

struct trace {
	uint32_t saddr_be, daddr_be;
	uint16_t sport_be, dport_be;
	uint8_t protocol;
	uint8_t tcp_flags;
	uint16_t payload;
};

int trace_packet(const struct show *show, const struct trace *trace);
#endif
