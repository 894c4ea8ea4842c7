/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIGNER_H
#define FL_SIGNER_H
/*
 * Signs nodes' certificates. One is for everything a node does, as client and as server:
 *
 *   subject  O   the cluster's id
 *            OU  swarm-manager or swarm-worker
 *            CN  the node's id
 *            serialNumber  of a manager alone: its id in raft, 16 hexadecimal digits
 *   names    DNS: OU, CN, and swarm-ca of a manager, which answers for the CA
 *
 * A raft id is used once: a node that is made a manager again gets another. So it stands beside the
 * node's id, and who is no manager has none and nothing to say to raft's transport.
 *
 * Used by one thread at a time.
 */
#include <stdint.h>

#include "node_role.h"
#include "root_ca.h"

struct signer;
/* root->key is there. chain: what leads from root to what nodes trust, sent along with each
 * certificate; size 0: nothing. */
int signer_new(const struct root_ca *root, struct pem chain, struct signer **out,
	       struct problem *problem);
void signer_free(struct signer *signer);

struct signer_order {
	const char *cluster; /* id, 1 to CA_CLUSTER_ID_MAX of 0-9, a-z */
	const char *node;    /* id, 1 to CA_NODE_ID_MAX of them */
	enum node_role role;
	uint64_t raft_id; /* 0 with a worker, and with it alone */
	int64_t now_s, life_s;
};
/*
 * *out: the certificate and then the chain, malloc'ed PEM. Good from CA_BACKDATE_S ago until
 * life_s from now, and no longer than the root. -EINVAL: csr_open's reasons; -EKEYEXPIRED: the root
 * has run out.
 */
int signer_issue(const struct signer *signer, struct pem csr, const struct signer_order *order,
		 char **out, struct problem *problem);
#endif
