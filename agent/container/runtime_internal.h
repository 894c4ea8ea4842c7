/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RUNTIME_INTERNAL_H
#define FL_RUNTIME_INTERNAL_H
/* What the files of the runtime share. */
#include "command.h"
#include "runtime.h"

/* What a container is being put through; one thing at a time. */
struct operation {
	uv_work_t work;
	container_done *done; /* NULL: none is under way */
	void *arg;
	const struct container_options *options;
	int rc;
	struct error error;
};

struct container {
	struct loop_item found; /* the monitor is gone, or the start is over */
	struct container *next;
	struct runtime *runtime;
	char *folder, *log_path;
	struct container_record record;
	enum container_state state;
	struct operation operation;

	/* Starting. */
	uv_pipe_t status;
	char words[COMMAND_OUTPUT_MAX + 1];
	size_t words_length;

	/* Running. */
	struct shim_running running;
	int init_fd, monitor_fd;
	uv_poll_t monitor;
	uv_timer_t stop_timer, health_timer;
	unsigned int handles; /* that are open; the memory goes with the last */
	bool monitored, stopping, dying;

	struct command *probe; /* a health check that runs */
	int64_t probe_start_ns;
	struct health health;

	struct command deletion; /* crun delete */

	/* Exited. */
	struct shim_exit exit;
	bool oom_killed;
	char error[sizeof(((struct error *)0)->message)];
};

struct runtime {
	struct runtime_options options;
	struct bundle_place place;
	char *crun_root;
	struct container *first;
	uv_timer_t adopt_timer; /* looks at those whose start another agent began */
	unsigned int
	    closing; /* containers that are out of the list, with handles that are not closed */
	bool timer_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

int64_t runtime_now_ns(void);

/* runtime.c */
struct container *runtime_add(struct runtime *runtime, const char *id);
void runtime_drop(
    struct container *container); /* out of the list; freed when its handles are closed */

/* runtime_run.c */
void container_begin_running(struct container *container);
int container_watch(struct container *container);
void container_ended(struct container *container);
/* It is `exited`, and why is told in *error, from what crun or the monitor said. */
void container_not_started(struct container *container, const char *words, struct error *error);
void container_close_handles(struct container *container);
void container_tell(struct container *container, enum container_event event);
/* Ends the operation that is under way: its callback comes now (the caller is the queue's). */
void container_finish(struct container *container, int rc, const struct error *error);

/* runtime_adopt.c */
int runtime_adopt(struct runtime *runtime, struct runtime_report *report, struct error *error);

/* runtime_probe.c */
void container_schedule_probe(struct container *container);
void container_end_probes(struct container *container);
#endif
