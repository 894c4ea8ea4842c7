/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ROOT_CA_H
#define FL_ROOT_CA_H
/*
 * A root of the cluster: a self-signed certificate and its key, which only managers have. What
 * Fairlead makes itself has Swarm's shape: P-256, CN=swarm-ca, 20 years.
 */
#include <stdint.h>

#include "pem.h"

enum { ROOT_CA_DIGEST_SIZE = 32 };

/* PEM texts, malloc'ed, in canonical form; key is NULL where it is not known. */
struct root_ca {
	char *certificate, *key;
};
/* Also of one that was cleared, or all zero. Wipes the key. */
void root_ca_clear(struct root_ca *root);
/* -ENOMEM, with *to untouched. */
int root_ca_copy(const struct root_ca *from, struct root_ca *to);

/* The key comes from OpenSSL's random numbers. root_ca_clear frees *out. */
int root_ca_generate(int64_t now_s, struct root_ca *out, struct problem *problem);

/*
 * One that an operator brings, or the store kept. key.size 0: none is known.
 * -EINVAL: not exactly one certificate, not a self-signed CA in force at now_s, a key that is not
 * P-256, P-384, P-521 or RSA with 2048 to 4096 bits, or not this certificate's.
 */
int root_ca_load(struct pem certificate, struct pem key, int64_t now_s, struct root_ca *out,
		 struct problem *problem);
/* The second it runs out. -EINVAL. */
int root_ca_not_after(const struct root_ca *root, int64_t *s, struct problem *problem);

/* SHA-256 of a text of certificates as it stands, which is what a join token pins. */
void root_ca_digest(struct pem certificates, uint8_t digest[ROOT_CA_DIGEST_SIZE]);

/*
 * next's subject and key, signed by old, whose key is there: who trusts old alone accepts with it
 * what next has signed. Good until the first of both runs out. *out is a malloc'ed PEM text.
 */
int root_ca_cross_sign(const struct root_ca *old, const struct root_ca *next, int64_t now_s,
		       char **out, struct problem *problem);
#endif
