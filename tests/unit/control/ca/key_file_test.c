/* SPDX-License-Identifier: BSD-2-Clause */
#include "key_file.h"

#include "ca_bed.h"

static struct key_file make(uint64_t *seed, uint32_t keys)
{
	struct key_file file = {.unlock_key_version = 77, .data.count = keys, .data.active = keys};

	assert_int_equal(csr_new_key(&file.key, NULL), 0);
	for (uint32_t i = 0; i < keys; i++) {
		file.data.keys[i].id = i + 1;
		bed_random(seed, file.data.keys[i].bytes, CA_KEY_SIZE);
	}
	return file;
}

static void assert_same(const struct key_file *a, const struct key_file *b)
{
	assert_string_equal(a->key, b->key);
	assert_int_equal(a->unlock_key_version, b->unlock_key_version);
	assert_int_equal(a->data.active, b->data.active);
	assert_int_equal(a->data.count, b->data.count);
	for (uint32_t i = 0; i < a->data.count; i++) {
		assert_int_equal(a->data.keys[i].id, b->data.keys[i].id);
		assert_memory_equal(a->data.keys[i].bytes, b->data.keys[i].bytes, CA_KEY_SIZE);
	}
}

static void test_clear(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint32_t keys = 0; keys <= CA_DATA_KEYS_MAX; keys++) {
		struct key_file file = make(&seed, keys), back;
		bool sealed = true;
		char *text;

		/* Randomness is for sealing alone. */
		assert_int_equal(key_file_encode(&file, NULL, bed_no_random, NULL, &text), 0);
		assert_memory_equal(text, file.key, strlen(file.key)); /* as any tool reads it */
		assert_int_equal(key_file_decode(pem_of(text), NULL, &back, &sealed, NULL), 0);
		assert_false(sealed);
		assert_same(&file, &back);
		key_file_clear(&file);
		key_file_clear(&back);
		pem_release_secret(&text);
	}
}

static void test_sealed(void **state)
{
	uint64_t seed = 2;
	struct key_file file = make(&seed, CA_DATA_KEYS_MAX), back;
	struct unlock_key key, wrong;
	struct problem problem;
	bool sealed = false;
	char *text, *again;

	(void)state;
	unlock_key_generate(bed_random, &seed, &key);
	unlock_key_generate(bed_random, &seed, &wrong);
	assert_int_equal(key_file_encode(&file, &key, bed_random, &seed, &text), 0);
	assert_null(strstr(text, "PRIVATE KEY"));
	assert_int_equal(key_file_decode(pem_of(text), &key, &back, &sealed, NULL), 0);
	assert_true(sealed);
	assert_same(&file, &back);
	key_file_clear(&back);

	assert_int_equal(key_file_decode(pem_of(text), NULL, &back, &sealed, &problem), -ENOKEY);
	assert_string_equal(problem.message,
			    "Swarm is encrypted and needs to be unlocked before it can be used. "
			    "Please use \"docker swarm unlock\" to unlock it.");
	assert_int_equal(key_file_decode(pem_of(text), &wrong, &back, &sealed, &problem),
			 -EKEYREJECTED);
	assert_string_equal(problem.message, "swarm could not be unlocked: invalid key provided");

	/* Another salt each time, and so another text throughout. */
	assert_int_equal(key_file_encode(&file, &key, bed_random, &seed, &again), 0);
	assert_string_not_equal(text, again);
	free(again);
	assert_int_equal(key_file_encode(&file, &key, bed_no_random, NULL, &again), -ENOSYS);
	free(text);
	key_file_clear(&file);
}

/* Each byte changed: refused, as damage or, where it is the salt or the check, as a wrong key. */
static void test_damaged(void **state)
{
	uint64_t seed = 3;
	struct key_file file = make(&seed, 2), back;
	struct unlock_key key;
	bool sealed;
	char *text;
	size_t length;

	(void)state;
	unlock_key_generate(bed_random, &seed, &key);
	assert_int_equal(key_file_encode(&file, &key, bed_random, &seed, &text), 0);
	length = strlen(text);
	for (size_t i = 0; i < length; i++) {
		const char was = text[i];
		int err;

		if (was == '\n')
			continue;
		text[i] = was == 'A' ? 'B' : 'A';
		err = key_file_decode(pem_of(text), &key, &back, &sealed, NULL);
		/* The last digit has bits that nobody looks at. */
		if (!err) {
			assert_int_equal(text[i + 1] == '=' || text[i + 1] == '\n', 1);
			assert_same(&file, &back);
			key_file_clear(&back);
		} else {
			assert_true(err == -EBADMSG || err == -EKEYREJECTED);
		}
		text[i] = was;
	}
	/* Cut anywhere. */
	for (size_t i = 0; i + 1 < length; i++)
		assert_int_equal(key_file_decode((struct pem){text, i}, &key, &back, &sealed, NULL),
				 -EBADMSG);
	free(text);
	key_file_clear(&file);
}

static void refused(const char *text)
{
	struct key_file back;
	bool sealed;

	assert_int_equal(key_file_decode(pem_of(text), NULL, &back, &sealed, NULL), -EBADMSG);
}

static char *with_data(const char *key, const uint8_t *data, size_t size)
{
	char *block = pem_write_block("FAIRLEAD RAFT KEYS", data, size);
	char *text = bed_concat(key, block);

	free(block);
	return text;
}

static void test_odd(void **state)
{
	uint8_t data[20 + 17 * 36] = {0, 0, 0, 1};
	uint64_t seed = 4;
	struct key_file file = make(&seed, 0), back;
	bool sealed;
	char *text;

	(void)state;
	refused("");
	refused(file.key); /* without its second block */
	refused(bed_golden_roots[0]);
	text = with_data(file.key, data, 20);
	assert_int_equal(key_file_decode(pem_of(text), NULL, &back, &sealed, NULL), 0);
	key_file_clear(&back);
	free(text);
	/* Sizes that are not the count's, a version of later, an active key that is not there. */
	for (size_t size = 1; size < 60; size++) {
		text = with_data(file.key, data, size);
		if (size != 20)
			refused(text);
		free(text);
	}
	data[3] = 2;
	text = with_data(file.key, data, 20);
	refused(text);
	free(text);
	data[3] = 1;
	data[15] = 5;
	text = with_data(file.key, data, 20);
	refused(text);
	free(text);
	/* One key, of id 0; then two of one id; then more than there may be. */
	data[19] = 1;
	text = with_data(file.key, data, 20 + 36);
	refused(text);
	free(text);
	data[19] = 2;
	data[23] = data[59] = 5;
	text = with_data(file.key, data, 20 + 2 * 36);
	refused(text);
	free(text);
	data[19] = 17;
	for (uint8_t i = 0; i < 17; i++)
		data[23 + 36 * i] = (uint8_t)(i + 1);
	text = with_data(file.key, data, 20 + 17 * 36);
	refused(text);
	free(text);
	data[16] = 0xff; /* a count that would overflow a size of 32 bits */
	text = with_data(file.key, data, 20);
	refused(text);
	free(text);
	key_file_clear(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clear),
	    cmocka_unit_test(test_sealed),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
