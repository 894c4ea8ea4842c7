/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_INDEX_H
#define FL_LB_INDEX_H
/* Look-up in the exact-match index. Entries are never hashed away: key and kind are compared. */
#include "lb_env.h"
#include "lb_hash.h"

lb_inline uint32_t lb_index_bucket_of(const struct lb_config *config, uint64_t key)
{
	return lb_table_hash(config->table_key, key) & config->index_mask;
}

/* The value, 0 where there is none (no table has a valid entry 0). */
lb_inline uint32_t lb_index_find(struct lb_env *env, const struct lb_config *config, uint64_t key,
				 enum lb_index_kind kind)
{
	const struct lb_index_bucket *bucket = lb_env_index(env, lb_index_bucket_of(config, key));

	if (!bucket)
		return 0;
#pragma GCC unroll 8
	for (int i = 0; i < LB_WAYS; i++)
		if (lb_read_once(&bucket->way[i].key) == key &&
		    lb_read_once32(&bucket->way[i].kind) == (uint32_t)kind)
			return lb_read_once32(&bucket->way[i].value);
	return 0;
}

lb_inline uint64_t lb_via_key(uint32_t addr_be, uint32_t vtep_be)
{
	return (uint64_t)vtep_be << 32 | addr_be;
}
#endif
