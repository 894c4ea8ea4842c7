/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CLUSTER_CA_H
#define FL_CLUSTER_CA_H
/*
 * What the store keeps of the cluster's authority (RootCA and JoinTokens of the cluster object),
 * and what may be done to it. Every change makes a new value from an old one: it is proposed, and
 * holds when it is committed.
 *
 *                  update: another root, or ForceRotate
 *   .--------. ----------------------------------------> .----------.--. update: yet another root,
 *   | steady |                                           | rotating |  | cross-signed by the
 *   '--------' <---------------------------------------- '----------'<-' steady one
 *                  finish: every node has a certificate
 *                  of the next root; it is the root
 *                  update: the steady root again (abort)
 *
 * While it rotates, nodes trust the root, and so what the next one has signed by way of the
 * cross-signed certificate. With each certificate a node gets both roots to trust. When the last
 * has its certificate, all trust the next root, and the old one can go: nobody is ever out of
 * reach.
 */
#include "join_token.h"
#include "signer.h"

struct cluster_ca {
	struct root_ca root; /* that join tokens pin */
	char worker_token[JOIN_TOKEN_SIZE], manager_token[JOIN_TOKEN_SIZE];
	uint64_t last_forced_rotation;

	/* All zero unless it rotates. */
	struct root_ca next;
	char *cross_signed; /* next's certificate as root has signed it, PEM */
};
static inline bool cluster_ca_rotates(const struct cluster_ca *ca)
{
	return ca->next.certificate;
}
void cluster_ca_clear(struct cluster_ca *ca);
int cluster_ca_copy(const struct cluster_ca *from, struct cluster_ca *to);

/* A new cluster's, by `swarm init`. */
int cluster_ca_create(int64_t now_s, id_random *random, void *context, struct cluster_ca *out,
		      struct problem *problem);

/* CAConfig of the cluster's spec. */
struct ca_wish {
	struct pem certificate, key; /* SigningCACert, SigningCAKey; size 0: not given */
	uint64_t force_rotate;
};
/*
 * The spec was updated: *out is what follows from it, the same again where nothing does.
 * cluster_ca_clear frees it. -EINVAL with Swarm's words, to be sent as InvalidArgument. A
 * certificate without a key is that of the root or the next one, whose key is known.
 */
int cluster_ca_update(const struct cluster_ca *ca, const struct ca_wish *wish, int64_t now_s,
		      struct cluster_ca *out, struct problem *problem);
/* Every node has a certificate of the next root (rotation.h): it becomes the root, and tokens that
 * pin it take the place of the old ones. Only of one that rotates. */
int cluster_ca_finish(const struct cluster_ca *ca, id_random *random, void *context,
		      struct cluster_ca *out);
/* New secrets, in place; what `random` says, with *ca as it was, or 0. */
int cluster_ca_rotate_tokens(struct cluster_ca *ca, bool worker, bool manager, id_random *random,
			     void *context);

/* The root that certificates are to be of: the next one while it rotates. */
static inline const struct root_ca *cluster_ca_desired(const struct cluster_ca *ca)
{
	return cluster_ca_rotates(ca) ? &ca->next : &ca->root;
}
/* Signs with that root. */
int cluster_ca_signer(const struct cluster_ca *ca, struct signer **out, struct problem *problem);
/* What goes to a node along with its certificate, malloc'ed PEM: the root, and the next one. Who
 * joins is shown ca->root.certificate alone, which is what its token pins. NULL: no memory. */
char *cluster_ca_trust(const struct cluster_ca *ca);
#endif
