/* SPDX-License-Identifier: BSD-2-Clause */
#include "node_certificate.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "x509_parts.h"

/* -- what it says ------------------------------------------------------------------------------ */

enum { RAFT_ID_DIGITS = 16 };

/* The only value of a subject's field, as plain ASCII. 0: it is not there; -1: not so. */
static int subject_field(const X509_NAME *subject, int nid, char *text, size_t size)
{
	const int at = X509_NAME_get_index_by_NID(subject, nid, -1);
	const ASN1_STRING *value;
	int length;

	if (at < 0)
		return 0;
	if (X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
		return -1;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	length = ASN1_STRING_length(value);
	if (length <= 0 || (size_t)length >= size)
		return -1;
	for (int i = 0; i < length; i++) {
		const unsigned char byte = ASN1_STRING_get0_data(value)[i];

		if (byte < 0x20 || byte > 0x7e)
			return -1;
		text[i] = (char)byte;
	}
	text[length] = '\0';
	return 1;
}

/* 0: none. */
static uint64_t parse_raft_id(const char *text)
{
	uint64_t value = 0;

	if (strlen(text) != RAFT_ID_DIGITS || strspn(text, "0123456789abcdef") != RAFT_ID_DIGITS)
		return 0;
	for (; *text; text++)
		value = value << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return value;
}

int node_identity_of(const X509 *certificate, struct node_identity *identity)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	char unit[32], raft_id[RAFT_ID_DIGITS + 1] = "";
	struct node_identity found = {0};
	int has_raft_id;

	if (subject_field(subject, NID_organizationName, found.cluster, sizeof(found.cluster)) !=
		1 ||
	    subject_field(subject, NID_organizationalUnitName, unit, sizeof(unit)) != 1 ||
	    subject_field(subject, NID_commonName, found.node, sizeof(found.node)) != 1)
		return -EACCES;
	has_raft_id = subject_field(subject, NID_serialNumber, raft_id, sizeof(raft_id));
	found.raft_id = has_raft_id == 1 ? parse_raft_id(raft_id) : 0;
	if (!strcmp(unit, node_role_unit(NODE_MANAGER)) && found.raft_id)
		found.role = NODE_MANAGER;
	else if (!strcmp(unit, node_role_unit(NODE_WORKER)) && !has_raft_id)
		found.role = NODE_WORKER;
	else
		return -EACCES;
	if (!x509_time(X509_get0_notBefore(certificate), &found.not_before_s) ||
	    !x509_time(X509_get0_notAfter(certificate), &found.not_after_s))
		return -EACCES;
	*identity = found;
	return 0;
}

/* -- whether it is in force -------------------------------------------------------------------- */

static void rfc1123(int64_t s, char text[40])
{
	const time_t time = (time_t)s;
	struct tm parts;

	if (!gmtime_r(&time, &parts) || !strftime(text, 40, "%a, %d %b %Y %H:%M:%S UTC", &parts))
		snprintf(text, 40, "%" PRId64, s);
}

/* One end of a certificate's life was missed: said so that a wrong clock can be seen. */
static int not_valid(struct problem *problem, int place, const X509 *certificate, const char *side,
		     int64_t limit_s, int64_t now_s)
{
	char name[65] = "", limit[40], now[40];

	if (subject_field(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name)) !=
	    1)
		snprintf(name, sizeof(name), "no name");
	rfc1123(limit_s, limit);
	rfc1123(now_s, now);
	return problem_set(problem, -EKEYEXPIRED,
			   "certificate (%d - %s) not valid %s %s, and it is currently %s", place,
			   name, side, limit, now);
}

static int check_time(int place, const X509 *certificate,
		      const struct node_certificate_rules *rules, struct problem *problem)
{
	int64_t from_s, until_s;

	if (!x509_time(X509_get0_notBefore(certificate), &from_s) ||
	    !x509_time(X509_get0_notAfter(certificate), &until_s))
		return problem_set(problem, -EINVAL, "certificate: its times are malformed");
	if (rules->now_s < from_s)
		return not_valid(problem, place, certificate, "before", from_s, rules->now_s);
	/* As OpenSSL has it; to RFC 5280 the last second is still good. */
	if (rules->now_s >= until_s && !rules->allow_expired)
		return not_valid(problem, place, certificate, "after", until_s, rules->now_s);
	return 0;
}

/* -- whether a root leads to it ---------------------------------------------------------------- */

static bool set_rules(X509_STORE_CTX *context, const struct node_certificate_rules *rules)
{
	X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);

	X509_VERIFY_PARAM_set_depth(parameters, CA_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(parameters, 2); /* 112 bits */
	if (rules->allow_expired) /* with a time set as well it would count */
		X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME);
	else
		X509_VERIFY_PARAM_set_time(parameters, (time_t)rules->now_s);
	return X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT) == 1;
}

static int judge(X509_STORE_CTX *context, const struct node_certificate_rules *rules,
		 struct problem *problem)
{
	const int verdict = X509_STORE_CTX_get_error(context);
	const X509 *certificate = X509_STORE_CTX_get_current_cert(context);

	/* Only a root's: those of the chain have been looked at. */
	if (certificate &&
	    (verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID)) {
		const int place = X509_STORE_CTX_get_error_depth(context) + 1;
		const int err = check_time(place, certificate, rules, problem);

		if (err)
			return err;
	}
	if (verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	    verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	    verdict == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
	    verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
	    verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
		return problem_set(problem, -EKEYREJECTED,
				   "x509: certificate signed by unknown authority");
	return problem_set(problem, -EKEYREJECTED, "x509: %s",
			   X509_verify_cert_error_string(verdict));
}

static int verify(X509_STORE *store, STACK_OF(X509) * chain, STACK_OF(X509) * roots,
		  const struct node_certificate_rules *rules, struct issuer *issuer,
		  struct problem *problem)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int err = 0;

	for (int i = 0; i < sk_X509_num(roots); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(roots, i)) != 1)
			err = -ENOMEM;
	if (err || !context ||
	    X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) != 1 ||
	    !set_rules(context, rules))
		err = pem_problem(problem, -ENOMEM, "certificate");
	else if (X509_verify_cert(context) != 1)
		err = judge(context, rules, problem);
	else if (X509_check_purpose(sk_X509_value(chain, 0), X509_PURPOSE_SSL_SERVER, 0) != 1)
		err = problem_set(problem, -EKEYREJECTED, "x509: %s",
				  X509_verify_cert_error_string(X509_V_ERR_INVALID_PURPOSE));
	/* A leaf that is itself trusted would have no issuer; no root names a node. */
	else if (issuer && (sk_X509_num(X509_STORE_CTX_get0_chain(context)) < 2 ||
			    issuer_of_certificate(
				sk_X509_value(X509_STORE_CTX_get0_chain(context), 1), issuer)))
		err = problem_set(problem, -EKEYREJECTED,
				  "x509: certificate signed by unknown authority");
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return err;
}

static int check_chain(STACK_OF(X509) * chain, const struct node_certificate_rules *rules,
		       struct issuer *issuer, struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *roots = NULL;
	X509_STORE *store;
	int err = 0;

	for (int i = 0; !err && i < sk_X509_num(chain); i++)
		err = check_time(i + 1, sk_X509_value(chain, i), rules, problem);
	if (!err)
		err = pem_read_certificates(rules->trust, "CA certificates", &roots, problem);
	if (err)
		return err;
	store = X509_STORE_new();
	err = store ? verify(store, chain, roots, rules, issuer, problem)
		    : problem_set(problem, -ENOMEM, "certificate: no memory");
	X509_STORE_free(store);
	return err;
}

/* -- whether it is for us ---------------------------------------------------------------------- */

static int check_identity(const X509 *certificate, const struct node_certificate_rules *rules,
			  struct node_identity *identity, struct problem *problem)
{
	struct node_identity found;

	if (node_identity_of(certificate, &found))
		return problem_set(problem, -EACCES,
				   "Permission denied: remote certificate names no node");
	if (rules->cluster && strcmp(found.cluster, rules->cluster))
		return problem_set(problem, -EACCES,
				   "Permission denied: remote certificate not part of "
				   "organization: %s",
				   rules->cluster);
	if (!(rules->roles & 1U << found.role))
		return problem_set(problem, -EACCES,
				   "Permission denied: unauthorized peer role: %s",
				   node_role_unit(found.role));
	*identity = found;
	return 0;
}

int node_certificate_verify(struct pem pem, const struct node_certificate_rules *rules,
			    struct node_identity *identity, struct issuer *issuer,
			    struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *chain = NULL;
	int err = pem_read_certificates(pem, "certificate", &chain, problem);

	if (!err && sk_X509_num(chain) > CA_CHAIN_MAX)
		err = problem_set(problem, -EINVAL, "certificate: a chain of more than %d",
				  CA_CHAIN_MAX);
	if (!err)
		err = check_chain(chain, rules, issuer, problem);
	if (!err)
		err = check_identity(sk_X509_value(chain, 0), rules, identity, problem);
	return err;
}

int node_certificate_check_key(struct pem pem, struct pem key_pem, struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *chain = NULL;
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	int err = pem_read_certificates(pem, "certificate", &chain, problem);

	if (!err)
		err = pem_read_key(key_pem, "node key", &key, problem);
	if (!err && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
		err = problem_set(problem, -EKEYREJECTED, "certificate key mismatch");
	ERR_clear_error();
	return err;
}
