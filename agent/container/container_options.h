/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CONTAINER_OPTIONS_H
#define FL_CONTAINER_OPTIONS_H
/*
 * What a container is to be, as whoever creates it says. Lists of text end with NULL; a list or
 * text that is NULL was not given, and the image's or docker's default holds. Borrowed by who is
 * given it, until its call is over. Durations in nanoseconds, as the Engine API has them.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CONTAINER_ID_MAX = 64,
	CONTAINER_MOUNTS_MAX = 128,
};

enum mount_type { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS };

struct container_mount {
	enum mount_type type;
	const char *source; /* a path of the host; a volume's name (NULL: one of its own); unused
			       for tmpfs */
	const char *target; /* absolute, in the container */
	bool read_only;
	bool no_copy; /* a new volume is not filled with what the image has there */
	const char
	    *propagation; /* of a bind: "rprivate" (default), "private", "rshared", "rslave", ... */
	int64_t tmpfs_size_bytes; /* 0: as much as the kernel gives */
	mode_t tmpfs_mode;        /* 0: 1777 */
};

struct container_ulimit {
	const char *name;   /* "nofile" */
	int64_t soft, hard; /* -1: none */
};

/* A probe of whether the program does its work. Each 0: docker's default, in brackets. */
struct container_health {
	const char *const
	    *test;           /* {"CMD", ...}, {"CMD-SHELL", line}, {"NONE"}; NULL: the image's */
	int64_t interval_ns; /* [30 s] from the end of one to the next */
	int64_t timeout_ns;  /* [30 s] */
	int64_t
	    start_period_ns; /* [0] in which failures do not count, and the first success ends it */
	unsigned int retries; /* [3] failures in a row until it is unhealthy */
};

struct container_options {
	const char *id;    /* a-z, 0-9; unique for ever */
	const char *name;  /* for who looks; need not be unique */
	const char *image; /* a name or an ID of the store */
	const char *hostname;
	const char *const *entrypoint, *const *args, *const *env, *const *labels;
	const char *user, *workdir;
	bool tty, init, read_only;

	/* Limits; 0: none. */
	int64_t cpu_nano, memory_bytes, pids_max;
	const struct container_ulimit *ulimits;
	unsigned int ulimit_count;

	const char *const *capability_add,
	    *const *capability_drop; /* "NET_ADMIN", "CAP_NET_ADMIN", "ALL" */
	const char *const *sysctls;  /* "net.core.somaxconn=100" */
	const struct container_mount *mounts;
	unsigned int mount_count;

	/* Network: a namespace that the caller made, or NULL for a new and empty one. */
	const char *netns;
	const char *address;      /* the container's own, for /etc/hosts; may be NULL */
	const char *const *hosts; /* "ADDRESS NAME" */
	const char *const *dns, *const *dns_search, *const *dns_options; /* of /etc/resolv.conf */

	const char *stop_signal; /* "SIGTERM", "15" */
	int64_t stop_grace_ns;   /* -1: 10 s */
	struct container_health health;

	int64_t log_size_bytes_max; /* 0: no rotation */
	unsigned int log_files_max;
};
#endif
