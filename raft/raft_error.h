/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_ERROR_H
#define FL_RAFT_ERROR_H
/* What went wrong, in words for the operator: the thing (a file and its offset, an address, a
 * certificate) and the cure. The last argument of what an operator's files and settings reach. */
struct raft_error {
	int code; /* negative errno; 0: none */
	char text[768];
};

/* Fills *error (NULL is fine) and returns code. */
__attribute__((format(printf, 3, 4))) int raft_error_set(struct raft_error *error, int code,
							 const char *format, ...);
#endif
