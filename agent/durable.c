/* SPDX-License-Identifier: BSD-2-Clause */
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

int durable_make_folder(const char *path, mode_t mode)
{
	AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *at = copy + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int durable_sync_folder(const char *path)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int durable_write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		const ssize_t wrote = write(fd, at, length);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		at += wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

static int write_beside(int folder, const char *name, const void *bytes, size_t length, mode_t mode,
			bool sync)
{
	AUTO_FD int fd =
	    openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int rc;

	if (fd < 0)
		return -errno;
	rc = durable_write_all(fd, bytes, length);
	return rc < 0 ? rc : sync && fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *folder, const char *name, const void *bytes, size_t length,
		   mode_t mode, bool sync)
{
	AUTO_FD int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char beside[NAME_MAX + 1];
	int rc;

	if (dir < 0)
		return -errno;
	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", name) >= sizeof(beside))
		return -ENAMETOOLONG;
	rc = write_beside(dir, beside, bytes, length, mode, sync);
	if (!rc && renameat(dir, beside, dir, name) < 0)
		rc = -errno;
	if (rc < 0) {
		unlinkat(dir, beside, 0);
		return rc;
	}
	return sync && fsync(dir) < 0 ? -errno : 0;
}

int durable_write(const char *folder, const char *name, const void *bytes, size_t length,
		  mode_t mode)
{
	return replace(folder, name, bytes, length, mode, true);
}

int durable_replace(const char *folder, const char *name, const void *bytes, size_t length,
		    mode_t mode)
{
	return replace(folder, name, bytes, length, mode, false);
}

int durable_read_fd(int fd, size_t length_max, char **bytes, size_t *length)
{
	AUTO_FREE char *buffer = NULL;
	struct stat stat;
	size_t used = 0, room;

	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return -EINVAL;
	if ((uint64_t)stat.st_size > length_max)
		return -EFBIG;
	room = (size_t)stat.st_size;
	buffer = malloc(room + 1);
	if (!buffer)
		return -ENOMEM;
	while (used < room) {
		const ssize_t got = read(fd, buffer + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break; /* it was cut meanwhile */
		used += (size_t)got;
	}
	buffer[used] = '\0';
	*bytes = steal_ptr(&buffer);
	*length = used;
	return 0;
}

int durable_read(const char *path, size_t length_max, char **bytes, size_t *length)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : durable_read_fd(fd, length_max, bytes, length);
}
