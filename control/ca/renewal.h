/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RENEWAL_H
#define FL_RENEWAL_H
/* When a node asks for its next certificate. `random` is any 32 random bits. Seconds. */
#include <stdint.h>

/* A point between 50 and 80 % of its life, so that nodes which joined together do not come
 * together; now_s where that has passed. */
int64_t renewal_moment(int64_t not_before_s, int64_t not_after_s, int64_t now_s, uint32_t random);

/* How long to wait after the failures-th failure in a row (from 1): 1 s, doubled up to 5 minutes,
 * half of it jitter. In milliseconds. */
uint32_t renewal_retry_ms(unsigned int failures, uint32_t random);
#endif
