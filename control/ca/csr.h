/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CSR_H
#define FL_CSR_H
/*
 * A node's key and its request for a certificate (PKCS #10, RFC 2986). The key is made by the node
 * and never leaves it. The request carries the public key and proof of the private one; who the
 * node is, the manager says and not the request.
 */
#include "pem.h"

/* A new P-256 key, malloc'ed PEM, from OpenSSL's random numbers. */
int csr_new_key(char **key, struct problem *problem);
/* A request for that key's certificate, malloc'ed PEM. */
int csr_create(const char *key, char **csr, struct problem *problem);
/* The public key of a stranger's request. -EINVAL: malformed, not P-256, or not signed with that
 * key. The caller frees it. */
int csr_open(struct pem csr, EVP_PKEY **out, struct problem *problem);
#endif
