/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { DRAIN_MS = 200 };

static void finish(struct loop_item *item)
{
	struct command *command = (struct command *)item;

	command->output[command->length] = '\0';
	command->on_end(command);
}

_Static_assert(offsetof(struct command, item) == 0, "an item is its command");

static void closed(uv_handle_t *handle)
{
	struct command *command = handle->data;

	if (!--command->handles)
		loop_queue_push(command->queue, &command->item);
}

static void close_all(struct command *command)
{
	uv_handle_t *const handles[] = {(uv_handle_t *)&command->process,
					(uv_handle_t *)&command->pipe,
					(uv_handle_t *)&command->timer};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		if (!uv_is_closing(handles[i]))
			uv_close(handles[i], closed);
	}
}

static void drained(uv_timer_t *timer)
{
	close_all(timer->data);
}

static void look(struct command *command)
{
	if (command->exited && command->ended_output)
		close_all(command);
	else if (command->exited)
		uv_timer_start(&command->timer, drained, DRAIN_MS, 0);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
	struct command *command = handle->data;
	static char overflow[4096]; /* what is past the limit is read and forgotten */

	(void)wanted;
	if (command->length < COMMAND_OUTPUT_MAX)
		*buffer = uv_buf_init(command->output + command->length,
				      (unsigned int)(COMMAND_OUTPUT_MAX - command->length));
	else
		*buffer = uv_buf_init(overflow, sizeof(overflow));
}

static void take(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
	struct command *command = stream->data;

	if (got > 0 && buffer->base == command->output + command->length)
		command->length += (size_t)got;
	if (got >= 0)
		return;
	command->ended_output = true;
	uv_read_stop(stream);
	look(command);
}

static void exited(uv_process_t *process, int64_t status, int number)
{
	struct command *command = process->data;

	command->exited = true;
	command->exit_code = command->timed_out ? -1 : number ? 128 + number : (int)status;
	look(command);
}

static void too_long(uv_timer_t *timer)
{
	struct command *command = timer->data;

	command->timed_out = true;
	if (command->on_timeout)
		command->on_timeout(command);
	uv_process_kill(&command->process, SIGKILL);
}

int command_run(struct command *command, struct loop_queue *queue, uv_loop_t *loop,
		const char *const *words, uint64_t timeout_ms)
{
	uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}};
	const uv_process_options_t options = {.exit_cb = exited,
					      .file = words[0],
					      .args = (char **)words,
					      .stdio = stdio,
					      .stdio_count = 3};
	int ends[2], rc;

	if (uv_pipe(ends, UV_NONBLOCK_PIPE, 0) < 0)
		return -errno;
	stdio[1] = stdio[2] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = ends[1]};
	command->item = (struct loop_item){.run = finish};
	command->queue = queue;
	command->exited = command->ended_output = command->timed_out = false;
	command->length = 0;
	command->process.data = command->pipe.data = command->timer.data = command;
	uv_timer_init(loop, &command->timer);
	uv_pipe_init(loop, &command->pipe, 0);
	rc = uv_spawn(loop, &command->process, &options);
	close(ends[1]);
	if (rc < 0) {
		close(ends[0]);
		/* Told in on_end too, for the loop has hold of the handles until its next turn. */
		command->exited = command->ended_output = true;
		command->exit_code = 127;
		command->length = (size_t)snprintf(command->output, sizeof(command->output),
						   "%s: %s", words[0], uv_strerror(rc));
		command->handles = 3;
		close_all(command);
		return 0;
	}
	command->handles = 3;
	uv_pipe_open(&command->pipe, ends[0]);
	uv_read_start((uv_stream_t *)&command->pipe, give_room, take);
	if (timeout_ms)
		uv_timer_start(&command->timer, too_long, timeout_ms, 0);
	return 0;
}

void command_kill(struct command *command)
{
	if (!command->exited)
		uv_process_kill(&command->process, SIGKILL);
}
