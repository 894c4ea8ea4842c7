/* SPDX-License-Identifier: BSD-2-Clause */
#include "join_token.h"

#include <errno.h>
#include <openssl/crypto.h>

#include "base36.h"

static const char prefix[] = "SWMTKN-1-";
_Static_assert(sizeof(prefix) - 1 == JOIN_TOKEN_PREFIX_LENGTH, "the prefix");

enum {
	SECRET_BYTES = 16,
	DIGEST_AT = JOIN_TOKEN_PREFIX_LENGTH,
	DASH_AT = DIGEST_AT + JOIN_TOKEN_DIGEST_LENGTH,
	SECRET_AT = DASH_AT + 1,
};

int join_token_generate(struct pem root, id_random *random, void *context,
			char token[JOIN_TOKEN_SIZE])
{
	uint8_t digest[ROOT_CA_DIGEST_SIZE], secret[SECRET_BYTES];
	const int err = random(context, secret, sizeof(secret));

	if (err)
		return err;
	root_ca_digest(root, digest);
	memcpy(token, prefix, JOIN_TOKEN_PREFIX_LENGTH);
	base36_encode(digest, sizeof(digest), token + DIGEST_AT, JOIN_TOKEN_DIGEST_LENGTH);
	token[DASH_AT] = '-';
	base36_encode(secret, sizeof(secret), token + SECRET_AT, JOIN_TOKEN_SECRET_LENGTH);
	OPENSSL_cleanse(secret, sizeof(secret));
	return 0;
}

static bool parse(const char *token, uint8_t digest[ROOT_CA_DIGEST_SIZE])
{
	char digits[JOIN_TOKEN_DIGEST_LENGTH + 1];
	uint8_t secret[BASE36_NUMBER_SIZE_MAX];

	if (strnlen(token, JOIN_TOKEN_SIZE) != JOIN_TOKEN_LENGTH ||
	    memcmp(token, prefix, JOIN_TOKEN_PREFIX_LENGTH) || token[DASH_AT] != '-')
		return false;
	memcpy(digits, token + DIGEST_AT, JOIN_TOKEN_DIGEST_LENGTH);
	digits[JOIN_TOKEN_DIGEST_LENGTH] = '\0';
	return base36_decode(digits, JOIN_TOKEN_DIGEST_LENGTH, digest, ROOT_CA_DIGEST_SIZE) == 0 &&
	       base36_decode(token + SECRET_AT, JOIN_TOKEN_SECRET_LENGTH, secret, sizeof(secret)) ==
		   0;
}

int join_token_parse(const char *token, uint8_t digest[ROOT_CA_DIGEST_SIZE],
		     struct problem *problem)
{
	uint8_t found[ROOT_CA_DIGEST_SIZE];

	if (!parse(token, found))
		return problem_set(problem, -EINVAL, "invalid join token");
	memcpy(digest, found, sizeof(found));
	return 0;
}

int join_token_pin(const char *token, struct pem fetched, struct problem *problem)
{
	uint8_t expected[ROOT_CA_DIGEST_SIZE], digest[ROOT_CA_DIGEST_SIZE];
	char hex[2 * ROOT_CA_DIGEST_SIZE + 1];
	const int err = join_token_parse(token, expected, problem);

	if (err)
		return err;
	root_ca_digest(fetched, digest);
	if (!CRYPTO_memcmp(expected, digest, sizeof(digest)))
		return 0;
	for (size_t i = 0; i < sizeof(expected); i++)
		snprintf(hex + 2 * i, 3, "%02x", expected[i]);
	return problem_set(problem, -EKEYREJECTED,
			   "remote CA does not match fingerprint. Expected: %s", hex);
}

/* 1 or 0, in a time that depends on nothing secret. */
static unsigned int matches(const char presented[JOIN_TOKEN_SIZE], const char *token)
{
	char padded[JOIN_TOKEN_SIZE] = {0};
	const size_t length = strnlen(token, JOIN_TOKEN_LENGTH);

	memcpy(padded, token, length);
	return (CRYPTO_memcmp(presented, padded, JOIN_TOKEN_SIZE) == 0) &
	       (length == JOIN_TOKEN_LENGTH);
}

int join_token_admit(const char *presented, const char *worker, const char *manager,
		     enum node_role *role, struct problem *problem)
{
	char padded[JOIN_TOKEN_SIZE] = {0};
	const size_t length = strnlen(presented, JOIN_TOKEN_SIZE);
	unsigned int is_worker, is_manager;

	memcpy(padded, presented, length < JOIN_TOKEN_SIZE ? length : 0);
	is_worker = matches(padded, worker);
	is_manager = matches(padded, manager);
	if (!(is_worker | is_manager))
		return problem_set(problem, -EACCES,
				   "A valid join token is necessary to join this cluster");
	*role = is_manager ? NODE_MANAGER : NODE_WORKER;
	return 0;
}
