/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"

int tree_open(int root, const char *path, int flags, mode_t mode)
{
	const struct open_how how = {
	    .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
	    .mode = flags & O_CREAT ? mode : 0,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* EAGAIN: something was renamed meanwhile, and the kernel cannot be sure. */
	for (int tries = 0; tries < 16; tries++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

int tree_make_folder(int root, const char *path, mode_t mode)
{
	AUTO_FREE char *prefix = strdup(path);
	AUTO_FD int parent = tree_open(root, "/", O_PATH | O_DIRECTORY, 0);
	char *end = prefix;

	if (!prefix)
		return -ENOMEM;
	/* Each prefix is resolved from the root anew, so that a symbolic link in it counts as in a
	 * chroot. */
	while (parent >= 0 && *(end += strspn(end, "/"))) {
		char *const name = end, *const stop = end + strcspn(end, "/");
		const char kept = *stop;
		*stop = '\0';
		int next = tree_open(root, prefix, O_PATH | O_DIRECTORY, 0);
		if (next == -ENOENT) {
			/* The mode again: the first is cut by the umask. */
			if ((mkdirat(parent, name, mode) < 0 ||
			     fchmodat(parent, name, mode, 0) < 0) &&
			    errno != EEXIST)
				return -errno;
			next = tree_open(root, prefix, O_PATH | O_DIRECTORY, 0);
		}
		close(parent);
		parent = next;
		*stop = kept;
		end = stop;
	}
	return parent < 0 ? parent : 0;
}

static int open_folder(int folder, const char *name, struct stat *stat)
{
	AUTO_FD int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || fstat(fd, stat) < 0 ? -errno : steal_fd(&fd);
}

static int remove_below(int folder, const char *name, dev_t device, int depth);

static int remove_all_in(int folder, dev_t device, int depth)
{
	AUTO_DIR DIR *dir = fdopendir(dup(folder));
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while ((errno = 0, entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		const int rc = remove_below(folder, entry->d_name, device, depth);
		if (rc < 0)
			return rc;
	}
	return -errno;
}

static int remove_below(int folder, const char *name, dev_t device, int depth)
{
	struct stat stat;

	if (!unlinkat(folder, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (!unlinkat(folder, name, AT_REMOVEDIR))
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	AUTO_FD int inner = open_folder(folder, name, &stat);
	if (inner < 0)
		return inner;
	if (stat.st_dev != device)
		return -EBUSY; /* something is mounted there, and what is in it is not ours */
	if (depth >= TREE_DEPTH_MAX)
		return -ELOOP;
	const int rc = remove_all_in(inner, device, depth + 1);
	return rc < 0 ? rc : unlinkat(folder, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int tree_remove(int folder, const char *name)
{
	struct stat stat;

	if (fstatat(folder, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return remove_below(folder, name, stat.st_dev, 0);
}

static int copy_file(int from, const char *name, int into, const struct stat *stat)
{
	AUTO_FD int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FD int target = openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t sent;

	if (source < 0 || target < 0)
		return -errno;
	while ((sent = sendfile(target, source, NULL, 1 << 24)) > 0)
		;
	return sent < 0 || fchown(target, stat->st_uid, stat->st_gid) < 0 ||
		       fchmod(target, stat->st_mode & 07777) < 0
		   ? -errno
		   : 0;
}

static int copy_link(int from, const char *name, int into, const struct stat *stat)
{
	char target[PATH_MAX];
	const ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = '\0';
	return symlinkat(target, into, name) < 0 ||
		       fchownat(into, name, stat->st_uid, stat->st_gid, AT_SYMLINK_NOFOLLOW) < 0
		   ? -errno
		   : 0;
}

static int copy_all(int from, int into, int depth);

static int copy_folder(int from, const char *name, int into, int depth)
{
	struct stat stat, made;
	AUTO_FD int source = open_folder(from, name, &stat);

	if (source < 0 || (mkdirat(into, name, 0700) < 0 && errno != EEXIST))
		return source < 0 ? source : -errno;
	AUTO_FD int target = open_folder(into, name, &made);
	return target < 0 ? target : copy_all(source, target, depth + 1);
}

static int copy_one(int from, const char *name, int into, int depth)
{
	struct stat stat;
	int rc = 0;

	if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(stat.st_mode))
		return copy_folder(from, name, into, depth);
	if (S_ISREG(stat.st_mode))
		rc = copy_file(from, name, into, &stat);
	else if (S_ISLNK(stat.st_mode))
		rc = copy_link(from, name, into, &stat);
	const struct timespec times[2] = {stat.st_atim, stat.st_mtim};
	if (!rc)
		(void)utimensat(into, name, times, AT_SYMLINK_NOFOLLOW);
	return rc;
}

static int copy_all(int from, int into, int depth)
{
	AUTO_DIR DIR *dir = fdopendir(dup(from));
	const struct dirent *entry;
	struct stat stat;

	if (!dir || fstat(from, &stat) < 0)
		return -errno;
	if (depth > TREE_DEPTH_MAX)
		return -ELOOP;
	while ((errno = 0, entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		const int rc = copy_one(from, entry->d_name, into, depth);
		if (rc < 0)
			return rc;
	}
	if (errno || fchown(into, stat.st_uid, stat.st_gid) < 0 ||
	    fchmod(into, stat.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

int tree_copy(int from, int into)
{
	return copy_all(from, into, 0);
}
