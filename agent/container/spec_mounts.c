/* SPDX-License-Identifier: BSD-2-Clause */
/* What is mounted in the container's root. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json_auto.h"
#include "spec_internal.h"

static json_t *texts(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		const size_t length = strcspn(text, ",");
		json_array_append_new(list, json_stringn(text, length));
		text += length + (text[length] == ',');
	}
	return list;
}

/* options: with commas between them. */
static void add(json_t *mounts, const char *target, const char *type, const char *source,
		const char *options)
{
	json_array_append_new(mounts,
			      json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type", type,
					"source", source, "options", texts(options)));
}

static void add_defaults(const struct spec_input *input, json_t *mounts)
{
	add(mounts, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	add(mounts, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	add(mounts, "/dev/pts", "devpts", "devpts",
	    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	add(mounts, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
	/* A v1 container has no cgroup namespace: it would see, if not change, the whole machine's
	 * groups. */
	if (input->cgroups == CGROUP_V2)
		add(mounts, "/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev");
	add(mounts, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	add(mounts, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
}

static int add_file(const struct spec_input *input, json_t *mounts, const char *name,
		    struct error *error)
{
	char source[4096], target[64];

	if ((size_t)snprintf(source, sizeof(source), "%s/%s", input->folder, name) >=
	    sizeof(source))
		return error_set(error, -ENAMETOOLONG, "%s: is too long", input->folder);
	snprintf(target, sizeof(target), "/etc/%s", name);
	add(mounts, target, "bind", source, "rbind,rprivate");
	return 0;
}

static int check_target(const char *target, struct error *error)
{
	if (!target || *target != '/')
		return error_set(error, -EINVAL,
				 "invalid mount target, must be an absolute path: %.200s",
				 target ? target : "(none)");
	if (!strcmp(target, "/") || strstr(target, "/../") ||
	    (strlen(target) >= 3 && !strcmp(target + strlen(target) - 3, "/..")))
		return error_set(error, -EINVAL,
				 "invalid specification: destination can't be '%.200s'", target);
	return 0;
}

static int add_bind(const struct container_mount *mount, const char *source, json_t *mounts,
		    struct error *error)
{
	static const char known[] = " private rprivate shared rshared slave rslave ";
	const char *propagation =
	    mount->propagation && *mount->propagation ? mount->propagation : "rprivate";
	char word[32], options[64];

	if ((size_t)snprintf(word, sizeof(word), " %s ", propagation) >= sizeof(word) ||
	    !strstr(known, word))
		return error_set(error, -EINVAL, "invalid propagation mode: %.30s", propagation);
	snprintf(options, sizeof(options), "rbind,%s,%s", propagation,
		 mount->read_only ? "ro" : "rw");
	add(mounts, mount->target, "bind", source, options);
	return 0;
}

static int add_tmpfs(const struct container_mount *mount, json_t *mounts, struct error *error)
{
	char options[128];
	int used = snprintf(options, sizeof(options), "noexec,nosuid,nodev,mode=%o,%s",
			    mount->tmpfs_mode ? mount->tmpfs_mode & 07777 : 01777,
			    mount->read_only ? "ro" : "rw");

	if (mount->tmpfs_size_bytes < 0)
		return error_set(error, -EINVAL, "invalid size for tmpfs %.200s", mount->target);
	if (mount->tmpfs_size_bytes)
		snprintf(options + used, sizeof(options) - (size_t)used, ",size=%lld",
			 (long long)mount->tmpfs_size_bytes);
	add(mounts, mount->target, "tmpfs", "tmpfs", options);
	return 0;
}

static int add_wanted(const struct spec_input *input, json_t *mounts, struct error *error)
{
	const struct container_options *options = input->options;

	for (unsigned int i = 0; i < options->mount_count; i++) {
		const struct container_mount *mount = &options->mounts[i];
		int rc = check_target(mount->target, error);
		for (unsigned int j = 0; !rc && j < i; j++) {
			if (!strcmp(options->mounts[j].target, mount->target))
				rc = error_set(error, -EINVAL, "Duplicate mount point: %.200s",
					       mount->target);
		}
		if (!rc && mount->type == MOUNT_TMPFS)
			rc = add_tmpfs(mount, mounts, error);
		else if (!rc)
			rc = add_bind(mount, input->mount_sources[i], mounts, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int spec_mounts(const struct spec_input *input, json_t **out, struct error *error)
{
	static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
	const struct container_options *options = input->options;
	AUTO_JSON json_t *mounts = json_array();
	int rc = 0;

	add_defaults(input, mounts);
	for (size_t i = 0; !rc && i < sizeof(files) / sizeof(files[0]); i++)
		rc = add_file(input, mounts, files[i], error);
	if (!rc && options->init && !input->init_program)
		rc = error_set(error, -EINVAL, "init: this node has no init program");
	if (!rc && options->init)
		add(mounts, "/sbin/docker-init", "bind", input->init_program, "rbind,rprivate,ro");
	rc = rc < 0 ? rc : add_wanted(input, mounts, error);
	if (rc < 0)
		return rc;
	*out = mounts;
	mounts = NULL;
	return 0;
}
