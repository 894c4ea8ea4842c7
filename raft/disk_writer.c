/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
	BATCHES_MAX = 64, /* in one write */
	RETRY_MIN_MS = 20,
	RETRY_MAX_MS = 1000,
};

struct job {
	struct job *next;
	bool compaction;
	struct raft_effects effects;
	uint64_t index, term; /* of a compaction */
	int err;
};

struct job_list {
	struct job *first, **end;
};

struct disk_writer {
	struct disk *disk;
	struct disk_writer_events events;
	uv_async_t async;
	uv_thread_t thread;
	uint32_t outstanding; /* loop thread: put and not yet reported */
	struct job *spare;    /* loop thread */
	bool reported_stall;  /* loop thread */

	uv_mutex_t mutex; /* of what follows */
	uv_cond_t cond;
	struct job_list waiting, done;
	bool stop, stalled, failed;
	struct raft_error error;
};

static void list_init(struct job_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_add(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

static struct job *list_take(struct job_list *list)
{
	struct job *job = list->first;

	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->end = &list->first;
	return job;
}

static void free_job(struct job *job)
{
	raft_effects_clear(&job->effects);
	free(job);
}

/* -- the thread -------------------------------------------------------------------------------- */

/* A failure that leaves things as they were, and may pass. */
static bool may_pass(int err)
{
	return err == -ENOSPC || err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

/* With the mutex: reports what has come of the first count jobs. */
static void report(struct disk_writer *writer, size_t count, int err,
		   const struct raft_error *error)
{
	while (count--)
		list_add(&writer->done, list_take(&writer->waiting));
	writer->stalled = may_pass(err);
	writer->failed = err && !writer->stalled;
	if (err)
		writer->error = *error;
	uv_async_send(&writer->async);
}

/* One write of all that waits; the jobs stay in the list, whose front is this thread's alone. */
static int write_batches(struct disk_writer *writer, size_t *done, struct raft_error *error)
{
	struct disk_batch batches[BATCHES_MAX];
	size_t count = 0;
	int err;

	for (struct job *job = writer->waiting.first;
	     job && !job->compaction && count < BATCHES_MAX; job = job->next)
		disk_batch_of(&job->effects, &batches[count++]);
	uv_mutex_unlock(&writer->mutex);
	err = disk_write(writer->disk, batches, count, done, error);
	uv_mutex_lock(&writer->mutex);
	return err;
}

/* A compaction that fails for now is given up: the next snapshot will bring another. */
static int compact(struct disk_writer *writer, size_t *done, struct raft_error *error)
{
	struct job *job = writer->waiting.first;

	uv_mutex_unlock(&writer->mutex);
	job->err = disk_compact(writer->disk, job->index, job->term, error);
	uv_mutex_lock(&writer->mutex);
	*done = 1;
	return job->err == -EIO ? -EIO : 0;
}

static void run(void *argument)
{
	struct disk_writer *writer = argument;
	uint64_t pause_ms = RETRY_MIN_MS;

	uv_mutex_lock(&writer->mutex);
	while (!writer->stop) {
		struct raft_error error = {0};
		size_t done = 0;
		int err;

		if (!writer->waiting.first || writer->failed) {
			uv_cond_wait(&writer->cond, &writer->mutex);
			continue;
		}
		err = writer->waiting.first->compaction ? compact(writer, &done, &error)
							: write_batches(writer, &done, &error);
		report(writer, done, err, &error);
		if (!writer->stalled) {
			pause_ms = RETRY_MIN_MS;
			continue;
		}
		/* Woken early by what is put meanwhile; then it is tried a little sooner. */
		uv_cond_timedwait(&writer->cond, &writer->mutex, pause_ms * 1000000);
		if (pause_ms < RETRY_MAX_MS)
			pause_ms *= 2;
	}
	uv_mutex_unlock(&writer->mutex);
}

/* -- the loop's side --------------------------------------------------------------------------- */

static void report_stall(struct disk_writer *writer, bool stalled, const struct raft_error *error)
{
	if (stalled == writer->reported_stall)
		return;
	writer->reported_stall = stalled;
	writer->events.stalled(writer->events.context, stalled, error);
}

static void woken(uv_async_t *async)
{
	struct disk_writer *writer = async->data;
	struct raft_error error;
	struct job *jobs, *job;
	bool stalled, failed;

	uv_mutex_lock(&writer->mutex);
	jobs = writer->done.first;
	list_init(&writer->done);
	stalled = writer->stalled;
	failed = writer->failed;
	error = writer->error;
	uv_mutex_unlock(&writer->mutex);

	/* What was written ended the last stall, whatever came since. */
	if (jobs)
		report_stall(writer, false, NULL);
	while ((job = jobs)) {
		jobs = job->next;
		writer->outstanding--;
		if (job->compaction)
			writer->events.compacted(writer->events.context, job->index, job->err);
		else
			writer->events.written(writer->events.context, &job->effects);
		free(job);
	}
	report_stall(writer, stalled, &error);
	if (failed)
		writer->events.failed(writer->events.context, &error);
}

static void put(struct disk_writer *writer, struct job *job)
{
	writer->outstanding++;
	uv_mutex_lock(&writer->mutex);
	list_add(&writer->waiting, job);
	uv_mutex_unlock(&writer->mutex);
	uv_cond_signal(&writer->cond); /* who wakes finds the mutex free */
}

int disk_writer_reserve(struct disk_writer *writer)
{
	if (!writer->spare)
		writer->spare = calloc(1, sizeof(*writer->spare));
	return writer->spare ? 0 : -ENOMEM;
}

void disk_writer_put(struct disk_writer *writer, struct raft_effects *effects)
{
	struct job *job = writer->spare;

	assert(job);
	writer->spare = NULL;
	job->effects = *effects;
	*effects = (struct raft_effects){0};
	put(writer, job);
}

int disk_writer_compact(struct disk_writer *writer, uint64_t index, uint64_t term)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->compaction = true;
	job->index = index;
	job->term = term;
	put(writer, job);
	return 0;
}

bool disk_writer_is_idle(const struct disk_writer *writer)
{
	return !writer->outstanding;
}

int disk_writer_open(uv_loop_t *loop, struct disk *disk, const struct disk_writer_events *events,
		     struct disk_writer **out)
{
	struct disk_writer *writer = calloc(1, sizeof(*writer));
	int err;

	if (!writer)
		return -ENOMEM;
	writer->disk = disk;
	writer->events = *events;
	list_init(&writer->waiting);
	list_init(&writer->done);
	err = uv_mutex_init(&writer->mutex);
	if (err)
		goto no_mutex;
	err = uv_cond_init(&writer->cond);
	if (err)
		goto no_cond;
	err = uv_async_init(loop, &writer->async, woken);
	if (err)
		goto no_async;
	writer->async.data = writer;
	err = uv_thread_create(&writer->thread, run, writer);
	if (!err) {
		*out = writer;
		return 0;
	}
	writer->stop = true;
	disk_writer_close(writer);
	return err;
no_async:
	uv_cond_destroy(&writer->cond);
no_cond:
	uv_mutex_destroy(&writer->mutex);
no_mutex:
	free(writer);
	return err;
}

static void async_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void disk_writer_close(struct disk_writer *writer)
{
	struct job *job;

	if (!writer)
		return;
	if (!writer->stop) {
		uv_mutex_lock(&writer->mutex);
		writer->stop = true;
		uv_cond_signal(&writer->cond);
		uv_mutex_unlock(&writer->mutex);
		uv_thread_join(&writer->thread);
	}
	while ((job = list_take(&writer->waiting)) || (job = list_take(&writer->done)))
		free_job(job);
	free(writer->spare);
	uv_cond_destroy(&writer->cond);
	uv_mutex_destroy(&writer->mutex);
	uv_close((uv_handle_t *)&writer->async, async_closed);
}
