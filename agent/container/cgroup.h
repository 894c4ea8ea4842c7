/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CGROUP_H
#define FL_CGROUP_H
/* Control groups as the host has them: version 2 alone, or version 1's controllers. */
#include <stdbool.h>

enum cgroup_kind { CGROUP_V1, CGROUP_V2 };

/* By what is mounted at /sys/fs/cgroup. */
enum cgroup_kind cgroup_kind_of_host(void);

/*
 * How often the kernel killed a process of the group for want of memory; -1: the group is gone, or
 * nobody counts. path: as in cgroupsPath, "/fairlead/ID".
 */
long cgroup_oom_kills(enum cgroup_kind kind, const char *path);
#endif
