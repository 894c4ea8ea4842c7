/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over what strangers send to the certificate authority: tokens, requests, certificates,
 * keys, key files. The first byte chooses, also whether the rest is PEM or what stands in it. Any
 * bytes give a result or an error with a message, never both; what is accepted comes out the same
 * when it is written and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csr.h"
#include "join_token.h"
#include "key_file.h"
#include "node_certificate.h"
#include "root_ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795244564) /* 2026-11-21 */

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void said(int err, const struct problem *problem)
{
	expect(err <= 0 && (err == 0) == (problem->code == 0) && (!err || problem->message[0]));
}

static void try_token(const char *text)
{
	uint8_t digest[ROOT_CA_DIGEST_SIZE];
	struct problem problem = {0};
	enum node_role role;
	const int err = join_token_parse(text, digest, &problem);

	said(err, &problem);
	expect(err || strlen(text) == JOIN_TOKEN_LENGTH);
	/* The empty token of a store that has none admits nobody. */
	expect(join_token_admit(text, "", "", &role, NULL) < 0);
}

static void try_unlock_key(const char *text)
{
	char again[UNLOCK_KEY_TEXT_SIZE];
	struct problem problem = {0};
	struct unlock_key key;
	const int err = unlock_key_parse(text, &key, &problem);

	said(err, &problem);
	if (err)
		return;
	unlock_key_format(&key, again);
	expect(!strcmp(text, again));
}

static void try_request(struct pem pem)
{
	struct problem problem = {0};
	EVP_PKEY *key = NULL;

	said(csr_open(pem, &key, &problem), &problem);
	EVP_PKEY_free(key);
}

static void try_root(struct pem pem)
{
	struct problem problem = {0};
	struct root_ca root = {0}, again = {0};
	const int err = root_ca_load(pem, pem, NOW, &root, &problem);

	said(err, &problem);
	if (root_ca_load(pem, (struct pem){NULL, 0}, NOW, &root, NULL))
		return;
	expect(!root_ca_load(pem_of(root.certificate), (struct pem){NULL, 0}, NOW, &again, NULL));
	expect(!strcmp(root.certificate, again.certificate));
	root_ca_clear(&root);
	root_ca_clear(&again);
}

/* The first certificate is what is trusted, too. */
static void try_chain(struct pem pem)
{
	const struct node_certificate_rules rules = {
	    .trust = pem, .roles = NODE_ROLE_WORKERS | NODE_ROLE_MANAGERS, .now_s = NOW};
	struct node_identity identity;
	struct issuer issuer;
	struct problem problem = {0};

	said(node_certificate_verify(pem, &rules, &identity, &issuer, &problem), &problem);
}

static void try_key_file(struct pem pem)
{
	static const struct unlock_key unlock = {{1}};
	struct key_file file = {0}, again = {0};
	struct problem problem = {0};
	bool sealed;
	char *text;
	const int err = key_file_decode(pem, &unlock, &file, &sealed, &problem);

	said(err, &problem);
	if (err)
		return;
	expect(!key_file_encode(&file, NULL, NULL, NULL, &text));
	expect(!key_file_decode(pem_of(text), NULL, &again, &sealed, NULL) && !sealed);
	expect(!strcmp(file.key, again.key) && file.data.count == again.data.count);
	pem_release_secret(&text);
	key_file_clear(&file);
	key_file_clear(&again);
}

enum { KINDS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[KINDS] = {[2] = "CERTIFICATE REQUEST",
						 [3] = "CERTIFICATE",
						 [4] = "CERTIFICATE",
						 [5] = "FAIRLEAD SEALED KEYS"};
	const char *name;
	struct pem pem;
	char *text;

	if (!size || size > CA_PEM_SIZE_MAX)
		return 0;
	name = data[0] / KINDS % 2 ? names[data[0] % KINDS] : NULL;
	text = name ? pem_write_block(name, data + 1, size - 1)
		    : strndup((const char *)data + 1, size - 1);
	if (!text)
		return 0; /* nothing in it */
	pem = name ? pem_of(text) : (struct pem){(const char *)data + 1, size - 1};
	switch (data[0] % KINDS) {
	case 0:
		try_token(text);
		break;
	case 1:
		try_unlock_key(text);
		break;
	case 2:
		try_request(pem);
		break;
	case 3:
		try_root(pem);
		break;
	case 4:
		try_chain(pem);
		break;
	default:
		try_key_file(pem);
	}
	free(text);
	return 0;
}
