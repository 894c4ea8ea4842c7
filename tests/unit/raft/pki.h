/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TESTS_RAFT_PKI_H
#define FL_TESTS_RAFT_PKI_H
/* A certificate authority for tests: keys and certificates of members, good ones and bad ones. */
#include <stdint.h>

struct pki; /* a CA with its key */
struct pki *pki_new(void);
void pki_free(struct pki *pki);
const char *pki_ca(const struct pki *pki); /* PEM */

struct pki_pair {
	char *certificate, *key; /* PEM */
};
enum pki_use { PKI_BOTH, PKI_CLIENT_ONLY, PKI_SERVER_ONLY };
/* organisation, name: the subject's O and serialNumber, each left out if NULL. Valid from `from` to `until`
 * seconds from now. */
struct pki_pair pki_issue(struct pki *pki, const char *organisation, const char *name, long from,
			  long until, enum pki_use use);
/* As a member should have it. */
struct pki_pair pki_member(struct pki *pki, const char *cluster, uint64_t id);
void pki_pair_free(struct pki_pair *pair);
#endif
