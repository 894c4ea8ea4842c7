/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_DPDK_SIDE_H
#define FL_TEST_DPDK_SIDE_H
/*
 * The DPDK forwarder between packet captures (net_pcap): one file in, one file for what leaves by the
 * uplink and one for what is left to the kernel. Frames are shown in bursts, so that tables can be
 * changed between any two of them.
 *
 * The forwarder's struct lb_env is not the host build's, so this has a source file of its own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lb_tables.h"

struct dpdk_side_frame {
	const uint8_t *bytes;
	uint32_t length;
};
struct dpdk_side_counts {
	uint64_t asked, no_room, not_sent;
	uint64_t reasons[LB_REASONS_MAX];
};

/* Once in a process. folder: where the captures are made. */
bool dpdk_side_open(const char *folder);
void dpdk_side_close(void);

/* Known on the way to that client from now on: destination and source. */
bool dpdk_side_next_hop(uint32_t addr_be, const uint8_t macs[12]);

/* Starts to receive these frames; notes of fragments and counters are forgotten. */
bool dpdk_side_begin(const struct lb_tables *tables, const struct dpdk_side_frame *frames,
		     uint32_t count);
/* The next burst, of at most `most`: how many frames it took. */
uint32_t dpdk_side_poll(uint32_t most);
/* Of this run so far, as many as the tables have backends; until end. */
const struct lb_backend_counters *dpdk_side_backends(void);
/* Ends the run. Counts are of this run. */
bool dpdk_side_end(struct dpdk_side_counts *counts);

/* What came out since begin, after end: the uplink's (kernel false) or the kernel's next frame. False:
 * there is none. bytes are valid until the next call. */
bool dpdk_side_next(bool kernel, struct dpdk_side_frame *frame);
#endif
