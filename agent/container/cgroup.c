/* SPDX-License-Identifier: BSD-2-Clause */
#include "cgroup.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "cleanup.h"

enum cgroup_kind cgroup_kind_of_host(void)
{
	struct statfs stat;

	return !statfs("/sys/fs/cgroup", &stat) && stat.f_type == CGROUP2_SUPER_MAGIC ? CGROUP_V2
										      : CGROUP_V1;
}

long cgroup_oom_kills(enum cgroup_kind kind, const char *path)
{
	AUTO_FREE char *name = NULL;
	char key[64];
	long value;

	if (asprintf(&name,
		     kind == CGROUP_V2 ? "/sys/fs/cgroup%s/memory.events"
				       : "/sys/fs/cgroup/memory%s/memory.oom_control",
		     path) < 0)
		return -1;
	AUTO_FILE FILE *file = fopen(name, "re");
	while (file && fscanf(file, "%63s %ld", key, &value) == 2) {
		if (!strcmp(key, "oom_kill"))
			return value;
	}
	return -1;
}
