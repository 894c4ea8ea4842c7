/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_LISTEN_H
#define FL_API_LISTEN_H
/*
 * The unix socket that a server listens on.
 */
#include <sys/types.h>

#include "problem.h"

struct api_listener {
	int fd;
	dev_t device;
	ino_t inode;
};

/*
 * Mode 0660 and the first group of groups (a NULL ends them) that the machine has; no one else can
 * connect at any moment. A socket that nobody answers on is replaced. -EADDRINUSE: somebody does;
 * -EEXIST: the path is something else; -ENAMETOOLONG; others as the system has them.
 */
int api_listen(const char *path, const char *const *groups, struct api_listener *listener,
	       struct problem *problem);
/* Removes the path, where it is still the listener's. Before fd is closed, which is what keeps the
 * inode's number from being another's. */
void api_listen_remove(const char *path, const struct api_listener *listener);
#endif
