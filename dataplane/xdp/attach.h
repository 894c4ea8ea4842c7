/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_XDP_ATTACH_H
#define FL_XDP_ATTACH_H
/*
 * Where the programs hang. XDP: through libxdp's dispatcher where the kernel lets programs replace
 * functions of others (freplace), so that other XDP programs live beside ours; else alone, by a
 * link pinned under <pin_dir>/xdp. tc: a clsact filter with a handle of our own, which outlives us too.
 * Each is replaced atomically when it is there already.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

enum xdp_mode { XDP_ATTACH_LINK, XDP_ATTACH_DISPATCHER, XDP_ATTACH_JUMP };

/* Does the kernel allow freplace? Loads two tiny programs, attaches nothing. */
bool attach_probe_dispatcher(void);
/* The kernel's jiffies now, and how many there are in a second; 0 if that cannot be told. */
uint64_t attach_probe_jiffies(unsigned int *hz);

/* Is there a pinned link of ours? Then that is the way it stays. */
bool attach_has_link(const char *pin_dir);
/* A loaded program on the uplink by link. */
int attach_xdp_link(const char *pin_dir, unsigned int ifindex, int prog_fd, struct error *error);
/* An object that is opened but not loaded: libxdp loads it for its dispatcher. */
int attach_xdp_dispatcher(struct bpf_object *object, const char *program, unsigned int ifindex,
			  struct error *error);

int attach_tc(unsigned int ifindex, int prog_fd, struct error *error);

/* Before the object is loaded: the map of AF_XDP sockets, pinned under <pin_dir>/dpdk for the poll mode
 * driver to find; or, unless steer, a map that nobody fills, and the steering program is not loaded. */
int attach_sockets_map(struct bpf_map *map, struct bpf_program *program, const char *pin_dir, bool steer,
		       struct error *error);
/* The program that net_af_xdp's own jumps to: pinned under <pin_dir>/dpdk, replaced in one step. */
int attach_jump(const char *pin_dir, int prog_fd, struct error *error);
void attach_remove_jump(const char *pin_dir);
/* Makes way on the uplink for net_af_xdp: no link of ours, no program that a dead one left. */
void attach_remove_link(const char *pin_dir);
void attach_remove_afxdp(unsigned int ifindex);

/* Takes our programs off the uplink and off every interface. */
int attach_remove_all(const char *pin_dir, struct error *error);
#endif
