/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_JOBS_H
#define FL_IMAGE_JOBS_H
/*
 * Imports beside the event loop: each on a thread of its own (a registry that hangs must not hold
 * the loop's thread pool, which others need), a few at a time, the others waiting in order. All
 * functions here are for the loop's thread; the callbacks come from the loop's queue, progress
 * before the end, the end once.
 */
#include "loop_queue.h"
#include "registry.h"

enum {
	IMAGE_JOBS_RUNNING_MAX = 3,
	IMAGE_JOBS_WAITING_MAX = 256,
	IMAGE_JOB_EVENTS_MAX =
	    64, /* not yet taken by the loop; then "Downloading" ones are left out */
};

struct image_jobs;
struct image_job;

struct image_event {
	char id[13];
	char status[32];
	uint64_t current, total;
};

struct image_job_result {
	int rc; /* 0 or a negative errno, then `error` says why */
	struct error error;
	struct digest digest; /* of a pull */
	bool fresh;           /* a pull brought something new */
	json_t *loaded;       /* of a load: what docker says; borrowed */
};

struct image_job_callbacks {
	void (*progress)(void *arg, const struct image_event *event); /* may be NULL */
	void (*done)(void *arg, const struct image_job_result *result);
	void *arg;
};

int image_jobs_open(struct loop_queue *queue, struct image_store *store, struct image_jobs **out);
/* Cancels what runs and waits for its threads (which look every second); no callback comes any
 * more. */
void image_jobs_close(struct image_jobs *jobs);

/*
 * -EAGAIN: too many are waiting. The job is gone when `done` has run. options and what it points to
 * must live until then.
 */
int image_jobs_pull(struct image_jobs *jobs, const struct reference *reference,
		    const struct registry_options *options,
		    const struct image_job_callbacks *callbacks, struct image_job **job);
/* Takes fd over. */
int image_jobs_load(struct image_jobs *jobs, int fd, const struct image_job_callbacks *callbacks,
		    struct image_job **job);
/* `done` comes with -ECANCELED, unless it was over already. */
void image_job_cancel(struct image_job *job);
#endif
