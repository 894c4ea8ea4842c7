/* SPDX-License-Identifier: BSD-2-Clause */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"

/* Files of /proc have no size: read until they end. */
static int read_small(const char *path, char *text, size_t size)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	return 0;
}

int process_identify(int pid, struct process_id *out)
{
	struct process_id id = {.pid = pid};
	char path[32], text[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(path, text, sizeof(text)) < 0)
		return -ESRCH;
	/* The second field is the program's name and may hold anything; the last ")" ends it. */
	at = strrchr(text, ')');
	if (!at ||
	    sscanf(at + 1,
		   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%" SCNu64,
		   &id.start_ticks) != 1)
		return -ESRCH;
	if (read_small("/proc/sys/kernel/random/boot_id", text, sizeof(id.boot_id)) < 0)
		return -ESRCH;
	text[strcspn(text, "\n")] = '\0';
	memcpy(id.boot_id, text, strlen(text) + 1);
	*out = id;
	return 0;
}

int process_open(const struct process_id *id)
{
	AUTO_FD int fd = id->pid > 0 ? (int)syscall(SYS_pidfd_open, id->pid, 0) : -1;
	struct process_id now;

	/* In this order: what the descriptor stands for cannot change any more when it is looked
	 * at. */
	if (fd < 0 || process_identify(id->pid, &now) < 0 || now.start_ticks != id->start_ticks ||
	    strcmp(now.boot_id, id->boot_id) != 0)
		return -ESRCH;
	return steal_fd(&fd);
}

int process_signal(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}
