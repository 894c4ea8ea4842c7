/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LOG_WRITER_H
#define FL_LOG_WRITER_H
/*
 * A container's log, written: PATH is the newest file, PATH.1 the one before, and so on. A full or
 * broken disk never stops the container: what cannot be written is counted and left out, whole
 * entries only.
 */
#include <stdbool.h>

#include "log_entry.h"

struct log_limits {
	uint64_t size_bytes_max; /* of one file; 0: no limit, no rotation */
	unsigned int files_max;  /* 1: the file is emptied when it is full */
};

/* What a stream has said since its last line end. */
struct log_line {
	size_t length;
	char bytes[LOG_CHUNK + 1];
};

struct log_writer {
	const char *path; /* borrowed */
	struct log_limits limits;
	int fd; /* -1: could not be opened, and is tried again */
	uint64_t size_bytes, lost_bytes;
	struct log_line lines[2];
	char entry[LOG_ENTRY_MAX];
};

/* Appends to a file that is there. */
void log_writer_open(struct log_writer *writer, const char *path, const struct log_limits *limits);
void log_writer_add(struct log_writer *writer, enum log_stream stream, const char *bytes,
		    size_t length, int64_t time_ns);
/* The stream has ended: what it said last need not end a line. */
void log_writer_end(struct log_writer *writer, enum log_stream stream, int64_t time_ns);
void log_writer_close(struct log_writer *writer);
#endif
