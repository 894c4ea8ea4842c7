/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_NODE_CERTIFICATE_H
#define FL_NODE_CERTIFICATE_H
/* What a node's certificate says, and whether it is to be believed. signer.h has its form. */
#include <stdint.h>

#include "issuer.h"
#include "node_role.h"

struct node_identity {
	char cluster[CA_CLUSTER_ID_MAX + 1];
	char node[CA_NODE_ID_MAX + 1];
	enum node_role role;
	uint64_t raft_id; /* 0: a worker */
	int64_t not_before_s, not_after_s;
};

/* Of a certificate that somebody has verified, a TLS session for instance. -EACCES: it names no
 * node. */
int node_identity_of(const X509 *certificate, struct node_identity *identity);

struct node_certificate_rules {
	struct pem trust;    /* one or more roots */
	const char *cluster; /* NULL: any */
	unsigned int roles;  /* set of NODE_ROLE_... */
	int64_t now_s;
	/* Its end does not count: for a manager's own, in `swarm init --force-new-cluster`. */
	bool allow_expired;
};

/*
 * chain: the node's certificate, then what leads to a root. Where it is good: 0, who it is and who
 * has signed it (issuer may be NULL). Else a problem in Swarm's words, and
 *
 *   -EINVAL        malformed text
 *   -EKEYEXPIRED   a certificate of the chain is not valid now: "certificate (1 - <node>) not
 *                  valid after ..., and it is currently ..."
 *   -EKEYREJECTED  no trusted root leads to it, or it is not for this use
 *   -EACCES        of another cluster, or of a role that is not asked for
 */
int node_certificate_verify(struct pem chain, const struct node_certificate_rules *rules,
			    struct node_identity *identity, struct issuer *issuer,
			    struct problem *problem);
/* Whether the first of the chain is of this key. -EINVAL where one of them is malformed,
 * -EKEYREJECTED where it is not. */
int node_certificate_check_key(struct pem chain, struct pem key, struct problem *problem);
#endif
