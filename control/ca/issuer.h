/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ISSUER_H
#define FL_ISSUER_H
/*
 * Who signed a node's certificate, as Swarm's TLSInfo shows it (CertIssuerSubject and
 * CertIssuerPublicKey, there in base 64). A root and the same root as another has cross-signed it
 * are one issuer: the subject and the key are the same.
 */
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca_limits.h"
#include "pem.h"

struct issuer {
	size_t subject_size, public_key_size;
	uint8_t subject[CA_NAME_DER_MAX];          /* DER of the Name */
	uint8_t public_key[CA_PUBLIC_KEY_DER_MAX]; /* DER of the SubjectPublicKeyInfo */
};

/* What this certificate is as an issuer. -EINVAL: larger than the bounds. */
int issuer_of_certificate(const X509 *certificate, struct issuer *out);
/* The same of the first of a text. */
int issuer_of_pem(struct pem certificate, struct issuer *out, struct problem *problem);
/* From what a node reported. -EINVAL: larger than the bounds, or empty. */
int issuer_of_bytes(const void *subject, size_t subject_size, const void *public_key,
		    size_t public_key_size, struct issuer *out);
bool issuer_equals(const struct issuer *a, const struct issuer *b);
#endif
