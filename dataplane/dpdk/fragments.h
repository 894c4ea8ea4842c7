/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_FRAGMENTS_H
#define FL_DPDK_FRAGMENTS_H
/*
 * Where the later fragments of a first one go: a table of fixed size that all lcores share, because a
 * card may spread fragments over other queues than their first. A full bucket forgets its oldest.
 * Fragments are rare; each bucket has a lock.
 */
#include "lb_types.h"

struct fragments;

/* count: notes, a power of two. NULL: out of memory. */
struct fragments *fragments_open(uint32_t count);
void fragments_close(struct fragments *f);

/* 0, or -1: none was noted. Any thread. */
int fragments_get(struct fragments *f, const struct lb_fragment_key *key, struct lb_fragment *out);
/* Any thread. Replaces what was noted under that key. */
void fragments_put(struct fragments *f, const struct lb_fragment_key *key,
		   const struct lb_fragment *fragment);
#endif
