/* SPDX-License-Identifier: BSD-2-Clause */
#include "issuer.h"

#include <errno.h>

int issuer_of_certificate(const X509 *certificate, struct issuer *out)
{
	const X509_NAME *name = X509_get_subject_name(certificate);
	const X509_PUBKEY *key = X509_get_X509_PUBKEY(certificate);
	const int name_size = i2d_X509_NAME(name, NULL);
	const int key_size = i2d_X509_PUBKEY(key, NULL);
	uint8_t *at;

	if (name_size <= 0 || name_size > CA_NAME_DER_MAX || key_size <= 0 ||
	    key_size > CA_PUBLIC_KEY_DER_MAX)
		return -EINVAL;
	out->subject_size = (size_t)name_size;
	out->public_key_size = (size_t)key_size;
	at = out->subject;
	i2d_X509_NAME(name, &at);
	at = out->public_key;
	i2d_X509_PUBKEY(key, &at);
	return 0;
}

int issuer_of_pem(struct pem certificate, struct issuer *out, struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *all = NULL;
	int err = pem_read_certificates(certificate, "CA certificate", &all, problem);

	if (err)
		return err;
	err = issuer_of_certificate(sk_X509_value(all, 0), out);
	return err ? problem_set(problem, err, "CA certificate: its name or key is too large") : 0;
}

int issuer_of_bytes(const void *subject, size_t subject_size, const void *public_key,
		    size_t public_key_size, struct issuer *out)
{
	if (!subject_size || subject_size > CA_NAME_DER_MAX || !public_key_size ||
	    public_key_size > CA_PUBLIC_KEY_DER_MAX)
		return -EINVAL;
	memcpy(out->subject, subject, subject_size);
	memcpy(out->public_key, public_key, public_key_size);
	out->subject_size = subject_size;
	out->public_key_size = public_key_size;
	return 0;
}

bool issuer_equals(const struct issuer *a, const struct issuer *b)
{
	return a->subject_size == b->subject_size && a->public_key_size == b->public_key_size &&
	       !memcmp(a->subject, b->subject, a->subject_size) &&
	       !memcmp(a->public_key, b->public_key, a->public_key_size);
}
