/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_BASE64_H
#define FL_BASE64_H
/* Base 64 with padding, RFC 4648 section 4, as Go's encoding/json has it. */
#include <stddef.h>
#include <stdint.h>

/* malloc'ed, with a NUL; NULL: no memory. */
char *base64_encode(const void *data, size_t size);
/* *data is malloc'ed (never NULL on success). Line ends between the digits are passed over, as Go
 * does. -ENOMEM, or -EINVAL with *bad the offset of the first wrong byte. */
int base64_decode(const char *text, size_t length, uint8_t **data, size_t *size, size_t *bad);
#endif
