/* SPDX-License-Identifier: BSD-2-Clause */
/* Containers that another agent left: found by their folders. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "cleanup.h"
#include "durable.h"
#include "runtime_internal.h"

enum { LOOK_EVERY_MS = 20 };

enum monitor { MONITOR_NEVER, MONITOR_GONE, MONITOR_ALIVE };

/* The lock is made when a start begins, and held as long as the monitor lives, be it ever so young.
 */
static enum monitor look_for_monitor(const struct container *container)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/" SHIM_LOCK, container->folder) < 0)
		return MONITOR_NEVER;
	AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return MONITOR_NEVER;
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK ? MONITOR_ALIVE
									: MONITOR_GONE;
}

/* A container runs once: a start that failed, or was cut short by a reboot, is its end. */
static void start_failed(struct container *container)
{
	AUTO_FREE char *path = NULL, *words = NULL;
	struct error error;
	size_t length;

	if (asprintf(&path, "%s/" SHIM_WORDS, container->folder) < 0 ||
	    durable_read(path, COMMAND_OUTPUT_MAX, &words, &length) < 0 || !length)
		container_not_started(container, "its start was cut short", &error);
	else
		container_not_started(container, words, &error);
}

/* True when it is known what became of it. */
static bool look(struct container *container)
{
	/* The lock first: what a monitor writes, it writes before it lets go. */
	const enum monitor monitor = look_for_monitor(container);
	const int rc = shim_read_running(container->folder, &container->running);

	if (monitor == MONITOR_ALIVE && rc == -ENOENT) {
		container->state = CONTAINER_STARTING;
		return false;
	}
	if (monitor == MONITOR_ALIVE && !rc && !container_watch(container)) {
		container_begin_running(container);
		return true;
	}
	if (!rc) {
		container->init_fd = process_open(&container->running.init);
		container_ended(container);
	} else if (monitor == MONITOR_NEVER) {
		container->state = CONTAINER_CREATED;
	} else {
		start_failed(container);
	}
	return true;
}

static void look_again(uv_timer_t *timer)
{
	struct runtime *runtime = timer->data;
	bool any = false;

	for (struct container *at = runtime->first; at; at = at->next) {
		/* Those of our own starts have a callback that waits. */
		if (at->state != CONTAINER_STARTING || at->operation.done)
			continue;
		if (!look(at))
			any = true;
		else
			container_tell(at, at->state == CONTAINER_RUNNING ? CONTAINER_EVENT_STARTED
									  : CONTAINER_EVENT_EXITED);
	}
	if (!any)
		uv_timer_stop(timer);
}

static int pin(struct container *container)
{
	struct image_pin pin;
	const int rc =
	    image_store_pin(container->runtime->options.images, container->record.image.text,
			    container->record.id, &pin, NULL);

	if (!rc)
		image_pin_release(&pin);
	return rc;
}

/*
 * A folder without a record that can be read: half made, or damaged. Nothing says how what runs in
 * it is to be treated, so it is ended; the next open removes the folder.
 */
static int remove_leftover(struct container *container)
{
	if (look_for_monitor(container) != MONITOR_ALIVE)
		return bundle_remove_folder(container->folder);
	if (!shim_read_running(container->folder, &container->running)) {
		AUTO_FD int init = process_open(&container->running.init);
		if (init >= 0)
			process_signal(init, SIGKILL);
	}
	return 0;
}

static int adopt_one(struct runtime *runtime, const char *id, struct runtime_report *report)
{
	struct container *container = runtime_add(runtime, id);
	struct container_record record;
	int rc;

	if (!container)
		return -ENOMEM;
	rc = record_read(container->folder, &record);
	if (rc < 0 || strcmp(record.id, id) != 0) {
		if (!rc)
			record_release(&record);
		rc = remove_leftover(container);
		report->leftovers++;
		runtime_drop(container);
		return rc == -ENOMEM ? rc : 0;
	}
	container->record = record;
	(void)pin(container); /* its root is mounted, so it can go on without */
	if (!look(container))
		uv_timer_start(&runtime->adopt_timer, look_again, LOOK_EVERY_MS, LOOK_EVERY_MS);
	if (container->state == CONTAINER_RUNNING || container->state == CONTAINER_STARTING)
		report->adopted++;
	else
		report->ended++;
	return 0;
}

int runtime_adopt(struct runtime *runtime, struct runtime_report *report, struct error *error)
{
	AUTO_DIR DIR *dir = opendir(runtime->options.tasks);
	const struct dirent *entry;

	if (!dir)
		return error_set(error, -errno, "%s: %s", runtime->options.tasks, strerror(errno));
	while ((errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) > CONTAINER_ID_MAX)
			continue;
		const int rc = adopt_one(runtime, entry->d_name, report);
		if (rc < 0)
			return error_set(error, rc, "%s/%s: %s", runtime->options.tasks,
					 entry->d_name, strerror(-rc));
	}
	return errno ? error_set(error, -errno, "%s: %s", runtime->options.tasks, strerror(errno))
		     : 0;
}
