/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CERTIFICATES_H
#define FL_CERTIFICATES_H
/*
 * STATE/certificates, a folder of mode 0700 that one process uses:
 *
 *   swarm-root-ca.crt    0644  the roots that this node trusts
 *   swarm-node.crt       0644  its certificate, then what leads to a root
 *   swarm-node.key       0600  its key, and a manager's data keys (key_file.h)
 *   swarm-node.key.next  0600  for a moment, see below
 *
 * A certificate and its key change together, in two files. So the new key is written beside the old
 * one, then the certificate takes the old one's place, then the key. After a crash the certificate
 * says which key is the right one. Trust comes first: what is trusted too much for a moment (both
 * roots of a rotation) does no harm.
 *
 * One thread. Where a call fails, memory and files are as before, but -EIO of a sync may have left
 * either on disk.
 */
#include "key_file.h"
#include "node_certificate.h"

struct certificates {
	/* To be looked at. trust is NULL where there are none, file.key where they are locked. */
	char *trust, *certificate; /* PEM */
	struct key_file file;
	bool autolocked;

	/* Its own. */
	int folder;
	struct unlock_key unlock; /* where autolocked */
	char *pending_key;
	id_random *random;
	void *context;
};

/* Makes the folder where it is missing; reads nothing yet. certificates_close frees *out. */
int certificates_open(const char *state, id_random *random, void *context,
		      struct certificates **out, struct problem *problem);
void certificates_close(struct certificates *c);

/*
 * Reads what is there; also finishes what a crash has interrupted. May be called again, with
 * another key.
 *
 *   -ENOENT        nothing: the node is in no swarm
 *   -ENOKEY        autolocked and unlock is NULL
 *   -EKEYREJECTED  autolocked, and this is not the key
 *   -EBADMSG       damaged, incomplete, or files that do not belong together; nothing was changed
 */
int certificates_load(struct certificates *c, const struct unlock_key *unlock,
		      struct problem *problem);
/* Whether they are good now, and who this node is: as node_certificate_verify. -EKEYEXPIRED: the
 * node has to leave and to join again, as no manager talks to it. (It may read who it was with
 * allow_expired.) */
int certificates_check(const struct certificates *c, int64_t now_s, bool allow_expired,
		       struct node_identity *identity, struct problem *problem);

/* A new key, in memory alone, and its request, malloc'ed. Called again, it is another one. */
int certificates_request(struct certificates *c, char **csr, struct problem *problem);
/*
 * What came back. It takes the place of what was there if it is of the pending key, trust leads to
 * it, and it names the same node of the same cluster as before. -EACCES, -EKEYREJECTED,
 * -EKEYEXPIRED, -EINVAL, or a failure of the disk. *identity may be NULL.
 */
int certificates_install(struct certificates *c, struct pem trust, struct pem certificate,
			 int64_t now_s, struct node_identity *identity, struct problem *problem);
/* Other roots to trust, our own certificate's among them: else -EKEYREJECTED. */
int certificates_set_trust(struct certificates *c, struct pem trust, int64_t now_s,
			   struct problem *problem);
/* `swarm leave`: all of it is gone. */
int certificates_remove(struct certificates *c, struct problem *problem);

/* -- autolock: these need certificates that are not locked */

/*
 * What the cluster says: unlock NULL, the files are in the clear; else they are sealed with it from
 * now on. version is that of the cluster object. -ESTALE, and nothing changes, where it is older
 * than what was applied before.
 *
 * What was in the clear may be read from the disk's old blocks. So with the first key a new data
 * key becomes the active one: *new_data_key says so (disk_rotate_key then takes it).
 */
int certificates_set_unlock_key(struct certificates *c, const struct unlock_key *unlock,
				uint64_t version, bool *new_data_key, struct problem *problem);
/* A new data key, active; on disk before this returns. -ENOSPC: there are CA_DATA_KEYS_MAX. */
int certificates_add_data_key(struct certificates *c, struct problem *problem);
/* Throws away all data keys but these; the active one is among them unless count is 0. */
int certificates_keep_data_keys(struct certificates *c, const uint32_t *ids, size_t count,
				struct problem *problem);
#endif
