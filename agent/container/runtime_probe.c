/* SPDX-License-Identifier: BSD-2-Clause */
/* Health checks: health.h says when and what it means; crun runs the command in the container. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "durable.h"
#include "json_auto.h"
#include "runtime_internal.h"

enum { NS_PER_MS = 1000000 };

#define PROBE_PID "health.pid"

static void probe(uv_timer_t *timer);

void container_schedule_probe(struct container *container)
{
	const int64_t wait_ns = container->health.next_ns - runtime_now_ns();
	/* The clock may have been set back; a probe is never further away than its interval. */
	const int64_t most = container->record.health.interval_ns;

	if (!container->record.health.test)
		return;
	uv_timer_start(&container->health_timer, probe,
		       (uint64_t)((wait_ns < 0      ? 0
				   : wait_ns > most ? most
						    : wait_ns) /
				  NS_PER_MS),
		       0);
}

static void probed(struct command *command)
{
	struct container *container = command->arg;
	struct health_result result;
	bool changed;

	if (!container) { /* it has ended meanwhile */
		free(command);
		return;
	}
	result = (struct health_result){.start_ns = container->probe_start_ns,
					.end_ns = runtime_now_ns(),
					.exit_code = command->exit_code};
	if (command->timed_out)
		snprintf(result.output, sizeof(result.output),
			 "Health check exceeded timeout (%lld ms)",
			 (long long)(container->record.health.timeout_ns / NS_PER_MS));
	else
		snprintf(result.output, sizeof(result.output), "%s", command->output);
	container->probe = NULL;
	free(command);
	changed = health_add(&container->health, &container->record.health, &result);
	container_schedule_probe(container);
	if (changed)
		container_tell(container, CONTAINER_EVENT_HEALTH);
}

static bool in_same_container(int pid, int init)
{
	char path[64];
	struct stat one, other;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	if (stat(path, &one) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", init);
	return !stat(path, &other) && one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

/* crun's death would leave the command in the container: it goes first. */
static void kill_probe(struct command *command)
{
	const struct container *container = command->arg;
	AUTO_FREE char *path = NULL, *text = NULL;
	struct process_id id;
	size_t length;

	if (!container || asprintf(&path, "%s/" PROBE_PID, container->folder) < 0 ||
	    durable_read(path, 32, &text, &length) < 0 || process_identify(atoi(text), &id) < 0)
		return;
	AUTO_FD int fd = process_open(&id);
	/* The PID could be another's by now, so it must be one of this container's. */
	if (fd >= 0 && id.pid != container->running.init.pid &&
	    in_same_container(id.pid, container->running.init.pid))
		process_signal(fd, SIGKILL);
}

static void probe(uv_timer_t *timer)
{
	struct container *container = timer->data;
	const struct runtime *runtime = container->runtime;
	const struct health_config *config = &container->record.health;
	struct command *command = calloc(1, sizeof(*command));
	const char *words[HEALTH_WORDS_MAX + 16] = {
	    runtime->options.crun, "--root",   runtime->crun_root,
	    "--cgroup-manager",    "cgroupfs", "exec",
	    "--pid-file"};
	AUTO_FREE char *pid_file = NULL;
	const json_t *word;
	size_t i, count = 7;

	container->probe_start_ns = runtime_now_ns();
	if (!command || asprintf(&pid_file, "%s/" PROBE_PID, container->folder) < 0) {
		free(command);
		goto later;
	}
	words[count++] = pid_file;
	words[count++] = container->record.id;
	json_array_foreach (config->test, i, word)
		words[count++] = json_string_value(word);
	command->arg = container;
	command->on_end = probed;
	command->on_timeout = kill_probe;
	if (!command_run(command, runtime->options.queue, runtime->options.loop, words,
			 (uint64_t)(config->timeout_ns / NS_PER_MS))) {
		container->probe = command;
		return;
	}
	free(command);
later:
	/* No memory or descriptors: the next time perhaps. It says nothing of the container's
	 * health. */
	container->health.next_ns = container->probe_start_ns + config->interval_ns;
	container_schedule_probe(container);
}

void container_end_probes(struct container *container)
{
	if (!container->probe)
		return;
	container->probe->arg = NULL;
	command_kill(container->probe);
	container->probe = NULL;
}
