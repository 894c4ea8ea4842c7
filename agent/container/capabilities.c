/* SPDX-License-Identifier: BSD-2-Clause */
#include "capabilities.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {"CAP_CHOWN",
				    "CAP_DAC_OVERRIDE",
				    "CAP_DAC_READ_SEARCH",
				    "CAP_FOWNER",
				    "CAP_FSETID",
				    "CAP_KILL",
				    "CAP_SETGID",
				    "CAP_SETUID",
				    "CAP_SETPCAP",
				    "CAP_LINUX_IMMUTABLE",
				    "CAP_NET_BIND_SERVICE",
				    "CAP_NET_BROADCAST",
				    "CAP_NET_ADMIN",
				    "CAP_NET_RAW",
				    "CAP_IPC_LOCK",
				    "CAP_IPC_OWNER",
				    "CAP_SYS_MODULE",
				    "CAP_SYS_RAWIO",
				    "CAP_SYS_CHROOT",
				    "CAP_SYS_PTRACE",
				    "CAP_SYS_PACCT",
				    "CAP_SYS_ADMIN",
				    "CAP_SYS_BOOT",
				    "CAP_SYS_NICE",
				    "CAP_SYS_RESOURCE",
				    "CAP_SYS_TIME",
				    "CAP_SYS_TTY_CONFIG",
				    "CAP_MKNOD",
				    "CAP_LEASE",
				    "CAP_AUDIT_WRITE",
				    "CAP_AUDIT_CONTROL",
				    "CAP_SETFCAP",
				    "CAP_MAC_OVERRIDE",
				    "CAP_MAC_ADMIN",
				    "CAP_SYSLOG",
				    "CAP_WAKE_ALARM",
				    "CAP_BLOCK_SUSPEND",
				    "CAP_AUDIT_READ",
				    "CAP_PERFMON",
				    "CAP_BPF",
				    "CAP_CHECKPOINT_RESTORE"};
_Static_assert(sizeof(names) / sizeof(names[0]) == CAPABILITY_COUNT,
	       "as linux/capability.h counts them");

static const char *const defaults[] = {"CHOWN",      "DAC_OVERRIDE", "FSETID", "FOWNER",
				       "MKNOD",      "NET_RAW",      "SETGID", "SETUID",
				       "SETFCAP",    "SETPCAP",      "KILL",   "NET_BIND_SERVICE",
				       "SYS_CHROOT", "AUDIT_WRITE"};

const char *capability_name(unsigned int number)
{
	return names[number];
}

static bool find(const char *name, uint64_t *bit)
{
	const char *plain = strncasecmp(name, "CAP_", 4) ? name : name + 4;

	for (unsigned int i = 0; i < CAPABILITY_COUNT; i++) {
		if (!strcasecmp(plain, names[i] + 4)) {
			*bit = (uint64_t)1 << i;
			return true;
		}
	}
	return false;
}

static int collect(const char *const *list, const char *what, uint64_t *bits, bool *all,
		   struct error *error)
{
	*bits = 0;
	*all = false;
	for (; list && *list; list++) {
		uint64_t bit = 0;
		if (!strcasecmp(*list, "ALL"))
			*all = true;
		else if (!find(*list, &bit))
			return error_set(error, -EINVAL,
					 "invalid %s: unknown capability: \"%.100s\"", what, *list);
		*bits |= bit;
	}
	return 0;
}

int capabilities_resolve(const char *const *add, const char *const *drop, uint64_t *out,
			 struct error *error)
{
	uint64_t set = 0, added, dropped, bit;
	bool add_all, drop_all;
	int rc = collect(add, "CapAdd", &added, &add_all, error);

	rc = rc < 0 ? rc : collect(drop, "CapDrop", &dropped, &drop_all, error);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (find(defaults[i], &bit))
			set |= bit;
	}
	if (add_all)
		set = ((uint64_t)1 << CAPABILITY_COUNT) - 1;
	if (drop_all && !add_all)
		set = 0;
	*out = (set & ~dropped) | added;
	return 0;
}
