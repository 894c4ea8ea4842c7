/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_FLOORS_H
#define FL_FLOORS_H
/*
 * What the driver program (floors.bpf.c) and user space agree on: how each packet of a run starts.
 *
 * BPF_PROG_TEST_RUN with repeat hands the program the frame that the last iteration left. The
 * driver undoes that: it puts the head back, writes one block of headers again and gives it the
 * address and port of the next flow.
 *
 *   0                  at        at+14      at+34         at+54
 *   | tunnel, if any   | Ethernet | IPv4     | TCP         | payload
 *                      |<----- written for each packet --->|
 */
#include <stdint.h>

enum {
	FLOORS_BLOCK = 14 + 20 + 20,
	FLOORS_OUTER =
	    64, /* what the bare encapsulation puts in front: 50 bytes and an Ethernet header */
	FLOORS_ROOM = 50,
};

struct floors_plan {
	uint32_t length; /* of the frame as each iteration starts */
	uint32_t at;     /* offset of the block: 0 or 50 */
	uint32_t mask;   /* packet i belongs to flow floors_flow(i, mask, draw) */
	uint32_t draw;
	uint32_t next;   /* number of the next packet */
	uint8_t block[64];
	uint8_t outer[FLOORS_OUTER];
};

/* Flow numbers to clients, one to one: Wang's and Wellons' 32-bit mixer, then 24 bits of address
 * and 8 of port. Flows that follow each other share no bits that a table could profit from. */
static inline uint32_t floors_mix(uint32_t i)
{
	i ^= i >> 16;
	i *= 0x7feb352dU;
	i ^= i >> 15;
	i *= 0x846ca68bU;
	i ^= i >> 16;
	return i;
}
/* One after the other, all before any comes again; or, if draw is set, each as if by lot. */
static inline uint32_t floors_flow(uint32_t i, uint32_t mask, uint32_t draw)
{
	return (draw ? floors_mix(i ^ 0x9e3779b9U) : i) & mask;
}
/* 10.0.0.0/8 */
static inline uint32_t floors_client_be(uint32_t mixed)
{
	return (mixed & 0xffffff00U) | 10;
}
static inline uint16_t floors_port_be(uint32_t mixed)
{
	return (uint16_t)((mixed & 0xff) << 8 | 0x80); /* 32768 and up */
}
#endif
