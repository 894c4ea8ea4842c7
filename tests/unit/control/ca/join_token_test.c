/* SPDX-License-Identifier: BSD-2-Clause */
#include "join_token.h"

#include "ca_bed.h"

/* A real swarm's root gives the digest in that swarm's token. */
static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint64_t seed = 1;
		char token[JOIN_TOKEN_SIZE];

		assert_int_equal(
		    join_token_generate(pem_of(bed_golden_roots[i]), bed_random, &seed, token), 0);
		assert_memory_equal(token, bed_golden_tokens[i],
				    JOIN_TOKEN_PREFIX_LENGTH + JOIN_TOKEN_DIGEST_LENGTH + 1);
		assert_int_equal(strlen(token), strlen(bed_golden_tokens[i]));
		assert_int_equal(
		    join_token_pin(bed_golden_tokens[i], pem_of(bed_golden_roots[i]), NULL), 0);
	}
}

/* Known secrets: all zero, all one, and one that needs zeros in front. */
static int fill(void *context, void *bytes, size_t size)
{
	memset(bytes, *(const uint8_t *)context, size);
	return 0;
}

static void test_secret(void **state)
{
	uint8_t zero = 0, ones = 0xff;
	char token[JOIN_TOKEN_SIZE];
	const char *secret = token + JOIN_TOKEN_LENGTH - JOIN_TOKEN_SECRET_LENGTH;

	(void)state;
	join_token_generate(pem_of(bed_golden_roots[0]), fill, &zero, token);
	assert_string_equal(secret, "0000000000000000000000000");
	join_token_generate(pem_of(bed_golden_roots[0]), fill, &ones, token);
	assert_string_equal(secret, "f5lxx1zz5pnorynqglhzmsp33");
	assert_int_equal(
	    join_token_generate(pem_of(bed_golden_roots[0]), bed_no_random, NULL, token), -ENOSYS);
}

/* Of many texts: always the same shape, and the digest comes back. */
static void test_many_roots(void **state)
{
	uint64_t seed = 5;
	unsigned int padded = 0;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t expected[ROOT_CA_DIGEST_SIZE], digest[ROOT_CA_DIGEST_SIZE];
		char text[32], token[JOIN_TOKEN_SIZE];

		snprintf(text, sizeof(text), "root %u", i);
		assert_int_equal(join_token_generate(pem_of(text), bed_random, &seed, token), 0);
		assert_int_equal(strlen(token), JOIN_TOKEN_LENGTH);
		padded += token[JOIN_TOKEN_PREFIX_LENGTH] == '0';
		root_ca_digest(pem_of(text), expected);
		assert_int_equal(join_token_parse(token, digest, NULL), 0);
		assert_memory_equal(digest, expected, sizeof(digest));
	}
	/* 36^49 / 2^256 = 15.7 % need a zero. */
	assert_in_range(padded, 2800, 3480);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
	    "",
	    "SWMTKN",
	    "SWMTKN-1-",
	    "SWMTKN-1--",
	    /* another version, another name */
	    "SWMTKN-2-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73qp",
	    "SWMKEY-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73qp",
	    /* one too few, one too many, a dash elsewhere */
	    "SWMTKN-1-y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73qp",
	    "SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73q",
	    "SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-"
	    "83uxm4wogl50xmz00btff73qpp",
	    "SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0d-i83uxm4wogl50xmz00btff73qp",
	    /* no digit, upper case, a digest of more than 256 bits */
	    "SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0d!-83uxm4wogl50xmz00btff73qp",
	    "SWMTKN-1-0Y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73qp",
	    "SWMTKN-1-zy08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73qp",
	    "SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73q ",
	    " SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-"
	    "83uxm4wogl50xmz00btff73qp",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t digest[ROOT_CA_DIGEST_SIZE] = {1};
		struct problem problem = {0};

		assert_int_equal(join_token_parse(bad[i], digest, &problem), -EINVAL);
		assert_string_equal(problem.message, "invalid join token");
		assert_int_equal(digest[0], 1);
		assert_int_equal(join_token_pin(bad[i], pem_of("x"), &problem), -EINVAL);
	}
}

static void test_pin(void **state)
{
	struct problem problem;
	char changed[2048];

	(void)state;
	/* Another cluster's root. */
	assert_int_equal(
	    join_token_pin(bed_golden_tokens[0], pem_of(bed_golden_roots[1]), &problem),
	    -EKEYREJECTED);
	assert_string_equal(problem.message,
			    "remote CA does not match fingerprint. Expected: "
			    "25e69764d0903e082f3dbf9d4bc3f61a67cde65e133a9de7d3686c1cfb7dc926");
	/* The right one and something after it. */
	snprintf(changed, sizeof(changed), "%s%s", bed_golden_roots[0], bed_golden_roots[1]);
	assert_int_equal(join_token_pin(bed_golden_tokens[0], pem_of(changed), NULL),
			 -EKEYREJECTED);
	assert_int_equal(join_token_pin(bed_golden_tokens[0], (struct pem){NULL, 0}, NULL),
			 -EKEYREJECTED);
}

static void test_admit(void **state)
{
	uint64_t seed = 3;
	struct cluster_ca ca = bed_cluster(&seed), other = bed_cluster(&seed);
	char worker[JOIN_TOKEN_SIZE], near[JOIN_TOKEN_SIZE];
	enum node_role role;
	struct problem problem;

	(void)state;
	assert_int_equal(
	    join_token_admit(ca.worker_token, ca.worker_token, ca.manager_token, &role, NULL), 0);
	assert_int_equal(role, NODE_WORKER);
	assert_int_equal(
	    join_token_admit(ca.manager_token, ca.worker_token, ca.manager_token, &role, NULL), 0);
	assert_int_equal(role, NODE_MANAGER);

	assert_int_equal(join_token_admit(other.manager_token, ca.worker_token, ca.manager_token,
					  &role, &problem),
			 -EACCES);
	assert_string_equal(problem.message,
			    "A valid join token is necessary to join this cluster");
	assert_int_equal(join_token_admit("", ca.worker_token, ca.manager_token, &role, NULL),
			 -EACCES);
	/* Each single character counts. */
	for (size_t i = 0; i < JOIN_TOKEN_LENGTH; i++) {
		memcpy(near, ca.worker_token, sizeof(near));
		near[i] = near[i] == 'a' ? 'b' : 'a';
		assert_int_equal(
		    join_token_admit(near, ca.worker_token, ca.manager_token, &role, NULL),
		    -EACCES);
	}
	/* A store without tokens admits nobody, not even with none. */
	assert_int_equal(join_token_admit("", "", "", &role, NULL), -EACCES);

	/* A rotated token is void, the other one stays. */
	memcpy(worker, ca.worker_token, sizeof(worker));
	assert_int_equal(cluster_ca_rotate_tokens(&ca, true, false, bed_random, &seed), 0);
	assert_int_equal(join_token_admit(worker, ca.worker_token, ca.manager_token, &role, NULL),
			 -EACCES);
	assert_int_equal(
	    join_token_admit(ca.worker_token, ca.worker_token, ca.manager_token, &role, NULL), 0);
	assert_int_equal(
	    join_token_admit(ca.manager_token, ca.worker_token, ca.manager_token, &role, NULL), 0);
	memcpy(worker, ca.worker_token, sizeof(worker));
	assert_int_equal(cluster_ca_rotate_tokens(&ca, true, true, bed_no_random, NULL), -ENOSYS);
	assert_string_equal(ca.worker_token, worker);
	cluster_ca_clear(&ca);
	cluster_ca_clear(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),     cmocka_unit_test(test_secret),
	    cmocka_unit_test(test_many_roots), cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_pin),        cmocka_unit_test(test_admit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
