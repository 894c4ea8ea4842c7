/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ERROR_H
#define FL_ERROR_H
/*
 * The error object of the edges (files, commands, drivers): one sentence that names the thing and
 * the cure, in words a docker user knows. Inner functions return a negative errno alone.
 */
#include <stdarg.h>
#include <stdio.h>

struct error {
	int code; /* negative errno; 0: none */
	char message[512];
};

/* Fills *error (may be NULL) and returns code, so that `return error_set(...)` reads well. */
__attribute__((format(printf, 3, 4))) static inline int
error_set(struct error *error, int code, const char *format, ...)
{
	if (error) {
		va_list args;
		va_start(args, format);
		vsnprintf(error->message, sizeof(error->message), format, args);
		va_end(args);
		error->code = code;
	}
	return code;
}
#endif
