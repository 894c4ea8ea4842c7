/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_XDP_H
#define FL_XDP_H
/* The xdp driver's own state, shared by xdp.c (its life) and apply.c (its changes). */
#include <limits.h>
#include <net/if.h>

#include "attach.h"
#include "dataplane.h"
#include "maps.h"
#include "reserve.h"
#include "uplink.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "tc.skel.h"
#include "xdp.skel.h"
#pragma GCC diagnostic pop

struct dataplane {
	struct uplink uplink;
	char uplink_name[IF_NAMESIZE];
	char pin_dir[PATH_MAX / 2];
	char description[256];
	struct fl_xdp *xdp;
	struct fl_tc *tc;
	enum xdp_mode mode;
	struct xdp_maps maps;
	struct tables *tables;
	struct neighbours *neighbours;
	struct in_addr *peers;
	uint32_t peer_count;
	unsigned int hz;
	uint64_t reserved[RESERVE_WORDS]; /* local ports that are published */
	uint32_t missing; /* interfaces that the last apply did not find */
};

int xdp_apply(struct dataplane *dp, const struct dp_mesh *mesh, struct dp_applied *applied,
	      struct error *error);
/* Asks the kernel for the way to every other node and writes it into the templates. */
void xdp_set_next_hops(struct dataplane *dp);
#endif
