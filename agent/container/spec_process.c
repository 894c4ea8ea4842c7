/* SPDX-License-Identifier: BSD-2-Clause */
/* What runs in the container, as whom, and with which rights. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capabilities.h"
#include "json_auto.h"
#include "spec_internal.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void append(json_t *list, const char *const *texts)
{
	for (; texts && *texts; texts++)
		json_array_append_new(list, json_string(*texts));
}

/*
 * The creator's entrypoint hides the image's, and its arguments too; the creator's arguments hide
 * the image's alone (docker run).
 */
json_t *spec_args(const struct container_options *options, const json_t *image)
{
	json_t *list = json_array();

	if (options->entrypoint)
		append(list, options->entrypoint);
	else
		json_array_extend(list, json_object_get(image, "Entrypoint"));
	if (options->args)
		append(list, options->args);
	else if (!options->entrypoint)
		json_array_extend(list, json_object_get(image, "Cmd"));
	return list;
}

static size_t key_length(const char *entry)
{
	return strcspn(entry, "=");
}

/* Replaces the entry of that name, or adds it; without "=" it is taken away, as docker has it. */
static void set_env(json_t *list, const char *entry)
{
	const size_t length = key_length(entry);
	const json_t *other;
	size_t i;

	json_array_foreach (list, i, other) {
		const char *text = json_string_value(other);
		if (key_length(text) != length || memcmp(text, entry, length) != 0)
			continue;
		if (entry[length])
			json_array_set_new(list, i, json_string(entry));
		else
			json_array_remove(list, i);
		return;
	}
	if (entry[length])
		json_array_append_new(list, json_string(entry));
}

static bool has_env(const json_t *list, const char *key)
{
	const size_t length = strlen(key);
	const json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *text = json_string_value(entry);
		if (key_length(text) == length && !memcmp(text, key, length))
			return true;
	}
	return false;
}

static json_t *make_env(const struct spec_input *input)
{
	const struct container_options *options = input->options;
	json_t *list = json_array(), *entry;
	char text[300];
	size_t i;

	set_env(list, PATH_DEFAULT);
	snprintf(text, sizeof(text), "HOSTNAME=%s", options->hostname);
	set_env(list, text);
	if (options->tty)
		set_env(list, "TERM=xterm");
	json_array_foreach (json_object_get(input->image, "Env"), i, entry)
		set_env(list, json_string_value(entry));
	for (const char *const *at = options->env; at && *at; at++)
		set_env(list, *at);
	if (!has_env(list, "HOME")) {
		snprintf(text, sizeof(text), "HOME=%s", input->user->home);
		set_env(list, text);
	}
	return list;
}

static json_t *make_capabilities(uint64_t bits)
{
	json_t *list = json_array();
	json_t *sets;

	for (unsigned int i = 0; i < CAPABILITY_COUNT; i++) {
		if (bits >> i & 1)
			json_array_append_new(list, json_string(capability_name(i)));
	}
	/* Not inheritable: a program that gives up root would keep what files say (CVE-2022-24769).
	 */
	sets = json_pack("{s:O, s:O, s:O}", "bounding", list, "effective", list, "permitted", list);
	json_decref(list);
	return sets;
}

static int add_limits(const struct container_options *options, json_t *process, struct error *error)
{
	static const char known[] =
	    " as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio "
	    "rttime sigpending stack ";
	json_t *list = json_array();

	json_object_set_new(process, "rlimits", list);
	for (unsigned int i = 0; i < options->ulimit_count; i++) {
		const struct container_ulimit *limit = &options->ulimits[i];
		char word[32], type[48] = "RLIMIT_";
		if ((size_t)snprintf(word, sizeof(word), " %s ", limit->name) >= sizeof(word) ||
		    !strstr(known, word))
			return error_set(error, -EINVAL, "invalid ulimit type: %.30s", limit->name);
		if (limit->hard >= 0 && (limit->soft > limit->hard || limit->soft < 0))
			return error_set(error, -EINVAL,
					 "ulimit soft limit must be less than or equal to hard "
					 "limit: %lld > %lld",
					 (long long)limit->soft, (long long)limit->hard);
		for (size_t at = 0; limit->name[at]; at++)
			type[7 + at] = (char)toupper((unsigned char)limit->name[at]);
		/* RLIM_INFINITY is all ones, which JSON's signed number is as -1; the runtime wants
		 * it unsigned. */
		json_array_append_new(
		    list, json_pack("{s:s, s:I, s:I}", "type", type, "soft",
				    (json_int_t)(limit->soft < 0 ? INT64_MAX : limit->soft), "hard",
				    (json_int_t)(limit->hard < 0 ? INT64_MAX : limit->hard)));
	}
	return 0;
}

static json_t *make_user(const struct passwd_user *user)
{
	json_t *groups = json_array();

	for (unsigned int i = 0; i < user->group_count; i++)
		json_array_append_new(groups, json_integer(user->groups[i]));
	return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user->uid, "gid",
			 (json_int_t)user->gid, "additionalGids", groups);
}

int spec_process(const struct spec_input *input, uint64_t capabilities, json_t **out,
		 struct error *error)
{
	const struct container_options *options = input->options;
	const char *folder = spec_workdir(options, input->image);
	json_t *args = spec_args(options, input->image);
	json_t *process;
	int rc;

	if (!json_array_size(args)) {
		json_decref(args);
		return error_set(error, -EINVAL, "No command specified");
	}
	if (options->init) {
		json_array_insert_new(args, 0, json_string("/sbin/docker-init"));
		json_array_insert_new(args, 1, json_string("--"));
	}
	process =
	    json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:i}", "terminal", options->tty, "cwd",
		      folder, "args", args, "env", make_env(input), "user", make_user(input->user),
		      "capabilities", make_capabilities(capabilities), "oomScoreAdj", 0);
	if (!process)
		return error_set(error, -ENOMEM, "out of memory, or text that is no UTF-8");
	if (*folder != '/')
		rc = error_set(
		    error, -EINVAL,
		    "the working directory '%.100s' is invalid, it needs to be an absolute path",
		    folder);
	else
		rc = add_limits(options, process, error);
	if (rc < 0)
		json_decref(process);
	else
		*out = process;
	return rc;
}
