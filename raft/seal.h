/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_SEAL_H
#define FL_RAFT_SEAL_H
/*
 * Sealing (AES-256-GCM, NIST SP 800-38D) of what goes to disk.
 *
 * GCM is broken by a nonce that is used twice under one key, so a file has a key of its own:
 * HMAC-SHA256(data key, "fairlead raft " use || salt), where the salt is 256 random bits drawn
 * when the file is made and kept in its header. Within a file the nonce is a counter:
 *
 *   - a log segment is written only by the process that made it; opening a log again begins a new
 *     segment. The counter lives in that process and only goes up, also past a record that was
 *     refused for lack of room. So no torn or refused record can share a nonce with another.
 *   - in a snapshot it is the number of the block, and a block has one content: what a retry
 *     seals again is the same bytes.
 *
 * One struct seal is used by one thread at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "disk_limits.h"

struct disk_key {
	uint32_t id; /* never 0, never used again for other bytes */
	uint8_t bytes[DISK_KEY_SIZE];
};

struct disk_keyring {
	uint32_t active; /* id of the key that new files are sealed with */
	uint32_t count;
	struct disk_key keys[DISK_KEYS_MAX];
};
/* NULL: the ring lacks it. */
const struct disk_key *disk_keyring_find(const struct disk_keyring *ring, uint32_t id);
/* -EINVAL: none active, an id of 0 or an id twice. */
int disk_keyring_check(const struct disk_keyring *ring);

enum seal_use { SEAL_WAL, SEAL_SNAPSHOT };

struct seal;
/* 0, -ENOMEM, or -ENOTSUP where OpenSSL lacks the cipher. */
int seal_new(const struct disk_key *key, enum seal_use use, const uint8_t salt[DISK_SALT_SIZE],
	     struct seal **out);
void seal_free(struct seal *s);

/* In place. aad is bound to the data, not written. 0 or -ENOMEM. */
int seal_close(struct seal *s, uint64_t nonce, const void *aad, size_t aad_size, uint8_t *data,
	       size_t size, uint8_t tag[DISK_TAG_SIZE]);
/* In place. -EBADMSG: not what seal_close made with this key, nonce and aad; data is rubbish. */
int seal_open(struct seal *s, uint64_t nonce, const void *aad, size_t aad_size, uint8_t *data,
	      size_t size, const uint8_t tag[DISK_TAG_SIZE]);
#endif
