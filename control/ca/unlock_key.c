/* SPDX-License-Identifier: BSD-2-Clause */
#include "unlock_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static const char prefix[] = "SWMKEY-1-";
_Static_assert(sizeof(prefix) - 1 == UNLOCK_KEY_PREFIX_LENGTH, "the prefix");

enum { PADDED = UNLOCK_KEY_DIGITS + 1, PADDED_BYTES = PADDED / 4 * 3 };

int unlock_key_generate(id_random *random, void *context, struct unlock_key *key)
{
	return random(context, key->bytes, sizeof(key->bytes));
}

void unlock_key_format(const struct unlock_key *key, char text[UNLOCK_KEY_TEXT_SIZE])
{
	unsigned char digits[PADDED + 1];

	EVP_EncodeBlock(digits, key->bytes, sizeof(key->bytes));
	memcpy(text, prefix, UNLOCK_KEY_PREFIX_LENGTH);
	memcpy(text + UNLOCK_KEY_PREFIX_LENGTH, digits, UNLOCK_KEY_DIGITS);
	text[UNLOCK_KEY_TEXT_SIZE - 1] = '\0';
	OPENSSL_cleanse(digits, sizeof(digits));
}

int unlock_key_parse(const char *text, struct unlock_key *key, struct problem *problem)
{
	unsigned char padded[PADDED], bytes[PADDED_BYTES];
	char again[UNLOCK_KEY_TEXT_SIZE] = "";
	struct unlock_key found;

	if (strnlen(text, UNLOCK_KEY_TEXT_SIZE) != UNLOCK_KEY_TEXT_SIZE - 1 ||
	    memcmp(text, prefix, UNLOCK_KEY_PREFIX_LENGTH))
		return problem_set(problem, -EINVAL, "invalid key string");
	memcpy(padded, text + UNLOCK_KEY_PREFIX_LENGTH, UNLOCK_KEY_DIGITS);
	padded[PADDED - 1] = '=';
	if (EVP_DecodeBlock(bytes, padded, PADDED) == PADDED_BYTES) {
		memcpy(found.bytes, bytes, sizeof(found.bytes));
		unlock_key_format(&found, again);
	}
	/* OpenSSL takes blanks and more padding; a key is written in one way. */
	if (CRYPTO_memcmp(again, text, sizeof(again)))
		return problem_set(problem, -EINVAL, "invalid key string");
	*key = found;
	OPENSSL_cleanse(again, sizeof(again));
	OPENSSL_cleanse(padded, sizeof(padded));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&found, sizeof(found));
	return 0;
}

bool unlock_key_equals(const struct unlock_key *a, const struct unlock_key *b)
{
	return !CRYPTO_memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
