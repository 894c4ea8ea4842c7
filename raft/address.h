/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_ADDRESS_H
#define FL_RAFT_ADDRESS_H
/* "10.0.0.1:4242", "[2001:db8::1]:4242", "manager1.example:4242". */
#include <stdbool.h>
#include <sys/socket.h>

#include "types.h"

enum { ADDRESS_PORT_SIZE = 6 };

struct address {
	char host[RAFT_ADDRESS_MAX]; /* without brackets */
	char port[ADDRESS_PORT_SIZE];
	bool numeric; /* sockaddr is set; a name needs a resolver */
	struct sockaddr_storage sockaddr;
};

/* 0 or -EINVAL. Port 0 is accepted: a listener may ask for any. Asks no resolver. */
int address_parse(const char *text, struct address *address);
/* text: RAFT_ADDRESS_MAX bytes. */
void address_format(const struct sockaddr *sockaddr, char *text);
#endif
