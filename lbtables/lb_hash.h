/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_HASH_H
#define FL_LB_HASH_H
/*
 * The two hashes of the tables.
 *
 * lb_flow_hash picks a ring slot and the tunnel's entropy port. It must agree on every node, so its
 * secret comes with the tables. Rounds of xor-shift-multiply over 128 secret bits: not a MAC, but a
 * client that does not know the secret cannot aim flows at a backend better than by trying.
 *
 * lb_table_hash spreads exact keys over buckets: two rounds of multiply-shift (Dietzfelbinger et al.,
 * 1997), the first with a secret odd factor, this node's own.
 */
#include "lb_bytes.h"

/* a: both addresses; b: protocol and both ports. */
lb_inline uint64_t lb_flow_hash_words(const uint64_t key[2], uint64_t a, uint64_t b)
{
	a ^= key[0];
	b ^= key[1];
	a ^= a >> 32;
	a *= 0xd6e8feb86659fd93ULL;
	a ^= a >> 32;
	a += b;
	a *= 0xa0761d6478bd642fULL;
	a ^= a >> 29;
	a += key[1];
	a *= 0xe7037ed1a0b428dbULL;
	a ^= a >> 32;
	return a;
}

lb_inline uint64_t lb_flow_hash(const uint64_t key[2], uint32_t saddr_be, uint32_t daddr_be,
				uint16_t sport_be, uint16_t dport_be, uint8_t proto)
{
	return lb_flow_hash_words(key, (uint64_t)saddr_be << 32 | daddr_be,
				  (uint64_t)proto << 32 | (uint32_t)sport_be << 16 | dport_be);
}

/* The slot of a hash in a ring of size slots: its upper half as a fraction, times size. */
lb_inline uint32_t lb_ring_slot(uint64_t hash, uint32_t size)
{
	return (uint32_t)(((hash >> 32) * size) >> 32);
}

lb_inline uint32_t lb_table_hash(uint64_t secret_odd, uint64_t key)
{
	/* The product's upper bits are the good ones: fold them down, spread them once more. Keys are
	 * network-order addresses, whose variety often sits in their upper byte alone. */
	uint64_t h = key * secret_odd;

	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 32);
}
#endif
