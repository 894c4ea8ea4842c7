/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DATAPLANE_H
#define FL_DATAPLANE_H
/*
 * What applies tables to a machine. One interface, a driver behind it; drivers keep what they apply
 * outside the daemon (pinned BPF objects, another process), so that open finds it again and a daemon
 * that is killed takes nothing with it.
 *
 * One thread at a time. Functions return 0 or a negative errno and fill *error (may be NULL).
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "lb_tables.h"
#include "tables.h"

enum dp_state { DP_ACTIVE, DP_DRAIN, DP_DOWN };

struct dp_backend {
	struct in_addr address;
	uint8_t mac[6];
	uint16_t weight;
	enum dp_state state;
	struct in_addr vtep;     /* the node it runs on */
	bool local;              /* that is this node, and then: */
	const char *interface;   /* host side of its veth */
	struct in_addr gateway;  /* ARP for it is answered; 0: for none */
};

struct dp_port {
	uint8_t protocol;           /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t published, target; /* host byte order */
};

struct dp_service {
	const char *name;
	const struct dp_port *ports;
	uint32_t port_count;
	const struct dp_backend *backends;
	uint32_t backend_count;
	bool dsr;
	uint32_t ring_size; /* 0: by number of backends */
};

/* What a node's data plane should be, whole. Borrowed for the call. */
struct dp_mesh {
	struct in_addr vtep;
	const struct in_addr *addresses; /* own and virtual: at most LB_ADDRS_MAX */
	uint32_t address_count;
	const struct lb_via *vias; /* every way in (tables.h) */
	uint32_t via_count;
	const struct in_addr *peers; /* other nodes' VTEPs */
	uint32_t peer_count;
	uint32_t vni;
	uint16_t vxlan_port;
	uint8_t key[16];
	const struct dp_service *services;
	uint32_t service_count;
};

struct dp_options {
	const char *uplink;
	const char *pin_dir; /* NULL: DP_PIN_DIR */
	const char *run_dir; /* NULL: DP_RUN_DIR */
	/* dpdk: the forwarder's program (NULL: fairlead-dpdk beside this one, else by PATH), and more
	 * arguments for it (may be NULL; ends with NULL). */
	const char *dpdk_program;
	char *const *dpdk_arguments;
	/* Sizes of new tables, 0: default. Tables that are adopted keep theirs. */
	uint64_t flows, slots, backends;
};
#define DP_PIN_DIR "/sys/fs/bpf/fairlead"
#define DP_RUN_DIR "/run/fairlead"

struct dp_applied {
	uint32_t services, ports, backends; /* now */
	uint32_t slots_moved, generations;  /* by this apply */
};

struct dataplane;

struct dataplane_ops {
	const char *name;
	/* Starts or adopts the data plane of a machine. */
	int (*open)(const struct dp_options *options, struct dataplane **dp, struct error *error);
	/* Changes it to mesh, each service atomically. On an error services before the one named are
	 * changed, the others are as they were; call it again with a mesh that fits. */
	int (*apply)(struct dataplane *dp, const struct dp_mesh *mesh, struct dp_applied *applied,
		     struct error *error);
	/* poll()s readable when work() has something to do; call it once a second besides. True: an
	 * interface that apply missed may be there now, apply again. */
	int (*fd)(const struct dataplane *dp);
	bool (*work)(struct dataplane *dp);
	/* One line on what runs: driver, uplink, mode. */
	const char *(*describe)(const struct dataplane *dp);
	/* Lets go of it. It goes on. */
	void (*close)(struct dataplane *dp);
	/* Takes it off the machine, whether or not a daemon runs. dpdk's takes off xdp's as well. */
	int (*detach)(const char *pin_dir, const char *run_dir, struct error *error);
};
extern const struct dataplane_ops dataplane_xdp;
/* xdp, and beside it fairlead-dpdk for what comes in for tasks of other nodes. */
extern const struct dataplane_ops dataplane_dpdk;

/* A look at a running data plane, daemon or not; nothing can be changed through it. */
struct dp_view;
int dp_view_open(const char *pin_dir, const char *run_dir, struct dp_view **view,
		 struct error *error);
void dp_view_close(struct dp_view *view);
const struct lb_tables *dp_view_tables(const struct dp_view *view);
/* The forwarder beside the kernel. Frames; lost: to a full queue or ring, or for want of room in
 * front. */
enum { DP_DPDK_LCORES_MAX = 64 };
struct dp_dpdk_lcore {
	uint32_t cpu;
	uint64_t received, sent, handed_over; /* the last: to other lcores, which decide and send */
};
struct dp_dpdk {
	int pid;
	uint64_t uptime_s, received, sent, to_kernel, waited, lost;
	char description[256]; /* device, queues, CPUs, memory */
	uint32_t lcore_count;
	struct dp_dpdk_lcore lcores[DP_DPDK_LCORES_MAX];
};
/* False: none runs. */
bool dp_view_dpdk(const struct dp_view *view, struct dp_dpdk *out);
/* Sums over CPUs, and over fairlead-dpdk's lcores. */
int dp_view_reasons(const struct dp_view *view, struct lb_reason_counters *out);
int dp_view_backend(const struct dp_view *view, uint32_t index, struct lb_backend_counters *out);
int dp_view_task(const struct dp_view *view, uint32_t id, struct lb_task_counters *out);
/* Coarse time now (lb_env_ticks), and how long a tick is. */
uint32_t dp_view_ticks(const struct dp_view *view, double *seconds);
/* Calls each for sampled packets, one in `one_in` (a power of two), until it returns non-zero.
 * Switches sampling on and off again. */
int dp_view_samples(struct dp_view *view, uint32_t one_in,
		    int (*each)(void *context, const struct lb_sample *sample), void *context,
		    struct error *error);
#endif
