/* SPDX-License-Identifier: BSD-2-Clause */
#include "words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

const char *words_next(struct words *words)
{
	return words->at < words->count ? words->word[words->at++] : NULL;
}

bool words_next_is(struct words *words, const char *text)
{
	if (words->at >= words->count || strcmp(words->word[words->at], text) != 0)
		return false;
	words->at++;
	return true;
}

bool words_next_is_number(const struct words *words)
{
	const char *word = words->at < words->count ? words->word[words->at] : "";

	return word[0] >= '0' && word[0] <= '9';
}

uint64_t words_number(struct words *words)
{
	if (!words_next_is_number(words))
		fail_msg("a number is missing after \"%s\"", words->word[0]);
	return strtoull(words_next(words), NULL, 10);
}

void words_position(struct words *words, uint64_t *index, uint64_t *term)
{
	const char *word = words_next(words), *slash = word ? strchr(word, '/') : NULL;

	if (!slash)
		fail_msg("index/term is missing");
	*index = strtoull(word, NULL, 10);
	*term = strtoull(slash + 1, NULL, 10);
}
