/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum { NONCE_SIZE = 12 };

/* Two contexts, because turning one around makes OpenSSL expand the key again. */
struct seal {
	EVP_CIPHER_CTX *closer, *opener;
};

const struct disk_key *disk_keyring_find(const struct disk_keyring *ring, uint32_t id)
{
	for (uint32_t i = 0; i < ring->count; i++)
		if (ring->keys[i].id == id)
			return &ring->keys[i];
	return NULL;
}

int disk_keyring_check(const struct disk_keyring *ring)
{
	if (ring->count == 0 || ring->count > DISK_KEYS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < ring->count; i++)
		if (ring->keys[i].id == 0 ||
		    disk_keyring_find(ring, ring->keys[i].id) != &ring->keys[i])
			return -EINVAL;
	return disk_keyring_find(ring, ring->active) ? 0 : -EINVAL;
}

static int derive(const struct disk_key *key, enum seal_use use, const uint8_t *salt, uint8_t *out)
{
	static const char names[][24] = {"fairlead raft wal", "fairlead raft snapshot"};
	uint8_t text[sizeof(names[0]) + DISK_SALT_SIZE] = {0};
	unsigned int size = DISK_KEY_SIZE;

	memcpy(text, names[use], sizeof(names[0]));
	memcpy(text + sizeof(names[0]), salt, DISK_SALT_SIZE);
	return HMAC(EVP_sha256(), key->bytes, DISK_KEY_SIZE, text, sizeof(text), out, &size)
		   ? 0
		   : -ENOMEM;
}

int seal_new(const struct disk_key *key, enum seal_use use, const uint8_t salt[DISK_SALT_SIZE],
	     struct seal **out)
{
	struct seal *s = calloc(1, sizeof(*s));
	uint8_t file_key[DISK_KEY_SIZE];
	int err = s ? derive(key, use, salt, file_key) : -ENOMEM;

	if (err == 0) {
		s->closer = EVP_CIPHER_CTX_new();
		s->opener = EVP_CIPHER_CTX_new();
		err = s->closer && s->opener ? 0 : -ENOMEM;
	}
	if (err == 0 &&
	    (EVP_EncryptInit_ex(s->closer, EVP_aes_256_gcm(), NULL, file_key, NULL) != 1 ||
	     EVP_DecryptInit_ex(s->opener, EVP_aes_256_gcm(), NULL, file_key, NULL) != 1))
		err = -ENOTSUP;
	OPENSSL_cleanse(file_key, sizeof(file_key));
	if (err == 0)
		*out = s;
	else
		seal_free(s);
	return err;
}

void seal_free(struct seal *s)
{
	if (!s)
		return;
	EVP_CIPHER_CTX_free(s->closer);
	EVP_CIPHER_CTX_free(s->opener);
	free(s);
}

static void make_nonce(uint64_t number, uint8_t nonce[NONCE_SIZE])
{
	memset(nonce, 0, NONCE_SIZE);
	bytes_put64(nonce, number);
}

int seal_close(struct seal *s, uint64_t number, const void *aad, size_t aad_size, uint8_t *data,
	       size_t size, uint8_t tag[DISK_TAG_SIZE])
{
	uint8_t nonce[NONCE_SIZE];
	int length;

	assert(size <= INT32_MAX && aad_size <= INT32_MAX);
	make_nonce(number, nonce);
	if (EVP_EncryptInit_ex(s->closer, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(s->closer, NULL, &length, aad, (int)aad_size) != 1 ||
	    (size && EVP_EncryptUpdate(s->closer, data, &length, data, (int)size) != 1) ||
	    EVP_EncryptFinal_ex(s->closer, tag, &length) != 1 ||
	    EVP_CIPHER_CTX_ctrl(s->closer, EVP_CTRL_AEAD_GET_TAG, DISK_TAG_SIZE, tag) != 1)
		return -ENOMEM;
	return 0;
}

int seal_open(struct seal *s, uint64_t number, const void *aad, size_t aad_size, uint8_t *data,
	      size_t size, const uint8_t tag[DISK_TAG_SIZE])
{
	uint8_t nonce[NONCE_SIZE], copy[DISK_TAG_SIZE], none[1];
	int length;

	assert(size <= INT32_MAX && aad_size <= INT32_MAX);
	make_nonce(number, nonce);
	memcpy(copy, tag, sizeof(copy)); /* OpenSSL's parameter is not const */
	if (EVP_DecryptInit_ex(s->opener, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_DecryptUpdate(s->opener, NULL, &length, aad, (int)aad_size) != 1 ||
	    (size && EVP_DecryptUpdate(s->opener, data, &length, data, (int)size) != 1) ||
	    EVP_CIPHER_CTX_ctrl(s->opener, EVP_CTRL_AEAD_SET_TAG, DISK_TAG_SIZE, copy) != 1 ||
	    EVP_DecryptFinal_ex(s->opener, none, &length) != 1)
		return -EBADMSG;
	return 0;
}
