/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SHIM_FILES_H
#define FL_SHIM_FILES_H
/*
 * What a container's monitor (fairlead-shim) and the agent tell each other, through files in the
 *container's folder, so that it does not matter which of them is alive when:
 *
 *	lock		flock()ed by the agent before it starts the monitor, which inherits it: it
 *is locked as long as the monitor lives, and free if it is dead init.pid	crun's running.json
 *{"pid","start_ticks","boot_id","monitor_pid","monitor_start_ticks","started_ns"}, when the
 *			container runs
 *	exit.json	{"exit_code","finished_ns","log_lost_bytes"}, when it has ended; the monitor
 *ends after it crun.log	crun's own words, if it failed tty.sock	while crun hands over the
 *terminal, if there is one
 *
 * exit_code is as shells have it: 128 + N for a death by signal N.
 *
 * And one pipe, SHIM_STATUS_FD, for the time of the start: "running\n", or "failed\n" and crun's
 *words; then it is closed.
 */
#include "process.h"

enum {
	SHIM_STATUS_FD = 3,
	SHIM_LOCK_FD = 4,
	SHIM_FILE_MAX = 4096,
};

#define SHIM_LOCK    "lock"
#define SHIM_RUNNING "running.json"
#define SHIM_EXIT    "exit.json"
#define SHIM_INIT    "init.pid"
#define SHIM_WORDS   "crun.log"
#define SHIM_TTY     "tty.sock"

struct shim_running {
	struct process_id init, monitor;
	int64_t started_ns;
};

struct shim_exit {
	int exit_code;
	int64_t finished_ns;
	uint64_t log_lost_bytes;
};

/* Of a container's folder. -ENOENT: not yet; -EINVAL: it is damaged. */
int shim_read_running(const char *folder, struct shim_running *out);
int shim_read_exit(const char *folder, struct shim_exit *out);
#endif
