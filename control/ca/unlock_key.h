/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_UNLOCK_KEY_H
#define FL_UNLOCK_KEY_H
/* The key that opens a manager's files after a restart, as people write it down:
 * SWMKEY-1-<256 bits in base 64 without padding>. */
#include <stdbool.h>
#include <stdint.h>

#include "ca_limits.h"
#include "id.h"
#include "problem.h"

enum {
	UNLOCK_KEY_PREFIX_LENGTH = 9, /* SWMKEY-1- */
	UNLOCK_KEY_DIGITS = 43,       /* 32 bytes in base 64 are 44 with the padding */
	UNLOCK_KEY_TEXT_SIZE = UNLOCK_KEY_PREFIX_LENGTH + UNLOCK_KEY_DIGITS + 1,
};

struct unlock_key {
	uint8_t bytes[CA_KEY_SIZE];
};

int unlock_key_generate(id_random *random, void *context, struct unlock_key *key);
void unlock_key_format(const struct unlock_key *key, char text[UNLOCK_KEY_TEXT_SIZE]);
/* -EINVAL "invalid key string". */
int unlock_key_parse(const char *text, struct unlock_key *key, struct problem *problem);
/* In a time that does not depend on them. */
bool unlock_key_equals(const struct unlock_key *a, const struct unlock_key *b);
#endif
