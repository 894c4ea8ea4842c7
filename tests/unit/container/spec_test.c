/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <signal.h>

#include "json_auto.h"
#include "record.h"
#include "seccomp.h"
#include "spec.h"

static const char *const sources[4] = {"/host/bind", "/host/volume", NULL, NULL};

struct bed {
	struct container_options options;
	struct passwd_user user;
	json_t *image;
	struct spec_input input;
	struct error error;
};

static struct bed make_bed(void)
{
	struct bed bed = {
	    .options = {.id = "c1", .hostname = "host", .image = "web", .stop_grace_ns = -1},
	    .user = {.uid = 7, .gid = 8, .home = "/home/web"}};

	bed.image = json_pack("{s:[ss], s:[s], s:[ss], s:s, s:s, s:{s:s}}", "Cmd", "-f", "conf",
			      "Entrypoint", "/bin/httpd", "Env", "PATH=/bin", "A=image",
			      "WorkingDir", "/srv", "User", "web", "Labels", "l", "image");
	return bed;
}

/* The made spec, or NULL and the error. */
static json_t *make(struct bed *bed)
{
	json_t *spec = NULL;

	bed->input = (struct spec_input){.options = &bed->options,
					 .image = bed->image,
					 .user = &bed->user,
					 .cgroups = CGROUP_V2,
					 .cgroup_path = "/fl/c1",
					 .folder = "/t/c1",
					 .rootfs = "/t/c1/merged",
					 .init_program = "/usr/init",
					 .mount_sources = sources};
	if (spec_make(&bed->input, &spec, &bed->error) < 0)
		return NULL;
	return spec;
}

static char *text_at(const json_t *spec, const char *one, const char *two)
{
	return json_dumps(json_object_get(json_object_get(spec, one), two),
			  JSON_COMPACT | JSON_ENCODE_ANY);
}

static void check(const json_t *spec, const char *one, const char *two, const char *expected)
{
	char *text = text_at(spec, one, two);

	assert_string_equal(text, expected);
	free(text);
}

static void test_defaults(void **state)
{
	struct bed bed = make_bed();
	json_t *spec = make(&bed);

	(void)state;
	assert_non_null(spec);
	check(spec, "process", "args", "[\"/bin/httpd\",\"-f\",\"conf\"]");
	check(spec, "process", "cwd", "\"/srv\"");
	check(spec, "process", "env",
	      "[\"PATH=/bin\",\"HOSTNAME=host\",\"A=image\",\"HOME=/home/web\"]");
	check(spec, "process", "user", "{\"uid\":7,\"gid\":8,\"additionalGids\":[]}");
	check(spec, "root", "readonly", "false");
	check(spec, "linux", "cgroupsPath", "\"/fl/c1\"");
	check(spec, "linux", "resources", "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
	check(spec, "annotations", "l", "\"image\"");
	assert_int_equal(
	    json_array_size(json_object_get(
		json_object_get(json_object_get(spec, "process"), "capabilities"), "effective")),
	    14);
	json_decref(spec);
	json_decref(bed.image);
}

static void test_command_line(void **state)
{
	static const char *const args[] = {"x", NULL}, *const entry[] = {"/e", NULL},
				 *const none[] = {NULL};
	static const struct {
		const char *const *entrypoint, *const *args;
		const char *expected;
	} cases[] = {{NULL, args, "[\"/bin/httpd\",\"x\"]"},
		     {entry, NULL, "[\"/e\"]"},
		     {entry, args, "[\"/e\",\"x\"]"},
		     {none, args, "[\"x\"]"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed bed = make_bed();
		bed.options.entrypoint = cases[i].entrypoint;
		bed.options.args = cases[i].args;
		json_t *spec = make(&bed);
		check(spec, "process", "args", cases[i].expected);
		json_decref(spec);
		json_decref(bed.image);
	}
	struct bed bed = make_bed();
	bed.options.entrypoint = none;
	assert_null(make(&bed));
	assert_string_equal(bed.error.message, "No command specified");
	json_decref(bed.image);
}

static void test_everything(void **state)
{
	static const char *const env[] = {"A=mine", "B=2", "PATH", NULL}, *const labels[] = {
									      "l=mine", "k", NULL};
	static const char *const add[] = {"net_admin", NULL}, *const drop[] = {"ALL", NULL};
	static const char *const sysctls[] = {"net.core.somaxconn=100", NULL};
	static const struct container_ulimit ulimit = {"nofile", 5, 6};
	static const struct container_mount mounts[] = {
	    {.type = MOUNT_BIND, .source = "/host/bind", .target = "/b", .read_only = true},
	    {.type = MOUNT_VOLUME, .source = "v", .target = "/v"},
	    {.type = MOUNT_TMPFS, .target = "/t", .tmpfs_size_bytes = 4096, .tmpfs_mode = 0700}};
	struct bed bed = make_bed();
	json_t *spec;

	(void)state;
	bed.options = (struct container_options){.id = "c1",
						 .hostname = "host",
						 .env = env,
						 .labels = labels,
						 .capability_add = add,
						 .capability_drop = drop,
						 .sysctls = sysctls,
						 .ulimits = &ulimit,
						 .ulimit_count = 1,
						 .mounts = mounts,
						 .mount_count = 3,
						 .init = true,
						 .tty = true,
						 .read_only = true,
						 .workdir = "/w",
						 .cpu_nano = 500000000,
						 .memory_bytes = 64 << 20,
						 .pids_max = 10,
						 .netns = "/run/netns/x"};
	spec = make(&bed);
	assert_non_null(spec);
	check(spec, "process", "args",
	      "[\"/sbin/docker-init\",\"--\",\"/bin/httpd\",\"-f\",\"conf\"]");
	check(spec, "process", "env",
	      "[\"HOSTNAME=host\",\"TERM=xterm\",\"A=mine\",\"B=2\",\"HOME=/home/web\"]");
	check(spec, "process", "rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":6}]");
	check(spec, "process", "capabilities",
	      "{\"bounding\":[\"CAP_NET_ADMIN\"],\"effective\":[\"CAP_NET_ADMIN\"],\"permitted\":["
	      "\"CAP_NET_ADMIN\"]}");
	check(spec, "linux", "sysctl", "{\"net.core.somaxconn\":\"100\"}");
	check(spec, "linux", "resources",
	      "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"cpu\":{\"quota\":50000,"
	      "\"period\":100000},"
	      "\"memory\":{\"limit\":67108864},\"pids\":{\"limit\":10}}");
	check(spec, "annotations", "l", "\"mine\"");
	check(spec, "annotations", "k", "\"\"");
	char *text = json_dumps(json_object_get(spec, "mounts"), JSON_COMPACT);
	assert_non_null(
	    strstr(text, "{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/host/bind\","
			 "\"options\":[\"rbind\",\"rprivate\",\"ro\"]}"));
	assert_non_null(
	    strstr(text, "{\"destination\":\"/v\",\"type\":\"bind\",\"source\":\"/host/volume\","
			 "\"options\":[\"rbind\",\"rprivate\",\"rw\"]}"));
	assert_non_null(strstr(text, "\"mode=700\",\"rw\",\"size=4096\""));
	free(text);
	json_decref(spec);
	json_decref(bed.image);
}

static void refused(struct bed bed, const char *says)
{
	assert_null(make(&bed));
	assert_non_null(strstr(bed.error.message, says));
	json_decref(bed.image);
}

static void test_refused(void **state)
{
	static const char *const caps[] = {"CAP_FLY", NULL}, *const foreign[] = {"kernel.panic=1",
										 NULL};
	static const char *const bytes[] = {"a", "\xff", NULL};
	static const char *const way[] = {"net/../kernel/panic=1", NULL};
	static const struct container_ulimit ulimits[] = {{"fly", 1, 1}, {"core", 2, 1}};
	static const struct container_mount mounts[] = {
	    {.type = MOUNT_TMPFS, .target = "x"},
	    {.type = MOUNT_TMPFS, .target = "/"},
	    {.type = MOUNT_TMPFS, .target = "/a/../.."},
	    {.type = MOUNT_BIND, .target = "/a", .propagation = "x"}};
	struct bed bed;

	(void)state;
#define REFUSED(field, value, says)                                                                \
	(bed = make_bed(), bed.options.field = (value), refused(bed, says))
	REFUSED(capability_add, caps, "unknown capability: \"CAP_FLY\"");
	REFUSED(sysctls, foreign, "sysctl 'kernel.panic=1' is not whitelisted");
	REFUSED(sysctls, way, "invalid sysctl");
	REFUSED(memory_bytes, 4096, "Minimum memory limit allowed is 6MB");
	REFUSED(cpu_nano, 10, "Must be at least 0.01");
	REFUSED(args, bytes, "Cmd: holds text that is not UTF-8");
	REFUSED(env, bytes, "Env: holds");
	REFUSED(workdir, "relative", "needs to be an absolute path");
	for (size_t i = 0; i < 2; i++) {
		bed = make_bed();
		bed.options.ulimits = &ulimits[i];
		bed.options.ulimit_count = 1;
		refused(bed, i ? "soft limit must be less" : "invalid ulimit type: fly");
	}
	for (size_t i = 0; i < 4; i++) {
		bed = make_bed();
		bed.options.mounts = &mounts[i];
		bed.options.mount_count = 1;
		refused(bed, "invalid");
	}
}

static void check_health(const char *image_text, const char *const *test, const char *expected)
{
	const struct container_options options = {
	    .id = "c1", .hostname = "h", .stop_grace_ns = -1, .health = {.test = test}};
	AUTO_JSON json_t *image = json_loads(image_text, 0, NULL);
	struct container_record record;
	struct error error = {0};
	char *text;

	if (record_make(&options, image, &record, &error) < 0) {
		assert_non_null(strstr(error.message, expected));
		return;
	}
	text = record.health.test ? json_dumps(record.health.test, JSON_COMPACT) : strdup("none");
	assert_string_equal(text, expected);
	free(text);
	record_release(&record);
}

static void test_health_commands(void **state)
{
	static const char *const none[] = {"NONE", NULL}, *const cmd[] = {"CMD", "a", "b", NULL};
	static const char *const shell[] = {"CMD-SHELL", "a b", NULL}, *const bad[] = {"RUN", "x",
										       NULL};
	static const char of_image[] = "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"i\"]}}";
	char long_shell[600] = "{\"Shell\":[\"0\"";

	(void)state;
	check_health("{}", NULL, "none");
	check_health(of_image, NULL, "[\"/bin/sh\",\"-c\",\"i\"]");
	check_health(of_image, none, "none");
	check_health(of_image, cmd, "[\"a\",\"b\"]");
	check_health("{\"Shell\":[\"/bin/ash\",\"-x\"]}", shell, "[\"/bin/ash\",\"-x\",\"a b\"]");
	check_health("{}", bad, "Unknown healthcheck type 'RUN'");
	for (int i = 0; i < HEALTH_WORDS_MAX; i++)
		strcat(long_shell, ",\"1\"");
	check_health(strcat(long_shell, "]}"), shell, "more than 64 words");
}

static void test_signals(void **state)
{
	(void)state;
	assert_int_equal(spec_signal("SIGTERM"), SIGTERM);
	assert_int_equal(spec_signal("quit"), SIGQUIT);
	assert_int_equal(spec_signal("15"), 15);
	assert_int_equal(spec_signal("SIGRTMIN+3"), 37);
	assert_int_equal(spec_signal("RTMAX-1"), 63);
	assert_int_equal(spec_signal("65"), 0);
	assert_int_equal(spec_signal("FLY"), 0);
	assert_int_equal(spec_signal("1x"), 0);
	assert_int_equal(spec_signal(""), 0);
}

static bool allows(uint64_t capabilities, const char *name)
{
	json_t *profile = seccomp_profile(capabilities), *rule, *item;
	bool found = false;
	size_t i, j;

	json_array_foreach (json_object_get(profile, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), j, item)
			found |= !strcmp(json_string_value(item), name) &&
				 !json_object_get(rule, "args") &&
				 !strcmp(json_text(rule, "action"), "SCMP_ACT_ALLOW");
	}
	json_decref(profile);
	return found;
}

static void test_seccomp(void **state)
{
	static const char *const refused_names[] = {
	    "mount",         "bpf",    "init_module", "kexec_load",
	    "keyctl",        "setns",  "unshare",     "userfaultfd",
	    "reboot",        "swapon", "clone3",      "open_by_handle_at",
	    "io_uring_setup"};

	(void)state;
	for (size_t i = 0; i < sizeof(refused_names) / sizeof(refused_names[0]); i++)
		assert_false(allows(0, refused_names[i]));
	assert_true(allows(0, "read") && allows(0, "epoll_pwait2") && allows(0, "statx"));
	assert_true(allows((uint64_t)1 << 21, "mount") && allows((uint64_t)1 << 21, "clone3"));
	assert_true(allows((uint64_t)1 << 18, "chroot") && !allows(0, "chroot"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),   cmocka_unit_test(test_command_line),
	    cmocka_unit_test(test_everything), cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_signals),    cmocka_unit_test(test_health_commands),
	    cmocka_unit_test(test_seccomp)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
