/* SPDX-License-Identifier: BSD-2-Clause */
#include "root_ca.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ca_bed.h"
#include "issuer.h"
#include "x509_parts.h"

static X509 *parse(const char *text)
{
	X509 *certificate = NULL;

	assert_int_equal(pem_read_certificate(pem_of(text), "test", &certificate, NULL), 0);
	return certificate;
}

/* Except for key, serial number and times, the certificate is what Swarm makes. */
static void test_shape(void **state)
{
	X509 *golden = parse(bed_golden_roots[0]), *ours;
	struct root_ca root;
	int64_t from_s, until_s;

	(void)state;
	assert_int_equal(root_ca_generate(BED_NOW, &root, NULL), 0);
	ours = parse(root.certificate);
	assert_int_equal(X509_get_version(ours), X509_get_version(golden));
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(ours), X509_get_subject_name(golden)),
			 0);
	assert_int_equal(X509_get_signature_nid(ours), X509_get_signature_nid(golden));
	assert_int_equal(X509_get_ext_count(ours), X509_get_ext_count(golden));
	for (int i = 0; i < X509_get_ext_count(golden); i++) {
		X509_EXTENSION *a = X509_get_ext(ours, i), *b = X509_get_ext(golden, i);

		assert_int_equal(
		    OBJ_cmp(X509_EXTENSION_get_object(a), X509_EXTENSION_get_object(b)), 0);
		assert_int_equal(X509_EXTENSION_get_critical(a), X509_EXTENSION_get_critical(b));
		if (OBJ_obj2nid(X509_EXTENSION_get_object(b)) != NID_subject_key_identifier)
			assert_int_equal(ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(a),
							       X509_EXTENSION_get_data(b)),
					 0);
	}
	assert_true(x509_time(X509_get0_notBefore(ours), &from_s));
	assert_true(x509_time(X509_get0_notAfter(ours), &until_s));
	assert_int_equal(from_s, BED_NOW - 3600);
	assert_int_equal(until_s, BED_NOW + INT64_C(20) * 365 * 86400);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(ours)), CA_SERIAL_SIZE);
	X509_free(golden);
	X509_free(ours);
	root_ca_clear(&root);
	assert_null(root.key);
	root_ca_clear(&root);
}

/* TLSInfo's two fields, as the real swarm showed them. */
static void test_issuer(void **state)
{
	struct issuer issuer, again;
	unsigned char text[512];

	(void)state;
	assert_int_equal(issuer_of_pem(pem_of(bed_golden_roots[0]), &issuer, NULL), 0);
	EVP_EncodeBlock(text, issuer.subject, (int)issuer.subject_size);
	assert_string_equal(text, BED_GOLDEN_SUBJECT);
	EVP_EncodeBlock(text, issuer.public_key, (int)issuer.public_key_size);
	assert_string_equal(text, BED_GOLDEN_PUBLIC_KEY);

	assert_int_equal(issuer_of_bytes(issuer.subject, issuer.subject_size, issuer.public_key,
					 issuer.public_key_size, &again),
			 0);
	assert_true(issuer_equals(&issuer, &again));
	assert_int_equal(issuer_of_pem(pem_of(bed_golden_roots[1]), &again, NULL), 0);
	assert_false(issuer_equals(&issuer, &again)); /* the same name, another key */
	assert_int_equal(issuer_of_bytes("", 0, "k", 1, &again), -EINVAL);
	assert_int_equal(issuer_of_bytes("s", 1, text, CA_PUBLIC_KEY_DER_MAX + 1, &again), -EINVAL);
}

static void test_load(void **state)
{
	struct root_ca root, other, loaded;
	char text[4096];
	int64_t end_s;

	(void)state;
	assert_int_equal(root_ca_generate(BED_NOW, &root, NULL), 0);
	assert_int_equal(root_ca_generate(BED_NOW, &other, NULL), 0);
	/* What stands around a block is not part of it; what comes out is canonical. */
	snprintf(text, sizeof(text), "Subject: a comment\n%s\n\n", root.certificate);
	assert_int_equal(root_ca_load(pem_of(text), pem_of(root.key), BED_NOW, &loaded, NULL), 0);
	assert_string_equal(loaded.certificate, root.certificate);
	assert_string_equal(loaded.key, root.key);
	assert_int_equal(root_ca_not_after(&loaded, &end_s, NULL), 0);
	assert_int_equal(end_s, BED_NOW + CA_ROOT_LIFE_S);
	root_ca_clear(&loaded);

	/* The real swarm's, whose key nobody has here. */
	assert_int_equal(
	    root_ca_load(pem_of(bed_golden_roots[0]), pem_of(NULL), BED_NOW, &loaded, NULL), 0);
	assert_string_equal(loaded.certificate, bed_golden_roots[0]);
	assert_null(loaded.key);
	root_ca_clear(&loaded);
	root_ca_clear(&root);
	root_ca_clear(&other);
}

static void refused(const char *certificate, const char *key, int64_t now_s, const char *words)
{
	struct root_ca out = {0};
	struct problem problem = {0};

	assert_int_equal(root_ca_load(pem_of(certificate), pem_of(key), now_s, &out, &problem),
			 -EINVAL);
	assert_string_equal(problem.message, words);
	assert_null(out.certificate);
}

/* A certificate of this key, which signs itself but for `issuer`. */
static char *make(EVP_PKEY *key, const char *constraints, const char *usage, const char *issuer)
{
	X509 *certificate = X509_new();
	char *text;

	assert_true(X509_set_version(certificate, X509_VERSION_3));
	assert_true(x509_set_serial(certificate));
	assert_true(x509_set_validity(certificate, BED_NOW - 60, BED_NOW + 2 * CA_YEAR_S));
	assert_true(x509_add_name(X509_get_subject_name(certificate), NID_commonName, "mine"));
	assert_true(x509_add_name(X509_get_issuer_name(certificate), NID_commonName, issuer));
	assert_true(X509_set_pubkey(certificate, key));
	assert_true(
	    x509_add_extension(certificate, certificate, NID_basic_constraints, constraints));
	assert_true(x509_add_extension(certificate, certificate, NID_key_usage, usage));
	assert_true(x509_sign(certificate, key));
	text = pem_write_certificate(certificate);
	X509_free(certificate);
	return text;
}

static void test_refused(void **state)
{
	struct root_ca root, other;
	char text[4096], *made, *key_text;
	EVP_PKEY *key = EVP_EC_gen("P-256"), *weak = EVP_RSA_gen(1024);

	(void)state;
	assert_int_equal(root_ca_generate(BED_NOW, &root, NULL), 0);
	assert_int_equal(root_ca_generate(BED_NOW, &other, NULL), 0);

	refused("", NULL, BED_NOW, "CA certificate: nothing in PEM in it");
	refused("hello", NULL, BED_NOW, "CA certificate: nothing in PEM in it");
	refused(root.key, NULL, BED_NOW, "CA certificate: malformed");
	refused(root.certificate, other.key, BED_NOW, "CA key: it is not the CA certificate's");
	refused(root.certificate, "x", BED_NOW, "CA key: nothing in PEM in it");
	refused(root.certificate, root.certificate, BED_NOW, "CA key: malformed");
	refused(root.certificate, NULL, BED_NOW - 3601,
		"CA certificate: it has expired or is not yet valid");
	refused(root.certificate, NULL, BED_NOW + CA_ROOT_LIFE_S + 1,
		"CA certificate: it has expired or is not yet valid");
	snprintf(text, sizeof(text), "%s%s", root.certificate, other.certificate);
	refused(text, NULL, BED_NOW, "CA certificate: more than one certificate");
	/* Cut short, and a byte of the signature changed. */
	snprintf(text, strlen(root.certificate) - 40, "%s", root.certificate);
	refused(text, NULL, BED_NOW, "CA certificate: bad end line");
	snprintf(text, sizeof(text), "%s", root.certificate);
	text[strlen(text) - 40] = text[strlen(text) - 40] == 'A' ? 'B' : 'A';
	refused(text, NULL, BED_NOW, "CA certificate: it is not self-signed");

	made = make(key, "critical,CA:TRUE", "critical,keyCertSign", "mine");
	key_text = pem_write_key(key);
	root_ca_clear(&other);
	assert_int_equal(root_ca_load(pem_of(made), pem_of(key_text), BED_NOW, &other, NULL), 0);
	free(made);
	made = make(key, "critical,CA:FALSE", "critical,digitalSignature", "mine");
	refused(made, NULL, BED_NOW, "CA certificate: it may not sign certificates");
	free(made);
	made = make(key, "critical,CA:TRUE", "critical,cRLSign", "mine");
	refused(made, NULL, BED_NOW, "CA certificate: it may not sign certificates");
	free(made);
	made = make(key, "critical,CA:TRUE", "critical,keyCertSign", "yours");
	refused(made, NULL, BED_NOW, "CA certificate: it is not self-signed");
	free(made);
	made = make(weak, "critical,CA:TRUE", "critical,keyCertSign", "mine");
	refused(made, NULL, BED_NOW,
		"CA certificate: its key has to be P-256, P-384, P-521 or RSA with 2048 to 4096 "
		"bits");
	free(made);
	free(key_text);
	EVP_PKEY_free(key);
	EVP_PKEY_free(weak);
	root_ca_clear(&root);
	root_ca_clear(&other);
}

/* More than the bounds, of anything. */
static void test_bounds(void **state)
{
	char *text = calloc(1, CA_PEM_SIZE_MAX + 2);
	STACK_OF(X509) *all = NULL;
	struct problem problem;

	(void)state;
	memset(text, 'x', CA_PEM_SIZE_MAX + 1);
	assert_int_equal(pem_read_certificates(pem_of(text), "test", &all, &problem), -EINVAL);
	assert_string_equal(problem.message, "test: more than 65536 bytes");
	text[0] = '\0';
	for (int i = 0; i < CA_CERTIFICATES_MAX; i++)
		strcat(text, bed_golden_roots[0]);
	assert_int_equal(pem_read_certificates(pem_of(text), "test", &all, &problem), 0);
	assert_int_equal(sk_X509_num(all), CA_CERTIFICATES_MAX);
	sk_X509_pop_free(all, X509_free);
	strcat(text, bed_golden_roots[0]);
	assert_int_equal(pem_read_certificates(pem_of(text), "test", &all, &problem), -EINVAL);
	assert_string_equal(problem.message, "test: more than 16 PEM blocks");
	/* Not terminated, and cut in the middle of a line. */
	assert_int_equal(pem_read_certificates((struct pem){text, 300}, "test", &all, &problem),
			 -EINVAL);
	free(text);
}

/* A byte behind the certificate, inside its block. */
static void test_trailing_byte(void **state)
{
	X509 *certificate = parse(bed_golden_roots[0]), *out = NULL;
	unsigned char der[1024] = {0}, *at = der;
	const size_t size = (size_t)i2d_X509(certificate, &at);
	char *text = pem_write_block("CERTIFICATE", der, size);

	(void)state;
	assert_string_equal(text, bed_golden_roots[0]);
	free(text);
	text = pem_write_block("CERTIFICATE", der, size + 1);
	assert_int_equal(pem_read_certificate(pem_of(text), "test", &out, NULL), -EINVAL);
	free(text);
	X509_free(certificate);
}

static void test_cross_sign(void **state)
{
	struct root_ca old, next;
	X509 *cross, *old_certificate, *next_certificate;
	int64_t until_s;
	char *text;

	(void)state;
	assert_int_equal(root_ca_generate(BED_NOW, &old, NULL), 0);
	assert_int_equal(root_ca_generate(BED_NOW + CA_YEAR_S, &next, NULL), 0);
	assert_int_equal(root_ca_cross_sign(&old, &next, BED_NOW + CA_YEAR_S, &text, NULL), 0);
	cross = parse(text);
	old_certificate = parse(old.certificate);
	next_certificate = parse(next.certificate);
	assert_int_equal(X509_verify(cross, X509_get0_pubkey(old_certificate)), 1);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cross), X509_get0_pubkey(next_certificate)),
			 1);
	assert_int_equal(X509_check_ca(cross), 1);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(cross),
					       X509_get0_subject_key_id(next_certificate)),
			 0);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cross),
					       X509_get0_subject_key_id(old_certificate)),
			 0);
	/* No longer than the old root, which ends first. */
	assert_true(x509_time(X509_get0_notAfter(cross), &until_s));
	assert_int_equal(until_s, BED_NOW + CA_ROOT_LIFE_S);
	X509_free(cross);
	X509_free(old_certificate);
	X509_free(next_certificate);
	free(text);
	root_ca_clear(&old);
	root_ca_clear(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shape),         cmocka_unit_test(test_issuer),
	    cmocka_unit_test(test_load),          cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_bounds),        cmocka_unit_test(test_cross_sign),
	    cmocka_unit_test(test_trailing_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
