/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

static bool is_before(const struct event *a, const struct event *b)
{
	return a->time_us != b->time_us ? a->time_us < b->time_us : a->order < b->order;
}

void queue_push(struct queue *queue, struct event event)
{
	size_t i = queue->count;

	if (queue->count == queue->room) {
		queue->room = queue->room ? 2 * queue->room : 256;
		queue->heap = realloc(queue->heap, queue->room * sizeof(*queue->heap));
		if (!queue->heap)
			abort();
	}
	queue->count++;
	event.order = queue->order++;
	for (; i && is_before(&event, &queue->heap[(i - 1) / 2]); i = (i - 1) / 2)
		queue->heap[i] = queue->heap[(i - 1) / 2];
	queue->heap[i] = event;
}

bool queue_pop(struct queue *queue, struct event *event)
{
	struct event *heap = queue->heap, moved;
	size_t i = 0, child;

	if (!queue->count)
		return false;
	*event = heap[0];
	moved = heap[--queue->count];
	for (; (child = 2 * i + 1) < queue->count; i = child) {
		if (child + 1 < queue->count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &moved))
			break;
		heap[i] = heap[child];
	}
	if (queue->count)
		heap[i] = moved;
	return true;
}

void queue_free(struct queue *queue, void (*free_payload)(struct event *event))
{
	for (size_t i = 0; i < queue->count; i++)
		free_payload(&queue->heap[i]);
	free(queue->heap);
	memset(queue, 0, sizeof(*queue));
}
