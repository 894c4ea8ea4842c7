/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_ENTRY_SIDE_H
#define FL_TEST_ENTRY_SIDE_H
/* The host build of the decision as a node without tasks makes it (LB_ENV_TASKS 0). */
#include <stdbool.h>
#include <stdint.h>

#include "lb_tables.h"

struct entry_side;

struct entry_side_result {
	uint8_t action, reason;
	uint32_t daddr_be; /* RETURN */
	bool unresolved;   /* ENCAP: its next hop has to be found */
};

struct entry_side *entry_side_open(struct lb_tables *tables);
void entry_side_close(struct entry_side *e);
/* Packets, bytes and flows by backend since open, as many as the tables have backends. */
const struct lb_backend_counters *entry_side_backends(const struct entry_side *e);
/* bytes[*head .. + *length) of size becomes what would go out. */
struct entry_side_result entry_side_uplink(struct entry_side *e, uint8_t *bytes, uint32_t size,
					   uint32_t *head, uint32_t *length);
#endif
