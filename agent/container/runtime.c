/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of containers; making and deleting them. */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "durable.h"
#include "runtime_internal.h"

int64_t runtime_now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

const char *container_state_text(enum container_state state)
{
	static const char *const texts[] = {"creating", "created", "starting",
					    "running",  "exited",  "removing"};

	return texts[state];
}

static void free_container(struct container *container)
{
	if (container->init_fd >= 0)
		close(container->init_fd);
	record_release(&container->record);
	free(container->folder);
	free(container->log_path);
	free(container);
}

struct container *runtime_add(struct runtime *runtime, const char *id)
{
	struct container *container = calloc(1, sizeof(*container));
	struct container **last = &runtime->first;

	if (!container)
		return NULL;
	container->runtime = runtime;
	container->init_fd = container->monitor_fd = -1;
	if (asprintf(&container->folder, "%s/%s", runtime->options.tasks, id) < 0)
		container->folder = NULL;
	else if (asprintf(&container->log_path, "%s/%s-json.log", container->folder, id) < 0)
		container->log_path = NULL;
	if (!container->log_path) {
		free_container(container);
		return NULL;
	}
	snprintf(container->record.id, sizeof(container->record.id), "%s", id);
	while (*last)
		last = &(*last)->next;
	return *last = container;
}

static void free_runtime(struct runtime *runtime)
{
	free(runtime->crun_root);
	free(runtime);
}

/* libuv closes handles in no order that one may rely on: the last one counts. */
static void free_if_closed(struct runtime *runtime)
{
	if (runtime->closing || !runtime->timer_closed)
		return;
	if (runtime->closed)
		runtime->closed(runtime->closed_arg);
	free_runtime(runtime);
}

static void handle_closed(uv_handle_t *handle)
{
	struct container *container = handle->data;
	struct runtime *runtime = container->runtime;

	if (--container->handles)
		return;
	if (container->monitored && container->monitor_fd >= 0)
		close(container->monitor_fd);
	container->monitored = false;
	container->monitor_fd = -1;
	if (!container->dying)
		return;
	free_container(container);
	runtime->closing--;
	free_if_closed(runtime);
}

void container_close_handles(struct container *container)
{
	uv_handle_t *const handles[] = {(uv_handle_t *)&container->monitor,
					(uv_handle_t *)&container->stop_timer,
					(uv_handle_t *)&container->health_timer};

	for (size_t i = 0; container->monitored && i < sizeof(handles) / sizeof(handles[0]); i++) {
		if (!uv_is_closing(handles[i]))
			uv_close(handles[i], handle_closed);
	}
}

void runtime_drop(struct container *container)
{
	struct runtime *runtime = container->runtime;
	struct container **at = &runtime->first;

	while (*at != container)
		at = &(*at)->next;
	*at = container->next;
	loop_queue_remove(runtime->options.queue, &container->found);
	if (!container->handles) {
		free_container(container);
		return;
	}
	container->dying = true;
	runtime->closing++;
	container_close_handles(container);
}

int runtime_open(const struct runtime_options *options, struct runtime **out,
		 struct runtime_report *report, struct error *error)
{
	struct runtime *runtime = calloc(1, sizeof(*runtime));
	struct runtime_report seen = {0};
	int rc;

	if (!runtime || asprintf(&runtime->crun_root, "%s/crun", options->run_folder) < 0) {
		free(runtime);
		return error_set(error, -ENOMEM, "out of memory");
	}
	runtime->options = *options;
	runtime->place = (struct bundle_place){.images = options->images,
					       .tasks = options->tasks,
					       .volumes = options->volumes,
					       .cgroup_parent = options->cgroup_parent,
					       .init_program = options->init_program,
					       .cgroups = cgroup_kind_of_host()};
	rc = durable_make_folder(options->tasks, 0711);
	rc = rc < 0 ? rc : durable_make_folder(options->volumes, 0711);
	rc = rc < 0 ? rc : durable_make_folder(runtime->crun_root, 0700);
	if (rc < 0) {
		free_runtime(runtime);
		return error_set(error, rc, "%s, %s: %s", options->tasks, options->run_folder,
				 strerror(-rc));
	}
	uv_timer_init(options->loop, &runtime->adopt_timer);
	runtime->adopt_timer.data = runtime;
	rc = runtime_adopt(runtime, &seen, error);
	if (rc < 0) {
		runtime_close(runtime, NULL, NULL);
		return rc;
	}
	*report = seen;
	*out = runtime;
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	struct runtime *runtime = handle->data;

	runtime->timer_closed = true;
	free_if_closed(runtime);
}

void runtime_close(struct runtime *runtime, void (*closed)(void *arg), void *arg)
{
	runtime->closed = closed;
	runtime->closed_arg = arg;
	for (struct container *container = runtime->first; container;) {
		struct container *next = container->next;
		container_end_probes(container);
		runtime_drop(container);
		container = next;
	}
	uv_close((uv_handle_t *)&runtime->adopt_timer, timer_closed);
}

void container_finish(struct container *container, int rc, const struct error *error)
{
	container_done *done = container->operation.done;

	container->operation.done = NULL;
	if (done)
		done(container->operation.arg, container, rc, error);
}

static void create_work(uv_work_t *work)
{
	struct container *container = work->data;
	struct operation *operation = &container->operation;
	struct container_record record;

	operation->rc =
	    bundle_make(&container->runtime->place, operation->options, &record, &operation->error);
	if (!operation->rc)
		container->record = record;
}

static void created(struct loop_item *item)
{
	struct container *container = (struct container *)item;
	const struct operation operation = container->operation;

	if (operation.rc < 0) {
		runtime_drop(container);
		operation.done(operation.arg, NULL, operation.rc, &operation.error);
		return;
	}
	container->state = CONTAINER_CREATED;
	container_finish(container, 0, NULL);
}

_Static_assert(offsetof(struct container, found) == 0, "an item is its container");

static void worked(uv_work_t *work, int status)
{
	struct container *container = work->data;

	(void)status; /* nobody cancels it */
	loop_queue_push(container->runtime->options.queue, &container->found);
}

static int do_work(struct container *container, uv_work_cb work,
		   void (*then)(struct loop_item *item))
{
	container->operation.work.data = container;
	container->found.run = then;
	return uv_queue_work(container->runtime->options.loop, &container->operation.work, work,
			     worked);
}

int container_create(struct runtime *runtime, const struct container_options *options,
		     container_done *done, void *arg)
{
	struct container *container;

	for (container = runtime->first; container; container = container->next) {
		if (!strcmp(container->record.id, options->id))
			return -EEXIST;
	}
	container = runtime_add(runtime, options->id);
	if (!container)
		return -ENOMEM;
	container->state = CONTAINER_CREATING;
	container->operation = (struct operation){.done = done, .arg = arg, .options = options};
	return do_work(container, create_work, created);
}

static void delete_work(uv_work_t *work)
{
	struct container *container = work->data;

	container->operation.rc = bundle_remove(&container->runtime->place, &container->record);
}

static void deleted(struct loop_item *item)
{
	struct container *container = (struct container *)item;
	const struct operation operation = container->operation;
	struct error error;

	if (operation.rc < 0) {
		container->state = CONTAINER_EXITED;
		error_set(&error, operation.rc, "%s: cannot remove it: %s", container->folder,
			  strerror(-operation.rc));
		container_finish(container, operation.rc, &error);
		return;
	}
	runtime_drop(container);
	operation.done(operation.arg, NULL, 0, NULL);
}

/* Whatever crun says: what it does not know any more (after a reboot) needs no deletion. */
static void crun_deleted(struct command *command)
{
	struct container *container = command->arg;

	do_work(container, delete_work, deleted);
}

int container_delete(struct container *container, container_done *done, void *arg)
{
	struct runtime *runtime = container->runtime;
	const char *const words[] = {runtime->options.crun,
				     "--root",
				     runtime->crun_root,
				     "--cgroup-manager",
				     "cgroupfs",
				     "delete",
				     "--force",
				     container->record.id,
				     NULL};

	if (container->operation.done ||
	    (container->state != CONTAINER_CREATED && container->state != CONTAINER_EXITED))
		return -EBUSY;
	container->state = CONTAINER_DELETING;
	container->operation = (struct operation){.done = done, .arg = arg};
	container->deletion.on_end = crun_deleted;
	container->deletion.arg = container;
	return command_run(&container->deletion, runtime->options.queue, runtime->options.loop,
			   words, 0);
}

struct container_view container_view(const struct container *container)
{
	return (struct container_view){
	    .record = &container->record,
	    .folder = container->folder,
	    .log_path = container->log_path,
	    .state = container->state,
	    .pid = container->state == CONTAINER_RUNNING ? container->running.init.pid : 0,
	    .started_ns = container->running.started_ns,
	    .finished_ns = container->exit.finished_ns,
	    .exit_code = container->exit.exit_code,
	    .oom_killed = container->oom_killed,
	    .stopping = container->stopping,
	    .error = container->error,
	    .health = &container->health};
}

struct container *runtime_find(struct runtime *runtime, const char *id)
{
	const size_t length = strlen(id);
	struct container *found = NULL;
	unsigned int count = 0;

	for (struct container *at = runtime->first; at; at = at->next) {
		if (at->state == CONTAINER_CREATING)
			continue;
		if (!strcmp(at->record.id, id) || !strcmp(at->record.name, id))
			return at;
		if (length && !strncmp(at->record.id, id, length)) {
			found = at;
			count++;
		}
	}
	return count == 1 ? found : NULL;
}

void runtime_each(struct runtime *runtime, void (*visit)(void *arg, struct container *container),
		  void *arg)
{
	for (struct container *at = runtime->first, *next; at; at = next) {
		next = at->next;
		if (at->state != CONTAINER_CREATING)
			visit(arg, at);
	}
}
