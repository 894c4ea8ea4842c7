/* SPDX-License-Identifier: BSD-2-Clause */
#include "x509_parts.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "ca_limits.h"

bool x509_set_serial(X509 *certificate)
{
	uint8_t bytes[CA_SERIAL_SIZE];
	BIGNUM *number;
	bool done;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return done;
}

bool x509_set_validity(X509 *certificate, int64_t not_before_s, int64_t not_after_s)
{
	return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before_s) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after_s);
}

bool x509_add_name(X509_NAME *name, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(name, nid, V_ASN1_PRINTABLESTRING,
					  (const unsigned char *)text, -1, -1, 0) == 1;
}

bool x509_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool done;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&context);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	done = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return done;
}

bool x509_add_authority(X509 *certificate, X509 *issuer)
{
	/* Asked in this way, an extension that could not be read for lack of memory is not taken
	 * for one that is missing. */
	if (X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) < 0)
		return true;
	return x509_add_extension(certificate, issuer, NID_authority_key_identifier,
				  "keyid:always");
}

bool x509_time(const ASN1_TIME *time, int64_t *s)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1)
		return false;
	*s = (int64_t)timegm(&parts);
	return true;
}

bool x509_sign(X509 *certificate, EVP_PKEY *key)
{
	return X509_sign(certificate, key, EVP_sha256()) > 0;
}
