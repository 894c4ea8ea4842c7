/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_ERROR_H
#define FL_RAFT_DISK_ERROR_H
/* What went wrong, in words for the operator: the file, the offset and the cure. */

struct disk_error {
	int code; /* negative errno; 0: none */
	char text[768];
};

/* Fills *error, which may be NULL, and returns code. */
__attribute__((format(printf, 3, 4))) int disk_error_set(struct disk_error *error, int code,
							 const char *format, ...);
#endif
