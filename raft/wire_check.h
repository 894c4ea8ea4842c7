/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_WIRE_CHECK_H
#define FL_RAFT_WIRE_CHECK_H
/* Whether a payload keeps to the bounds of types.h, before protobuf-c allocates for what it says.
 */
#include <stddef.h>
#include <stdint.h>

/* 0 or -EBADMSG. Allocates nothing; linear in size. */
int wire_check(const uint8_t *payload, size_t size);
#endif
