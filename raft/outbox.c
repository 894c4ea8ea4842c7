/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "transport_limits.h"

struct outbox_item {
	struct outbox_item *next;
	size_t bytes;
	struct raft_message message;
};

static const struct {
	uint32_t messages;
	size_t bytes;
} limits[OUTBOX_LANES] = {
    [OUTBOX_URGENT] = {TRANSPORT_URGENT_MESSAGES, TRANSPORT_URGENT_BYTES},
    [OUTBOX_BULK] = {TRANSPORT_PEER_MESSAGES, TRANSPORT_PEER_BYTES},
};

void outbox_init(struct outbox *outbox)
{
	*outbox = (struct outbox){0};
	for (unsigned int i = 0; i < OUTBOX_LANES; i++)
		outbox->lane[i].end = &outbox->lane[i].first;
}

enum outbox_lane outbox_lane_of(const struct raft_message *message)
{
	return message->type == RAFT_APPEND || message->type == RAFT_SNAPSHOT ? OUTBOX_BULK
									      : OUTBOX_URGENT;
}

int outbox_push(struct outbox *outbox, struct raft_message *message)
{
	const enum outbox_lane lane = outbox_lane_of(message);
	const size_t bytes = wire_size_guess(message);
	struct outbox_item *item;

	if (outbox->lane[lane].messages >= limits[lane].messages ||
	    outbox->lane[lane].bytes + bytes > limits[lane].bytes)
		return -ENOBUFS;
	item = malloc(sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = (struct outbox_item){.bytes = bytes, .message = *message};
	*message = (struct raft_message){0};
	*outbox->lane[lane].end = item;
	outbox->lane[lane].end = &item->next;
	outbox->lane[lane].bytes += bytes;
	outbox->lane[lane].messages++;
	return 0;
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return !outbox->lane[OUTBOX_URGENT].first && !outbox->lane[OUTBOX_BULK].first;
}

bool outbox_pop(struct outbox *outbox, struct raft_message *message)
{
	for (unsigned int i = 0; i < OUTBOX_LANES; i++) {
		struct outbox_item *item = outbox->lane[i].first;

		if (!item)
			continue;
		outbox->lane[i].first = item->next;
		if (!item->next)
			outbox->lane[i].end = &outbox->lane[i].first;
		outbox->lane[i].bytes -= item->bytes;
		outbox->lane[i].messages--;
		*message = item->message;
		free(item);
		return true;
	}
	return false;
}

uint32_t outbox_clear(struct outbox *outbox)
{
	struct raft_message message;
	uint32_t count = 0;

	while (outbox_pop(outbox, &message)) {
		raft_message_clear(&message);
		count++;
	}
	return count;
}
