/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

enum {
	MEMBER_DIGITS = 16,
	CHAIN_DEPTH_MAX = 4,
	CA_COUNT_MAX = 16,
	/* RFC 8446, 5.5: AES-GCM's key is good for 2^24.5 records. OpenSSL does not count them. */
	RECORDS_PER_KEY = 1 << 23,
};

struct tls_context {
	SSL_CTX *ssl;
	struct tls_identity identity;
};

struct tls_session {
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	uint32_t records;
	char error[160];
};

/* -- subjects ---------------------------------------------------------------------------------- */

/* The only value of a subject's field, as plain ASCII without NUL. */
static bool subject_field(const X509_NAME *subject, int nid, char *text, size_t size)
{
	const int at = X509_NAME_get_index_by_NID(subject, nid, -1);
	const ASN1_STRING *value;
	int length;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
		return false;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	length = ASN1_STRING_length(value);
	if (length <= 0 || (size_t)length >= size)
		return false;
	for (int i = 0; i < length; i++) {
		const unsigned char byte = ASN1_STRING_get0_data(value)[i];

		if (byte < 0x20 || byte > 0x7e)
			return false;
		text[i] = (char)byte;
	}
	text[length] = 0;
	return true;
}

static bool parse_member(const char *text, uint64_t *member)
{
	uint64_t value = 0;

	if (strlen(text) != MEMBER_DIGITS)
		return false;
	for (unsigned int i = 0; i < MEMBER_DIGITS; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = strchr(digits, text[i]);

		if (!digit)
			return false;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*member = value;
	return value;
}

static int read_identity(const X509 *certificate, struct tls_identity *identity)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	char member[MEMBER_DIGITS + 1];
	struct tls_identity found;

	if (!subject_field(subject, NID_serialNumber, member, sizeof(member)) ||
	    !subject_field(subject, NID_organizationName, found.cluster, sizeof(found.cluster)) ||
	    !parse_member(member, &found.member))
		return -EACCES;
	*identity = found;
	return 0;
}

/* -- credentials ------------------------------------------------------------------------------- */

static const char *last_error(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason ? reason : "unknown reason";
}

/* No key is encrypted; without this OpenSSL would ask on the terminal. */
static int no_password(char *buffer, int size, int writes, void *data)
{
	(void)buffer, (void)size, (void)writes, (void)data;
	return -1;
}

static BIO *open_text(const char *text)
{
	const size_t length = strlen(text);

	return length > INT_MAX ? NULL : BIO_new_mem_buf(text, (int)length);
}

static int load_ca(SSL_CTX *ssl, const char *text, struct raft_error *error)
{
	BIO *bio = open_text(text);
	X509 *certificate;
	int count = 0;

	while (bio && count < CA_COUNT_MAX &&
	       (certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		count += X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), certificate);
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error(); /* the end of the text is one */
	return count ? 0 : raft_error_set(error, -EINVAL, "CA: no certificate in it");
}

static int load_certificate(struct tls_context *context, const char *text, struct raft_error *error)
{
	BIO *bio = open_text(text);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
	int err = 0;

	if (!certificate)
		err = raft_error_set(error, -EINVAL, "certificate: none in it");
	else if (read_identity(certificate, &context->identity))
		err = raft_error_set(error, -EINVAL,
				     "certificate: its subject needs O, the cluster, and "
				     "serialNumber, the member's id as 16 hexadecimal digits");
	else if (SSL_CTX_use_certificate(context->ssl, certificate) != 1)
		err = raft_error_set(error, -EINVAL, "certificate: %s", last_error());
	X509_free(certificate);
	while (!err && (certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		if (SSL_CTX_add1_chain_cert(context->ssl, certificate) != 1)
			err = raft_error_set(error, -EINVAL, "certificate: its chain: %s",
					     last_error());
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
	return err;
}

static int load_key(SSL_CTX *ssl, const char *text, struct raft_error *error)
{
	BIO *bio = open_text(text);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	int err = 0;

	if (!key)
		err = raft_error_set(error, -EINVAL, "key: no unencrypted private key in it");
	else if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1)
		err = raft_error_set(error, -EINVAL, "key: not the certificate's");
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return err;
}

static bool set_rules(SSL_CTX *ssl)
{
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(ssl, CHAIN_DEPTH_MAX);
	SSL_CTX_set_max_cert_list(ssl, TLS_CERTIFICATES_MAX);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	/* An idle connection then keeps no buffers. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(
		   ssl, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
	       SSL_CTX_set1_groups_list(ssl, "X25519:P-256") == 1 &&
	       SSL_CTX_set_num_tickets(ssl, 0) == 1;
}

int tls_context_new(const struct tls_pem *pem, struct tls_context **out, struct raft_error *error)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int err;

	/* What a member speaks is said here; the machine's openssl.cnf has no say in it. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	ERR_clear_error();
	if (!context || !(context->ssl = SSL_CTX_new(TLS_method()))) {
		free(context);
		return raft_error_set(error, -ENOMEM, "TLS: no memory");
	}
	err = set_rules(context->ssl) ? 0 : raft_error_set(error, -EINVAL, "TLS: %s", last_error());
	if (!err)
		err = load_ca(context->ssl, pem->ca, error);
	if (!err)
		err = load_certificate(context, pem->certificate, error);
	if (!err)
		err = load_key(context->ssl, pem->key, error);
	if (err)
		tls_context_free(context);
	else
		*out = context;
	return err;
}

void tls_context_free(struct tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

const struct tls_identity *tls_context_identity(const struct tls_context *context)
{
	return &context->identity;
}

/* -- sessions ---------------------------------------------------------------------------------- */

int tls_session_new(struct tls_context *context, enum tls_side side, struct tls_session **out)
{
	struct tls_session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->ssl = SSL_new(context->ssl);
	session->in = BIO_new(BIO_s_mem());
	session->out = BIO_new(BIO_s_mem());
	if (!session->ssl || !session->in || !session->out) {
		BIO_free(session->in);
		BIO_free(session->out);
		SSL_free(session->ssl);
		free(session);
		return -ENOMEM;
	}
	BIO_set_mem_eof_return(session->in, -1); /* empty: wait, not the end */
	BIO_set_mem_eof_return(session->out, -1);
	SSL_set_bio(session->ssl, session->in, session->out);
	if (side == TLS_DIALS)
		SSL_set_connect_state(session->ssl);
	else
		SSL_set_accept_state(session->ssl);
	*out = session;
	return 0;
}

void tls_session_free(struct tls_session *session)
{
	if (!session)
		return;
	SSL_free(session->ssl);
	free(session);
}

int tls_session_feed(struct tls_session *session, const void *data, size_t size)
{
	size_t written;

	if (!size)
		return 0;
	return BIO_write_ex(session->in, data, size, &written) == 1 && written == size ? 0
										       : -ENOMEM;
}

/* 0: it wants more from the peer. */
static int judge(struct tls_session *session, int result)
{
	const int verdict = SSL_get_error(session->ssl, result);
	long verified;

	if (verdict == SSL_ERROR_WANT_READ)
		return 0;
	if (verdict == SSL_ERROR_ZERO_RETURN) {
		snprintf(session->error, sizeof(session->error), "ended by the peer");
		return -EPIPE;
	}
	verified = SSL_get_verify_result(session->ssl);
	snprintf(session->error, sizeof(session->error), "TLS: %s",
		 verified == X509_V_OK ? last_error() : X509_verify_cert_error_string(verified));
	return -EPROTO;
}

int tls_session_handshake(struct tls_session *session)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(session->ssl);
	return result == 1 ? 1 : judge(session, result);
}

ssize_t tls_session_read(struct tls_session *session, void *data, size_t size)
{
	size_t got;
	int result;

	ERR_clear_error();
	result = SSL_read_ex(session->ssl, data, size, &got);
	return result == 1 ? (ssize_t)got : judge(session, result);
}

int tls_session_write(struct tls_session *session, const void *data, size_t size)
{
	const uint8_t *at = data;

	ERR_clear_error();
	while (size) {
		size_t written;
		int result;

		if (++session->records == RECORDS_PER_KEY) {
			session->records = 0;
			SSL_key_update(session->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		}
		/* A memory BIO takes all: anything but success is the end. */
		result = SSL_write_ex(session->ssl, at, size, &written);
		if (result != 1)
			return judge(session, result) ? -EPROTO : -EIO;
		at += written;
		size -= written;
	}
	return 0;
}

size_t tls_session_output(struct tls_session *session, const uint8_t **data)
{
	char *start;
	const long size = BIO_get_mem_data(session->out, &start);

	*data = (const uint8_t *)start;
	return size > 0 ? (size_t)size : 0;
}

void tls_session_output_taken(struct tls_session *session)
{
	(void)BIO_reset(session->out);
}

int tls_session_peer(const struct tls_session *session, struct tls_identity *identity)
{
	const X509 *certificate = SSL_get0_peer_certificate(session->ssl);

	assert(SSL_is_init_finished(session->ssl));
	if (!certificate || SSL_get_verify_result(session->ssl) != X509_V_OK)
		return -EACCES;
	return read_identity(certificate, identity);
}

const char *tls_session_error(const struct tls_session *session)
{
	return session->error;
}
