/* SPDX-License-Identifier: BSD-2-Clause */
#include "shim_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "durable.h"
#include "json_auto.h"

static int read_json(const char *folder, const char *name, json_t **out)
{
	AUTO_FREE char *path = NULL, *text = NULL;
	size_t length;
	int rc;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	rc = durable_read(path, SHIM_FILE_MAX, &text, &length);
	if (rc < 0)
		return rc;
	*out = json_loadb(text, length, 0, NULL);
	return json_is_object(*out) ? 0 : -EINVAL;
}

int shim_read_running(const char *folder, struct shim_running *out)
{
	AUTO_JSON json_t *json = NULL;
	const char *boot;
	const int rc = read_json(folder, SHIM_RUNNING, &json);
	struct shim_running made = {0};
	json_int_t pid, monitor;

	if (rc < 0)
		return rc;
	boot = json_text(json, "boot_id");
	pid = json_number_or(json, "pid", 0);
	monitor = json_number_or(json, "monitor_pid", 0);
	if (!boot || strlen(boot) >= sizeof(made.init.boot_id) || pid <= 0 || pid > INT_MAX ||
	    monitor <= 0 || monitor > INT_MAX)
		return -EINVAL;
	made.init.pid = (int)pid;
	made.monitor.pid = (int)monitor;
	made.init.start_ticks = (uint64_t)json_number_or(json, "start_ticks", 0);
	made.monitor.start_ticks = (uint64_t)json_number_or(json, "monitor_start_ticks", 0);
	made.started_ns = json_number_or(json, "started_ns", 0);
	strcpy(made.init.boot_id, boot);
	strcpy(made.monitor.boot_id, boot);
	*out = made;
	return 0;
}

int shim_read_exit(const char *folder, struct shim_exit *out)
{
	AUTO_JSON json_t *json = NULL;
	const int rc = read_json(folder, SHIM_EXIT, &json);
	json_int_t code;

	if (rc < 0)
		return rc;
	code = json_number_or(json, "exit_code", -1);
	if (code < 0 || code > 255)
		return -EINVAL;
	*out = (struct shim_exit){.exit_code = (int)code,
				  .finished_ns = json_number_or(json, "finished_ns", 0),
				  .log_lost_bytes =
				      (uint64_t)json_number_or(json, "log_lost_bytes", 0)};
	return 0;
}
