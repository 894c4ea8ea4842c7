/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ID_H
#define FL_ID_H
/*
 * Identities of objects as Swarm has them: 128 random bits as 25 characters of base 36, zeros in
 * front. 36^25 is a little more than 2^129, so each number fits and the first character is 0 to f.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_LENGTH = 25, ID_SIZE = ID_LENGTH + 1 };

/* Where randomness comes from. 0, or a negative errno with the bytes undefined. */
typedef int id_random(void *context, void *bytes, size_t size);

/* What `random` says, with *id unchanged, or 0. */
int id_generate(id_random *random, void *context, char id[ID_SIZE]);
/* The operating system's random numbers (getrandom(2)), for `random`; context is not looked at. */
int id_random_system(void *context, void *bytes, size_t size);

/* Whether text is one or more of the characters an id is made of, ID_LENGTH at most: an id or the
 * beginning of one. */
bool id_is_prefix(const char *text);
#endif
