/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_RAFT_WORDS_H
#define FL_TEST_RAFT_WORDS_H
/* A command of a story, word by word. What is missing fails the test. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORDS_MAX = 40 };

struct words {
	char *word[WORDS_MAX];
	size_t count, at;
};

const char *words_next(struct words *words); /* NULL: there is none */
/* Takes the next word if it is this one. */
bool words_next_is(struct words *words, const char *text);
bool words_next_is_number(const struct words *words);
uint64_t words_number(struct words *words);
/* index/term */
void words_position(struct words *words, uint64_t *index, uint64_t *term);
#endif
