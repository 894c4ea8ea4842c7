/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_PEM_H
#define FL_PEM_H
/*
 * PEM texts (RFC 7468) to OpenSSL's objects and back. What is read may come from anybody: it is
 * bounded, and a text with anything in it but what is asked for is refused. What is written is the
 * one canonical form: join tokens carry a digest of the text.
 *
 * The machine's openssl.cnf has no say in any of it.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"

/* A text to be read: not NUL-terminated where it comes from a message. */
struct pem {
	const char *text;
	size_t size;
};
static inline struct pem pem_of(const char *text)
{
	return (struct pem){text, text ? strlen(text) : 0};
}

/* -EINVAL: a block that is no certificate, none at all, more than CA_CERTIFICATES_MAX. `what` names
 * the text in messages. */
int pem_read_certificates(struct pem pem, const char *what, STACK_OF(X509) * *out,
			  struct problem *problem);
/* Exactly one. */
int pem_read_certificate(struct pem pem, const char *what, X509 **out, struct problem *problem);
/* Exactly one, unencrypted. */
int pem_read_key(struct pem pem, const char *what, EVP_PKEY **out, struct problem *problem);
int pem_read_request(struct pem pem, const char *what, X509_REQ **out, struct problem *problem);

/* One BEGIN ... END. What it points to is gone after the call that it is given to. */
struct pem_block {
	char *name, *header;
	unsigned char *data;
	long size;
};
/* 0, or a negative errno that ends the reading; with it `what` and OpenSSL's reason are said. */
typedef int pem_block_taker(const struct pem_block *block, void *context);
/* Calls take for each block, in order. -EINVAL also: none, more than count_max, one with headers,
 * what OpenSSL cannot read. */
int pem_read_blocks(struct pem pem, const char *what, int count_max, pem_block_taker *take,
		    void *context, struct problem *problem);

/* malloc'ed, NUL-terminated; NULL: no memory. A key is written as PKCS #8. */
char *pem_write_certificate(const X509 *certificate);
char *pem_write_certificates(const STACK_OF(X509) * certificates);
char *pem_write_key(const EVP_PKEY *key);
char *pem_write_request(const X509_REQ *request);
char *pem_write_block(const char *name, const uint8_t *data, size_t size);

/* "what: OpenSSL's reason", and empties OpenSSL's queue of errors. Returns code. */
int pem_problem(struct problem *problem, int code, const char *what);

/* To be called before anything of OpenSSL that is not behind a function above. */
void pem_init(void);

/* -- owners: released when they go out of scope, unless they were set to NULL */

static inline void pem_release_text(char **text)
{
	free(*text);
}
static inline void pem_release_secret(char **text)
{
	if (*text)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
}
static inline void pem_release_certificate(X509 **certificate)
{
	X509_free(*certificate);
}
static inline void pem_release_certificates(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}
static inline void pem_release_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
static inline void pem_release_request(X509_REQ **request)
{
	X509_REQ_free(*request);
}
#define PEM_OWNS(what) __attribute__((cleanup(pem_release_##what)))
#endif
