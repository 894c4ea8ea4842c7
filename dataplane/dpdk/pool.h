/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_POOL_H
#define FL_DPDK_POOL_H
/* Memory for frames: buffers that hold one in one piece, as each kind of device wants them. */
#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * net_af_xdp makes the pool its UMEM, and takes its elements to lie one after the other; without hugepages,
 * mempool puts none across two pages. Unless an element is a page, most of them lie outside the UMEM then,
 * and the kernel loses the frames that are received into those.
 */
enum { POOL_AF_XDP_MTU_MAX = 3506 };

/* Bytes of a buffer, headroom included, for frames of this MTU. 0: there is none so long. */
uint32_t pool_buffer_size(uint32_t mtu, bool af_xdp);

/* node: NUMA node, -1: any; where that one has no memory, any. NULL: rte_errno says why. */
struct rte_mempool *pool_create(uint32_t frames, uint32_t buffer_size, int node);
#endif
