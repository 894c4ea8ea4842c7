/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_BASE36_H
#define FL_BASE36_H
/* Numbers of a fixed width in base 36 (0-9, a-z), as join tokens write them: zeros in front. */
#include <stddef.h>
#include <stdint.h>

enum { BASE36_NUMBER_SIZE_MAX = 32 };

/* The big-endian number, as exactly that many digits and a NUL. It fits. */
void base36_encode(const uint8_t *number, size_t size, char *text, size_t digits);
/* -EINVAL: not that many digits, all of them lower case; -ERANGE: more than size bytes hold. */
int base36_decode(const char *text, size_t digits, uint8_t *number, size_t size);
#endif
