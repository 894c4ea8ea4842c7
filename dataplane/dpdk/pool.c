// SPDX-License-Identifier: BSD-2-Clause
#include "pool.h"

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

enum {
	CACHE = 250,
	OVERHEAD = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN, /* of a frame, at most */
	BUFFER_STEP = 1024, /* cards count a buffer's bytes in kilobytes, and round down */
	PAGE = 4096,
	XDP_HEADROOM = 256, /* the kernel's own */
	XDP_BUFFER = PAGE - RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mempool_objhdr)) -
		     sizeof(struct rte_mbuf),
};
_Static_assert((int)POOL_AF_XDP_MTU_MAX ==
		   (int)XDP_BUFFER - RTE_PKTMBUF_HEADROOM - XDP_HEADROOM - RTE_ETHER_HDR_LEN,
	       "");

uint32_t pool_buffer_size(uint32_t mtu, bool af_xdp)
{
	uint32_t room = RTE_ALIGN_CEIL(mtu + OVERHEAD, (uint32_t)BUFFER_STEP);

	if (af_xdp)
		return mtu > POOL_AF_XDP_MTU_MAX ? 0 : XDP_BUFFER;
	room = RTE_MAX(room, (uint32_t)RTE_MBUF_DEFAULT_DATAROOM) + RTE_PKTMBUF_HEADROOM;
	return room > UINT16_MAX ? 0 : room;
}

/* rte_pktmbuf_pool_create, but for its padding of elements, which would make a page a little more. */
static struct rte_mempool *create_on(uint32_t frames, uint32_t buffer_size, int node)
{
	struct rte_pktmbuf_pool_private room = {.mbuf_data_room_size = (uint16_t)buffer_size};
	struct rte_mempool *pool = rte_mempool_create_empty(
	    "frames", frames, (unsigned int)sizeof(struct rte_mbuf) + buffer_size, CACHE,
	    sizeof(room), node, RTE_MEMPOOL_F_NO_SPREAD);
	int err;

	if (!pool)
		return NULL;
	err = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
	if (!err) {
		rte_pktmbuf_pool_init(pool, &room);
		err = rte_mempool_populate_default(pool);
	}
	if (err < 0) {
		rte_mempool_free(pool);
		rte_errno = -err;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

struct rte_mempool *pool_create(uint32_t frames, uint32_t buffer_size, int node)
{
	struct rte_mempool *pool = create_on(frames, buffer_size, node);

	return pool || node < 0 ? pool : create_on(frames, buffer_size, SOCKET_ID_ANY);
}
