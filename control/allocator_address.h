/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ALLOCATOR_ADDRESS_H
#define FL_ALLOCATOR_ADDRESS_H
/*
 * IP addresses as numbers. IPv4 ones lie at ::ffff:0:0/96 (RFC 4291, 2.5.5.2), so that one order
 * and one set holds both families.
 */
#include <stdbool.h>
#include <stdint.h>

typedef unsigned __int128 ip_address;

/* The longest IPv6 address with a prefix length, and the zero byte. */
enum { ADDRESS_TEXT_SIZE = 50 };

struct prefix {
	ip_address first, last; /* of all its addresses */
	uint8_t length;         /* as it is written: 24 of 10.0.0.0/24 */
};

bool address_is_v4(ip_address address);
/* -EINVAL: not an address. Zones ("%eth0") are not. */
int address_parse(const char *text, ip_address *address);
/* length < 0: without one. Returns text. */
const char *address_format(ip_address address, int length, char text[ADDRESS_TEXT_SIZE]);

/* "10.0.0.0/24"; bits behind the length are dropped, as Docker does. -EINVAL. */
int prefix_parse(const char *text, struct prefix *prefix);
/* "10.0.0.6/24": the address, with the length of its subnet. -EINVAL. */
int address_parse_with_length(const char *text, ip_address *address, uint8_t *length);
#endif
