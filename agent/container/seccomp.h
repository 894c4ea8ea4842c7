/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SECCOMP_H
#define FL_SECCOMP_H
/*
 * The default system call filter of a container, after docker's: what programs need is allowed,
 * what only an administrator of the machine needs is allowed with the capability for it, all else
 * fails with EPERM, so that programs can try something else. In the form of the runtime-spec
 * (config-linux.md, "Seccomp").
 */
#include <jansson.h>
#include <stdint.h>

/* capabilities: bits as capabilities.h has them. A new object; NULL: out of memory. */
json_t *seccomp_profile(uint64_t capabilities);
#endif
