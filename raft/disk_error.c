/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk_error.h"

#include <stdarg.h>
#include <stdio.h>

int disk_error_set(struct disk_error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	error->code = code;
	return code;
}
