/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_BYTES_H
#define FL_LB_BYTES_H
/*
 * Unaligned loads and stores, byte order of constants, and the Internet checksum's arithmetic
 * (RFC 1071, incremental updates by RFC 1624). Little-endian machines only: the flow hash and the
 * packed keys are the same on each node because their bytes are.
 */
#include <stdbool.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed keys assume little-endian");

#define lb_inline static inline __attribute__((always_inline))
/* Rare paths: out of line so that they cost the common ones no registers. */
#ifdef __bpf__
/* Not static: the verifier then looks at each once and not once per call. Such functions take and
 * return no pointers into packets or maps, and check those that they take for NULL. */
#define lb_cold __attribute__((noinline))
#else
#define lb_cold static __attribute__((noinline, unused))
#endif

#define LB_BE16(x) ((uint16_t)((((x)&0xffU) << 8) | (((x) >> 8) & 0xffU)))
#define LB_BE32(x) __builtin_bswap32(x)

lb_inline uint16_t lb_swap16(uint16_t x)
{
	return __builtin_bswap16(x);
}

/*
 * Spelled as packed structs: one instruction where the machine allows it, never undefined. BPF's
 * compiler would take such accesses apart into bytes; there they are plain (the kernel allows
 * unaligned ones to packets and map values where the machine does, never to the stack).
 */
#ifdef __bpf__
#define LB_PACKED
#else
#define LB_PACKED __attribute__((packed))
#endif
struct lb_u16 {
	uint16_t v;
} LB_PACKED;
struct lb_u32 {
	uint32_t v;
} LB_PACKED;
struct lb_u64 {
	uint64_t v;
} LB_PACKED;

lb_inline uint16_t lb_load16(const uint8_t *p)
{
	return ((const struct lb_u16 *)p)->v;
}
lb_inline uint32_t lb_load32(const uint8_t *p)
{
	return ((const struct lb_u32 *)p)->v;
}
lb_inline void lb_store16(uint8_t *p, uint16_t v)
{
	((struct lb_u16 *)p)->v = v;
}
lb_inline void lb_store32(uint8_t *p, uint32_t v)
{
	((struct lb_u32 *)p)->v = v;
}
lb_inline void lb_copy_mac(uint8_t *to, const uint8_t *from)
{
	lb_store32(to, lb_load32(from));
	lb_store16(to + 4, lb_load16(from + 4));
}
lb_inline uint64_t lb_load_mac(const uint8_t *p)
{
	return lb_load32(p) | (uint64_t)lb_load16(p + 4) << 32;
}

/* Sums of 16-bit words in network order, not folded: up to 2^16 words fit. */
lb_inline uint64_t lb_sum32(uint32_t be)
{
	return (be & 0xffff) + (be >> 16);
}
/* What changing old to new adds to a sum. */
lb_inline uint64_t lb_diff32(uint32_t old_be, uint32_t new_be)
{
	return lb_sum32(~old_be) + lb_sum32(new_be);
}
lb_inline uint64_t lb_diff16(uint16_t old_be, uint16_t new_be)
{
	return (uint64_t)(uint16_t)~old_be + new_be;
}
lb_inline uint16_t lb_fold(uint64_t sum)
{
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + ((sum >> 32) & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
/* The same for a sum of a few words. */
lb_inline uint16_t lb_fold32(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}
/* RFC 1624 equation 3: the checksum field after the words it covers changed by diff. */
lb_inline uint16_t lb_csum_apply(uint16_t check, uint64_t diff)
{
	return (uint16_t)~lb_fold((uint16_t)~check + diff);
}

/* Reads and writes that must happen once and in order, next to writers on other CPUs. BPF has no
 * acquire and release yet: volatile keeps the compiler's order, and x86 keeps the rest. */
#ifdef __bpf__
lb_inline uint64_t lb_read_once(const uint64_t *p)
{
	return *(const volatile uint64_t *)p;
}
lb_inline uint32_t lb_read_once32(const uint32_t *p)
{
	return *(const volatile uint32_t *)p;
}
lb_inline void lb_write_once(uint64_t *p, uint64_t v)
{
	*(volatile uint64_t *)p = v;
}
#else
lb_inline uint64_t lb_read_once(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
lb_inline uint32_t lb_read_once32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
lb_inline void lb_write_once(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}
#endif
#define lb_barrier() __asm__ __volatile__("" ::: "memory")
#endif
