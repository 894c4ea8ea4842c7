/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_ERROR_H
#define FL_RAFT_ERROR_H
/* What went wrong, for a person; the last argument of what an administrator's input reaches. */
struct raft_error {
	int code; /* negative errno; 0: none */
	char message[240];
};

/* Fills *error (NULL is fine) and returns code. */
__attribute__((format(printf, 3, 4))) int raft_error_set(struct raft_error *error, int code,
							 const char *format, ...);
#endif
