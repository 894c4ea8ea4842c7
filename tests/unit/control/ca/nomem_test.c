/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No memory for one allocation, OpenSSL's and ours, whichever it is: the call fails with a negative
 * errno and a message, or it did without; nothing is accepted that should not be; nothing leaks
 * (with a sanitizer).
 */
#include <openssl/crypto.h>

#include "ca_bed.h"
#include "key_file.h"
#include "rotation.h"

static struct {
	unsigned long count, fail; /* fail 0: none */
} memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

static bool there_is(void)
{
	return ++memory.count != memory.fail;
}

void *__wrap_malloc(size_t size)
{
	return there_is() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return there_is() ? __real_calloc(count, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
	return there_is() ? __real_strdup(text) : NULL;
}

static void *ssl_malloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return there_is() ? __real_malloc(size) : NULL;
}

static void *ssl_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return there_is() ? realloc(old, size) : NULL;
}

static void ssl_free(void *old, const char *file, int line)
{
	(void)file, (void)line;
	free(old);
}

/* -- one call at a time ------------------------------------------------------------------------ */

struct world {
	struct cluster_ca ca, rotating;
	struct signer *signer;
	struct signer_order order;
	struct key_file file;
	struct unlock_key unlock;
	char *key, *csr, *certificate, *stranger, *trust, *sealed;
	uint64_t seed;
};

typedef int story(struct world *w, struct problem *problem);

static int create(struct world *w, struct problem *problem)
{
	struct cluster_ca ca;
	const int err = cluster_ca_create(BED_NOW, bed_random, &w->seed, &ca, problem);

	if (!err)
		cluster_ca_clear(&ca);
	return err;
}

static int rotate(struct world *w, struct problem *problem)
{
	struct cluster_ca ca;
	const int err =
	    cluster_ca_update(&w->ca, &(struct ca_wish){.force_rotate = 1}, BED_NOW, &ca, problem);

	if (!err)
		cluster_ca_clear(&ca);
	return err;
}

static int take_root(struct world *w, struct problem *problem)
{
	struct root_ca root;
	const int err = root_ca_load(pem_of(w->ca.root.certificate), pem_of(w->ca.root.key),
				     BED_NOW, &root, problem);

	if (!err)
		root_ca_clear(&root);
	return err;
}

static int request(struct world *w, struct problem *problem)
{
	char *csr;
	const int err = csr_create(w->key, &csr, problem);

	if (!err)
		free(csr);
	return err;
}

static int issue(struct world *w, struct problem *problem)
{
	struct signer *signer;
	char *certificate;
	int err = cluster_ca_signer(&w->rotating, &signer, problem);

	if (err)
		return err;
	err = signer_issue(signer, pem_of(w->csr), &w->order, &certificate, problem);
	if (!err) {
		/* It is whole. */
		memory.fail = 0;
		assert_int_equal(
		    bed_verify(certificate, w->ca.root.certificate, BED_NOW, NULL, NULL, NULL), 0);
		free(certificate);
	}
	signer_free(signer);
	return err;
}

static int verify(struct world *w, struct problem *problem)
{
	struct node_identity identity;
	struct issuer issuer;

	return bed_verify(w->certificate, w->trust, BED_NOW, &identity, &issuer, problem);
}

/* Another cluster's: 0 would be a lie. */
static int verify_stranger(struct world *w, struct problem *problem)
{
	const int err = bed_verify(w->stranger, w->trust, BED_NOW, NULL, NULL, problem);

	assert_true(err < 0);
	return err == -EKEYREJECTED ? 0 : err;
}

static int plan(struct world *w, struct problem *problem)
{
	const struct rotation_node node = {0};
	struct rotation_plan plan;
	const int err = rotation_plan(&w->rotating, &node, 1, &plan, problem);

	assert_true(err || !plan.finished);
	return err;
}

static int seal(struct world *w, struct problem *problem)
{
	char *text;
	const int err = key_file_encode(&w->file, &w->unlock, bed_random, &w->seed, &text);

	if (err)
		problem_set(problem, err, "-");
	else
		pem_release_secret(&text);
	return err;
}

static int unseal(struct world *w, struct problem *problem)
{
	struct key_file file;
	bool sealed;
	const int err = key_file_decode(pem_of(w->sealed), &w->unlock, &file, &sealed, problem);

	/* Never taken for a wrong key: the operator would look for another one. */
	assert_int_not_equal(err, -EKEYREJECTED);
	if (!err)
		key_file_clear(&file);
	return err;
}

static void make_world(struct world *w)
{
	struct cluster_ca other;

	*w = (struct world){.ca = bed_cluster(&w->seed), .order = bed_order(3)};
	assert_int_equal(cluster_ca_update(&w->ca, &(struct ca_wish){.force_rotate = 1}, BED_NOW,
					   &w->rotating, NULL),
			 0);
	w->certificate = bed_issue(&w->rotating, &w->order, &w->key);
	assert_int_equal(csr_create(w->key, &w->csr, NULL), 0);
	w->trust = cluster_ca_trust(&w->ca);
	other = bed_cluster(&w->seed);
	w->stranger = bed_issue(&other, &w->order, NULL);
	cluster_ca_clear(&other);
	w->file.key = strdup(w->key);
	unlock_key_generate(bed_random, &w->seed, &w->unlock);
	assert_int_equal(key_file_encode(&w->file, &w->unlock, bed_random, &w->seed, &w->sealed),
			 0);
}

static void test_each_allocation(void **state)
{
	static story *const stories[] = {create, rotate,          take_root, request, issue,
					 verify, verify_stranger, plan,      seal,    unseal};
	struct world w = {.seed = 1};
	unsigned long failures = 0;

	(void)state;
	make_world(&w);
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		/* Once to warm up what OpenSSL keeps. */
		assert_int_equal(stories[i](&w, NULL), 0);
		/* Each of the first hundred, then fewer and fewer: OpenSSL makes thousands. */
		for (unsigned long fail = 1;; fail += 1 + fail / 100) {
			struct problem problem = {0};
			int err;

			memory.count = 0;
			memory.fail = fail;
			err = stories[i](&w, &problem);
			memory.fail = 0;
			assert_true(err <= 0);
			assert_true(!err || problem.message[0]);
			failures += err != 0;
			if (memory.count < fail)
				break;
		}
		assert_int_equal(stories[i](&w, NULL), 0); /* and all is well again */
	}
	assert_true(failures > 500);
	print_message("%lu failures\n", failures);
	cluster_ca_clear(&w.ca);
	cluster_ca_clear(&w.rotating);
	key_file_clear(&w.file);
	free(w.key);
	free(w.csr);
	free(w.certificate);
	free(w.stranger);
	free(w.trust);
	free(w.sealed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};

	assert_int_equal(CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free), 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
