/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_KEY_FILE_H
#define FL_KEY_FILE_H
/*
 * What swarm-node.key holds: the key of the node's certificate, and of a manager the keys that its
 * raft log is sealed with. They are in one file, for what changes together has to last together.
 *
 * Without autolock two PEM blocks, of which any tool reads the first:
 *
 *   PRIVATE KEY            PKCS #8
 *   FAIRLEAD RAFT KEYS     0  u32 version, 1; integers are big-endian
 *                          4  u64 version of the unlock key
 *                         12  u32 id of the active key, 0: none
 *                         16  u32 count
 *                         20  count times: u32 id, 32 bytes
 *
 * With autolock one block, that text sealed with AES-256-GCM under the unlock key:
 *
 *   FAIRLEAD SEALED KEYS   0  u32 version, 1
 *                          4  u64 version of the unlock key
 *                         12  32 bytes of salt
 *                         44  16 bytes that tell a wrong key from a damaged file
 *                         60  the sealed text
 *                     size-16 its tag; 0 to 60 are bound to it
 *
 * Each writing draws another salt, from which its key and its check are derived
 * (HMAC-SHA256(unlock key, purpose || salt)), so that no nonce is ever used twice.
 */
#include "pem.h"
#include "unlock_key.h"

/* As raft's disk keyring. */
struct data_key {
	uint32_t id; /* never 0, never used again for other bytes */
	uint8_t bytes[CA_KEY_SIZE];
};
struct data_keys {
	uint32_t active, count; /* both 0, or the id of one that is there */
	struct data_key keys[CA_DATA_KEYS_MAX];
};

struct key_file {
	char *key; /* PEM, malloc'ed */
	struct data_keys data;
	uint64_t unlock_key_version; /* of the cluster object that brought it; 0: none yet */
};
/* Wipes it. */
void key_file_clear(struct key_file *file);
int key_file_copy(const struct key_file *from, struct key_file *to);

/* unlock NULL: in the clear. *text is malloc'ed and for pem_release_secret. -ENOMEM, or what
 * `random` says. */
int key_file_encode(const struct key_file *file, const struct unlock_key *unlock, id_random *random,
		    void *context, char **text);
/*
 * unlock is not looked at where the file is in the clear. key_file_clear frees *out.
 *
 *   -ENOKEY        sealed, and unlock is NULL
 *   -EKEYREJECTED  "swarm could not be unlocked: invalid key provided"
 *   -EBADMSG       damaged
 */
int key_file_decode(struct pem text, const struct unlock_key *unlock, struct key_file *out,
		    bool *sealed, struct problem *problem);
#endif
