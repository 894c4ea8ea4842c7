/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PROCESS_H
#define FL_PROCESS_H
/*
 * Processes that are found again after a restart. A PID alone may by then be somebody else's;
 * together with when it started (in ticks since boot, proc(5) stat field 22) and which boot that
 * was, it is not.
 */
#include <stdint.h>

struct process_id {
	int pid;
	uint64_t start_ticks;
	char boot_id[37];
};

/* Of a process that exists (a zombie does). -ESRCH otherwise. */
int process_identify(int pid, struct process_id *out);

/* A pidfd of that very process, or -ESRCH if it is gone. */
int process_open(const struct process_id *id);

/* Through the pidfd, so that it reaches nobody else. -ESRCH: it is gone. */
int process_signal(int pidfd, int number);
#endif
