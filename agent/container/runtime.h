/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RUNTIME_H
#define FL_RUNTIME_H
/*
 * The containers of a node. Each has a folder (bundle.h) and, from its start to its end, a monitor
 *of its own (fairlead-shim) that lives on when the agent dies; whoever opens the same folders next
 *adopts them.
 *
 *	created --start--> starting --> running --> exited --delete--> gone
 *
 * A container runs once. All functions are for the loop's thread and do not block; what takes time
 *is done in the thread pool or by another process. Callbacks come from the loop's queue, never from
 *inside a call.
 */
#include "bundle.h"
#include "health.h"
#include "loop_queue.h"
#include "process.h"
#include "shim_files.h"

enum container_state {
	CONTAINER_CREATING, /* not to be seen in callbacks but its own */
	CONTAINER_CREATED,
	CONTAINER_STARTING,
	CONTAINER_RUNNING,
	CONTAINER_EXITED,
	CONTAINER_DELETING,
};

struct container; /* see container_view */

/* What may be looked at, valid until the loop turns. */
struct container_view {
	const struct container_record *record;
	const char *folder; /* bundle's */
	const char *log_path;
	enum container_state state;
	int pid; /* of its init, while it runs */
	int64_t started_ns, finished_ns;
	int exit_code;
	bool oom_killed, stopping;
	const char *error; /* why it did not start, or how it was lost; "" */
	const struct health *health;
};

enum container_event { CONTAINER_EVENT_STARTED, CONTAINER_EVENT_EXITED, CONTAINER_EVENT_HEALTH };

struct runtime_options {
	uv_loop_t *loop;
	struct loop_queue *queue;
	struct image_store *images;
	const char *tasks, *volumes; /* folders, made if missing */
	const char *run_folder;      /* for crun's state; gone after a reboot */
	const char *crun, *shim;     /* programs */
	const char *init_program;    /* may be NULL */
	const char *cgroup_parent;   /* "/fairlead" */
	void (*event)(void *arg, struct container *container, enum container_event event);
	void *arg;
};

struct runtime_report {
	unsigned int adopted;   /* containers that run */
	unsigned int ended;     /* that ended meanwhile, or never started */
	unsigned int leftovers; /* half-made folders, removed */
};

struct runtime;

/*
 * Adopts what is there, so no other process may have the folders open. The texts of *options must
 * outlive the runtime. Blocks on the disk, as opening does.
 */
int runtime_open(const struct runtime_options *options, struct runtime **out,
		 struct runtime_report *report, struct error *error);
/*
 * Lets go of all containers, which go on. Nothing may be under way (create, start, delete). The
 * memory is freed when the loop has closed the handles: `closed` comes then.
 */
void runtime_close(struct runtime *runtime, void (*closed)(void *arg), void *arg);

/* rc 0, or a negative errno with error->message. */
typedef void container_done(void *arg, struct container *container, int rc,
			    const struct error *error);

/* options must live until `done`. container is NULL on failure. -EEXIST at once: the ID is taken.
 */
int container_create(struct runtime *runtime, const struct container_options *options,
		     container_done *done, void *arg);
/* On failure the container is `exited` with 127 (no such program), 126 (may not be run) or 128. */
int container_start(struct container *container, container_done *done, void *arg);

/*
 * The stop signal, and SIGKILL after the grace period; signal 0 and grace -1: as the container
 * says. Its end comes as an event. Not running: 0, nothing to do; -EBUSY while it starts. Again:
 * the shorter grace counts.
 */
int container_stop(struct container *container, int signal, int64_t grace_ns);
/* -ESRCH: it does not run. */
int container_kill(struct container *container, int signal);

/* Only of created and exited ones (-EBUSY). The container is gone when `done` comes with rc 0 (and
 * NULL). */
int container_delete(struct container *container, container_done *done, void *arg);

struct container_view container_view(const struct container *container);
/* By ID or a beginning of one that no other has, or by name; NULL. */
struct container *runtime_find(struct runtime *runtime, const char *id);
/* Visits all; the callback must not delete. */
void runtime_each(struct runtime *runtime, void (*visit)(void *arg, struct container *container),
		  void *arg);

const char *container_state_text(enum container_state state);
#endif
