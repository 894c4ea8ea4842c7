/* SPDX-License-Identifier: BSD-2-Clause */
#include "key_file.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#define NAME_KEY    "PRIVATE KEY"
#define NAME_DATA   "FAIRLEAD RAFT KEYS"
#define NAME_SEALED "FAIRLEAD SEALED KEYS"

enum {
	VERSION = 1,
	VERSION_AT = 0,
	UNLOCK_VERSION_AT = 4,

	ACTIVE_AT = 12,
	COUNT_AT = 16,
	KEYS_AT = 20,
	KEY_STRIDE = 4 + CA_KEY_SIZE,
	DATA_SIZE_MAX = KEYS_AT + CA_DATA_KEYS_MAX * KEY_STRIDE,

	SALT_AT = 12,
	CHECK_AT = SALT_AT + CA_SALT_SIZE,
	SEALED_AT = CHECK_AT + CA_TAG_SIZE,
	CLEAR_SIZE_MAX = 8 << 10,

	NONCE_SIZE = 12,
};
_Static_assert(KEYS_AT == 20 && SEALED_AT == 60, "as drawn in the header");

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put64(uint8_t *at, uint64_t value)
{
	put32(at, (uint32_t)(value >> 32));
	put32(at + 4, (uint32_t)value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

void key_file_clear(struct key_file *file)
{
	pem_release_secret(&file->key);
	OPENSSL_cleanse(file, sizeof(*file));
}

int key_file_copy(const struct key_file *from, struct key_file *to)
{
	char *key = from->key ? strdup(from->key) : NULL;

	if (from->key && !key)
		return -ENOMEM;
	*to = *from;
	to->key = key;
	return 0;
}

/* -- in the clear ------------------------------------------------------------------------------ */

static char *encode_data(const struct key_file *file)
{
	uint8_t data[DATA_SIZE_MAX];
	size_t size = KEYS_AT;
	char *text;

	assert(file->data.count <= CA_DATA_KEYS_MAX);
	put32(data + VERSION_AT, VERSION);
	put64(data + UNLOCK_VERSION_AT, file->unlock_key_version);
	put32(data + ACTIVE_AT, file->data.active);
	put32(data + COUNT_AT, file->data.count);
	for (uint32_t i = 0; i < file->data.count; i++, size += KEY_STRIDE) {
		put32(data + size, file->data.keys[i].id);
		memcpy(data + size + 4, file->data.keys[i].bytes, CA_KEY_SIZE);
	}
	text = pem_write_block(NAME_DATA, data, size);
	OPENSSL_cleanse(data, sizeof(data));
	return text;
}

static char *encode_clear(const struct key_file *file)
{
	PEM_OWNS(secret) char *data = encode_data(file);
	const size_t length = strlen(file->key);
	char *text = data ? malloc(length + strlen(data) + 1) : NULL;

	if (text) {
		memcpy(text, file->key, length);
		memcpy(text + length, data, strlen(data) + 1);
	}
	return text;
}

/* An id is not 0 and is there once; the active one is there. */
static bool check_data(const struct data_keys *data)
{
	bool active = !data->count && !data->active;

	for (uint32_t i = 0; i < data->count; i++) {
		active |= data->keys[i].id == data->active;
		if (!data->keys[i].id)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (data->keys[j].id == data->keys[i].id)
				return false;
	}
	return active;
}

static int decode_data(const uint8_t *data, size_t size, struct key_file *file)
{
	if (size < KEYS_AT || get32(data + VERSION_AT) != VERSION)
		return -EBADMSG;
	file->unlock_key_version = get64(data + UNLOCK_VERSION_AT);
	file->data.active = get32(data + ACTIVE_AT);
	file->data.count = get32(data + COUNT_AT);
	if (file->data.count > CA_DATA_KEYS_MAX ||
	    size != KEYS_AT + file->data.count * KEY_STRIDE) {
		file->data.count = 0;
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < file->data.count; i++) {
		const uint8_t *at = data + KEYS_AT + i * KEY_STRIDE;

		file->data.keys[i].id = get32(at);
		memcpy(file->data.keys[i].bytes, at + 4, CA_KEY_SIZE);
	}
	return check_data(&file->data) ? 0 : -EBADMSG;
}

static int decode_key(const uint8_t *data, long size, struct key_file *file)
{
	PEM_OWNS(key) EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &data, size);

	file->key = key ? pem_write_key(key) : NULL;
	return file->key ? 0 : -EBADMSG;
}

struct decoding {
	struct key_file *file;
	uint8_t *sealed; /* malloc'ed */
	size_t sealed_size;
	unsigned int blocks;
};

/* PRIVATE KEY, then FAIRLEAD RAFT KEYS; or FAIRLEAD SEALED KEYS alone. */
static int take_block(const struct pem_block *block, void *context)
{
	struct decoding *decoding = context;
	const unsigned int place = decoding->blocks++;

	if (place == 0 && !strcmp(block->name, NAME_KEY))
		return decode_key(block->data, block->size, decoding->file);
	if (place == 1 && !decoding->sealed && !strcmp(block->name, NAME_DATA))
		return decode_data(block->data, (size_t)block->size, decoding->file);
	if (place != 0 || strcmp(block->name, NAME_SEALED))
		return -EBADMSG;
	decoding->sealed_size = (size_t)block->size;
	decoding->sealed = malloc(decoding->sealed_size + 1);
	if (!decoding->sealed)
		return -ENOMEM;
	memcpy(decoding->sealed, block->data, decoding->sealed_size);
	return 0;
}

/* With its sealed block in *decoding, or all of it in *decoding->file. */
static int decode_blocks(struct pem text, struct decoding *decoding, struct problem *problem)
{
	int err = pem_read_blocks(text, "swarm-node.key", 2, take_block, decoding, problem);

	if (!err && !decoding->sealed && decoding->blocks != 2)
		err = problem_set(problem, -EBADMSG, "swarm-node.key: damaged");
	return err == -EINVAL ? problem_set(problem, -EBADMSG, "swarm-node.key: damaged") : err;
}

/* -- sealed ------------------------------------------------------------------------------------ */

static bool derive(const struct unlock_key *unlock, const char *purpose, const uint8_t *salt,
		   uint8_t out[CA_KEY_SIZE])
{
	uint8_t text[32 + CA_SALT_SIZE] = {0};
	unsigned int size = CA_KEY_SIZE;

	assert(strlen(purpose) < 32);
	memcpy(text, purpose, strlen(purpose));
	memcpy(text + 32, salt, CA_SALT_SIZE);
	return HMAC(EVP_sha256(), unlock->bytes, sizeof(unlock->bytes), text, sizeof(text), out,
		    &size) != NULL;
}

static bool derive_check(const struct unlock_key *unlock, const uint8_t *salt,
			 uint8_t check[CA_TAG_SIZE])
{
	uint8_t whole[CA_KEY_SIZE];

	if (!derive(unlock, "fairlead node key check", salt, whole))
		return false;
	memcpy(check, whole, CA_TAG_SIZE);
	return true;
}

/* header: the SEALED_AT bytes before data. */
static bool close_seal(const struct unlock_key *unlock, const uint8_t *header, uint8_t *data,
		       int size, uint8_t *tag)
{
	static const uint8_t nonce[NONCE_SIZE];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[CA_KEY_SIZE];
	bool done;
	int length;

	done = context && derive(unlock, "fairlead node key", header + SALT_AT, key) &&
	       EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	       EVP_EncryptUpdate(context, NULL, &length, header, SEALED_AT) == 1 &&
	       EVP_EncryptUpdate(context, data, &length, data, size) == 1 &&
	       EVP_EncryptFinal_ex(context, data + length, &length) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CA_TAG_SIZE, tag) == 1;
	OPENSSL_cleanse(key, sizeof(key));
	EVP_CIPHER_CTX_free(context);
	return done;
}

static bool open_seal(const struct unlock_key *unlock, const uint8_t *header, uint8_t *data,
		      int size, uint8_t *tag)
{
	static const uint8_t nonce[NONCE_SIZE];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[CA_KEY_SIZE];
	bool done;
	int length;

	done = context && derive(unlock, "fairlead node key", header + SALT_AT, key) &&
	       EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &length, header, SEALED_AT) == 1 &&
	       EVP_DecryptUpdate(context, data, &length, data, size) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CA_TAG_SIZE, tag) == 1 &&
	       EVP_DecryptFinal_ex(context, data + length, &length) == 1;
	OPENSSL_cleanse(key, sizeof(key));
	EVP_CIPHER_CTX_free(context);
	return done;
}

static int seal(const struct key_file *file, const struct unlock_key *unlock, const char *clear,
		id_random *random, void *context, char **text)
{
	uint8_t sealed[SEALED_AT + CLEAR_SIZE_MAX + CA_TAG_SIZE];
	const size_t length = strlen(clear);
	int err;

	assert(length <= CLEAR_SIZE_MAX);
	put32(sealed + VERSION_AT, VERSION);
	put64(sealed + UNLOCK_VERSION_AT, file->unlock_key_version);
	err = random(context, sealed + SALT_AT, CA_SALT_SIZE);
	if (err)
		return err;
	memcpy(sealed + SEALED_AT, clear, length);
	if (derive_check(unlock, sealed + SALT_AT, sealed + CHECK_AT) &&
	    close_seal(unlock, sealed, sealed + SEALED_AT, (int)length,
		       sealed + SEALED_AT + length))
		*text = pem_write_block(NAME_SEALED, sealed, SEALED_AT + length + CA_TAG_SIZE);
	else
		*text = NULL;
	OPENSSL_cleanse(sealed, sizeof(sealed));
	ERR_clear_error();
	return *text ? 0 : -ENOMEM;
}

static int unseal(struct decoding *decoding, const struct unlock_key *unlock,
		  struct problem *problem)
{
	uint8_t *data = decoding->sealed, check[CA_TAG_SIZE];
	const size_t size = decoding->sealed_size;
	struct decoding inner = {.file = decoding->file};
	uint64_t version;
	int err;

	if (size < SEALED_AT + CA_TAG_SIZE || size > SEALED_AT + CLEAR_SIZE_MAX + CA_TAG_SIZE ||
	    get32(data + VERSION_AT) != VERSION)
		return problem_set(problem, -EBADMSG, "swarm-node.key: damaged");
	if (!unlock)
		return problem_set(problem, -ENOKEY,
				   "Swarm is encrypted and needs to be unlocked before it can be "
				   "used. Please use \"docker swarm unlock\" to unlock it.");
	if (!derive_check(unlock, data + SALT_AT, check))
		return problem_set(problem, -ENOMEM, "swarm-node.key: no memory");
	if (CRYPTO_memcmp(check, data + CHECK_AT, sizeof(check)))
		return problem_set(problem, -EKEYREJECTED,
				   "swarm could not be unlocked: invalid key provided");
	version = get64(data + UNLOCK_VERSION_AT);
	if (!open_seal(unlock, data, data + SEALED_AT, (int)(size - SEALED_AT - CA_TAG_SIZE),
		       data + size - CA_TAG_SIZE)) {
		ERR_clear_error();
		return problem_set(problem, -EBADMSG, "swarm-node.key: damaged");
	}
	err = decode_blocks((struct pem){(char *)data + SEALED_AT, size - SEALED_AT - CA_TAG_SIZE},
			    &inner, problem);
	if (!err && (inner.sealed || version != inner.file->unlock_key_version))
		err = problem_set(problem, -EBADMSG, "swarm-node.key: damaged");
	free(inner.sealed);
	return err;
}

/* -- both -------------------------------------------------------------------------------------- */

int key_file_encode(const struct key_file *file, const struct unlock_key *unlock, id_random *random,
		    void *context, char **text)
{
	PEM_OWNS(secret) char *clear = encode_clear(file);
	int err;

	if (!clear)
		return -ENOMEM;
	if (unlock) {
		err = seal(file, unlock, clear, random, context, text);
	} else {
		*text = clear;
		clear = NULL;
		err = 0;
	}
	return err;
}

int key_file_decode(struct pem text, const struct unlock_key *unlock, struct key_file *out,
		    bool *sealed, struct problem *problem)
{
	struct key_file file = {0};
	struct decoding decoding = {.file = &file};
	int err = decode_blocks(text, &decoding, problem);

	if (!err && decoding.sealed)
		err = unseal(&decoding, unlock, problem);
	if (decoding.sealed)
		OPENSSL_cleanse(decoding.sealed, decoding.sealed_size);
	*sealed = decoding.sealed != NULL;
	free(decoding.sealed);
	if (err)
		key_file_clear(&file);
	else
		*out = file;
	return err;
}
