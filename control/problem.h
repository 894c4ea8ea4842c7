/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PROBLEM_H
#define FL_PROBLEM_H
/*
 * The error object of control/'s edges: one sentence in the words that docker's users know. Inner
 * functions return a negative errno alone. (agent/ has its own, and control/ may not use it.)
 */
#include <stdarg.h>
#include <stdio.h>

struct problem {
	int code; /* negative errno; 0: none */
	char message[512];
};

/* Fills *problem (may be NULL) and returns code, so that `return problem_set(...)` reads well. */
__attribute__((format(printf, 3, 4))) static inline int
problem_set(struct problem *problem, int code, const char *format, ...)
{
	if (problem) {
		va_list args;

		va_start(args, format);
		vsnprintf(problem->message, sizeof(problem->message), format, args);
		va_end(args);
		problem->code = code;
	}
	return code;
}
#endif
