/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_QUEUE_H
#define FL_SIM_QUEUE_H
/* What will happen, by virtual time; at one instant in the order of queueing. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type {
	EVENT_TICK,
	EVENT_MESSAGE,     /* payload: struct raft_message */
	EVENT_DISK,        /* the disk has written */
	EVENT_START,       /* of a member that is down */
	EVENT_CHUNK,       /* payload: struct raft_chunk_wanted, read from disk */
	EVENT_UNREACHABLE, /* number: the peer */
	EVENT_REQUEST,     /* payload: struct client_request, at a member */
	EVENT_REPLY,       /* payload: struct client_reply, at a client (number) */
	EVENT_CLIENT,      /* number: the client; it wakes up */
	EVENT_FAULT,
	EVENT_OPERATOR,
	EVENT_DISK_FREE, /* a full disk has room again */
};

struct event {
	uint64_t time_us, order;
	uint8_t type;
	uint32_t member;      /* its slot */
	uint32_t incarnation; /* of the member: older ones mean nothing to it */
	uint64_t number;
	void *payload; /* malloc'ed */
};

struct queue {
	struct event *heap;
	size_t count, room;
	uint64_t order;
};

void queue_push(struct queue *queue, struct event event); /* sets order */
bool queue_pop(struct queue *queue, struct event *event);
void queue_free(struct queue *queue, void (*free_payload)(struct event *event));
#endif
