/* SPDX-License-Identifier: BSD-2-Clause */
#include "record.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "durable.h"
#include "json_auto.h"
#include "spec.h"

#define SECOND_NS     ((int64_t)1000000000)
#define HEALTH_MIN_NS ((int64_t)1000000) /* dockerd's least interval */

static json_t *list_of(const char *const *texts)
{
	json_t *list = json_array();

	for (; texts && *texts; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

/* {"CMD", ...} and {"CMD-SHELL", line} to a command; {"NONE"} and {} to none. */
static int make_test(json_t *test, const json_t *image, json_t **out, struct error *error)
{
	const char *kind = json_string_value(json_array_get(test, 0));
	const size_t count = json_array_size(test);
	json_t *command;

	*out = NULL;
	if (!count || !kind || !strcmp(kind, "NONE"))
		return 0;
	if (count > HEALTH_WORDS_MAX || count < 2 ||
	    (strcmp(kind, "CMD") && strcmp(kind, "CMD-SHELL")))
		return error_set(error, -EINVAL,
				 "Unknown healthcheck type '%.40s' (expected 'CMD')", kind);
	if (!strcmp(kind, "CMD-SHELL")) {
		command = json_deep_copy(json_object_get(image, "Shell"));
		command = json_array_size(command) ? command : json_pack("[ss]", "/bin/sh", "-c");
		json_array_append(command, json_array_get(test, 1));
	} else {
		command = json_deep_copy(test);
		json_array_remove(command, 0);
	}
	if (json_array_size(command) > HEALTH_WORDS_MAX) {
		json_decref(command);
		return error_set(error, -EINVAL, "Healthcheck: its command has more than %d words",
				 HEALTH_WORDS_MAX);
	}
	*out = command;
	return command ? 0 : error_set(error, -ENOMEM, "out of memory");
}

static int64_t duration(int64_t given, const json_t *image, const char *key, int64_t otherwise)
{
	const json_int_t said = json_number_or(image, key, 0);

	return given ? given : said ? said : otherwise;
}

static int make_health(const struct container_health *given, const json_t *image,
		       struct health_config *out, struct error *error)
{
	const json_t *own = json_object_get(image, "Healthcheck");
	AUTO_JSON json_t *test =
	    given->test ? list_of(given->test) : json_deep_copy(json_object_get(own, "Test"));
	struct health_config made = {
	    .interval_ns = duration(given->interval_ns, own, "Interval", 30 * SECOND_NS),
	    .timeout_ns = duration(given->timeout_ns, own, "Timeout", 30 * SECOND_NS),
	    .start_period_ns = duration(given->start_period_ns, own, "StartPeriod", 0),
	};
	const int64_t retries = duration(given->retries, own, "Retries", 3);
	int rc;

	if (made.interval_ns < HEALTH_MIN_NS || made.timeout_ns < HEALTH_MIN_NS)
		return error_set(error, -EINVAL,
				 "Interval and Timeout in Healthcheck cannot be less than 1ms");
	if (made.start_period_ns < 0 || retries < 0 || retries > 1000000)
		return error_set(error, -EINVAL,
				 "StartPeriod and Retries in Healthcheck cannot be negative");
	made.retries = (unsigned int)retries;
	rc = make_test(test, image, &made.test, error);
	if (!rc)
		*out = made;
	return rc;
}

static int check_id(const char *id, struct error *error)
{
	const size_t length = id ? strlen(id) : 0;

	if (!length || length > CONTAINER_ID_MAX ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != length)
		return error_set(error, -EINVAL, "invalid container ID: %.100s",
				 id ? id : "(none)");
	return 0;
}

int record_make(const struct container_options *options, const json_t *image,
		struct container_record *out, struct error *error)
{
	const char *stop =
	    options->stop_signal ? options->stop_signal : json_text(image, "StopSignal");
	struct container_record made = {
	    .tty = options->tty,
	    .log_size_bytes_max = options->log_size_bytes_max,
	    .log_files_max = options->log_files_max ? options->log_files_max : 1,
	    .stop_grace_ns = options->stop_grace_ns < 0 ? 10 * SECOND_NS : options->stop_grace_ns};
	struct timespec now;
	int rc = check_id(options->id, error);

	if (rc < 0)
		return rc;
	strcpy(made.id, options->id);
	made.stop_signal = stop && *stop ? spec_signal(stop) : SIGTERM;
	if (!made.stop_signal)
		return error_set(error, -EINVAL, "Invalid signal: %.40s", stop);
	clock_gettime(CLOCK_REALTIME, &now);
	made.created_ns = now.tv_sec * SECOND_NS + now.tv_nsec;
	rc = make_health(&options->health, image, &made.health, error);
	if (rc < 0)
		return rc;
	made.name = strdup(options->name ? options->name : options->id);
	made.image_name = strdup(options->image ? options->image : "");
	if (!made.name || !made.image_name) {
		record_release(&made);
		return error_set(error, -ENOMEM, "out of memory");
	}
	*out = made;
	return 0;
}

void record_release(struct container_record *record)
{
	free(record->name);
	free(record->image_name);
	free(record->cgroup_path);
	json_decref(record->health.test);
	json_decref(record->labels);
	*record = (struct container_record){0};
}

int record_write(const char *folder, const struct container_record *record, struct error *error)
{
	AUTO_JSON json_t *json = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:b, s:I, s:i, s:O?, s:{s:O*, s:I, s:I, s:I, "
	    "s:i}}",
	    "id", record->id, "name", record->name, "image", record->image.text, "image_name",
	    record->image_name, "cgroup", record->cgroup_path, "created_ns",
	    (json_int_t)record->created_ns, "stop_grace_ns", (json_int_t)record->stop_grace_ns,
	    "stop_signal", record->stop_signal, "tty", record->tty, "log_size_bytes_max",
	    (json_int_t)record->log_size_bytes_max, "log_files_max", (int)record->log_files_max,
	    "labels", record->labels, "health", "test", record->health.test, "interval_ns",
	    (json_int_t)record->health.interval_ns, "timeout_ns",
	    (json_int_t)record->health.timeout_ns, "start_period_ns",
	    (json_int_t)record->health.start_period_ns, "retries", (int)record->health.retries);
	AUTO_FREE char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	int rc;

	if (!text)
		return error_set(error, -EINVAL, "the container's name or image is no UTF-8");
	rc = durable_replace(folder, "container.json", text, strlen(text), 0600);
	return rc < 0 ? error_set(error, rc, "%s/container.json: %s", folder, strerror(-rc)) : 0;
}

static bool take_texts(const json_t *json, struct container_record *out)
{
	const char *name = json_text(json, "name"), *image = json_text(json, "image_name");
	const char *cgroup = json_text(json, "cgroup"), *id = json_text(json, "id");

	if (!name || !image || !cgroup || check_id(id, NULL) < 0 ||
	    !digest_parse(json_text(json, "image"), &out->image))
		return false;
	strcpy(out->id, id);
	out->name = strdup(name);
	out->image_name = strdup(image);
	out->cgroup_path = strdup(cgroup);
	return out->name && out->image_name && out->cgroup_path;
}

static bool take_health(const json_t *json, struct health_config *out)
{
	const json_t *test = json_object_get(json, "test"), *word;
	const json_int_t retries = json_number_or(json, "retries", 3);
	size_t i;

	out->interval_ns = json_number_or(json, "interval_ns", 0);
	out->timeout_ns = json_number_or(json, "timeout_ns", 0);
	out->start_period_ns = json_number_or(json, "start_period_ns", 0);
	out->retries = (unsigned int)retries;
	if (!test)
		return true;
	json_array_foreach (test, i, word) {
		if (!json_is_string(word))
			return false;
	}
	out->test = json_deep_copy(test);
	return json_array_size(test) && json_array_size(test) <= HEALTH_WORDS_MAX && retries >= 0 &&
	       retries <= 1000000 && out->interval_ns >= HEALTH_MIN_NS &&
	       out->timeout_ns >= HEALTH_MIN_NS;
}

int record_read(const char *folder, struct container_record *out)
{
	struct container_record made = {0};
	AUTO_FREE char *path = NULL, *text = NULL;
	AUTO_JSON json_t *json = NULL;
	size_t length;
	int rc;

	if (asprintf(&path, "%s/container.json", folder) < 0)
		return -ENOMEM;
	rc = durable_read(path, RECORD_SIZE_MAX, &text, &length);
	if (rc < 0)
		return rc;
	json = json_loadb(text, length, 0, NULL);
	made.created_ns = json_number_or(json, "created_ns", 0);
	made.stop_grace_ns = json_number_or(json, "stop_grace_ns", 10 * SECOND_NS);
	made.stop_signal = (int)json_number_or(json, "stop_signal", SIGTERM);
	made.tty = json_is_true(json_object_get(json, "tty"));
	made.log_size_bytes_max = json_number_or(json, "log_size_bytes_max", 0);
	made.log_files_max = (unsigned int)json_number_or(json, "log_files_max", 1);
	made.labels = json_deep_copy(json_object_get(json, "labels"));
	if (!json || !take_texts(json, &made) ||
	    !take_health(json_object_get(json, "health"), &made.health) || made.stop_signal < 1 ||
	    made.stop_signal > 64 || made.stop_grace_ns < 0) {
		record_release(&made);
		return -EINVAL;
	}
	*out = made;
	return 0;
}
