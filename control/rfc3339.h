/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RFC3339_H
#define FL_RFC3339_H
/*
 * Times as Go writes them (time.RFC3339Nano): "2026-11-21T07:03:34.40236285Z", the fraction without
 * its last zeros. Inside: nanoseconds since 1970 UTC, years 1678 to 2261. 0 stands for Go's zero
 * time, 0001-01-01T00:00:00Z, for no object was made in 1970.
 */
#include <stddef.h>
#include <stdint.h>

enum { RFC3339_SIZE = sizeof("2026-11-21T07:03:34.123456789Z") };

void rfc3339_format(int64_t time_ns, char text[RFC3339_SIZE]);
/* Any offset. -EINVAL: not a time, -ERANGE: out of these years; *time_ns unchanged. */
int rfc3339_parse(const char *text, int64_t *time_ns);
#endif
