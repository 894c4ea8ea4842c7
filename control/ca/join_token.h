/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JOIN_TOKEN_H
#define FL_JOIN_TOKEN_H
/*
 * What lets a node in, in Swarm's form:
 *
 *   SWMTKN-1-<50 digits, base 36>-<25 digits, base 36>
 *            SHA-256 of the root  128 random bits
 *
 * The first number is for the joining node: it pins the root that it fetches from a manager whom it
 * cannot know yet. The second is for the manager: it admits the node, and which of the two tokens
 * has it says as what.
 */
#include <stdbool.h>
#include <stdint.h>

#include "id.h"
#include "node_role.h"
#include "root_ca.h"

enum {
	JOIN_TOKEN_PREFIX_LENGTH = 9, /* SWMTKN-1- */
	JOIN_TOKEN_DIGEST_LENGTH = 50,
	JOIN_TOKEN_SECRET_LENGTH = 25,
	JOIN_TOKEN_LENGTH =
	    JOIN_TOKEN_PREFIX_LENGTH + JOIN_TOKEN_DIGEST_LENGTH + 1 + JOIN_TOKEN_SECRET_LENGTH,
	JOIN_TOKEN_SIZE = JOIN_TOKEN_LENGTH + 1,
};

/* Of the root whose certificate this is, with a new secret. What `random` says, or 0. */
int join_token_generate(struct pem root, id_random *random, void *context,
			char token[JOIN_TOKEN_SIZE]);

/* The digest that it pins. -EINVAL "invalid join token". */
int join_token_parse(const char *token, uint8_t digest[ROOT_CA_DIGEST_SIZE],
		     struct problem *problem);

/* Whether what a manager sent, byte for byte, is what the token pins. -EINVAL, or -EKEYREJECTED
 * "remote CA does not match fingerprint. Expected: <hex>". */
int join_token_pin(const char *token, struct pem fetched, struct problem *problem);

/*
 * As what `presented` lets a node in. Takes the same time whatever is wrong with it; a token of
 * another cluster, a rotated one and no token at all are told apart to nobody.
 * -EACCES "A valid join token is necessary to join this cluster".
 */
int join_token_admit(const char *presented, const char *worker, const char *manager,
		     enum node_role *role, struct problem *problem);
#endif
