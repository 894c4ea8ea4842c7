/* SPDX-License-Identifier: BSD-2-Clause */
#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "durable.h"
#include "tree.h"

static int make_folders(const char *folder, char **merged)
{
	static const char *const names[] = {"upper", "work", "merged"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO_FREE char *path = NULL;
		if (asprintf(&path, "%s/%s", folder, names[i]) < 0)
			return -ENOMEM;
		if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
			return -errno;
		if (i == 2)
			*merged = steal_ptr(&path);
	}
	return 0;
}

/* In the child of a process with threads: only what is safe after fork (signal-safety(7)). */
static int mount_in(const char *where, const char *merged, const char *options)
{
	if (chdir(where) < 0 || mount("overlay", merged, "overlay", 0, options) < 0)
		return errno;
	return 0;
}

int rootfs_mount(const char *folder, const char *layers_folder, const char *lower,
		 struct error *error)
{
	AUTO_FREE char *merged = NULL, *options = NULL;
	int rc = make_folders(folder, &merged), status;
	pid_t child;

	if (rc < 0)
		return error_set(error, rc, "%s: %s", folder, strerror(-rc));
	/* An image of no layers has an empty root; overlayfs wants one folder below, and work/ is
	 * one. */
	if (asprintf(&options, "lowerdir=%s%s%s,upperdir=%s/upper,workdir=%s/work", lower,
		     *lower ? "" : folder, *lower ? "" : "/merged", folder, folder) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (strlen(options) >= (size_t)sysconf(_SC_PAGESIZE))
		return error_set(error, -ENAMETOOLONG,
				 "%s: the path is too long to mount %zu bytes of layers", folder,
				 strlen(lower));
	child = fork();
	if (!child)
		_exit(mount_in(layers_folder, merged, options));
	while (child > 0 && waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set(error, -errno, "mount: %s", strerror(errno));
	}
	rc = child < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return rc ? error_set(error, -rc, "cannot mount the container's root at %s: %s", merged,
			      strerror(rc))
		  : 0;
}

int rootfs_unmount(const char *folder)
{
	AUTO_FREE char *merged = NULL;

	if (asprintf(&merged, "%s/merged", folder) < 0)
		return -ENOMEM;
	if (!umount2(merged, MNT_DETACH | UMOUNT_NOFOLLOW) || errno == EINVAL || errno == ENOENT)
		return 0;
	return -errno;
}

static int read_file(int root, const char *path, char **text)
{
	AUTO_FD int fd = tree_open(root, path, O_RDONLY | O_NONBLOCK, 0);
	size_t length;

	if (fd < 0) {
		*text = strdup("");
		return *text ? 0 : -ENOMEM;
	}
	return durable_read_fd(fd, PASSWD_FILE_MAX, text, &length);
}

int rootfs_user(int root, const char *spec, struct passwd_user *out, struct error *error)
{
	AUTO_FREE char *passwd = NULL, *group = NULL;
	int rc = read_file(root, "etc/passwd", &passwd);

	rc = rc < 0 ? rc : read_file(root, "etc/group", &group);
	if (rc < 0)
		return error_set(error, rc, "the image's /etc/passwd or /etc/group: %s",
				 strerror(-rc));
	return passwd_resolve(spec, passwd, group, out, error);
}

int rootfs_copy_out(int root, const char *path, const char *into, struct error *error)
{
	AUTO_FD int from = tree_open(root, path, O_RDONLY | O_DIRECTORY, 0);
	AUTO_FD int to = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (from == -ENOENT || from == -ENOTDIR)
		return 0;
	rc = from < 0 ? from : to < 0 ? -errno : tree_copy(from, to);
	return rc < 0
		   ? error_set(error, rc, "cannot fill the volume for %s: %s", path, strerror(-rc))
		   : 0;
}
