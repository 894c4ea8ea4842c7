/* SPDX-License-Identifier: BSD-2-Clause */
#include "signer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/x509v3.h>

#include "ca_limits.h"
#include "csr.h"
#include "x509_parts.h"

struct signer {
	X509 *root;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* NULL: empty */
	int64_t root_not_after_s;
};

int signer_new(const struct root_ca *root, struct pem chain, struct signer **out,
	       struct problem *problem)
{
	struct signer *signer = calloc(1, sizeof(*signer));
	int err;

	assert(root->key);
	if (!signer)
		return problem_set(problem, -ENOMEM, "CA: no memory");
	err = pem_read_certificate(pem_of(root->certificate), "CA certificate", &signer->root,
				   problem);
	if (!err)
		err = pem_read_key(pem_of(root->key), "CA key", &signer->key, problem);
	if (!err && chain.size)
		err = pem_read_certificates(chain, "cross-signed CA certificate", &signer->chain,
					    problem);
	if (!err && X509_check_private_key(signer->root, signer->key) != 1)
		err = pem_problem(problem, -EINVAL, "CA key");
	if (!err && !x509_time(X509_get0_notAfter(signer->root), &signer->root_not_after_s))
		err = pem_problem(problem, -EINVAL, "CA certificate");
	if (err)
		signer_free(signer);
	else
		*out = signer;
	return err;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	X509_free(signer->root);
	EVP_PKEY_free(signer->key);
	sk_X509_pop_free(signer->chain, X509_free);
	free(signer);
}

/* Nothing else may come into names, which are lists with commas and colons. */
static bool is_id(const char *text, size_t max)
{
	const size_t length = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz");

	return length && length <= max && !text[length];
}

static bool add_subject(X509 *certificate, const struct signer_order *order)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	char raft_id[17];

	snprintf(raft_id, sizeof(raft_id), "%016" PRIx64, order->raft_id);
	return x509_add_name(name, NID_organizationName, order->cluster) &&
	       x509_add_name(name, NID_organizationalUnitName, node_role_unit(order->role)) &&
	       x509_add_name(name, NID_commonName, order->node) &&
	       (order->role != NODE_MANAGER || x509_add_name(name, NID_serialNumber, raft_id));
}

static bool add_extensions(X509 *certificate, X509 *root, const struct signer_order *order)
{
	char names[128];

	snprintf(names, sizeof(names), "DNS:%s,DNS:%s%s", node_role_unit(order->role), order->node,
		 order->role == NODE_MANAGER ? ",DNS:swarm-ca" : "");
	return x509_add_extension(certificate, root, NID_key_usage, "critical,digitalSignature") &&
	       x509_add_extension(certificate, root, NID_ext_key_usage, "serverAuth,clientAuth") &&
	       x509_add_extension(certificate, root, NID_basic_constraints, "critical,CA:FALSE") &&
	       x509_add_extension(certificate, root, NID_subject_key_identifier, "hash") &&
	       x509_add_authority(certificate, root) &&
	       x509_add_extension(certificate, root, NID_subject_alt_name, names);
}

static X509 *sign(const struct signer *signer, EVP_PKEY *key, const struct signer_order *order)
{
	const int64_t end_s = order->now_s + order->life_s;
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) &&
	    x509_set_serial(certificate) &&
	    X509_set_issuer_name(certificate, X509_get_subject_name(signer->root)) &&
	    x509_set_validity(certificate, order->now_s - CA_BACKDATE_S,
			      end_s < signer->root_not_after_s ? end_s
							       : signer->root_not_after_s) &&
	    X509_set_pubkey(certificate, key) && add_subject(certificate, order) &&
	    add_extensions(certificate, signer->root, order) && x509_sign(certificate, signer->key))
		return certificate;
	X509_free(certificate);
	return NULL;
}

static char *join_chain(X509 *certificate, STACK_OF(X509) * chain)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	bool done = all && sk_X509_push(all, certificate);
	char *text;

	for (int i = 0; done && chain && i < sk_X509_num(chain); i++)
		done = sk_X509_push(all, sk_X509_value(chain, i));
	text = done ? pem_write_certificates(all) : NULL;
	sk_X509_free(all);
	return text;
}

int signer_issue(const struct signer *signer, struct pem csr, const struct signer_order *order,
		 char **out, struct problem *problem)
{
	PEM_OWNS(key) EVP_PKEY *key = NULL;
	PEM_OWNS(certificate) X509 *certificate = NULL;
	char *text;
	int err;

	assert(is_id(order->cluster, CA_CLUSTER_ID_MAX) && is_id(order->node, CA_NODE_ID_MAX));
	assert((order->role == NODE_MANAGER) == (order->raft_id != 0));
	assert(order->life_s >= CA_NODE_LIFE_MIN_S);
	err = csr_open(csr, &key, problem);
	if (err)
		return err;
	if (order->now_s >= signer->root_not_after_s)
		return problem_set(problem, -EKEYEXPIRED,
				   "the CA certificate has expired: rotate it first");
	certificate = sign(signer, key, order);
	text = certificate ? join_chain(certificate, signer->chain) : NULL;
	if (!text)
		return pem_problem(problem, -ENOMEM, "signing a certificate");
	*out = text;
	return 0;
}
