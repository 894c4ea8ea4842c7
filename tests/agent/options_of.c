/* SPDX-License-Identifier: BSD-2-Clause */
#include "options_of.h"

#include <errno.h>
#include <string.h>

#include "json_auto.h"

static const char *const *texts(const json_t *object, const char *key)
{
	const json_t *list = json_object_get(object, key), *item;
	const char **out;
	size_t i;

	if (!list)
		return NULL;
	out = calloc(json_array_size(list) + 1, sizeof(*out));
	json_array_foreach (list, i, item)
		out[i] = json_string_value(item);
	return out;
}

static void take_mounts(const json_t *list, struct container_options *options)
{
	struct container_mount *mounts = calloc(json_array_size(list) + 1, sizeof(*mounts));
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *type = json_text(item, "type");
		mounts[i] = (struct container_mount){
		    .type = !strcmp(type, "bind")    ? MOUNT_BIND
			    : !strcmp(type, "tmpfs") ? MOUNT_TMPFS
						     : MOUNT_VOLUME,
		    .source = json_text(item, "source"),
		    .target = json_text(item, "target"),
		    .read_only = json_is_true(json_object_get(item, "read_only")),
		    .no_copy = json_is_true(json_object_get(item, "no_copy")),
		    .propagation = json_text(item, "propagation"),
		    .tmpfs_size_bytes = json_number_or(item, "tmpfs_size_bytes", 0),
		    .tmpfs_mode = (mode_t)json_number_or(item, "tmpfs_mode", 0)};
	}
	options->mounts = mounts;
	options->mount_count = (unsigned int)json_array_size(list);
}

static void take_ulimits(const json_t *list, struct container_options *options)
{
	struct container_ulimit *limits = calloc(json_array_size(list) + 1, sizeof(*limits));
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		limits[i] = (struct container_ulimit){json_text(item, "name"),
						      json_number_or(item, "soft", 0),
						      json_number_or(item, "hard", 0)};
	options->ulimits = limits;
	options->ulimit_count = (unsigned int)json_array_size(list);
}

int options_of(const char *text, struct container_options *options, bool *detach,
	       struct error *error)
{
	json_error_t at;
	static json_t *json; /* kept: the options point into it */
	const json_t *health;

	json = json_loads(text, 0, &at);
	health = json_object_get(json, "health");
	if (!json)
		return error_set(error, -EINVAL, "options: %s", at.text);
	*detach = json_is_true(json_object_get(json, "detach"));
	*options = (struct container_options){
	    .id = json_text(json, "id"),
	    .name = json_text(json, "name"),
	    .image = json_text(json, "image"),
	    .hostname =
		json_text(json, "hostname") ? json_text(json, "hostname") : json_text(json, "id"),
	    .entrypoint = texts(json, "entrypoint"),
	    .args = texts(json, "args"),
	    .env = texts(json, "env"),
	    .labels = texts(json, "labels"),
	    .user = json_text(json, "user"),
	    .workdir = json_text(json, "workdir"),
	    .tty = json_is_true(json_object_get(json, "tty")),
	    .init = json_is_true(json_object_get(json, "init")),
	    .read_only = json_is_true(json_object_get(json, "read_only")),
	    .cpu_nano = json_number_or(json, "cpu_nano", 0),
	    .memory_bytes = json_number_or(json, "memory_bytes", 0),
	    .pids_max = json_number_or(json, "pids_max", 0),
	    .capability_add = texts(json, "capability_add"),
	    .capability_drop = texts(json, "capability_drop"),
	    .sysctls = texts(json, "sysctls"),
	    .netns = json_text(json, "netns"),
	    .address = json_text(json, "address"),
	    .hosts = texts(json, "hosts"),
	    .dns = texts(json, "dns"),
	    .dns_search = texts(json, "dns_search"),
	    .dns_options = texts(json, "dns_options"),
	    .stop_signal = json_text(json, "stop_signal"),
	    .stop_grace_ns = json_number_or(json, "stop_grace_ns", -1),
	    .health = {.test = texts(health, "test"),
		       .interval_ns = json_number_or(health, "interval_ns", 0),
		       .timeout_ns = json_number_or(health, "timeout_ns", 0),
		       .start_period_ns = json_number_or(health, "start_period_ns", 0),
		       .retries = (unsigned int)json_number_or(health, "retries", 0)},
	    .log_size_bytes_max = json_number_or(json, "log_size_bytes_max", 0),
	    .log_files_max = (unsigned int)json_number_or(json, "log_files_max", 0)};
	take_mounts(json_object_get(json, "mounts"), options);
	take_ulimits(json_object_get(json, "ulimits"), options);
	return 0;
}
