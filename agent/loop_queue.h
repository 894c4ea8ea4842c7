/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LOOP_QUEUE_H
#define FL_LOOP_QUEUE_H
/*
 * What is to be done by the loop, soon, but not from inside the callback (or on the thread) that
 * found out: callbacks enqueue, the loop drains. Items are members of what they are about, so
 * nothing is allocated and no queue is longer than there are things; an item is queued at most
 * once.
 */
#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

struct loop_item {
	struct loop_item *next;
	void (*run)(struct loop_item *item);
	bool queued;
};

struct loop_queue {
	pthread_mutex_t lock;
	uv_async_t wake;
	struct loop_item *first, **last;
};

/* The loop must have nothing else queued for it (uv_run to its end) before the queue's memory goes.
 */
int loop_queue_open(struct loop_queue *queue, uv_loop_t *loop);
/* Runs nothing more; the handle's end is the loop's next turn. */
void loop_queue_close(struct loop_queue *queue);

/* From any thread. An item that is queued already stays where it is. */
void loop_queue_push(struct loop_queue *queue, struct loop_item *item);
/* Takes an item out again: its owner is going away. On the loop's thread. */
void loop_queue_remove(struct loop_queue *queue, struct loop_item *item);
#endif
