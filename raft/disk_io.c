/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int kernel_open_folder(void *context, const char *path)
{
	int fd;

	(void)context;
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int kernel_open(void *context, int folder, const char *name, int how)
{
	int flags = how == DISK_IO_READ     ? O_RDONLY
		    : how == DISK_IO_CREATE ? O_RDWR | O_CREAT
					    : O_RDWR | O_CREAT | O_TRUNC;
	int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

	(void)context;
	return fd < 0 ? -errno : fd;
}

static void kernel_close(void *context, int handle)
{
	(void)context;
	close(handle);
}

static int kernel_lock(void *context, int handle)
{
	(void)context;
	return flock(handle, LOCK_EX | LOCK_NB) ? -errno : 0;
}

static ssize_t kernel_pread(void *context, int handle, void *to, size_t size, uint64_t offset)
{
	ssize_t got = pread(handle, to, size, (off_t)offset);

	(void)context;
	return got < 0 ? -errno : got;
}

static ssize_t kernel_pwrite(void *context, int handle, const void *from, size_t size,
			     uint64_t offset)
{
	ssize_t put = pwrite(handle, from, size, (off_t)offset);

	(void)context;
	return put < 0 ? -errno : put;
}

static int kernel_allocate(void *context, int handle, uint64_t size)
{
	(void)context;
	return fallocate(handle, 0, 0, (off_t)size) ? -errno : 0;
}

static int kernel_truncate(void *context, int handle, uint64_t size)
{
	(void)context;
	return ftruncate(handle, (off_t)size) ? -errno : 0;
}

static int kernel_size(void *context, int handle, uint64_t *size)
{
	struct stat status;

	(void)context;
	if (fstat(handle, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	*size = (uint64_t)status.st_size;
	return 0;
}

static int kernel_sync(void *context, int handle)
{
	(void)context;
	return fdatasync(handle) ? -errno : 0;
}

static int kernel_sync_folder(void *context, int folder)
{
	(void)context;
	return fsync(folder) ? -errno : 0;
}

static int kernel_rename(void *context, int folder, const char *from, const char *to)
{
	(void)context;
	return renameat(folder, from, folder, to) ? -errno : 0;
}

static int kernel_unlink(void *context, int folder, const char *name)
{
	(void)context;
	return unlinkat(folder, name, 0) ? -errno : 0;
}

static int kernel_list(void *context, int folder, int (*each)(void *argument, const char *name),
		       void *argument)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	(void)context;
	if (!directory) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	for (errno = 0; err == 0 && (entry = readdir(directory)); errno = 0)
		err = each(argument, entry->d_name);
	if (err == 0 && errno)
		err = -errno;
	closedir(directory);
	return err;
}

static int kernel_random(void *context, void *to, size_t size)
{
	(void)context;
	/* Up to 256 bytes come whole. */
	return size <= 256 && getrandom(to, size, 0) == (ssize_t)size ? 0 : -EIO;
}

const struct disk_io disk_io_kernel = {
    .open_folder = kernel_open_folder,
    .open = kernel_open,
    .close = kernel_close,
    .lock = kernel_lock,
    .pread = kernel_pread,
    .pwrite = kernel_pwrite,
    .allocate = kernel_allocate,
    .truncate = kernel_truncate,
    .size = kernel_size,
    .sync = kernel_sync,
    .sync_folder = kernel_sync_folder,
    .rename = kernel_rename,
    .unlink = kernel_unlink,
    .list = kernel_list,
    .random = kernel_random,
};
