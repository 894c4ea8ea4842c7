/* SPDX-License-Identifier: BSD-2-Clause */
#include "csr.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "x509_parts.h"

int csr_new_key(char **out, struct problem *problem)
{
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	char *text;

	pem_init();
	key = EVP_EC_gen("P-256");
	text = key ? pem_write_key(key) : NULL;
	if (!text)
		return pem_problem(problem, -ENOMEM, "new key");
	*out = text;
	return 0;
}

int csr_create(const char *key_pem, char **csr, struct problem *problem)
{
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	PEM_OWNS(request) X509_REQ *request = NULL;
	char *text = NULL;
	const int err = pem_read_key(pem_of(key_pem), "node key", &key, problem);

	if (err)
		return err;
	request = X509_REQ_new();
	if (request && X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
	    X509_REQ_set_pubkey(request, key) && X509_REQ_sign(request, key, EVP_sha256()) > 0)
		text = pem_write_request(request);
	if (!text)
		return pem_problem(problem, -ENOMEM, "certificate request");
	*csr = text;
	return 0;
}

int csr_open(struct pem csr, EVP_PKEY **out, struct problem *problem)
{
	PEM_OWNS(request) X509_REQ *request = NULL;
	EVP_PKEY *key;
	char group[32] = "";
	size_t length;
	const int err = pem_read_request(csr, "certificate request", &request, problem);

	if (err)
		return err;
	/* Before the signature: the time that checking one takes is the key's choice. */
	key = X509_REQ_get0_pubkey(request);
	if (!key || !EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &length) != 1 ||
	    strcmp(group, "prime256v1")) {
		ERR_clear_error();
		return problem_set(problem, -EINVAL,
				   "certificate request: its key has to be P-256");
	}
	if (X509_REQ_verify(request, key) != 1) {
		ERR_clear_error();
		return problem_set(problem, -EINVAL,
				   "certificate request: it is not signed with its key");
	}
	EVP_PKEY_up_ref(key);
	*out = key;
	return 0;
}
