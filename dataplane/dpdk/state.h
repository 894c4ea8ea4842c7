/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_STATE_H
#define FL_DPDK_STATE_H
/*
 * A file that fairlead-dpdk shares with the daemon and with `fairlead`: who runs, how far its lcores
 * have come, what they counted. A lock on it says that the process lives; the kernel takes it away with
 * the process.
 *
 *   | header: who, token | per lcore: the token it saw | counters of lcore 0 | of lcore 1 | ...
 *
 * Grace periods. Tables are BPF maps that both map. Whoever changed them raises the token and waits
 * until each lcore has said between two bursts that it saw it: quiescent states, as in QSBR. liburcu's
 * readers belong to one process, and DPDK's rte_rcu would put EAL into the daemon, for these ten lines.
 */
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "lb_types.h"

enum { DPDK_LCORES_MAX = 64 };

/* One lcore's; nobody else writes. */
struct dpdk_counters {
	struct lb_reason_counters reasons;
	uint64_t received; /* and decided on; spread.h's receivers only hand over */
	uint64_t sent, to_kernel, no_room, not_sent, no_next_hop;
	uint64_t handed_over, ring_full; /* to other lcores, or lost on the way there */
	uint64_t bad_checksum;           /* of the IP header, the device said */
	struct lb_backend_counters backends[]; /* as many as the tables have */
} __attribute__((aligned(64)));

struct dpdk_quiet {
	uint64_t seen; /* UINT64_MAX: reads nothing */
} __attribute__((aligned(64)));

struct dpdk_shared {
	uint64_t magic;
	int32_t pid;
	uint32_t lcores, backend_count;
	uint32_t running; /* forwards */
	uint64_t started_s;
	uint64_t token;
	char description[256]; /* device, queues, memory */
	uint32_t cpu[DPDK_LCORES_MAX];
	struct dpdk_quiet quiet[DPDK_LCORES_MAX];
};

struct dpdk_state {
	int fd;
	struct dpdk_shared *shared;
	uint64_t bytes;
};

/* fairlead-dpdk: a new file at path, which goes on from the counters of a dead one's. -EBUSY: another one
 * runs. */
int dpdk_state_create(const char *path, uint32_t lcores, uint32_t backend_count,
		      struct dpdk_state *out, struct error *error);
/* Everybody else. -ENOENT: none was made. -EPROTO: of another version. */
int dpdk_state_open(const char *path, struct dpdk_state *out);
void dpdk_state_close(struct dpdk_state *s);

bool dpdk_state_alive(const struct dpdk_state *s);
struct dpdk_counters *dpdk_state_counters(const struct dpdk_state *s, uint32_t lcore);

/* An lcore, between two bursts. */
static inline void dpdk_state_quiet(struct dpdk_shared *shared, uint32_t lcore)
{
	uint64_t token = __atomic_load_n(&shared->token, __ATOMIC_ACQUIRE);

	if (shared->quiet[lcore].seen != token)
		__atomic_store_n(&shared->quiet[lcore].seen, token, __ATOMIC_RELEASE);
}
/* It reads nothing from here on. */
static inline void dpdk_state_offline(struct dpdk_shared *shared, uint32_t lcore)
{
	__atomic_store_n(&shared->quiet[lcore].seen, UINT64_MAX, __ATOMIC_RELEASE);
}

/* The counters of a backend's entry that is no longer, or not yet, looked at follow it to another index; from
 * UINT32_MAX: they begin anew. */
void dpdk_state_move(const struct dpdk_state *s, uint32_t from, uint32_t to);

/* Has each lcore seen this token? */
bool dpdk_state_seen(const struct dpdk_state *s, uint64_t token);
/* A new token, for lcores to see. */
uint64_t dpdk_state_raise(const struct dpdk_state *s);
/* Whoever changed tables: true when no lcore reads what it read before (dead ones read nothing), false
 * when one has not come between two bursts for timeout_ms. */
bool dpdk_state_grace(const struct dpdk_state *s, uint32_t timeout_ms);
#endif
