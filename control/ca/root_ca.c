/* SPDX-License-Identifier: BSD-2-Clause */
#include "root_ca.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "ca_limits.h"
#include "x509_parts.h"

void root_ca_clear(struct root_ca *root)
{
	pem_release_text(&root->certificate);
	pem_release_secret(&root->key);
	*root = (struct root_ca){0};
}

int root_ca_copy(const struct root_ca *from, struct root_ca *to)
{
	struct root_ca copy = {
	    .certificate = from->certificate ? strdup(from->certificate) : NULL,
	    .key = from->key ? strdup(from->key) : NULL,
	};

	if (!copy.certificate != !from->certificate || !copy.key != !from->key) {
		root_ca_clear(&copy);
		return -ENOMEM;
	}
	*to = copy;
	return 0;
}

void root_ca_digest(struct pem certificates, uint8_t digest[ROOT_CA_DIGEST_SIZE])
{
	pem_init();
	SHA256((const uint8_t *)certificates.text, certificates.size, digest);
}

/* -- making one -------------------------------------------------------------------------------- */

/* issuer: the certificate itself where it signs itself. */
static bool add_ca_extensions(X509 *certificate, X509 *issuer)
{
	return x509_add_extension(certificate, issuer, NID_key_usage,
				  "critical,keyCertSign,cRLSign") &&
	       x509_add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
	       x509_add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
}

static X509 *self_signed(EVP_PKEY *key, int64_t now_s)
{
	X509 *certificate = X509_new();
	X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;

	if (name && X509_set_version(certificate, X509_VERSION_3) && x509_set_serial(certificate) &&
	    x509_add_name(name, NID_commonName, "swarm-ca") &&
	    X509_set_issuer_name(certificate, name) &&
	    x509_set_validity(certificate, now_s - CA_BACKDATE_S, now_s + CA_ROOT_LIFE_S) &&
	    X509_set_pubkey(certificate, key) && add_ca_extensions(certificate, certificate) &&
	    x509_sign(certificate, key))
		return certificate;
	X509_free(certificate);
	return NULL;
}

int root_ca_generate(int64_t now_s, struct root_ca *out, struct problem *problem)
{
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	PEM_OWNS(certificate) X509 *certificate = NULL;
	struct root_ca root = {0};

	pem_init();
	key = EVP_EC_gen("P-256");
	certificate = key ? self_signed(key, now_s) : NULL;
	if (!certificate)
		return pem_problem(problem, -ENOMEM, "new CA");
	root.certificate = pem_write_certificate(certificate);
	root.key = pem_write_key(key);
	if (!root.certificate || !root.key) {
		root_ca_clear(&root);
		return pem_problem(problem, -ENOMEM, "new CA");
	}
	*out = root;
	return 0;
}

/* -- taking one -------------------------------------------------------------------------------- */

static bool key_is_fit(const EVP_PKEY *key)
{
	static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
	char group[32];
	size_t length;

	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= CA_RSA_BITS_MIN &&
		       EVP_PKEY_get_bits(key) <= CA_RSA_BITS_MAX;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &length) != 1)
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (!strcmp(group, curves[i]))
			return true;
	return false;
}

static int check_root(X509 *certificate, int64_t now_s, struct problem *problem)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	int64_t from_s, until_s;

	if (!key || !key_is_fit(key))
		return problem_set(
		    problem, -EINVAL,
		    "CA certificate: its key has to be P-256, P-384, P-521 or RSA with "
		    "%d to %d bits",
		    CA_RSA_BITS_MIN, CA_RSA_BITS_MAX);
	/* 1: X.509v3 with CA:TRUE; what it says more is of older ways to be a CA. */
	if (X509_check_ca(certificate) != 1 ||
	    !(X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN))
		return problem_set(problem, -EINVAL,
				   "CA certificate: it may not sign certificates");
	if (X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) ||
	    X509_verify(certificate, key) != 1)
		return problem_set(problem, -EINVAL, "CA certificate: it is not self-signed");
	if (!x509_time(X509_get0_notBefore(certificate), &from_s) ||
	    !x509_time(X509_get0_notAfter(certificate), &until_s) || now_s < from_s ||
	    now_s > until_s)
		return problem_set(problem, -EINVAL,
				   "CA certificate: it has expired or is not yet valid");
	return 0;
}

static int check_key(X509 *certificate, EVP_PKEY *key, struct problem *problem)
{
	if (X509_check_private_key(certificate, key) == 1)
		return 0;
	return problem_set(problem, -EINVAL, "CA key: it is not the CA certificate's");
}

int root_ca_load(struct pem certificate_pem, struct pem key_pem, int64_t now_s, struct root_ca *out,
		 struct problem *problem)
{
	PEM_OWNS(certificate) X509 *certificate = NULL;
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	struct root_ca root = {0};
	int err = pem_read_certificate(certificate_pem, "CA certificate", &certificate, problem);

	if (!err)
		err = check_root(certificate, now_s, problem);
	if (!err && key_pem.size)
		err = pem_read_key(key_pem, "CA key", &key, problem);
	if (!err && key)
		err = check_key(certificate, key, problem);
	ERR_clear_error();
	if (err)
		return err;
	root.certificate = pem_write_certificate(certificate);
	root.key = key ? pem_write_key(key) : NULL;
	if (!root.certificate || (key && !root.key)) {
		root_ca_clear(&root);
		return problem_set(problem, -ENOMEM, "CA certificate: no memory");
	}
	*out = root;
	return 0;
}

int root_ca_not_after(const struct root_ca *root, int64_t *s, struct problem *problem)
{
	PEM_OWNS(certificate) X509 *certificate = NULL;
	const int err = pem_read_certificate(pem_of(root->certificate), "CA certificate",
					     &certificate, problem);

	if (err)
		return err;
	return x509_time(X509_get0_notAfter(certificate), s)
		   ? 0
		   : problem_set(problem, -EINVAL, "CA certificate: no time that it ends at");
}

/* -- cross-signing ----------------------------------------------------------------------------- */

static X509 *cross_signed(X509 *old, EVP_PKEY *old_key, X509 *next, int64_t now_s)
{
	int64_t until_s, next_until_s;
	X509 *cross = X509_new();

	if (cross && x509_time(X509_get0_notAfter(old), &until_s) &&
	    x509_time(X509_get0_notAfter(next), &next_until_s) &&
	    X509_set_version(cross, X509_VERSION_3) && x509_set_serial(cross) &&
	    X509_set_subject_name(cross, X509_get_subject_name(next)) &&
	    X509_set_issuer_name(cross, X509_get_subject_name(old)) &&
	    x509_set_validity(cross, now_s - CA_BACKDATE_S,
			      until_s < next_until_s ? until_s : next_until_s) &&
	    X509_set_pubkey(cross, X509_get0_pubkey(next)) && add_ca_extensions(cross, old) &&
	    /* All roots are called swarm-ca: only key identifiers lead from one to the next. */
	    x509_add_authority(cross, old) && x509_sign(cross, old_key))
		return cross;
	X509_free(cross);
	return NULL;
}

int root_ca_cross_sign(const struct root_ca *old, const struct root_ca *next, int64_t now_s,
		       char **out, struct problem *problem)
{
	PEM_OWNS(certificate) X509 *certificate = NULL, *next_certificate = NULL, *cross = NULL;
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	int err;

	assert(old->key);
	err =
	    pem_read_certificate(pem_of(old->certificate), "CA certificate", &certificate, problem);
	if (!err)
		err = pem_read_key(pem_of(old->key), "CA key", &key, problem);
	if (!err)
		err = pem_read_certificate(pem_of(next->certificate), "new CA certificate",
					   &next_certificate, problem);
	if (err)
		return err;
	cross = cross_signed(certificate, key, next_certificate, now_s);
	*out = cross ? pem_write_certificate(cross) : NULL;
	return *out ? 0 : pem_problem(problem, -ENOMEM, "cross-signing the new CA");
}
