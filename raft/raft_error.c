/* SPDX-License-Identifier: BSD-2-Clause */
#include "raft_error.h"

#include <stdarg.h>
#include <stdio.h>

int raft_error_set(struct raft_error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	error->code = code;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return code;
}
