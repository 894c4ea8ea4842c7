/* SPDX-License-Identifier: BSD-2-Clause */
#include "jobs.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "load.h"
#include "pull.h"

struct image_job {
	struct loop_item item;
	struct image_job *next;
	struct image_jobs *jobs;
	struct image_job_callbacks callbacks;
	pthread_t thread;
	bool running;
	atomic_bool cancel;

	/* What to do. */
	struct reference reference;
	const struct registry_options *options;
	int fd; /* -1: a pull */

	/* What came of it. The lock is for these alone. */
	pthread_mutex_t lock;
	struct image_event events[IMAGE_JOB_EVENTS_MAX];
	unsigned int event_count;
	bool over;
	struct image_job_result result;
};

struct image_jobs {
	struct loop_queue *queue;
	struct image_store *store;
	struct image_job *first; /* running and waiting, oldest first */
	unsigned int running, count;
};

static void say(void *arg, const char *id, const char *status, uint64_t current, uint64_t total)
{
	struct image_job *job = arg;

	pthread_mutex_lock(&job->lock);
	if (job->event_count < IMAGE_JOB_EVENTS_MAX) {
		struct image_event *event = &job->events[job->event_count++];
		*event = (struct image_event){.current = current, .total = total};
		snprintf(event->id, sizeof(event->id), "%s", id);
		snprintf(event->status, sizeof(event->status), "%s", status);
	}
	pthread_mutex_unlock(&job->lock);
	loop_queue_push(job->jobs->queue, &job->item);
}

static void *work(void *arg)
{
	struct image_job *job = arg;
	struct image_store *store = job->jobs->store;
	const struct import_progress progress = {say, job};
	struct image_job_result result = {0};

	if (job->fd >= 0)
		result.rc = image_load(store, job->fd, &progress, &job->cancel, &result.loaded,
				       &result.error);
	else
		result.rc = image_pull(store, &job->reference, job->options, &progress,
				       &job->cancel, &result.digest, &result.fresh, &result.error);
	pthread_mutex_lock(&job->lock);
	job->result = result;
	job->over = true;
	pthread_mutex_unlock(&job->lock);
	loop_queue_push(job->jobs->queue, &job->item);
	return NULL;
}

static void free_job(struct image_job *job)
{
	if (job->fd >= 0)
		close(job->fd);
	json_decref(job->result.loaded);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void forget(struct image_jobs *jobs, struct image_job *job)
{
	struct image_job **at = &jobs->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	jobs->count--;
}

static void start_waiting(struct image_jobs *jobs)
{
	for (struct image_job *job = jobs->first; job && jobs->running < IMAGE_JOBS_RUNNING_MAX;
	     job = job->next) {
		if (job->running || job->over)
			continue;
		const int rc =
		    job->cancel ? ECANCELED : pthread_create(&job->thread, NULL, work, job);
		if (!rc) {
			job->running = true;
			jobs->running++;
			continue;
		}
		job->result.rc = error_set(&job->result.error, -rc, "%s", strerror(rc));
		job->over = true;
		loop_queue_push(jobs->queue, &job->item);
	}
}

/* On the loop: tells what happened since it last looked. */
static void tell(struct loop_item *item)
{
	struct image_job *job = (struct image_job *)item;
	struct image_jobs *jobs = job->jobs;
	struct image_event events[IMAGE_JOB_EVENTS_MAX];
	unsigned int count;
	bool over;

	pthread_mutex_lock(&job->lock);
	count = job->event_count;
	memcpy(events, job->events, count * sizeof(events[0]));
	job->event_count = 0;
	over = job->over;
	pthread_mutex_unlock(&job->lock);
	for (unsigned int i = 0; i < count && job->callbacks.progress; i++)
		job->callbacks.progress(job->callbacks.arg, &events[i]);
	if (!over)
		return;
	if (job->running) {
		pthread_join(job->thread, NULL);
		jobs->running--;
	}
	forget(jobs, job);
	job->callbacks.done(job->callbacks.arg, &job->result);
	/* It may have been pushed once more before it was over. */
	loop_queue_remove(jobs->queue, item);
	free_job(job);
	start_waiting(jobs);
}

_Static_assert(offsetof(struct image_job, item) == 0, "an item is its job");

int image_jobs_open(struct loop_queue *queue, struct image_store *store, struct image_jobs **out)
{
	struct image_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	jobs->queue = queue;
	jobs->store = store;
	*out = jobs;
	return 0;
}

void image_jobs_close(struct image_jobs *jobs)
{
	for (struct image_job *job = jobs->first; job; job = job->next)
		job->cancel = true;
	while (jobs->first) {
		struct image_job *job = jobs->first;
		if (job->running)
			pthread_join(job->thread, NULL);
		loop_queue_remove(jobs->queue, &job->item);
		jobs->first = job->next;
		free_job(job);
	}
	free(jobs);
}

static int enqueue(struct image_jobs *jobs, const struct image_job *like, struct image_job **out)
{
	struct image_job **last = &jobs->first, *job;

	if (jobs->count >= IMAGE_JOBS_WAITING_MAX + IMAGE_JOBS_RUNNING_MAX)
		return -EAGAIN;
	job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = *like;
	job->item.run = tell;
	job->jobs = jobs;
	pthread_mutex_init(&job->lock, NULL);
	while (*last)
		last = &(*last)->next;
	*last = job;
	jobs->count++;
	if (out)
		*out = job;
	start_waiting(jobs);
	return 0;
}

int image_jobs_pull(struct image_jobs *jobs, const struct reference *reference,
		    const struct registry_options *options,
		    const struct image_job_callbacks *callbacks, struct image_job **job)
{
	const struct image_job like = {
	    .reference = *reference, .options = options, .fd = -1, .callbacks = *callbacks};

	return enqueue(jobs, &like, job);
}

int image_jobs_load(struct image_jobs *jobs, int fd, const struct image_job_callbacks *callbacks,
		    struct image_job **job)
{
	const struct image_job like = {.fd = fd, .callbacks = *callbacks};

	return enqueue(jobs, &like, job);
}

void image_job_cancel(struct image_job *job)
{
	job->cancel = true;
	start_waiting(job->jobs);
}
