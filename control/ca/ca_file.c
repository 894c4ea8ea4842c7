/* SPDX-License-Identifier: BSD-2-Clause */
#include "ca_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_SIZE = 64 };

static void close_file(int *file)
{
	if (*file >= 0)
		close(*file);
}
#define OWNS_FILE __attribute__((cleanup(close_file)))

/* Up to size_max + 1 bytes, so that too many are seen. */
static ssize_t read_all(int file, char *data, size_t size_max)
{
	size_t size = 0;

	while (size <= size_max) {
		const ssize_t got = read(file, data + size, size_max + 1 - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		size += (size_t)got;
	}
	return size <= size_max ? (ssize_t)size : -EFBIG;
}

int ca_file_read(int folder, const char *name, size_t size_max, char **data, size_t *size)
{
	/* Not to hang where somebody has put a fifo. */
	OWNS_FILE int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	char *all;
	ssize_t got;

	if (file < 0 || fstat(file, &status))
		return errno == ELOOP ? -EINVAL : -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	all = malloc(size_max + 2);
	if (!all)
		return -ENOMEM;
	got = read_all(file, all, size_max);
	if (got < 0) {
		OPENSSL_cleanse(all, size_max + 2);
		free(all);
		return (int)got;
	}
	all[got] = '\0';
	*data = all;
	*size = (size_t)got;
	return 0;
}

static int write_all(int file, const char *data, size_t size)
{
	while (size) {
		const ssize_t written = write(file, data, size);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			data += written;
			size -= (size_t)written;
		}
	}
	return fsync(file) ? -errno : 0;
}

static int write_new(int folder, const char *name, mode_t mode, const void *data, size_t size)
{
	/* One that a crash has left may have any mode. */
	OWNS_FILE int file = -1;

	if (unlinkat(folder, name, 0) && errno != ENOENT)
		return -errno;
	file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (file < 0 || fchmod(file, mode)) /* whatever the umask takes away */
		return -errno;
	return write_all(file, data, size);
}

int ca_file_write(int folder, const char *name, mode_t mode, const void *data, size_t size)
{
	char temporary[NAME_MAX_SIZE];
	const int length = snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
	int err;

	assert(length > 0 && (size_t)length < sizeof(temporary));
	err = write_new(folder, temporary, mode, data, size);
	if (!err)
		err = ca_file_rename(folder, temporary, name);
	else
		unlinkat(folder, temporary, 0);
	return err;
}

int ca_file_rename(int folder, const char *from, const char *to)
{
	if (renameat(folder, from, folder, to))
		return -errno;
	return fsync(folder) ? -errno : 0;
}

int ca_file_remove(int folder, const char *name)
{
	if (unlinkat(folder, name, 0))
		return errno == ENOENT ? 0 : -errno;
	return fsync(folder) ? -errno : 0;
}

int ca_file_open_folder(const char *path, const char *name, mode_t mode)
{
	OWNS_FILE int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int folder;

	if (parent < 0)
		return -errno;
	if (!mkdirat(parent, name, mode)) {
		if (fsync(parent))
			return -errno;
	} else if (errno != EEXIST) {
		return -errno;
	}
	folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return folder < 0 ? -errno : folder;
}
