/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_BYTES_H
#define FL_RAFT_BYTES_H
/* Little-endian numbers, and a cursor that never leaves what it was given. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void bytes_put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static inline void bytes_put64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t bytes_get32(const uint8_t *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value |= (uint32_t)at[i] << 8 * i;
	return value;
}

static inline uint64_t bytes_get64(const uint8_t *at)
{
	return bytes_get32(at) | (uint64_t)bytes_get32(at + 4) << 32;
}

static inline bool bytes_zero(const uint8_t *at, size_t size)
{
	return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed; /* asked for more than there was; what was given then is zero */
};

/* size bytes, or NULL. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t size)
{
	const uint8_t *at = c->at;

	if (c->failed || size > c->left) {
		c->failed = true;
		return NULL;
	}
	c->at += size;
	c->left -= size;
	return at;
}

static inline uint8_t cursor_get8(struct cursor *c)
{
	const uint8_t *at = cursor_take(c, 1);

	return at ? *at : 0;
}

static inline uint32_t cursor_get32(struct cursor *c)
{
	const uint8_t *at = cursor_take(c, 4);

	return at ? bytes_get32(at) : 0;
}

static inline uint64_t cursor_get64(struct cursor *c)
{
	const uint8_t *at = cursor_take(c, 8);

	return at ? bytes_get64(at) : 0;
}

/* Bytes that have to be zero: room for what later versions may say. */
static inline void cursor_skip_zeros(struct cursor *c, size_t size)
{
	const uint8_t *at = cursor_take(c, size);

	if (at && !bytes_zero(at, size))
		c->failed = true;
}
#endif
