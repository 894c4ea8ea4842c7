/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { HOUR_S = 3600 };

struct pki {
	EVP_PKEY *key;
	X509 *certificate;
	char *pem;
	long serial;
};

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "pki: %s\n", what);
		abort();
	}
}

static char *take_text(BIO *bio)
{
	char *data, *text;
	const long size = BIO_get_mem_data(bio, &data);

	/* Not strndup: the data has no NUL, which the sanitizer's looks for. */
	text = malloc((size_t)size + 1);
	need(text != NULL, "memory");
	memcpy(text, data, (size_t)size);
	text[size] = '\0';
	BIO_free(bio);
	return text;
}

static char *certificate_text(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(PEM_write_bio_X509(bio, certificate), "certificate as PEM");
	return take_text(bio);
}

static char *key_text(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), "key as PEM");
	return take_text(bio);
}

static void add_extension(X509 *issuer, X509 *certificate, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	need(extension && X509_add_ext(certificate, extension, -1), value);
	X509_EXTENSION_free(extension);
}

static X509 *draft(struct pki *pki, EVP_PKEY *key, long from, long until)
{
	X509 *certificate = X509_new();

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until);
	X509_set_pubkey(certificate, key);
	return certificate;
}

static void name_it(X509 *certificate, const char *field, const char *value)
{
	if (value)
		need(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field,
						MBSTRING_UTF8, (const unsigned char *)value, -1, -1,
						0),
		     field);
}

struct pki *pki_new(void)
{
	struct pki *pki = calloc(1, sizeof(*pki));

	need(pki != NULL, "memory");
	pki->key = EVP_EC_gen("P-256");
	pki->certificate = draft(pki, pki->key, -HOUR_S, HOUR_S * 24 * 365);
	name_it(pki->certificate, "CN", "test CA");
	X509_set_issuer_name(pki->certificate, X509_get_subject_name(pki->certificate));
	add_extension(pki->certificate, pki->certificate, NID_basic_constraints,
		      "critical,CA:TRUE");
	/* Tells CAs of one name apart, as while one replaces another. */
	add_extension(pki->certificate, pki->certificate, NID_subject_key_identifier, "hash");
	need(X509_sign(pki->certificate, pki->key, EVP_sha256()), "signature");
	pki->pem = certificate_text(pki->certificate);
	return pki;
}

void pki_free(struct pki *pki)
{
	EVP_PKEY_free(pki->key);
	X509_free(pki->certificate);
	free(pki->pem);
	free(pki);
}

const char *pki_ca(const struct pki *pki)
{
	return pki->pem;
}

struct pki_pair pki_issue(struct pki *pki, const char *organisation, const char *name, long from,
			  long until, enum pki_use use)
{
	static const char *const uses[] = {[PKI_BOTH] = "clientAuth,serverAuth",
					   [PKI_CLIENT_ONLY] = "clientAuth",
					   [PKI_SERVER_ONLY] = "serverAuth"};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = draft(pki, key, from, until);
	struct pki_pair pair;

	name_it(certificate, "O", organisation);
	name_it(certificate, "serialNumber", name);
	X509_set_issuer_name(certificate, X509_get_subject_name(pki->certificate));
	add_extension(pki->certificate, certificate, NID_ext_key_usage, uses[use]);
	add_extension(pki->certificate, certificate, NID_authority_key_identifier, "keyid:always");
	need(X509_sign(certificate, pki->key, EVP_sha256()), "signature");
	pair = (struct pki_pair){certificate_text(certificate), key_text(key)};
	X509_free(certificate);
	EVP_PKEY_free(key);
	return pair;
}

struct pki_pair pki_member(struct pki *pki, const char *cluster, uint64_t id)
{
	char name[17];

	snprintf(name, sizeof(name), "%016" PRIx64, id);
	return pki_issue(pki, cluster, name, -HOUR_S, HOUR_S * 24 * 365, PKI_BOTH);
}

void pki_pair_free(struct pki_pair *pair)
{
	free(pair->certificate);
	free(pair->key);
	*pair = (struct pki_pair){0};
}
