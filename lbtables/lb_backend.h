/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_LB_BACKEND_H
#define FL_LB_BACKEND_H
/* Reading a backend's entry, which its writer may be changing; where a port's entry is. */
#include "lb_bytes.h"
#include "lb_types.h"

/* enum lb_backend_kind, from one load. */
lb_inline uint32_t lb_backend_kind(const union lb_backend *backend)
{
	uint64_t word = lb_read_once(&backend->word[1]);

	if ((uint16_t)(word >> 32) == LB_BE16(0x0800))
		return LB_BACKEND_REMOTE;
	return (uint8_t)word;
}
/* Index into ports[] of a published port. */
lb_inline uint32_t lb_port_index(uint16_t port_be, bool udp)
{
	return (uint32_t)udp << 16 | lb_swap16(port_be);
}

#endif
