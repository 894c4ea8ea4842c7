/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ALLOCATOR_H
#define FL_ALLOCATOR_H
/*
 * Gives out what a cluster has only once: subnets and VNIs to networks, ports and virtual IPs to
 * services, addresses to tasks, which thereby become pending (new -> pending).
 *
 *   networks   a subnet that the user names, else the first free one of the default pools; a
 * gateway, its first address unless named; a VNI, ALLOCATOR_VNI_INGRESS of the ingress network,
 *              from ALLOCATOR_VNI_FIRST on of the others. Drivers other than overlay get none of
 * it. services   a virtual IP on each of their networks, and on the ingress network if they publish
 * in ingress mode; none with endpoint mode dnsrr. Ports without a number get one. What is unchanged
 * in an update keeps its addresses and ports. tasks      an address of each family on each of their
 * networks. They wait until their service has all of its own. Their attachments stay on them when
 * they have ended; the addresses are then given to others.
 *
 * Pure, with the scheduler's loop (scheduler.h): reset, handle, settle, run; one transaction at a
 * time. What is in it counts as taken until settle. The objects in the store say all that is taken:
 * a new leader needs nothing else. -ENOMEM from any: call allocator_reset before anything else.
 *
 * **What cannot be allocated** gets nothing at all, and says why: allocation_error of networks and
 * services, Status.Err of tasks. It is tried again when something is given back, at most every
 * ALLOCATOR_RETRY_NS.
 */
#include "problem.h"
#include "store.h"
#include "transaction.h"

#define ALLOCATOR_RETRY_NS 100000000LL

enum {
	ALLOCATOR_VNI_INGRESS = 4096,
	ALLOCATOR_VNI_FIRST = 4097,
	ALLOCATOR_VNI_LAST = (1 << 24) - 1, /* RFC 7348, section 5 */
	ALLOCATOR_PORT_FIRST = 30000,
	ALLOCATOR_PORT_LAST = 32767,
	ALLOCATOR_POOLS_MAX = 64,
};
#define ALLOCATOR_VNI_OPTION "com.docker.network.driver.overlay.vxlanid_list"

struct allocator;

struct allocator *allocator_new(void);            /* empty; NULL: no memory */
void allocator_free(struct allocator *allocator); /* NULL is fine */

int allocator_reset(struct allocator *allocator, const struct store_view *view, int64_t now);
int allocator_handle(struct allocator *allocator, const struct store_event *events, size_t count,
		     int64_t now);
int allocator_settle(struct allocator *allocator, const struct store_view *view, int64_t now);
/* As scheduler_run. */
int allocator_run(struct allocator *allocator, int64_t now, struct transaction **transaction,
		  int64_t *next);

struct allocator_status {
	size_t waiting, blocked, in_flight;
	/* What two objects in the store both claim. Nothing that the allocator does leads there. */
	size_t conflicts;
};
void allocator_get_status(const struct allocator *allocator, struct allocator_status *status);

/* --- For the API, before it proposes what a user asks for --- */

/* -EINVAL, -EEXIST (the subnet overlaps another network's), in Docker's words. */
int allocator_check_network(const struct store_view *view, const Fl__NetworkSpec *spec,
			    struct problem *problem);
/* The ports a service publishes; service_id: its own when it is being updated, else NULL. -EEXIST:
 * "port '8000' is already in use by service 'web' (id) as an ingress port". */
int allocator_check_ports(const struct store_view *view, const char *service_id,
			  const Fl__EndpointSpec *spec, struct problem *problem);
#endif
