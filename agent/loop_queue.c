/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop_queue.h"

static struct loop_item *take(struct loop_queue *queue)
{
	struct loop_item *item;

	pthread_mutex_lock(&queue->lock);
	item = queue->first;
	if (item) {
		queue->first = item->next;
		if (!queue->first)
			queue->last = &queue->first;
		item->queued = false;
	}
	pthread_mutex_unlock(&queue->lock);
	return item;
}

/* A bounded batch: what is pushed meanwhile waits for the next turn, so that the loop's I/O has its
 * own. */
static void drain(uv_async_t *wake)
{
	struct loop_queue *queue = wake->data;
	unsigned int left = 0;
	struct loop_item *item;

	pthread_mutex_lock(&queue->lock);
	for (item = queue->first; item; item = item->next)
		left++;
	pthread_mutex_unlock(&queue->lock);
	while (left-- && (item = take(queue)))
		item->run(item);
	if (queue->first)
		uv_async_send(wake);
}

int loop_queue_open(struct loop_queue *queue, uv_loop_t *loop)
{
	queue->first = NULL;
	queue->last = &queue->first;
	queue->wake.data = queue;
	pthread_mutex_init(&queue->lock, NULL);
	return uv_async_init(loop, &queue->wake, drain);
}

void loop_queue_close(struct loop_queue *queue)
{
	while (take(queue))
		;
	uv_close((uv_handle_t *)&queue->wake, NULL);
}

void loop_queue_push(struct loop_queue *queue, struct loop_item *item)
{
	pthread_mutex_lock(&queue->lock);
	if (!item->queued) {
		item->queued = true;
		item->next = NULL;
		*queue->last = item;
		queue->last = &item->next;
	}
	pthread_mutex_unlock(&queue->lock);
	uv_async_send(&queue->wake);
}

void loop_queue_remove(struct loop_queue *queue, struct loop_item *item)
{
	pthread_mutex_lock(&queue->lock);
	for (struct loop_item **at = &queue->first; *at; at = &(*at)->next) {
		if (*at != item)
			continue;
		*at = item->next;
		if (queue->last == &item->next)
			queue->last = at;
		item->queued = false;
		break;
	}
	pthread_mutex_unlock(&queue->lock);
}
