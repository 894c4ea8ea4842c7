/* SPDX-License-Identifier: BSD-2-Clause */
#include "pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "ca_limits.h"

void pem_init(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	ERR_clear_error();
}

int pem_problem(struct problem *problem, int code, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return problem_set(problem, code, "%s: %s", what, reason ? reason : "malformed");
}

/* -- reading ----------------------------------------------------------------------------------- */

static void block_release(struct pem_block *block)
{
	OPENSSL_free(block->name);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->data, (size_t)(block->size > 0 ? block->size : 0));
	*block = (struct pem_block){0};
}

static void release_bio(BIO **bio)
{
	BIO_free(*bio);
}

int pem_read_blocks(struct pem pem, const char *what, int count_max, pem_block_taker *take,
		    void *context, struct problem *problem)
{
	__attribute__((cleanup(release_bio))) BIO *bio = NULL;
	int count = 0;

	pem_init();
	if (pem.size > CA_PEM_SIZE_MAX)
		return problem_set(problem, -EINVAL, "%s: more than %d bytes", what,
				   CA_PEM_SIZE_MAX);
	bio = BIO_new_mem_buf(pem.size ? pem.text : "", (int)pem.size);
	if (!bio)
		return problem_set(problem, -ENOMEM, "%s: no memory", what);
	for (;; count++) {
		struct pem_block block = {0};
		int err;

		if (PEM_read_bio(bio, &block.name, &block.header, &block.data, &block.size) != 1)
			break;
		if (count == count_max)
			err = problem_set(problem, -EINVAL, "%s: more than %d PEM blocks", what,
					  count_max);
		else if (block.header[0])
			err = problem_set(problem, -EINVAL, "%s: a PEM block with headers", what);
		else if ((err = take(&block, context)))
			err = pem_problem(problem, err, what);
		block_release(&block);
		if (err)
			return err;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return pem_problem(problem, -EINVAL, what);
	ERR_clear_error();
	return count ? 0 : problem_set(problem, -EINVAL, "%s: nothing in PEM in it", what);
}

static int take_certificate(const struct pem_block *block, void *context)
{
	const unsigned char *at = block->data;
	STACK_OF(X509) *certificates = context;
	X509 *certificate;

	if (strcmp(block->name, PEM_STRING_X509))
		return -EINVAL;
	certificate = d2i_X509(NULL, &at, block->size);
	if (!certificate || at != block->data + block->size) {
		X509_free(certificate);
		return -EINVAL;
	}
	if (!sk_X509_push(certificates, certificate)) {
		X509_free(certificate);
		return -ENOMEM;
	}
	return 0;
}

int pem_read_certificates(struct pem pem, const char *what, STACK_OF(X509) * *out,
			  struct problem *problem)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();
	int err;

	if (!certificates)
		return problem_set(problem, -ENOMEM, "%s: no memory", what);
	err = pem_read_blocks(pem, what, CA_CERTIFICATES_MAX, take_certificate, certificates,
			      problem);
	if (err)
		sk_X509_pop_free(certificates, X509_free);
	else
		*out = certificates;
	return err;
}

int pem_read_certificate(struct pem pem, const char *what, X509 **out, struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *certificates = NULL;
	const int err = pem_read_certificates(pem, what, &certificates, problem);

	if (err)
		return err;
	if (sk_X509_num(certificates) != 1)
		return problem_set(problem, -EINVAL, "%s: more than one certificate", what);
	*out = sk_X509_pop(certificates);
	return 0;
}

static int take_key(const struct pem_block *block, void *context)
{
	const unsigned char *at = block->data;
	EVP_PKEY **key = context;

	/* PKCS #8, and the older form that `openssl ecparam -genkey` writes. */
	if (strcmp(block->name, PEM_STRING_PKCS8INF) &&
	    strcmp(block->name, PEM_STRING_ECPRIVATEKEY) && strcmp(block->name, PEM_STRING_RSA))
		return -EINVAL;
	*key = d2i_AutoPrivateKey(NULL, &at, block->size);
	return *key && at == block->data + block->size ? 0 : -EINVAL;
}

int pem_read_key(struct pem pem, const char *what, EVP_PKEY **out, struct problem *problem)
{
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	const int err = pem_read_blocks(pem, what, 1, take_key, &key, problem);

	if (err)
		return err;
	*out = key;
	key = NULL;
	return 0;
}

static int take_request(const struct pem_block *block, void *context)
{
	const unsigned char *at = block->data;
	X509_REQ **request = context;

	if (strcmp(block->name, PEM_STRING_X509_REQ) &&
	    strcmp(block->name, PEM_STRING_X509_REQ_OLD))
		return -EINVAL;
	*request = d2i_X509_REQ(NULL, &at, block->size);
	return *request && at == block->data + block->size ? 0 : -EINVAL;
}

int pem_read_request(struct pem pem, const char *what, X509_REQ **out, struct problem *problem)
{
	PEM_OWNS(request) X509_REQ *request = NULL;
	int err;

	if (pem.size > CA_CSR_SIZE_MAX)
		return problem_set(problem, -EINVAL, "%s: more than %d bytes", what,
				   CA_CSR_SIZE_MAX);
	err = pem_read_blocks(pem, what, 1, take_request, &request, problem);
	if (err)
		return err;
	*out = request;
	request = NULL;
	return 0;
}

/* -- writing ----------------------------------------------------------------------------------- */

static char *text_of(BIO *bio)
{
	char *data = NULL, *text;
	const long size = BIO_get_mem_data(bio, &data);

	text = size > 0 ? malloc((size_t)size + 1) : NULL;
	if (text) {
		memcpy(text, data, (size_t)size);
		text[size] = '\0';
	}
	return text;
}

char *pem_write_certificate(const X509 *certificate)
{
	__attribute__((cleanup(release_bio))) BIO *bio = BIO_new(BIO_s_mem());

	return bio && PEM_write_bio_X509(bio, certificate) == 1 ? text_of(bio) : NULL;
}

char *pem_write_certificates(const STACK_OF(X509) * certificates)
{
	__attribute__((cleanup(release_bio))) BIO *bio = BIO_new(BIO_s_mem());

	for (int i = 0; bio && i < sk_X509_num(certificates); i++)
		if (PEM_write_bio_X509(bio, sk_X509_value(certificates, i)) != 1)
			return NULL;
	return bio ? text_of(bio) : NULL;
}

char *pem_write_key(const EVP_PKEY *key)
{
	/* Secure heap's BIO wipes what it held, also when it grows. */
	__attribute__((cleanup(release_bio))) BIO *bio = BIO_new(BIO_s_secmem());

	return bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
		   ? text_of(bio)
		   : NULL;
}

char *pem_write_request(const X509_REQ *request)
{
	__attribute__((cleanup(release_bio))) BIO *bio = BIO_new(BIO_s_mem());

	return bio && PEM_write_bio_X509_REQ(bio, request) == 1 ? text_of(bio) : NULL;
}

char *pem_write_block(const char *name, const uint8_t *data, size_t size)
{
	__attribute__((cleanup(release_bio))) BIO *bio = BIO_new(BIO_s_secmem());

	return bio && size <= CA_PEM_SIZE_MAX && PEM_write_bio(bio, name, "", data, (long)size) > 0
		   ? text_of(bio)
		   : NULL;
}
