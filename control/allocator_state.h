/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ALLOCATOR_STATE_H
#define FL_ALLOCATOR_STATE_H
/* What the parts of the allocator share. */
#include "allocator.h"
#include "allocator_address.h"
#include "allocator_range.h"
#include "id_map.h"
#include "list.h"

struct allocation;

/* Numbers that an object has. */
struct claim {
	struct range_set *set;
	range_value first, last;
	struct allocation *network; /* of an address; it stays as long as it has any. Else NULL */
};

struct claims {
	struct claim *items;
	size_t count, capacity;
};

struct subnet {
	struct prefix prefix;
	ip_address low, high; /* that may be given out */
	ip_address cursor;    /* behind the last: an address rests before it is another's */
	struct range_set used;
};

/* A network, service or task. */
struct allocation {
	const char *id;
	const void *object; /* held: as the store has it */
	enum store_table table;
	struct claims claims;
	struct list link; /* ready, blocked, in flight, or nowhere */
	/* Of a network that has its subnets. */
	struct subnet *subnets;
	size_t subnet_count;
	size_t uses; /* addresses given out, here or in flight */
	bool gone;   /* deleted, with addresses still in use */
};

enum { ALLOCATION_NETWORKS, ALLOCATION_SERVICES, ALLOCATION_TASKS, ALLOCATION_KINDS };

struct allocator {
	struct id_map objects[ALLOCATION_KINDS]; /* struct allocation */
	struct list ready[ALLOCATION_KINDS], blocked[ALLOCATION_KINDS];
	struct list in_flight, gone;
	bool busy;
	int64_t retry_at, retried_at;

	struct range_set taken_subnets, vnis;
	struct range_set ports[3]; /* of the ingress network, by protocol */
	uint32_t vni_cursor;
	struct prefix pools[ALLOCATOR_POOLS_MAX];
	size_t pool_count;
	unsigned subnet_size;
	const struct allocation *ingress;
	size_t conflicts;
};

/* Writing a field that is not ours to write; messages have no const. */
static inline char *text_field(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* --- allocator_claim.c --- */

/* Takes, and writes it down. -EEXIST, -ENOMEM: nothing is taken. */
int claims_take(struct claims *claims, struct range_set *set, range_value first, range_value last,
		struct allocation *network);
bool claims_have(const struct claims *claims, const struct range_set *set, range_value first);
/* Gives all back. */
void claims_give(struct claims *claims);
/* The same of what nobody has seen: addresses need no rest. */
void claims_cancel(struct claims *claims);
/* Moves all of one to another. -ENOMEM: as they were. */
int claims_move(struct claims *to, struct claims *from);

/* --- allocator_network.c --- */

static inline const Fl__Network *network_of(const struct allocation *allocation)
{
	return allocation->object;
}

bool network_is_overlay(const Fl__Network *network);
bool network_needs(const Fl__Network *network);
/* Takes what the object says that it has. -ENOMEM. */
int network_take(struct allocator *allocator, struct allocation *network);
void network_forget_subnets(struct allocation *network);
/* The change, in the transaction. 0; -EINVAL: *problem says why not; -ENOSPC, -ENOMEM. */
int network_allocate(struct allocator *allocator, struct allocation *network,
		     struct transaction *transaction, struct problem *problem);
/* A cluster's pools; NULL: the defaults. */
void network_set_pools(struct allocator *allocator, const Fl__Cluster *cluster);

/* Whether it has been allocated. -EAGAIN: not yet; -EINVAL: *problem says why not. NULL: not known.
 */
int network_is_ready(const struct allocation *network, struct problem *problem);
/* A free address of one family, on a network that has its subnets. -ENOENT: it has none of that
 * family. -EINVAL: *problem: it has no address left. */
int network_take_address(struct allocation *network, bool v4, struct claims *claims,
			 char text[ADDRESS_TEXT_SIZE], ip_address *number, struct problem *problem);
/* One that an object has. What is on no network of ours is passed over. -ENOMEM. */
int network_retake_address(struct allocator *allocator, const char *network_id, const char *text,
			   struct claims *claims);

/* --- allocator_service.c --- */

static inline const Fl__Service *service_of(const struct allocation *allocation)
{
	return allocation->object;
}

/* Its networks' ids, at i; NULL: past the last. task NULL: the service's own. */
const Fl__NetworkAttachmentConfig *attachment_at(const Fl__TaskSpec *task,
						 const Fl__ServiceSpec *service, size_t i);
bool service_publishes(const Fl__Service *service); /* in ingress mode, as far as it is allocated */
/* 1: its endpoint is not what its spec asks for. -ENOMEM. */
int service_needs(const struct allocator *allocator, const Fl__Service *service);
int service_take(struct allocator *allocator, struct allocation *service);
/* As network_allocate; -EAGAIN: what it depends on is not there yet. */
int service_allocate(struct allocator *allocator, struct allocation *service,
		     struct transaction *transaction, struct problem *problem);

/* --- allocator_port.c --- */

/* Ports of a service's endpoint, into ports, of as many as the spec has; claims: those it did not
 * have. -EINVAL: *problem. -ENOMEM. */
int ports_allocate(struct allocator *allocator, const struct allocation *service,
		   const Fl__EndpointSpec *spec, Fl__PortConfig *ports, struct claims *claims,
		   struct problem *problem);
int ports_take(struct allocator *allocator, struct allocation *service);

/* --- allocator_task.c --- */

bool task_needs(const Fl__Task *task);
int task_take(struct allocator *allocator, struct allocation *task);
/* As service_allocate. */
int task_allocate(struct allocator *allocator, struct allocation *task, int64_t now,
		  struct transaction *transaction, struct problem *problem);
#endif
