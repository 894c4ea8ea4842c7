/* SPDX-License-Identifier: BSD-2-Clause */
#include "cluster_ca.h"

#include <assert.h>
#include <errno.h>

#include "ca_limits.h"

static void drop_next(struct cluster_ca *ca)
{
	root_ca_clear(&ca->next);
	pem_release_text(&ca->cross_signed);
	ca->cross_signed = NULL;
}

void cluster_ca_clear(struct cluster_ca *ca)
{
	root_ca_clear(&ca->root);
	drop_next(ca);
	OPENSSL_cleanse(ca, sizeof(*ca));
}

int cluster_ca_copy(const struct cluster_ca *from, struct cluster_ca *to)
{
	struct cluster_ca copy = *from;

	copy.root = copy.next = (struct root_ca){0};
	copy.cross_signed = from->cross_signed ? strdup(from->cross_signed) : NULL;
	if (root_ca_copy(&from->root, &copy.root) || root_ca_copy(&from->next, &copy.next) ||
	    !copy.cross_signed != !from->cross_signed) {
		cluster_ca_clear(&copy);
		return -ENOMEM;
	}
	*to = copy;
	return 0;
}

int cluster_ca_rotate_tokens(struct cluster_ca *ca, bool worker, bool manager, id_random *random,
			     void *context)
{
	const struct pem root = pem_of(ca->root.certificate);
	char worker_token[JOIN_TOKEN_SIZE], manager_token[JOIN_TOKEN_SIZE];
	int err = 0;

	if (worker)
		err = join_token_generate(root, random, context, worker_token);
	if (!err && manager)
		err = join_token_generate(root, random, context, manager_token);
	if (err)
		return err;
	if (worker)
		memcpy(ca->worker_token, worker_token, sizeof(worker_token));
	if (manager)
		memcpy(ca->manager_token, manager_token, sizeof(manager_token));
	return 0;
}

int cluster_ca_create(int64_t now_s, id_random *random, void *context, struct cluster_ca *out,
		      struct problem *problem)
{
	struct cluster_ca ca = {0};
	int err = root_ca_generate(now_s, &ca.root, problem);

	if (err)
		return err;
	err = cluster_ca_rotate_tokens(&ca, true, true, random, context);
	if (err) {
		cluster_ca_clear(&ca);
		return problem_set(problem, err, "join tokens: no random numbers");
	}
	*out = ca;
	return 0;
}

/* -- updates ----------------------------------------------------------------------------------- */

/* Takes what *next holds. */
static int begin(struct cluster_ca *ca, struct root_ca *next, int64_t now_s,
		 struct problem *problem)
{
	char *cross_signed = NULL;
	int err;

	if (!ca->root.key)
		return problem_set(problem, -EINVAL,
				   "the key of the current CA is not known: it cannot be rotated");
	err = root_ca_cross_sign(&ca->root, next, now_s, &cross_signed, problem);
	if (err)
		return err;
	drop_next(ca);
	ca->next = *next;
	ca->cross_signed = cross_signed;
	*next = (struct root_ca){0};
	return 0;
}

static bool is_certificate(const struct root_ca *known, const struct root_ca *wished)
{
	return known->certificate && !strcmp(known->certificate, wished->certificate);
}

/* Replaces a key where one was given. */
static int keep(struct root_ca *known, struct root_ca *wished, struct problem *problem)
{
	if (wished->key) {
		pem_release_secret(&known->key);
		known->key = wished->key;
		wished->key = NULL;
	}
	return known->key ? 0
			  : problem_set(problem, -EINVAL,
					"the signing CA key of this CA certificate is not known");
}

static int check_wished(const struct root_ca *wished, int64_t now_s, struct problem *problem)
{
	int64_t end_s;
	const int err = root_ca_not_after(wished, &end_s, problem);

	if (err)
		return err;
	if (end_s < now_s + CA_ROOT_LEFT_MIN_S)
		return problem_set(problem, -EINVAL, "CA certificate expires too soon");
	return 0;
}

static int follow(struct cluster_ca *ca, struct root_ca *wished, int64_t now_s,
		  struct problem *problem)
{
	const int err = check_wished(wished, now_s, problem);

	if (err)
		return err;
	if (is_certificate(&ca->root, wished)) {
		drop_next(ca);
		return keep(&ca->root, wished, problem);
	}
	if (is_certificate(&ca->next, wished))
		return keep(&ca->next, wished, problem);
	if (!wished->key)
		return problem_set(problem, -EINVAL,
				   "there must be at least one valid, reachable external CA "
				   "corresponding to the next CA certificate");
	return begin(ca, wished, now_s, problem);
}

static int load_wished(const struct ca_wish *wish, int64_t now_s, struct root_ca *wished,
		       struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *all = NULL;

	if (pem_read_certificates(wish->certificate, "CA certificate", &all, NULL))
		return problem_set(problem, -EINVAL, "could not parse the desired CA certificate");
	if (sk_X509_num(all) != 1)
		return problem_set(problem, -EINVAL,
				   "the desired CA certificate cannot contain multiple "
				   "certificates");
	return root_ca_load(wish->certificate, wish->key, now_s, wished, problem);
}

static int update(struct cluster_ca *ca, const struct ca_wish *wish, int64_t now_s,
		  struct problem *problem)
{
	struct root_ca next = {0};
	int err;

	if (wish->key.size && !wish->certificate.size)
		return problem_set(problem, -EINVAL,
				   "if a signing CA key is provided, the signing CA cert must also "
				   "be provided");
	if (wish->certificate.size) {
		err = load_wished(wish, now_s, &next, problem);
		if (!err)
			err = follow(ca, &next, now_s, problem);
	} else if (wish->force_rotate != ca->last_forced_rotation) {
		err = root_ca_generate(now_s, &next, problem);
		if (!err)
			err = begin(ca, &next, now_s, problem);
	} else {
		return 0;
	}
	root_ca_clear(&next);
	ca->last_forced_rotation = wish->force_rotate;
	return err;
}

int cluster_ca_update(const struct cluster_ca *ca, const struct ca_wish *wish, int64_t now_s,
		      struct cluster_ca *out, struct problem *problem)
{
	struct cluster_ca changed;
	int err = cluster_ca_copy(ca, &changed);

	if (err)
		return problem_set(problem, err, "CA: no memory");
	err = update(&changed, wish, now_s, problem);
	if (err)
		cluster_ca_clear(&changed);
	else
		*out = changed;
	return err;
}

int cluster_ca_finish(const struct cluster_ca *ca, id_random *random, void *context,
		      struct cluster_ca *out)
{
	struct cluster_ca changed;
	int err = cluster_ca_copy(ca, &changed);

	assert(cluster_ca_rotates(ca));
	if (err)
		return err;
	root_ca_clear(&changed.root);
	changed.root = changed.next;
	changed.next = (struct root_ca){0};
	drop_next(&changed);
	err = cluster_ca_rotate_tokens(&changed, true, true, random, context);
	if (err)
		cluster_ca_clear(&changed);
	else
		*out = changed;
	return err;
}

/* -- what follows from it ---------------------------------------------------------------------- */

int cluster_ca_signer(const struct cluster_ca *ca, struct signer **out, struct problem *problem)
{
	return signer_new(cluster_ca_desired(ca), pem_of(ca->cross_signed), out, problem);
}

char *cluster_ca_trust(const struct cluster_ca *ca)
{
	const char *next = cluster_ca_rotates(ca) ? ca->next.certificate : "";
	const size_t length = strlen(ca->root.certificate), next_length = strlen(next);
	char *trust = malloc(length + next_length + 1);

	if (trust) {
		memcpy(trust, ca->root.certificate, length);
		memcpy(trust + length, next, next_length + 1);
	}
	return trust;
}
