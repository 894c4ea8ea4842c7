/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_X509_PARTS_H
#define FL_X509_PARTS_H
/* What root_ca.c and signer.c have in common: pieces of certificates (RFC 5280). Every function
 * gives false for lack of memory or what OpenSSL's queue of errors says. */
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

/* At random from OpenSSL, positive, of the greatest length. */
bool x509_set_serial(X509 *certificate);
bool x509_set_validity(X509 *certificate, int64_t not_before_s, int64_t not_after_s);
/* Appends nid=text, as a PrintableString: what Go writes, so that names compare equal by bytes. */
bool x509_add_name(X509_NAME *name, int nid, const char *text);
/* value in the words of x509v3_config(5). */
bool x509_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value);
/* What leads to the issuer's key, where all issuers have one name; nothing where it has no id. */
bool x509_add_authority(X509 *certificate, X509 *issuer);
/* False also for a time that X.509 cannot hold. */
bool x509_time(const ASN1_TIME *time, int64_t *s);
/* SHA-256, whatever the key. */
bool x509_sign(X509 *certificate, EVP_PKEY *key);
#endif
