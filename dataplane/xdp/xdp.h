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

/* What a driver on top of this one asks for. */
struct xdp_hooks {
	/* Frames for another forwarder: fl_uplink_steer is kept ready for the program that its poll mode
	 * driver attaches (attach_jump), and no program of ours is on the uplink. */
	bool steer;
	void (*grace)(void *context); /* waits for further readers of the tables; may be NULL */
	/* A backend's entry is another now (tables_on_move); may be NULL. */
	void (*moved)(void *context, uint32_t from, uint32_t to);
	void *context;
};

struct dataplane {
	struct xdp_hooks hooks;
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

/* hooks may be NULL. */
int xdp_open_with(const struct dp_options *options, const struct xdp_hooks *hooks,
		  struct dataplane **out, struct error *error);
/* Puts the plain program onto the uplink although frames may be steered: nobody is there to take them. */
int xdp_attach_plain(struct dataplane *dp, struct error *error);

int xdp_apply(struct dataplane *dp, const struct dp_mesh *mesh, struct dp_applied *applied,
	      struct error *error);
/* Asks the kernel for the way to every other node and writes it into the templates. */
void xdp_set_next_hops(struct dataplane *dp);
#endif
