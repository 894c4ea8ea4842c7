/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_COMMAND_H
#define FL_COMMAND_H
/* A program that is run to its end beside the loop, and what it says. For the loop's thread. */
#include <stdbool.h>
#include <uv.h>

#include "loop_queue.h"

enum { COMMAND_OUTPUT_MAX = 4096 };

struct command {
	struct loop_item item;
	struct loop_queue *queue;
	uv_process_t process;
	uv_pipe_t pipe;
	uv_timer_t timer;
	unsigned int handles; /* that are not closed yet */
	bool exited, ended_output, timed_out;
	int exit_code; /* 128 + N for a signal; -1: it took too long */
	size_t length;
	char output[COMMAND_OUTPUT_MAX + 1];         /* both outputs, the beginning */
	void (*on_timeout)(struct command *command); /* before it is killed; may be NULL */
	void (*on_end)(struct command *command); /* from the queue, once; the memory may go then */
	void *arg;
};

/*
 * Starts it; timeout_ms 0: none. A negative errno (no more descriptors): on_end does not come. A
 * program that cannot be run ends with 127, and why in `output`. Output that others hold open after
 * its end is not waited for.
 */
int command_run(struct command *command, struct loop_queue *queue, uv_loop_t *loop,
		const char *const *words, uint64_t timeout_ms);

/* on_end comes soon, with what there is. */
void command_kill(struct command *command);
#endif
