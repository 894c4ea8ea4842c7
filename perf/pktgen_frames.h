/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PKTGEN_FRAMES_H
#define FL_PKTGEN_FRAMES_H
/*
 * The generator's frames: TCP SYNs, TCP in the middle of a connection, or UDP, of many clients, with the
 * time of their sending in the payload. What comes back is known by a mark beside it, wherever headers
 * have put it: plain, rewritten, or inside VXLAN.
 */
#include <stdbool.h>
#include <stdint.h>

enum pktgen_kind { PKTGEN_UDP, PKTGEN_SYN, PKTGEN_ACK };

struct pktgen_plan {
	enum pktgen_kind kind;
	uint8_t dst_mac[6], src_mac[6];
	uint32_t source, sources; /* first client's address, and how many there are; host byte order */
	uint32_t target;
	uint16_t port;
	uint16_t length; /* of the frame, without its checksum */
	uint32_t flows;
	uint64_t mark; /* this run's */
};

enum { PKTGEN_LENGTH_MIN = 14 + 20 + 20 + 16, PKTGEN_LENGTH_MAX = 1514 };

/* Flow number i, whole and with right checksums; p has room for plan->length bytes. */
void pktgen_make(const struct pktgen_plan *plan, uint32_t i, uint8_t *p);
/* Puts the time in; the checksum follows. */
void pktgen_stamp(const struct pktgen_plan *plan, uint8_t *p, uint64_t time);
/* The time in a frame that came back; false: it is none of this run's. */
bool pktgen_read(const struct pktgen_plan *plan, const uint8_t *p, uint32_t length, uint64_t *time);
/* Makes an ARP request for one of the clients its own answer; false: it is something else. */
bool pktgen_answer_arp(const struct pktgen_plan *plan, uint8_t *p, uint32_t length);
#endif
