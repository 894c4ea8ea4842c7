/* SPDX-License-Identifier: BSD-2-Clause */
/* From a container's start to its end. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cleanup.h"
#include "runtime_internal.h"

enum {
	NS_PER_MS = 1000000,
	CODE_NO_PROGRAM = 127,
	CODE_NOT_RUNNABLE = 126,
	CODE_NOT_STARTED = 128
};

void container_tell(struct container *container, enum container_event event)
{
	const struct runtime_options *options = &container->runtime->options;

	if (options->event)
		options->event(options->arg, container, event);
}

/* -- the end ---------------------------------------------------------------------------------- */
static void read_end(struct container *container)
{
	if (!shim_read_exit(container->folder, &container->exit))
		return;
	/* The monitor was killed: nobody is left to take its output or to know its end. */
	if (container->init_fd >= 0)
		process_signal(container->init_fd, SIGKILL);
	container->exit =
	    (struct shim_exit){.exit_code = 128 + SIGKILL, .finished_ns = runtime_now_ns()};
	snprintf(container->error, sizeof(container->error),
		 "its monitor was lost, so it was killed");
}

void container_ended(struct container *container)
{
	read_end(container);
	container->oom_killed =
	    cgroup_oom_kills(container->runtime->place.cgroups, container->record.cgroup_path) > 0;
	container->state = CONTAINER_EXITED;
	if (container->init_fd >= 0)
		close(container->init_fd);
	container->init_fd = -1;
	container_end_probes(container);
	container_close_handles(container);
}

static void ended(struct loop_item *item)
{
	struct container *container = (struct container *)item;

	container_ended(container);
	container_tell(container, CONTAINER_EVENT_EXITED);
}

static void monitor_gone(uv_poll_t *poll, int status, int events)
{
	struct container *container = poll->data;

	(void)status, (void)events;
	uv_poll_stop(poll);
	container->found.run = ended;
	loop_queue_push(container->runtime->options.queue, &container->found);
}

/* -- running ---------------------------------------------------------------------------------- */
int container_watch(struct container *container)
{
	uv_loop_t *loop = container->runtime->options.loop;

	container->init_fd = process_open(&container->running.init);
	container->monitor_fd = process_open(&container->running.monitor);
	if (container->monitor_fd < 0)
		return -ESRCH;
	uv_timer_init(loop, &container->stop_timer);
	uv_timer_init(loop, &container->health_timer);
	uv_poll_init(loop, &container->monitor, container->monitor_fd);
	container->monitor.data = container->stop_timer.data = container->health_timer.data =
	    container;
	container->handles = 3;
	container->monitored = true;
	return uv_poll_start(&container->monitor, UV_READABLE, monitor_gone);
}

void container_begin_running(struct container *container)
{
	container->state = CONTAINER_RUNNING;
	health_begin(&container->health, &container->record.health, runtime_now_ns());
	container_schedule_probe(container);
}

/* -- the start -------------------------------------------------------------------------------- */
void container_not_started(struct container *container, const char *words, struct error *error)
{
	const bool missing = strstr(words, "not found") || strstr(words, "No such file");
	const bool refused = strstr(words, "ermission denied") || strstr(words, "xec format error");

	container->state = CONTAINER_EXITED;
	container->exit = (struct shim_exit){.finished_ns = runtime_now_ns(),
					     .exit_code = missing   ? CODE_NO_PROGRAM
							  : refused ? CODE_NOT_RUNNABLE
								    : CODE_NOT_STARTED};
	error_set(error, -EIO, "starting container failed: %.*s", (int)strcspn(words, "\n"), words);
	memcpy(container->error, error->message, sizeof(container->error));
}

static void not_started(struct container *container, const char *words)
{
	struct error error;

	container_not_started(container, words, &error);
	container_finish(container, -EIO, &error);
}

static void start_over(struct loop_item *item)
{
	struct container *container = (struct container *)item;

	container->words[container->words_length] = '\0';
	if (!strncmp(container->words, "failed\n", 7)) {
		not_started(container, container->words + 7);
		return;
	}
	if (strcmp(container->words, "running\n") != 0 ||
	    shim_read_running(container->folder, &container->running) < 0) {
		not_started(container, "the monitor died");
		return;
	}
	if (container_watch(container) < 0) {
		/* It has come and gone already: both ends are told, in order. */
		container_finish(container, 0, NULL);
		container_ended(container);
		container_tell(container, CONTAINER_EVENT_STARTED);
		container_tell(container, CONTAINER_EVENT_EXITED);
		return;
	}
	container_begin_running(container);
	container_finish(container, 0, NULL);
	container_tell(container, CONTAINER_EVENT_STARTED);
}

static void status_closed(uv_handle_t *handle)
{
	struct container *container = handle->data;

	container->found.run = start_over;
	loop_queue_push(container->runtime->options.queue, &container->found);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
	struct container *container = handle->data;

	(void)wanted;
	/* No room: uv calls back with ENOBUFS, which ends it as EOF does. */
	*buffer = uv_buf_init(container->words + container->words_length,
			      (unsigned int)(COMMAND_OUTPUT_MAX - container->words_length));
}

static void take_status(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
	struct container *container = stream->data;

	(void)buffer;
	if (got > 0)
		container->words_length += (size_t)got;
	if (got < 0)
		uv_close((uv_handle_t *)stream, status_closed);
}

/* The memory is not the container's, which may be deleted while its monitor has yet to be reaped.
 */
static void shim_reaped(uv_handle_t *handle)
{
	free(handle);
}

static void shim_exited(uv_process_t *process, int64_t status, int number)
{
	(void)status, (void)number;
	uv_close((uv_handle_t *)process, shim_reaped);
}

/* The lock that its monitor inherits: free, it means that none lives. */
static int take_lock(const struct container *container)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/" SHIM_LOCK, container->folder) < 0)
		return -ENOMEM;
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int spawn_shim(struct container *container, int status, int lock)
{
	const struct runtime_options *options = &container->runtime->options;
	const struct container_record *record = &container->record;
	uv_process_t *process = calloc(1, sizeof(*process));
	char size[32], files[16];
	const char *words[] = {options->shim,
			       container->folder,
			       record->id,
			       options->crun,
			       container->runtime->crun_root,
			       container->log_path,
			       size,
			       files,
			       record->tty ? "tty" : "pipe",
			       NULL};
	uv_stdio_container_t stdio[5] = {
	    [SHIM_STATUS_FD] = {.flags = UV_INHERIT_FD, .data.fd = status},
	    [SHIM_LOCK_FD] = {.flags = UV_INHERIT_FD, .data.fd = lock},
	};
	const uv_process_options_t spawn = {.exit_cb = shim_exited,
					    .file = options->shim,
					    .args = (char **)words,
					    .flags = UV_PROCESS_DETACHED,
					    .stdio = stdio,
					    .stdio_count = 5};
	int rc;

	if (!process)
		return -ENOMEM;
	snprintf(size, sizeof(size), "%" PRId64, record->log_size_bytes_max);
	snprintf(files, sizeof(files), "%u", record->log_files_max);
	rc = uv_spawn(options->loop, process, &spawn);
	uv_unref((uv_handle_t *)process); /* it lives on without us */
	if (rc < 0)
		uv_close((uv_handle_t *)process, shim_reaped);
	return rc;
}

int container_start(struct container *container, container_done *done, void *arg)
{
	uv_loop_t *loop = container->runtime->options.loop;
	AUTO_FD int lock = -1;
	int ends[2], rc;

	if (container->operation.done || container->state != CONTAINER_CREATED)
		return -EBUSY;
	lock = take_lock(container);
	if (lock < 0)
		return lock;
	rc = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
	if (rc < 0)
		return rc;
	rc = spawn_shim(container, ends[1], lock);
	close(ends[1]);
	if (rc < 0) {
		close(ends[0]);
		return rc;
	}
	uv_pipe_init(loop, &container->status, 0);
	uv_pipe_open(&container->status, ends[0]);
	container->status.data = container;
	container->words_length = 0;
	container->state = CONTAINER_STARTING;
	container->operation = (struct operation){.done = done, .arg = arg};
	return uv_read_start((uv_stream_t *)&container->status, give_room, take_status);
}

/* -- stopping --------------------------------------------------------------------------------- */
int container_kill(struct container *container, int signal)
{
	if (container->state != CONTAINER_RUNNING || container->init_fd < 0)
		return -ESRCH;
	return process_signal(container->init_fd, signal);
}

static void grace_over(uv_timer_t *timer)
{
	container_kill(timer->data, SIGKILL);
}

int container_stop(struct container *container, int signal, int64_t grace_ns)
{
	const int number = signal ? signal : container->record.stop_signal;
	const int64_t grace = grace_ns < 0 ? container->record.stop_grace_ns : grace_ns;
	/* Rounded up, and not past what a number holds. */
	const uint64_t grace_ms = ((uint64_t)grace + NS_PER_MS - 1) / NS_PER_MS;
	int rc;

	if (container->state != CONTAINER_RUNNING)
		return container->state == CONTAINER_STARTING ? -EBUSY : 0;
	rc = container_kill(container, grace_ms ? number : SIGKILL);
	if (rc < 0)
		return rc == -ESRCH ? 0 : rc;
	if (!container->stopping || uv_timer_get_due_in(&container->stop_timer) > grace_ms)
		uv_timer_start(&container->stop_timer, grace_over, grace_ms, 0);
	container->stopping = true;
	return 0;
}
