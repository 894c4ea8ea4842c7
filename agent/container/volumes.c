/* SPDX-License-Identifier: BSD-2-Clause */
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "durable.h"
#include "tree.h"

enum { NAME_LENGTH_MAX = 250 };

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool volume_name_valid(const char *name)
{
	const size_t length = strlen(name);

	return length >= 2 && length <= NAME_LENGTH_MAX && strspn(name, WORD) >= 1 &&
	       strspn(name, WORD "_.-") == length;
}

int volume_open(const char *folder, const char *name, char **path, bool *fresh, struct error *error)
{
	AUTO_FREE char *top = NULL, *data = NULL;
	int rc;

	if (!volume_name_valid(name))
		return error_set(error, -EINVAL,
				 "create %.100s: \"%.100s\" includes invalid characters for a "
				 "local volume name, "
				 "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed",
				 name, name);
	if (asprintf(&top, "%s/%s", folder, name) < 0 || asprintf(&data, "%s/_data", top) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	rc = durable_make_folder(top, 0701);
	*fresh = !rc && !mkdir(data, 0755);
	if (!rc && !*fresh && errno != EEXIST)
		rc = -errno;
	if (rc < 0)
		return error_set(error, rc, "volume %s: %s", name, strerror(-rc));
	*path = steal_ptr(&data);
	return 0;
}

int volume_remove(const char *folder, const char *name, struct error *error)
{
	AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat stat;
	int rc;

	if (fd < 0 || !volume_name_valid(name) || fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(error, -ENOENT, "get %.200s: no such volume", name);
	rc = tree_remove(fd, name);
	return rc < 0 ? error_set(error, rc, "remove %s: %s", name, strerror(-rc)) : 0;
}

static json_t *show(const char *folder, const char *name, const struct stat *stat)
{
	char when[32] = "";
	struct tm time;

	if (gmtime_r(&stat->st_mtim.tv_sec, &time))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &time);
	return json_pack("{s:s, s:s, s:n, s:o, s:s, s:n, s:s}", "CreatedAt", when, "Driver",
			 "local", "Labels", "Mountpoint", json_sprintf("%s/%s/_data", folder, name),
			 "Name", name, "Options", "Scope", "local");
}

json_t *volumes_list(const char *folder)
{
	AUTO_DIR DIR *dir = opendir(folder);
	json_t *list = json_array();
	const struct dirent *entry;
	struct stat stat;

	while (dir && (entry = readdir(dir))) {
		if (volume_name_valid(entry->d_name) &&
		    !fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) &&
		    S_ISDIR(stat.st_mode))
			json_array_append_new(list, show(folder, entry->d_name, &stat));
	}
	return list;
}
