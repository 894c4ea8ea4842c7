// SPDX-License-Identifier: BSD-2-Clause
#include "next_hop.h"

#include <errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <string.h>

/*
 * Lock-free for readers: an entry is replaced whole, by its pointer, and freed after all lcores have
 * passed a quiescent state. DPDK's RCU and not liburcu's, because rte_hash knows it.
 */
struct next_hops {
	struct rte_hash *hash;
	struct rte_rcu_qsbr *qsbr;
};

struct next_hops *next_hops_open(uint32_t count)
{
	static unsigned int number;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters parameters = {
	    .name = name,
	    .entries = count,
	    .key_len = sizeof(uint32_t),
	    .hash_func = rte_hash_crc,
	    .socket_id = SOCKET_ID_ANY,
	    .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash_rcu_config rcu = {
	    .mode = RTE_HASH_QSBR_MODE_SYNC, /* the writer waits; entries are ours to free */
	};
	struct next_hops *n = rte_zmalloc("next hops", sizeof(*n), 0);

	if (!n)
		return NULL;
	snprintf(name, sizeof(name), "next_hops_%u", number++);
	n->hash = rte_hash_create(&parameters);
	n->qsbr = rte_zmalloc("next hops' qsbr", rte_rcu_qsbr_get_memsize(RTE_MAX_LCORE),
			      RTE_CACHE_LINE_SIZE);
	rcu.v = n->qsbr;
	if (!n->hash || !n->qsbr || rte_rcu_qsbr_init(n->qsbr, RTE_MAX_LCORE) ||
	    rte_hash_rcu_qsbr_add(n->hash, &rcu)) {
		next_hops_close(n);
		return NULL;
	}
	return n;
}

void next_hops_close(struct next_hops *n)
{
	const void *key;
	void *hop;

	if (!n)
		return;
	for (uint32_t next = 0; n->hash && rte_hash_iterate(n->hash, &key, &hop, &next) >= 0;)
		rte_free(hop);
	rte_hash_free(n->hash);
	rte_free(n->qsbr);
	rte_free(n);
}

const struct next_hop *next_hops_find(const struct next_hops *n, uint32_t addr_be)
{
	void *hop;

	return rte_hash_lookup_data(n->hash, &addr_be, &hop) < 0 ? NULL : hop;
}

void next_hops_reader(struct next_hops *n, unsigned int lcore)
{
	rte_rcu_qsbr_thread_register(n->qsbr, lcore);
	rte_rcu_qsbr_thread_online(n->qsbr, lcore);
}
void next_hops_quiescent(struct next_hops *n, unsigned int lcore)
{
	rte_rcu_qsbr_quiescent(n->qsbr, lcore);
}
void next_hops_reader_gone(struct next_hops *n, unsigned int lcore)
{
	rte_rcu_qsbr_thread_offline(n->qsbr, lcore);
	rte_rcu_qsbr_thread_unregister(n->qsbr, lcore);
}

int next_hops_set(struct next_hops *n, uint32_t addr_be, const struct next_hop *hop)
{
	void *old = NULL, *new;
	int err;

	rte_hash_lookup_data(n->hash, &addr_be, &old);
	if (!hop) {
		rte_hash_del_key(n->hash, &addr_be);
		rte_free(old);
		return 0;
	}
	if (old && !memcmp(old, hop, sizeof(*hop)))
		return 0;
	new = rte_malloc("next hop", sizeof(*hop), 0);
	if (!new)
		return -ENOSPC;
	memcpy(new, hop, sizeof(*hop));
	err = rte_hash_add_key_data(n->hash, &addr_be, new);
	if (err) {
		rte_free(new);
		return -ENOSPC;
	}
	if (old) {
		rte_rcu_qsbr_synchronize(n->qsbr, RTE_QSBR_THRID_INVALID);
		rte_free(old);
	}
	return 0;
}
