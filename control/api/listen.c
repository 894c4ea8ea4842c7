/* SPDX-License-Identifier: BSD-2-Clause */
#include "listen.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api_limits.h"

static int fail(const char *path, const char *what, struct problem *problem)
{
	const int code = -errno;

	return problem_set(problem, code, "%s: %s: %s", path, what, strerror(-code));
}

/* 0: someone answers. A full backlog is an answer too. */
static int try_connect(const struct sockaddr_un *address)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	close(fd);
	return rc == -EAGAIN ? 0 : rc;
}

/* Makes place at the path. */
static int clear_path(const struct sockaddr_un *address, struct problem *problem)
{
	const char *path = address->sun_path;
	struct stat status;
	int rc;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : fail(path, "stat", problem);
	if (!S_ISSOCK(status.st_mode))
		return problem_set(problem, -EEXIST, "%s: is there and is not a socket", path);
	rc = try_connect(address);
	if (rc == 0)
		return problem_set(problem, -EADDRINUSE,
				   "%s: another daemon answers on this socket", path);
	if (rc != -ECONNREFUSED)
		return problem_set(problem, rc, "%s: connect: %s", path, strerror(-rc));
	return unlink(path) < 0 && errno != ENOENT ? fail(path, "unlink", problem) : 0;
}

static gid_t find_group(const char *const *groups)
{
	for (; *groups; groups++) {
		const struct group *group = getgrnam(*groups);

		if (group)
			return group->gr_gid;
	}
	return (gid_t)-1;
}

static int open_up(const char *path, const char *const *groups, int fd,
		   struct api_listener *listener, struct problem *problem)
{
	struct stat status;

	if (listen(fd, API_BACKLOG) < 0)
		return fail(path, "listen", problem);
	/* The group first: with the mode first, the group that the file came with could connect. */
	if (lchown(path, (uid_t)-1, find_group(groups)) < 0)
		return fail(path, "chown", problem);
	if (chmod(path, 0660) < 0)
		return fail(path, "chmod", problem);
	if (lstat(path, &status) < 0)
		return fail(path, "stat", problem);
	*listener =
	    (struct api_listener){.fd = fd, .device = status.st_dev, .inode = status.st_ino};
	return 0;
}

int api_listen(const char *path, const char *const *groups, struct api_listener *listener,
	       struct problem *problem)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return problem_set(problem, -ENAMETOOLONG, "%s: too long for a unix socket", path);
	strcpy(address.sun_path, path);
	rc = clear_path(&address, problem);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(path, "socket", problem);
	/* bind() gives the file the socket's mode, so that there is no moment at which it is open
	 * to all; the umask would be the whole process's. */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		rc = fail(path, "bind", problem);
	} else {
		rc = open_up(path, groups, fd, listener, problem);
		if (rc < 0)
			unlink(path);
	}
	if (rc < 0)
		close(fd);
	return rc;
}

void api_listen_remove(const char *path, const struct api_listener *listener)
{
	struct stat status;

	if (lstat(path, &status) == 0 && status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		unlink(path);
}
