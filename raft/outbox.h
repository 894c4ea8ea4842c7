/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_OUTBOX_H
#define FL_RAFT_OUTBOX_H
/*
 * What waits for one peer, in two lanes. Votes, heartbeats, replies and the like go before entries
 * and chunks of snapshots, so that a full pipe does not cost a leader its office. Within a lane
 * order holds; appends, empty ones too, never overtake each other.
 *
 * Each lane is bounded in messages and bytes. What does not fit is dropped: Raft repeats what
 * matters.
 */
#include "types.h"

enum outbox_lane { OUTBOX_URGENT, OUTBOX_BULK, OUTBOX_LANES };

struct outbox_item;
struct outbox {
	struct {
		struct outbox_item *first, **end;
		size_t bytes;
		uint32_t messages;
	} lane[OUTBOX_LANES];
};

void outbox_init(struct outbox *outbox);
/* Takes the message over: it is zeroed. -ENOBUFS or -ENOMEM: it is not, and stays the caller's. */
int outbox_push(struct outbox *outbox, struct raft_message *message);
bool outbox_is_empty(const struct outbox *outbox);
/* The next message, which is the caller's now; false: none. */
bool outbox_pop(struct outbox *outbox, struct raft_message *message);
/* Drops all; how many they were. */
uint32_t outbox_clear(struct outbox *outbox);
enum outbox_lane outbox_lane_of(const struct raft_message *message);
#endif
