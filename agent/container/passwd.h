/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PASSWD_H
#define FL_PASSWD_H
/* "USER[:GROUP]", each a name or a number, by the rules of docker (moby's user package). Pure. */
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

enum { PASSWD_GROUPS_MAX = 64, PASSWD_FILE_MAX = 1 << 20 };

struct passwd_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[PASSWD_GROUPS_MAX]; /* others that name the user as their member */
	unsigned int group_count;
	char home[256]; /* "/" where none is said */
};

/*
 * passwd and group: the image's files, each ending in a NUL; "" for one that is missing. spec: NULL
 * and "" mean root. -ENOENT with docker's words where a name has no entry; -EINVAL for a number out
 * of bounds.
 */
int passwd_resolve(const char *spec, const char *passwd, const char *group, struct passwd_user *out,
		   struct error *error);
#endif
