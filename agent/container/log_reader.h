/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LOG_READER_H
#define FL_LOG_READER_H
/*
 * A container's log, read: from the oldest file to the newest, and on while it grows and is
 * rotated. Reading is from files of this machine and does not wait; to follow, look again when
 * something has changed (uv_fs_event on the container's folder).
 */
#include <stdbool.h>

#include "log_entry.h"

enum { LOG_FILES_MAX = 100 };

struct log_query {
	bool stdout_, stderr_;
	int64_t since_ns, until_ns; /* entries of since <= time < until; 0: no bound */
	int64_t tail; /* so many of the last lines; -1: all. Older bounds are looked at after */
};

struct log_reader;

/* A log that is not there yet is an empty one. path: as the writer has it. */
int log_reader_open(const char *path, const struct log_query *query, struct log_reader **out);
void log_reader_close(struct log_reader *reader);

/*
 * 1: *entry is the next one; 0: there is no more, for now; a negative errno. Lines that are damaged
 * are passed over and counted.
 */
int log_reader_next(struct log_reader *reader, struct log_entry *entry);
uint64_t log_reader_damaged(const struct log_reader *reader);
#endif
