/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_OPTIONS_OF_H
#define FL_OPTIONS_OF_H
/* A container's options from JSON; the keys are the names of the fields of struct
 * container_options. */
#include "container_options.h"
#include "error.h"

/* What *options points to lives as long as the program. */
int options_of(const char *text, struct container_options *options, bool *detach,
	       struct error *error);
#endif
