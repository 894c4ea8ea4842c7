/* SPDX-License-Identifier: BSD-2-Clause */
#include "node_certificate.h"

#include <openssl/x509v3.h>

#include "ca_bed.h"
#include "x509_parts.h"

enum { RAFT_ID = 0x1234 };

static void test_manager(void **state)
{
	uint64_t seed = 1;
	struct cluster_ca ca = bed_cluster(&seed);
	const struct signer_order order = bed_order(RAFT_ID);
	char *text = bed_issue(&ca, &order, NULL);
	struct node_identity identity;
	struct issuer issuer, root;
	X509 *certificate = NULL;
	char raft_id[20];

	(void)state;
	assert_int_equal(bed_verify(text, ca.root.certificate, BED_NOW, &identity, &issuer, NULL),
			 0);
	assert_string_equal(identity.cluster, BED_CLUSTER);
	assert_string_equal(identity.node, BED_NODE);
	assert_int_equal(identity.role, NODE_MANAGER);
	assert_int_equal(identity.raft_id, RAFT_ID);
	assert_int_equal(identity.not_before_s, BED_NOW - CA_BACKDATE_S);
	assert_int_equal(identity.not_after_s, BED_NOW + CA_NODE_LIFE_S);
	assert_int_equal(issuer_of_pem(pem_of(ca.root.certificate), &root, NULL), 0);
	assert_true(issuer_equals(&issuer, &root));

	/* What raft/tls.c looks at, and the names that a client may ask for. */
	assert_int_equal(pem_read_certificate(pem_of(text), "test", &certificate, NULL), 0);
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_serialNumber, raft_id,
				  sizeof(raft_id));
	assert_string_equal(raft_id, "0000000000001234");
	assert_int_equal(X509_check_host(certificate, "swarm-manager", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, "swarm-ca", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, BED_NODE, 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, "swarm-worker", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ca(certificate), 0);
	X509_free(certificate);
	free(text);
	cluster_ca_clear(&ca);
}

static void test_worker(void **state)
{
	uint64_t seed = 2;
	struct cluster_ca ca = bed_cluster(&seed);
	const struct signer_order order = bed_order(0);
	char *text = bed_issue(&ca, &order, NULL);
	struct node_identity identity;
	X509 *certificate = NULL;

	(void)state;
	assert_int_equal(bed_verify(text, ca.root.certificate, BED_NOW, &identity, NULL, NULL), 0);
	assert_int_equal(identity.role, NODE_WORKER);
	assert_int_equal(identity.raft_id, 0);
	assert_int_equal(pem_read_certificate(pem_of(text), "test", &certificate, NULL), 0);
	assert_int_equal(X509_check_host(certificate, "swarm-worker", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, "swarm-ca", 0, 0, NULL), 0);
	X509_free(certificate);
	free(text);
	cluster_ca_clear(&ca);
}

/* To the second, and in words that show a wrong clock. */
static void test_time(void **state)
{
	uint64_t seed = 3;
	struct cluster_ca ca = bed_cluster(&seed);
	const struct signer_order order = bed_order(0);
	char *text = bed_issue(&ca, &order, NULL);
	const char *trust = ca.root.certificate;
	struct problem problem;

	(void)state;
	/* Ten minutes off, either way: a new certificate is good at once. */
	assert_int_equal(bed_verify(text, trust, BED_NOW - 600, NULL, NULL, NULL), 0);
	assert_int_equal(bed_verify(text, trust, BED_NOW + 600, NULL, NULL, NULL), 0);
	assert_int_equal(bed_verify(text, trust, BED_NOW - CA_BACKDATE_S, NULL, NULL, NULL), 0);
	assert_int_equal(bed_verify(text, trust, BED_NOW + CA_NODE_LIFE_S - 1, NULL, NULL, NULL),
			 0);
	assert_int_equal(bed_verify(text, trust, BED_NOW + CA_NODE_LIFE_S, NULL, NULL, NULL),
			 -EKEYEXPIRED);

	assert_int_equal(bed_verify(text, trust, BED_NOW - CA_BACKDATE_S - 1, NULL, NULL, &problem),
			 -EKEYEXPIRED);
	assert_string_equal(problem.message,
			    "certificate (1 - " BED_NODE
			    ") not valid before Sat, 21 Nov 2026 06:02:44 UTC, and it is currently "
			    "Sat, 21 Nov 2026 06:02:43 UTC");
	assert_int_equal(
	    bed_verify(text, trust, BED_NOW + CA_NODE_LIFE_S + 1, NULL, NULL, &problem),
	    -EKEYEXPIRED);
	assert_string_equal(problem.message,
			    "certificate (1 - " BED_NODE
			    ") not valid after Fri, 19 Feb 2027 07:02:44 UTC, and it is currently "
			    "Fri, 19 Feb 2027 07:02:45 UTC");
	free(text);
	cluster_ca_clear(&ca);
}

/* A root that has run out makes its certificates worthless; they are not made to outlive it. */
static void test_old_root(void **state)
{
	uint64_t seed = 4;
	struct cluster_ca ca = bed_cluster(&seed);
	struct signer_order order = bed_order(0);
	struct node_identity identity;
	struct signer *signer;
	struct problem problem;
	char *text, *csr, *key;

	(void)state;
	order.now_s = BED_NOW + CA_ROOT_LIFE_S - CA_DAY_S;
	text = bed_issue(&ca, &order, &key);
	assert_int_equal(bed_verify(text, ca.root.certificate, order.now_s, &identity, NULL, NULL),
			 0);
	assert_int_equal(identity.not_after_s, BED_NOW + CA_ROOT_LIFE_S);
	free(text);

	order.now_s = BED_NOW + CA_ROOT_LIFE_S;
	assert_int_equal(csr_create(key, &csr, NULL), 0);
	assert_int_equal(cluster_ca_signer(&ca, &signer, NULL), 0);
	assert_int_equal(signer_issue(signer, pem_of(csr), &order, &text, &problem), -EKEYEXPIRED);
	assert_string_equal(problem.message, "the CA certificate has expired: rotate it first");
	signer_free(signer);
	free(csr);
	free(key);
	cluster_ca_clear(&ca);
}

static void test_permissions(void **state)
{
	uint64_t seed = 5;
	struct cluster_ca ca = bed_cluster(&seed), other = bed_cluster(&seed);
	struct signer_order order = bed_order(0);
	char *worker = bed_issue(&ca, &order, NULL), *manager, *foreign, *stranger;
	struct node_certificate_rules rules = {.trust = pem_of(ca.root.certificate),
					       .cluster = BED_CLUSTER,
					       .roles = NODE_ROLE_MANAGERS,
					       .now_s = BED_NOW};
	struct node_identity identity = {.raft_id = 99};
	struct problem problem;

	(void)state;
	order = bed_order(RAFT_ID);
	manager = bed_issue(&ca, &order, NULL);
	stranger = bed_issue(&other, &order, NULL);
	order.cluster = "another";
	foreign = bed_issue(&ca, &order, NULL);

	/* A worker where managers alone are let in. */
	assert_int_equal(node_certificate_verify(pem_of(worker), &rules, &identity, NULL, &problem),
			 -EACCES);
	assert_string_equal(problem.message,
			    "Permission denied: unauthorized peer role: swarm-worker");
	assert_int_equal(identity.raft_id, 99);
	/* Of another cluster by name (the same root), and by root (the same name). */
	assert_int_equal(
	    node_certificate_verify(pem_of(foreign), &rules, &identity, NULL, &problem), -EACCES);
	assert_string_equal(problem.message, "Permission denied: remote certificate not part of "
					     "organization: " BED_CLUSTER);
	assert_int_equal(
	    node_certificate_verify(pem_of(stranger), &rules, &identity, NULL, &problem),
	    -EKEYREJECTED);
	assert_string_equal(problem.message, "x509: certificate signed by unknown authority");
	/* A root is no node, not even a trusted one. */
	assert_int_equal(
	    node_certificate_verify(pem_of(ca.root.certificate), &rules, &identity, NULL, &problem),
	    -EKEYREJECTED);
	assert_int_equal(node_certificate_verify(pem_of(other.root.certificate), &rules, &identity,
						 NULL, &problem),
			 -EKEYREJECTED);
	assert_int_equal(node_certificate_verify(pem_of(manager), &rules, &identity, NULL, NULL),
			 0);
	rules.roles = NODE_ROLE_WORKERS;
	assert_int_equal(node_certificate_verify(pem_of(manager), &rules, &identity, NULL, NULL),
			 -EACCES);
	free(worker);
	free(manager);
	free(foreign);
	free(stranger);
	cluster_ca_clear(&ca);
	cluster_ca_clear(&other);
}

/* A worker that signs for others: its certificate is no CA's. */
static void test_worker_is_no_ca(void **state)
{
	uint64_t seed = 6;
	struct cluster_ca ca = bed_cluster(&seed);
	struct signer_order order = bed_order(0);
	char *key, *worker = bed_issue(&ca, &order, &key), *csr, *forged;
	const struct root_ca rogue = {.certificate = worker, .key = key};
	struct problem problem;
	struct signer *signer;

	(void)state;
	assert_int_equal(signer_new(&rogue, pem_of(worker), &signer, NULL), 0);
	assert_int_equal(csr_create(key, &csr, NULL), 0);
	order = bed_order(RAFT_ID);
	assert_int_equal(signer_issue(signer, pem_of(csr), &order, &forged, NULL), 0);
	assert_int_equal(bed_verify(forged, ca.root.certificate, BED_NOW, NULL, NULL, &problem),
			 -EKEYREJECTED);
	signer_free(signer);
	free(forged);
	free(csr);
	free(key);
	free(worker);
	cluster_ca_clear(&ca);
}

/* Signed by the CA, but not as the signer does it. */
static char *odd_certificate(const struct root_ca *root, const char *const *subject, int nids[])
{
	X509 *certificate = X509_new(), *ca = NULL;
	EVP_PKEY *key = NULL;
	char *text;

	assert_int_equal(pem_read_certificate(pem_of(root->certificate), "test", &ca, NULL), 0);
	assert_int_equal(pem_read_key(pem_of(root->key), "test", &key, NULL), 0);
	assert_true(X509_set_version(certificate, X509_VERSION_3));
	assert_true(x509_set_serial(certificate));
	assert_true(x509_set_validity(certificate, BED_NOW, BED_NOW + CA_DAY_S));
	assert_true(X509_set_issuer_name(certificate, X509_get_subject_name(ca)));
	for (size_t i = 0; subject[i]; i++)
		assert_true(x509_add_name(X509_get_subject_name(certificate), nids[i], subject[i]));
	assert_true(X509_set_pubkey(certificate, key));
	assert_true(x509_sign(certificate, key));
	text = pem_write_certificate(certificate);
	X509_free(certificate);
	X509_free(ca);
	EVP_PKEY_free(key);
	return text;
}

static void test_odd_subjects(void **state)
{
	enum { O = NID_organizationName, OU = NID_organizationalUnitName, CN = NID_commonName };
	enum { SN = NID_serialNumber };
	static const struct {
		const char *subject[6];
		int nids[5];
		int result;
	} cases[] = {
	    {{BED_CLUSTER, "swarm-worker", BED_NODE}, {O, OU, CN}, 0},
	    {{BED_CLUSTER, "swarm-manager", BED_NODE, "00000000000000ff"}, {O, OU, CN, SN}, 0},
	    /* One is missing, one is there twice. */
	    {{"swarm-worker", BED_NODE}, {OU, CN}, -EACCES},
	    {{BED_CLUSTER, BED_NODE}, {O, CN}, -EACCES},
	    {{BED_CLUSTER, "swarm-worker"}, {O, OU}, -EACCES},
	    {{BED_CLUSTER, "swarm-worker", BED_NODE, "other"}, {O, OU, CN, CN}, -EACCES},
	    {{BED_CLUSTER, "swarm-worker", "swarm-manager", BED_NODE}, {O, OU, OU, CN}, -EACCES},
	    /* No such role, an id that is too long. */
	    {{BED_CLUSTER, "swarm-boss", BED_NODE}, {O, OU, CN}, -EACCES},
	    {{BED_CLUSTER, "swarm-worker", BED_NODE "x"}, {O, OU, CN}, -EACCES},
	    /* A manager without a raft id, with a strange one, a worker with one. */
	    {{BED_CLUSTER, "swarm-manager", BED_NODE}, {O, OU, CN}, -EACCES},
	    {{BED_CLUSTER, "swarm-manager", BED_NODE, "ff"}, {O, OU, CN, SN}, -EACCES},
	    {{BED_CLUSTER, "swarm-manager", BED_NODE, "00000000000000FF"},
	     {O, OU, CN, SN},
	     -EACCES},
	    {{BED_CLUSTER, "swarm-manager", BED_NODE, "0000000000000000"},
	     {O, OU, CN, SN},
	     -EACCES},
	    {{BED_CLUSTER, "swarm-worker", BED_NODE, "00000000000000ff"}, {O, OU, CN, SN}, -EACCES},
	};
	uint64_t seed = 7;
	struct cluster_ca ca = bed_cluster(&seed);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int nids[5];
		char *text;

		memcpy(nids, cases[i].nids, sizeof(nids));
		text = odd_certificate(&ca.root, cases[i].subject, nids);
		assert_int_equal(bed_verify(text, ca.root.certificate, BED_NOW, NULL, NULL, NULL),
				 cases[i].result);
		free(text);
	}
	cluster_ca_clear(&ca);
}

static void refused_request(const struct signer *signer, struct pem csr, const char *words)
{
	const struct signer_order order = bed_order(0);
	struct problem problem;
	char *out = NULL;

	assert_int_equal(signer_issue(signer, csr, &order, &out, &problem), -EINVAL);
	assert_string_equal(problem.message, words);
	assert_null(out);
}

static char *request_of(EVP_PKEY *key, EVP_PKEY *signs)
{
	X509_REQ *request = X509_REQ_new();
	char *text;

	assert_true(X509_REQ_set_pubkey(request, key));
	assert_true(X509_REQ_sign(request, signs, EVP_sha256()) > 0);
	text = pem_write_request(request);
	X509_REQ_free(request);
	return text;
}

static char *request_with_trailing_byte(const char *good)
{
	unsigned char der[1024] = {0}, *at = der;
	X509_REQ *request = NULL;
	int size;

	assert_int_equal(pem_read_request(pem_of(good), "test", &request, NULL), 0);
	size = i2d_X509_REQ(request, &at);
	X509_REQ_free(request);
	return pem_write_block("CERTIFICATE REQUEST", der, (size_t)size + 1);
}

static void test_bad_requests(void **state)
{
	uint64_t seed = 8;
	struct cluster_ca ca = bed_cluster(&seed);
	EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048),
		 *p384 = EVP_EC_gen("P-384");
	char *good = request_of(a, a), *text, *two;
	struct signer *signer;

	(void)state;
	assert_int_equal(cluster_ca_signer(&ca, &signer, NULL), 0);
	refused_request(signer, pem_of(""), "certificate request: nothing in PEM in it");
	refused_request(signer, pem_of(ca.root.certificate), "certificate request: malformed");
	refused_request(signer, (struct pem){good, strlen(good) - 30},
			"certificate request: bad end line");
	text = request_of(a, b);
	refused_request(signer, pem_of(text), "certificate request: it is not signed with its key");
	free(text);
	text = request_with_trailing_byte(good);
	refused_request(signer, pem_of(text), "certificate request: malformed");
	free(text);
	text = request_of(rsa, rsa);
	refused_request(signer, pem_of(text), "certificate request: its key has to be P-256");
	free(text);
	text = request_of(p384, p384);
	refused_request(signer, pem_of(text), "certificate request: its key has to be P-256");
	free(text);
	two = bed_concat(good, good);
	refused_request(signer, pem_of(two), "certificate request: more than 1 PEM blocks");
	free(two);
	text = calloc(1, CA_CSR_SIZE_MAX + 2);
	memset(text, '\n', CA_CSR_SIZE_MAX + 1);
	refused_request(signer, pem_of(text), "certificate request: more than 4096 bytes");
	free(text);
	free(good);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p384);
	signer_free(signer);
	cluster_ca_clear(&ca);
}

static void test_malformed_chain(void **state)
{
	uint64_t seed = 9;
	struct cluster_ca ca = bed_cluster(&seed);
	const struct signer_order order = bed_order(0);
	char *key, *text = bed_issue(&ca, &order, &key), *other_key, *long_chain;
	struct problem problem;

	(void)state;
	assert_int_equal(bed_verify("", ca.root.certificate, BED_NOW, NULL, NULL, &problem),
			 -EINVAL);
	assert_int_equal(bed_verify(text, "", BED_NOW, NULL, NULL, &problem), -EINVAL);
	assert_int_equal(bed_verify(key, ca.root.certificate, BED_NOW, NULL, NULL, &problem),
			 -EINVAL);
	long_chain = calloc(CA_CHAIN_MAX + 1, strlen(text) + 1);
	for (int i = 0; i <= CA_CHAIN_MAX; i++)
		strcat(long_chain, text);
	assert_int_equal(bed_verify(long_chain, ca.root.certificate, BED_NOW, NULL, NULL, &problem),
			 -EINVAL);
	assert_string_equal(problem.message, "certificate: a chain of more than 4");

	assert_int_equal(node_certificate_check_key(pem_of(text), pem_of(key), NULL), 0);
	assert_int_equal(csr_new_key(&other_key, NULL), 0);
	assert_int_equal(node_certificate_check_key(pem_of(text), pem_of(other_key), &problem),
			 -EKEYREJECTED);
	assert_string_equal(problem.message, "certificate key mismatch");
	free(other_key);
	free(long_chain);
	free(text);
	free(key);
	cluster_ca_clear(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_manager),
	    cmocka_unit_test(test_worker),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_old_root),
	    cmocka_unit_test(test_permissions),
	    cmocka_unit_test(test_worker_is_no_ca),
	    cmocka_unit_test(test_odd_subjects),
	    cmocka_unit_test(test_bad_requests),
	    cmocka_unit_test(test_malformed_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
