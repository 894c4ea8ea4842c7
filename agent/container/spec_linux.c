/* SPDX-License-Identifier: BSD-2-Clause */
/* Namespaces, limits, and what of the kernel is hidden. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "json_auto.h"
#include "seccomp.h"
#include "spec_internal.h"

enum {
	CPU_PERIOD_US = 100000,
	CPU_QUOTA_US_MIN = 1000, /* the kernel's */
	NANO_PER_US = 1000,
};
#define MEMORY_MIN ((int64_t)6 << 20) /* dockerd's: less does not even start */

static json_t *texts(const char *const *list, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, json_string(list[i]));
	return out;
}

static json_t *make_namespaces(const struct spec_input *input)
{
	static const char *const kinds[] = {"pid", "ipc", "uts", "mount"};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		json_array_append_new(list, json_pack("{s:s}", "type", kinds[i]));
	if (input->options->netns)
		json_array_append_new(list, json_pack("{s:s, s:s}", "type", "network", "path",
						      input->options->netns));
	else
		json_array_append_new(list, json_pack("{s:s}", "type", "network"));
	if (input->cgroups == CGROUP_V2)
		json_array_append_new(list, json_pack("{s:s}", "type", "cgroup"));
	return list;
}

static int add_limits(const struct container_options *options, json_t *resources,
		      struct error *error)
{
	/* nano-CPUs per second and a period in microseconds: 1e9 nano-CPUs are a whole period. */
	const int64_t quota_us = options->cpu_nano / NANO_PER_US / (1000000 / CPU_PERIOD_US);

	if (options->cpu_nano < 0 || (options->cpu_nano && quota_us < CPU_QUOTA_US_MIN))
		return error_set(error, -EINVAL, "invalid cpu value: Must be at least 0.01");
	if (options->memory_bytes < 0 ||
	    (options->memory_bytes && options->memory_bytes < MEMORY_MIN))
		return error_set(error, -EINVAL, "Minimum memory limit allowed is 6MB");
	if (options->cpu_nano)
		json_object_set_new(resources, "cpu",
				    json_pack("{s:I, s:i}", "quota", (json_int_t)quota_us, "period",
					      CPU_PERIOD_US));
	if (options->memory_bytes)
		json_object_set_new(resources, "memory",
				    json_pack("{s:I}", "limit", (json_int_t)options->memory_bytes));
	if (options->pids_max > 0)
		json_object_set_new(resources, "pids",
				    json_pack("{s:I}", "limit", (json_int_t)options->pids_max));
	return 0;
}

/* Only what belongs to the container's own namespaces: the others are the machine's. */
static bool is_own_sysctl(const char *key, size_t length)
{
	static const char *const own[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
					  "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
					  "kernel.shmmni", "kernel.shm_rmid_forced"};

	if (!strncmp(key, "net.", 4) || !strncmp(key, "fs.mqueue.", 10))
		return true;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strlen(own[i]) == length && !memcmp(key, own[i], length))
			return true;
	}
	return false;
}

static int add_sysctls(const struct container_options *options, json_t *lin, struct error *error)
{
	json_t *all = json_object();

	json_object_set_new(lin, "sysctl", all);
	for (const char *const *at = options->sysctls; at && *at; at++) {
		const char *equals = strchr(*at, '=');
		const size_t length = equals ? (size_t)(equals - *at) : 0;
		char key[256];
		if (!length || length >= sizeof(key) || memchr(*at, '/', length) ||
		    strstr(*at, ".."))
			return error_set(error, -EINVAL, "invalid sysctl: \"%.100s\"", *at);
		if (!is_own_sysctl(*at, length))
			return error_set(error, -EINVAL, "sysctl '%.100s' is not whitelisted", *at);
		memcpy(key, *at, length);
		key[length] = '\0';
		json_object_set_new(all, key, json_string(equals + 1));
	}
	return 0;
}

/* Docker's lists, as its container inspect shows them, and what newer kernels added. */
static void add_paths(json_t *lin)
{
	static const char *const masked[] = {
	    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
	    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
	    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
	static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger"};

	json_object_set_new(lin, "maskedPaths", texts(masked, sizeof(masked) / sizeof(masked[0])));
	json_object_set_new(lin, "readonlyPaths",
			    texts(read_only, sizeof(read_only) / sizeof(read_only[0])));
}

int spec_linux(const struct spec_input *input, uint64_t capabilities, json_t **out,
	       struct error *error)
{
	/* No device but those that the runtime makes in each container (null, zero, tty, ...). */
	AUTO_JSON json_t *lin =
	    json_pack("{s:s, s:o, s:{s:[{s:b, s:s}]}, s:o}", "cgroupsPath", input->cgroup_path,
		      "namespaces", make_namespaces(input), "resources", "devices", "allow", 0,
		      "access", "rwm", "seccomp", seccomp_profile(capabilities));
	int rc;

	if (!lin)
		return error_set(error, -ENOMEM, "out of memory");
	rc = add_limits(input->options, json_object_get(lin, "resources"), error);
	rc = rc < 0 ? rc : add_sysctls(input->options, lin, error);
	if (rc < 0)
		return rc;
	add_paths(lin);
	*out = lin;
	lin = NULL;
	return 0;
}
