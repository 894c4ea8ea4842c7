/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CAPABILITIES_H
#define FL_CAPABILITIES_H
/* Which capabilities(7) a container has: docker's default set, and what is added and dropped. Pure.
 */
#include <stdint.h>

#include "error.h"

enum {
	CAPABILITY_COUNT = 41,
	CAPABILITY_SYS_PTRACE = 19,
	CAPABILITY_SYS_ADMIN = 21,
};

/*
 * Bit N stands for the capability number N. "ALL" adds or drops all; what is dropped by name goes,
 * what is added by name comes back. -EINVAL: a name that is none.
 */
int capabilities_resolve(const char *const *add, const char *const *drop, uint64_t *out,
			 struct error *error);

/* "CAP_CHOWN" of 0. */
const char *capability_name(unsigned int number);
#endif
