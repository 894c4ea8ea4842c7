/* SPDX-License-Identifier: BSD-2-Clause */
#include "cluster_ca.h"

#include "ca_bed.h"
#include "rotation.h"

enum { NODES = 3 };

/* A node as the rotation sees it, and what it really holds. */
struct node {
	char *certificate, *trust;
	struct issuer issuer;
};

static void renew(struct node *node, const struct cluster_ca *ca, unsigned int i)
{
	struct signer_order order = bed_order(i + 1);

	order.node = (const char *const[]){"node0", "node1", "node2"}[i];
	free(node->certificate);
	free(node->trust);
	node->certificate = bed_issue(ca, &order, NULL);
	node->trust = cluster_ca_trust(ca);
	assert_int_equal(
	    bed_verify(node->certificate, node->trust, BED_NOW, NULL, &node->issuer, NULL), 0);
}

/* No downtime: whoever trusts what accepts whatever anybody has. */
static void all_talk(const struct node nodes[NODES])
{
	for (unsigned int a = 0; a < NODES; a++)
		for (unsigned int b = 0; b < NODES; b++)
			assert_int_equal(bed_verify(nodes[a].certificate, nodes[b].trust, BED_NOW,
						    NULL, NULL, NULL),
					 0);
}

static struct rotation_plan plan(const struct cluster_ca *ca, const struct node nodes[NODES])
{
	struct rotation_node views[NODES] = {0};
	struct rotation_plan plan;

	for (unsigned int i = 0; i < NODES; i++)
		views[i].issuer = &nodes[i].issuer;
	assert_int_equal(rotation_plan(ca, views, NODES, &plan, NULL), 0);
	return plan;
}

/* Puts what follows from a wish in the place of *ca. */
static void update(struct cluster_ca *ca, const struct ca_wish *wish)
{
	struct cluster_ca next;
	struct problem problem = {0};

	if (cluster_ca_update(ca, wish, BED_NOW, &next, &problem))
		fail_msg("%s", problem.message);
	cluster_ca_clear(ca);
	*ca = next;
}

static void finish(struct cluster_ca *ca, uint64_t *seed)
{
	struct cluster_ca next;

	assert_int_equal(cluster_ca_finish(ca, bed_random, seed, &next), 0);
	cluster_ca_clear(ca);
	*ca = next;
}

static void start(struct cluster_ca *ca, struct node nodes[NODES], uint64_t *seed)
{
	*ca = bed_cluster(seed);
	memset(nodes, 0, NODES * sizeof(*nodes));
	for (unsigned int i = 0; i < NODES; i++)
		renew(&nodes[i], ca, i);
}

static void end(struct cluster_ca *ca, struct node nodes[NODES])
{
	cluster_ca_clear(ca);
	for (unsigned int i = 0; i < NODES; i++) {
		free(nodes[i].certificate);
		free(nodes[i].trust);
	}
}

static void test_rotation(void **state)
{
	uint64_t seed = 1;
	struct node nodes[NODES];
	struct cluster_ca ca, before;

	(void)state;
	start(&ca, nodes, &seed);
	assert_int_equal(plan(&ca, nodes).left, 0);
	assert_false(plan(&ca, nodes).finished); /* nothing to finish */
	assert_int_equal(cluster_ca_copy(&ca, &before), 0);

	/* The tokens and the root they pin stay as they are until the end. */
	update(&ca, &(struct ca_wish){.force_rotate = 1});
	assert_true(cluster_ca_rotates(&ca));
	assert_string_equal(ca.root.certificate, before.root.certificate);
	assert_string_equal(ca.worker_token, before.worker_token);
	assert_int_equal(join_token_pin(ca.worker_token, pem_of(ca.root.certificate), NULL), 0);
	all_talk(nodes);

	for (unsigned int i = 0; i < NODES; i++) {
		struct rotation_plan p = plan(&ca, nodes);

		assert_int_equal(p.left, NODES - i);
		assert_int_equal(p.ask_count, NODES - i);
		assert_int_equal(p.ask[0], i);
		assert_false(p.finished);
		renew(&nodes[i], &ca, i);
		all_talk(nodes);
	}
	assert_true(plan(&ca, nodes).finished);

	finish(&ca, &seed);
	assert_false(cluster_ca_rotates(&ca));
	assert_string_not_equal(ca.root.certificate, before.root.certificate);
	assert_string_not_equal(ca.worker_token, before.worker_token);
	assert_string_not_equal(ca.manager_token, before.manager_token);
	assert_int_equal(join_token_pin(ca.worker_token, pem_of(ca.root.certificate), NULL), 0);
	assert_int_equal(ca.last_forced_rotation, 1);
	assert_false(plan(&ca, nodes).finished);
	assert_int_equal(plan(&ca, nodes).left, 0);

	/* They hear of the end one after the other, and renew at any time. */
	for (unsigned int i = 0; i < NODES; i++) {
		free(nodes[i].trust);
		nodes[i].trust = cluster_ca_trust(&ca);
		all_talk(nodes);
		renew(&nodes[(i + 1) % NODES], &ca, (i + 1) % NODES);
		all_talk(nodes);
	}
	/* Then the old root is worth nothing. */
	{
		const struct signer_order order = bed_order(0);
		char *old = bed_issue(&before, &order, NULL);

		assert_int_equal(bed_verify(old, nodes[0].trust, BED_NOW, NULL, NULL, NULL),
				 -EKEYREJECTED);
		free(old);
	}
	cluster_ca_clear(&before);
	end(&ca, nodes);
}

/* Who trusts the old root alone, and nobody told it: the chain is enough for it. */
static void test_cross_signed_chain(void **state)
{
	uint64_t seed = 2;
	struct cluster_ca ca = bed_cluster(&seed);
	const struct signer_order order = bed_order(5);
	struct issuer issuer, next;
	char *certificate, *leaf, *trust;
	STACK_OF(X509) *chain = NULL;

	(void)state;
	update(&ca, &(struct ca_wish){.force_rotate = 1});
	certificate = bed_issue(&ca, &order, NULL);
	assert_int_equal(issuer_of_pem(pem_of(ca.next.certificate), &next, NULL), 0);
	/* By way of the cross-signed certificate or directly: the issuer is the same. */
	assert_int_equal(bed_verify(certificate, ca.root.certificate, BED_NOW, NULL, &issuer, NULL),
			 0);
	assert_true(issuer_equals(&issuer, &next));
	assert_int_equal(bed_verify(certificate, ca.next.certificate, BED_NOW, NULL, &issuer, NULL),
			 0);
	assert_true(issuer_equals(&issuer, &next));
	trust = cluster_ca_trust(&ca);
	assert_int_equal(bed_verify(certificate, trust, BED_NOW, NULL, &issuer, NULL), 0);
	free(trust);
	/* Without the chain it is not. */
	assert_int_equal(pem_read_certificates(pem_of(certificate), "test", &chain, NULL), 0);
	assert_int_equal(sk_X509_num(chain), 2);
	leaf = pem_write_certificate(sk_X509_value(chain, 0));
	assert_int_equal(bed_verify(leaf, ca.root.certificate, BED_NOW, NULL, NULL, NULL),
			 -EKEYREJECTED);
	assert_int_equal(bed_verify(leaf, ca.next.certificate, BED_NOW, NULL, NULL, NULL), 0);
	sk_X509_pop_free(chain, X509_free);
	free(leaf);
	free(certificate);
	cluster_ca_clear(&ca);
}

static void test_superseded(void **state)
{
	uint64_t seed = 3;
	struct node nodes[NODES];
	struct cluster_ca ca;
	char *second;

	(void)state;
	start(&ca, nodes, &seed);
	update(&ca, &(struct ca_wish){.force_rotate = 1});
	second = strdup(ca.next.certificate);
	renew(&nodes[0], &ca, 0);

	update(&ca, &(struct ca_wish){.force_rotate = 2});
	assert_string_not_equal(ca.next.certificate, second);
	assert_int_equal(plan(&ca, nodes).left, NODES); /* the first one has to come again */
	all_talk(nodes);
	for (unsigned int i = 0; i < NODES; i++) {
		renew(&nodes[i], &ca, i);
		all_talk(nodes);
	}
	assert_true(plan(&ca, nodes).finished);
	finish(&ca, &seed);
	all_talk(nodes);
	free(second);
	end(&ca, nodes);
}

static void test_aborted(void **state)
{
	uint64_t seed = 4;
	struct node nodes[NODES];
	struct cluster_ca ca, before;
	struct ca_wish wish = {.force_rotate = 1};

	(void)state;
	start(&ca, nodes, &seed);
	assert_int_equal(cluster_ca_copy(&ca, &before), 0);
	update(&ca, &wish);
	renew(&nodes[2], &ca, 2);
	wish.certificate = pem_of(before.root.certificate); /* without its key: it is known */
	update(&ca, &wish);
	assert_false(cluster_ca_rotates(&ca));
	assert_null(ca.cross_signed);
	assert_string_equal(ca.root.certificate, before.root.certificate);
	assert_string_equal(ca.root.key, before.root.key);
	assert_string_equal(ca.manager_token, before.manager_token);
	/* The one that went ahead still talks to all, and is brought back. */
	all_talk(nodes);
	assert_int_equal(plan(&ca, nodes).left, 1);
	assert_int_equal(plan(&ca, nodes).ask[0], 2);
	renew(&nodes[2], &ca, 2);
	all_talk(nodes);
	assert_int_equal(plan(&ca, nodes).left, 0);
	cluster_ca_clear(&before);
	end(&ca, nodes);
}

/* The operator's own root. */
static void test_own_root(void **state)
{
	uint64_t seed = 5;
	struct node nodes[NODES];
	struct cluster_ca ca;
	struct root_ca own;
	struct ca_wish wish = {.force_rotate = 1};
	char *next;

	(void)state;
	start(&ca, nodes, &seed);
	assert_int_equal(root_ca_generate(BED_NOW, &own, NULL), 0);
	wish.certificate = pem_of(own.certificate);
	wish.key = pem_of(own.key);
	update(&ca, &wish);
	assert_string_equal(ca.next.certificate, own.certificate);
	next = strdup(ca.cross_signed);
	/* The spec comes again with something else in it changed: the same rotation goes on. */
	wish.key = pem_of(NULL);
	update(&ca, &wish);
	assert_string_equal(ca.cross_signed, next);
	assert_string_equal(ca.next.key, own.key);
	for (unsigned int i = 0; i < NODES; i++)
		renew(&nodes[i], &ca, i);
	assert_true(plan(&ca, nodes).finished);
	finish(&ca, &seed);
	assert_string_equal(ca.root.certificate, own.certificate);
	/* And again: nothing happens. */
	update(&ca, &wish);
	assert_false(cluster_ca_rotates(&ca));
	free(next);
	root_ca_clear(&own);
	end(&ca, nodes);
}

static void refused(const struct cluster_ca *ca, const struct ca_wish *wish, int64_t now_s,
		    const char *words)
{
	struct cluster_ca out = {0};
	struct problem problem = {0};

	assert_int_equal(cluster_ca_update(ca, wish, now_s, &out, &problem), -EINVAL);
	assert_string_equal(problem.message, words);
	assert_null(out.root.certificate);
}

static void test_refused(void **state)
{
	uint64_t seed = 6;
	struct cluster_ca ca = bed_cluster(&seed);
	struct root_ca own, other;
	char two[4096];

	(void)state;
	assert_int_equal(root_ca_generate(BED_NOW, &own, NULL), 0);
	assert_int_equal(root_ca_generate(BED_NOW, &other, NULL), 0);
	snprintf(two, sizeof(two), "%s%s", own.certificate, other.certificate);
	refused(&ca, &(struct ca_wish){.key = pem_of(own.key)}, BED_NOW,
		"if a signing CA key is provided, the signing CA cert must also be provided");
	refused(&ca, &(struct ca_wish){.certificate = pem_of("x")}, BED_NOW,
		"could not parse the desired CA certificate");
	refused(&ca, &(struct ca_wish){pem_of(two), pem_of(own.key), 0}, BED_NOW,
		"the desired CA certificate cannot contain multiple certificates");
	refused(&ca, &(struct ca_wish){pem_of(own.certificate), pem_of(other.key), 0}, BED_NOW,
		"CA key: it is not the CA certificate's");
	refused(&ca, &(struct ca_wish){.certificate = pem_of(own.certificate)}, BED_NOW,
		"there must be at least one valid, reachable external CA corresponding to the next "
		"CA certificate");
	refused(&ca, &(struct ca_wish){pem_of(own.certificate), pem_of(own.key), 0},
		BED_NOW + CA_ROOT_LIFE_S - CA_YEAR_S + 1, "CA certificate expires too soon");
	root_ca_clear(&own);
	root_ca_clear(&other);
	cluster_ca_clear(&ca);
}

static void test_batches(void **state)
{
	enum { MANY = 3 * CA_ROTATION_BATCH_MAX + 7 };
	static struct rotation_node nodes[MANY];
	uint64_t seed = 7;
	struct cluster_ca ca = bed_cluster(&seed);
	struct issuer old, next;
	struct rotation_plan p;
	unsigned int passes = 0;

	(void)state;
	assert_int_equal(issuer_of_pem(pem_of(ca.root.certificate), &old, NULL), 0);
	update(&ca, &(struct ca_wish){.force_rotate = 9});
	assert_int_equal(issuer_of_pem(pem_of(ca.next.certificate), &next, NULL), 0);
	/* Half of them have never reported; nobody answers, and still everybody is asked once. */
	for (unsigned int i = 0; i < MANY; i++)
		nodes[i] = (struct rotation_node){.issuer = i % 2 ? &old : NULL};
	do {
		assert_int_equal(rotation_plan(&ca, nodes, MANY, &p, NULL), 0);
		assert_int_equal(p.left, MANY);
		for (size_t i = 0; i < p.ask_count; i++) {
			assert_false(nodes[p.ask[i]].asked);
			nodes[p.ask[i]].asked = true;
		}
		passes += p.ask_count != 0;
	} while (p.ask_count);
	assert_int_equal(passes, 4);
	for (unsigned int i = 0; i < MANY; i++) {
		assert_true(nodes[i].asked);
		assert_false(p.finished);
		nodes[i].issuer = &next;
		assert_int_equal(rotation_plan(&ca, nodes, MANY, &p, NULL), 0);
	}
	assert_true(p.finished);
	cluster_ca_clear(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rotation),   cmocka_unit_test(test_cross_signed_chain),
	    cmocka_unit_test(test_superseded), cmocka_unit_test(test_aborted),
	    cmocka_unit_test(test_own_root),   cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
