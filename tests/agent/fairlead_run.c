/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fairlead-run: images and containers of this machine by hand. For developers and tests; not
 *installed.
 *
 *	fairlead-run [--state DIR] [--run DIR] [--cgroup PATH] COMMAND [ARGUMENT...]
 *
 *	load FILE | pull NAME | images | inspect NAME | tag NAME NEW | rmi NAME [force]
 *	run OPTIONS	creates and starts a container (OPTIONS: JSON, see options_of); with
 *"detach" no more, else it waits for the end ps | stop ID [SECONDS] | kill ID SIGNAL | wait ID | rm
 *ID | logs ID [TAIL [follow]] | volumes watch		stays, and prints what happens to containers
 *
 * What it prints is JSON, one object a line; errors go to stderr, exit status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jobs.h"
#include "json_auto.h"
#include "log_reader.h"
#include "options_of.h"
#include "runtime.h"
#include "volumes.h"

enum { BURST_MAX = 200 };

struct program {
	uv_loop_t loop;
	struct loop_queue queue;
	struct image_store *images;
	struct image_jobs *jobs;
	struct runtime *runtime;
	const char *state, *run, *cgroup;
	char *images_folder, *tasks, *volumes, *shim, *init;
	char **words;
	int word_count;
	int status;
	bool detach, watching, opened;
	const char *waits_for; /* ID whose end ends the program */
	uv_timer_t follow;
	struct log_reader *log;
	int burst; /* containers of it that do not run yet */
	uint64_t begun_ms;
};

static void print(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	printf("%s\n", text ? text : "null");
	fflush(stdout);
	free(text);
	json_decref(json);
}

static void fail(struct program *program, const char *message)
{
	fprintf(stderr, "%s\n", message);
	program->status = 1;
	uv_stop(&program->loop);
}

static void finish(struct program *program)
{
	uv_stop(&program->loop);
}

static json_t *describe(const struct container *container)
{
	const struct container_view view = container_view(container);

	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:s, s:s, s:i, s:s, s:s}", "id",
			 view.record->id, "name", view.record->name, "image",
			 view.record->image_name, "state", container_state_text(view.state), "pid",
			 view.pid, "exit_code", view.exit_code, "oom_killed", view.oom_killed,
			 "error", view.error, "health", health_state_text(view.health->state),
			 "failing_streak", (int)view.health->failing_streak, "folder", view.folder,
			 "log", view.log_path);
}

/* -- containers ------------------------------------------------------------------------------- */
static void happened(void *arg, struct container *container, enum container_event event)
{
	static const char *const names[] = {"started", "exited", "health"};
	struct program *program = arg;
	json_t *json;

	if (program->watching) {
		json = describe(container);
		json_object_set_new(json, "event", json_string(names[event]));
		print(json);
	}
	if (event == CONTAINER_EVENT_EXITED && program->waits_for &&
	    !strcmp(program->waits_for, container_view(container).record->id)) {
		print(describe(container));
		finish(program);
	}
}

static void started(void *arg, struct container *container, int rc, const struct error *error)
{
	struct program *program = arg;

	if (rc < 0) {
		print(describe(container));
		fail(program, error->message);
	} else if (program->detach) {
		print(describe(container));
		finish(program);
	} else if (container_view(container).state == CONTAINER_EXITED) {
		print(describe(container));
		finish(program);
	} else {
		program->waits_for = container_view(container).record->id;
	}
}

static void created(void *arg, struct container *container, int rc, const struct error *error)
{
	struct program *program = arg;

	rc = rc < 0 ? rc : container_start(container, started, program);
	if (rc < 0)
		fail(program, error ? error->message : strerror(-rc));
}

/* -- many at once ----------------------------------------------------------------------------- */
static void burst_started(void *arg, struct container *container, int rc, const struct error *error)
{
	struct program *program = arg;

	(void)container;
	if (rc < 0) {
		fail(program, error->message);
	} else if (!--program->burst) {
		print(json_pack("{s:I}", "ms",
				(json_int_t)(uv_now(&program->loop) - program->begun_ms)));
		finish(program);
	}
}

static void burst_created(void *arg, struct container *container, int rc, const struct error *error)
{
	struct program *program = arg;

	rc = rc < 0 ? rc : container_start(container, burst_started, program);
	if (rc < 0)
		fail(program, error ? error->message : strerror(-rc));
}

static int burst(struct program *program, const struct container_options *options)
{
	static struct container_options each[BURST_MAX];
	static char ids[BURST_MAX][CONTAINER_ID_MAX + 1];
	const int count = program->word_count > 2 ? atoi(program->words[2]) : 0;
	int rc = count < 1 || count > BURST_MAX ? -EINVAL : 0;

	program->burst = count;
	uv_update_time(&program->loop);
	program->begun_ms = uv_now(&program->loop);
	for (int i = 0; !rc && i < count; i++) {
		each[i] = *options;
		snprintf(ids[i], sizeof(ids[i]), "%.50sx%d", options->id, i);
		each[i].id = ids[i];
		rc = container_create(program->runtime, &each[i], burst_created, program);
	}
	return rc;
}

static void removed(void *arg, struct container *container, int rc, const struct error *error)
{
	struct program *program = arg;

	(void)container;
	if (rc < 0)
		fail(program, error->message);
	else
		finish(program);
}

static void list_one(void *arg, struct container *container)
{
	(void)arg;
	print(describe(container));
}

static void wait_for(struct program *program, struct container *container)
{
	if (container_view(container).state != CONTAINER_EXITED) {
		program->waits_for = container_view(container).record->id;
		return;
	}
	print(describe(container));
	finish(program);
}

/* False at the log's end. */
static bool print_log(struct program *program)
{
	static struct log_entry entry;
	int rc;

	while ((rc = log_reader_next(program->log, &entry)) > 0)
		print(json_pack("{s:s, s:s%}", "stream",
				entry.stream == LOG_STDERR ? "stderr" : "stdout", "log",
				entry.bytes, entry.length));
	return rc == 0;
}

static void follow(uv_timer_t *timer)
{
	print_log(timer->data);
}

static void logs(struct program *program, const struct container *container)
{
	const struct log_query query = {true, true, 0, 0,
					program->word_count > 2 ? atoi(program->words[2]) : -1};

	if (log_reader_open(container_view(container).log_path, &query, &program->log) < 0) {
		fail(program, "out of memory");
		return;
	}
	print_log(program);
	if (program->word_count > 3)
		uv_timer_start(&program->follow, follow, 10, 10);
	else
		finish(program);
}

static void with_container(struct program *program, struct container *container)
{
	const char *command = program->words[0],
		   *more = program->word_count > 2 ? program->words[2] : NULL;
	int rc = 0;

	if (!strcmp(command, "stop")) {
		rc = container_stop(container, 0, more ? (int64_t)(atof(more) * 1e9) : -1);
		if (!rc)
			wait_for(program, container);
	} else if (!strcmp(command, "kill")) {
		rc = container_kill(container, atoi(more ? more : "9"));
		finish(program);
	} else if (!strcmp(command, "wait")) {
		wait_for(program, container);
	} else if (!strcmp(command, "rm")) {
		rc = container_delete(container, removed, program);
	} else {
		logs(program, container);
	}
	if (rc < 0)
		fail(program, strerror(-rc));
}

/* -- images ----------------------------------------------------------------------------------- */
static void progress(void *arg, const struct image_event *event)
{
	(void)arg;
	print(json_pack("{s:s, s:s}", "id", event->id, "status", event->status));
}

static void imported(void *arg, const struct image_job_result *result)
{
	struct program *program = arg;

	if (result->rc < 0) {
		fail(program, result->error.message);
		return;
	}
	if (result->loaded)
		print(json_incref(result->loaded));
	else
		print(
		    json_pack("{s:s, s:b}", "digest", result->digest.text, "fresh", result->fresh));
	finish(program);
}

static int begin_import(struct program *program, struct error *error)
{
	const struct image_job_callbacks callbacks = {progress, imported, program};
	struct reference reference;
	int rc;

	if (!strcmp(program->words[0], "pull")) {
		rc = reference_parse(program->words[1], &reference, error);
		return rc < 0 ? rc
			      : image_jobs_pull(program->jobs, &reference, NULL, &callbacks, NULL);
	}
	rc = open(program->words[1], O_RDONLY | O_CLOEXEC);
	if (rc < 0)
		return error_set(error, -errno, "%s: %s", program->words[1], strerror(errno));
	return image_jobs_load(program->jobs, rc, &callbacks, NULL);
}

static int with_image(struct program *program, struct error *error)
{
	const char *command = program->words[0], *name = program->words[1];
	json_t *out = NULL;
	struct reference as;
	int rc;

	if (!strcmp(command, "inspect")) {
		rc = image_store_inspect(program->images, name, &out, error);
	} else if (!strcmp(command, "tag")) {
		rc = reference_parse(program->word_count > 2 ? program->words[2] : "", &as, error);
		rc = rc < 0 ? rc : image_store_tag(program->images, name, &as, error);
	} else {
		rc =
		    image_store_remove(program->images, name, program->word_count > 2, &out, error);
	}
	if (out)
		print(out);
	return rc;
}

/* -- the program ------------------------------------------------------------------------------ */
static bool is(const char *command, const char *list)
{
	char word[32];

	snprintf(word, sizeof(word), " %.28s ", command);
	return strstr(list, word) != NULL;
}

static int begin(struct program *program, struct error *error)
{
	const char *command = program->words[0];
	static struct container_options options;
	struct container *container;
	int rc = 0;

	if (!strcmp(command, "watch")) {
		program->watching = true;
		runtime_each(program->runtime, list_one, NULL);
		printf("{\"event\":\"ready\"}\n");
		fflush(stdout);
		return 0;
	}
	if (program->word_count > 1 && !strcmp(command, "run")) {
		rc = options_of(program->words[1], &options, &program->detach, error);
		return rc < 0 ? rc : container_create(program->runtime, &options, created, program);
	}
	if (program->word_count > 2 && !strcmp(command, "burst")) {
		rc = options_of(program->words[1], &options, &program->detach, error);
		return rc < 0 ? rc : burst(program, &options);
	}
	if (program->word_count > 1 && is(command, " load pull "))
		return begin_import(program, error);
	if (program->word_count > 1 && is(command, " stop kill wait rm logs ")) {
		container = runtime_find(program->runtime, program->words[1]);
		if (!container)
			return error_set(error, -ENOENT, "No such container: %s",
					 program->words[1]);
		with_container(program, container);
		return 0;
	}
	if (program->word_count > 1 && is(command, " inspect tag rmi "))
		rc = with_image(program, error);
	else if (!strcmp(command, "images"))
		print(image_store_list(program->images));
	else if (!strcmp(command, "volumes"))
		print(volumes_list(program->volumes));
	else if (!strcmp(command, "ps"))
		runtime_each(program->runtime, list_one, NULL);
	else
		return error_set(error, -EINVAL, "fairlead-run: what is %s?", command);
	finish(program);
	return rc;
}

static char *join(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static int open_all(struct program *program, const char *self, struct error *error)
{
	struct image_store_report report;
	struct runtime_report adopted;
	struct runtime_options options = {.loop = &program->loop,
					  .queue = &program->queue,
					  .crun = "/usr/bin/crun",
					  .run_folder = program->run,
					  .cgroup_parent = program->cgroup,
					  .event = happened,
					  .arg = program};
	AUTO_FREE char *folder = strndup(self, (size_t)(strrchr(self, '/') - self));
	int rc;

	program->images_folder = join(program->state, "images");
	options.tasks = program->tasks = join(program->state, "tasks");
	options.volumes = program->volumes = join(program->state, "volumes");
	options.shim = program->shim = join(folder, "../agent/fairlead-shim");
	options.init_program = program->init = join(folder, "../agent/fairlead-init");
	rc = image_store_open(program->images_folder, &program->images, &report, error);
	if (rc < 0)
		return rc;
	options.images = program->images;
	rc = image_jobs_open(&program->queue, program->images, &program->jobs);
	rc = rc < 0 ? rc : runtime_open(&options, &program->runtime, &adopted, error);
	if (!rc && getenv("FL_RUN_REPORT"))
		fprintf(stderr, "leftovers %u dropped %u damaged %d adopted %u ended %u half %u\n",
			report.leftovers, report.images_dropped, report.index_damaged,
			adopted.adopted, adopted.ended, adopted.leftovers);
	return rc;
}

static void close_all(struct program *program)
{
	if (program->jobs)
		image_jobs_close(program->jobs);
	if (program->runtime)
		runtime_close(program->runtime, NULL, NULL);
	uv_close((uv_handle_t *)&program->follow, NULL);
	uv_unref((uv_handle_t *)&program->queue.wake);
	uv_run(&program->loop, UV_RUN_DEFAULT);
	loop_queue_close(&program->queue);
	uv_run(&program->loop, UV_RUN_DEFAULT);
	uv_loop_close(&program->loop);
	if (program->log)
		log_reader_close(program->log);
	if (program->images)
		image_store_close(program->images);
	free(program->images_folder);
	free(program->tasks);
	free(program->volumes);
	free(program->shim);
	free(program->init);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {{"state", required_argument, NULL, 's'},
					      {"run", required_argument, NULL, 'r'},
					      {"cgroup", required_argument, NULL, 'c'},
					      {NULL, 0, NULL, 0}};
	static struct program program = {
	    .state = "/var/lib/fairlead", .run = "/run/fairlead", .cgroup = "/fairlead"};
	struct error error = {.message = "out of memory"};
	AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
	int option, rc;

	while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		if (option == 's')
			program.state = optarg;
		else if (option == 'r')
			program.run = optarg;
		else if (option == 'c')
			program.cgroup = optarg;
		else
			return 2;
	}
	if (optind == argc || !self)
		return 2;
	program.words = argv + optind;
	program.word_count = argc - optind;
	uv_loop_init(&program.loop);
	loop_queue_open(&program.queue, &program.loop);
	uv_timer_init(&program.loop, &program.follow);
	program.follow.data = &program;
	rc = open_all(&program, self, &error);
	rc = rc < 0 ? rc : begin(&program, &error);
	if (rc < 0)
		fail(&program, error.code ? error.message : strerror(-rc));
	else
		uv_run(&program.loop, UV_RUN_DEFAULT);
	close_all(&program);
	return program.status;
}
