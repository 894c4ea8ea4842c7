/* SPDX-License-Identifier: BSD-2-Clause */
#include "record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bytes.h"
#include "crc32c.h"

enum { FILE_SIZE = 8192, AT = 504 }; /* its header lies across a sector's border */

static const struct disk_key key = {3, "a key"};
static const uint8_t salt[DISK_SALT_SIZE] = {1, 2, 3};

static struct seal *make_seal(void)
{
	struct seal *seal;

	assert_int_equal(seal_new(&key, SEAL_WAL, salt, &seal), 0);
	return seal;
}

static struct record_header put_record(uint8_t *file, struct seal *seal, uint64_t position,
				       uint32_t counter, size_t size, uint8_t *chain)
{
	struct record_header h = {
	    .position = position, .counter = counter, .type = RECORD_BATCH, .key_id = 3};

	for (size_t i = 0; i < size; i++)
		file[position + RECORD_HEADER_SIZE + i] = (uint8_t)(i + counter);
	assert_int_equal(record_close(seal, &h, file + position, size, chain), 0);
	assert_int_equal(record_next(&h), position + record_size(size));
	return h;
}

static void checksum(void **unused)
{
	uint8_t bytes[4096];

	(void)unused;
	memset(bytes, 0, 32); /* RFC 3720, B.4 */
	assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc32c(bytes, 32), 0x46dd794e);
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t size = 0; size < 300; size++)
		assert_int_equal(crc32c(bytes + size % 9, size),
				 crc32c_portable(bytes + size % 9, size));
}

static void roundtrip(void **unused)
{
	static const size_t sizes[] = {0, 1, 7, 8, 15, 16, 17, 500, 3000};
	struct seal *seal = make_seal();

	(void)unused;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t file[FILE_SIZE] = {0}, chain[DISK_TAG_SIZE] = {9},
			again[DISK_TAG_SIZE] = {9};
		struct record_header h = put_record(file, seal, AT, 5, sizes[i], chain), found;
		size_t size;

		assert_int_equal(record_size(sizes[i]) % RECORD_ALIGN, 0);
		assert_int_equal(record_look(file, FILE_SIZE, AT, &found), RECORD_GOOD);
		assert_memory_equal(&found, &h, sizeof(h));
		if (sizes[i] >= 16) /* sealed, not in the clear */
			assert_int_not_equal(file[AT + RECORD_HEADER_SIZE + 2] * 256 +
						 file[AT + RECORD_HEADER_SIZE + 3],
					     7 * 256 + 8);
		assert_int_equal(record_open(seal, &found, file, again, &size), 0);
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(chain, again, DISK_TAG_SIZE);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(file[AT + RECORD_HEADER_SIZE + j], (uint8_t)(j + 5));
	}
	seal_free(seal);
}

/* Not moved, not replayed, not after another, not with another key. */
static void bound_to_its_place(void **unused)
{
	static uint8_t file[FILE_SIZE], copy[FILE_SIZE];
	uint8_t chain[DISK_TAG_SIZE] = {0}, first[DISK_TAG_SIZE], wrong[DISK_TAG_SIZE] = {1};
	struct seal *seal = make_seal(), *other;
	struct disk_key other_key = key;
	struct record_header a = put_record(file, seal, 112, 1, 100, chain), b, found;
	uint64_t next = record_next(&a);
	size_t size;

	(void)unused;
	memcpy(first, chain, sizeof(first));
	b = put_record(file, seal, next, 2, 100, chain);
	memcpy(copy, file, FILE_SIZE);
	memmove(copy + 112, copy + next, record_size(100));
	assert_int_equal(record_look(copy, FILE_SIZE, 112, &found), RECORD_DAMAGED);

	memcpy(copy, file, FILE_SIZE);
	memset(wrong, 1, sizeof(wrong));
	assert_int_equal(record_open(seal, &b, copy, wrong, &size), -EBADMSG);
	memcpy(copy, file, FILE_SIZE);
	assert_int_equal(record_open(seal, &b, copy, first, &size), 0);

	other_key.bytes[31] = 1;
	assert_int_equal(seal_new(&other_key, SEAL_WAL, salt, &other), 0);
	memcpy(copy, file, FILE_SIZE);
	memset(wrong, 0, sizeof(wrong));
	assert_int_equal(record_open(other, &a, copy, wrong, &size), -EBADMSG);
	seal_free(other);
	assert_int_equal(seal_new(&key, SEAL_SNAPSHOT, salt, &other), 0);
	memcpy(copy, file, FILE_SIZE);
	assert_int_equal(record_open(other, &a, copy, wrong, &size), -EBADMSG);
	seal_free(other);
	seal_free(seal);
}

/* A write that stopped at any byte, or left out any of its sectors, is told from damage. */
static void torn_or_damaged(void **unused)
{
	static uint8_t file[FILE_SIZE], copy[FILE_SIZE];
	uint8_t chain[DISK_TAG_SIZE] = {0};
	struct seal *seal = make_seal();
	struct record_header h = put_record(file, seal, AT, 1, 1400, chain), found;
	size_t end = record_next(&h);

	(void)unused;
	for (size_t stop = AT; stop < end; stop++) {
		enum record_verdict verdict;

		memcpy(copy, file, FILE_SIZE);
		memset(copy + stop, 0, FILE_SIZE - stop);
		verdict = record_look(copy, FILE_SIZE, AT, &found);
		assert_int_equal(verdict, stop == AT ? RECORD_ABSENT : RECORD_TORN);
		verdict = record_look(file, stop, AT, &found);
		assert_int_equal(verdict, stop == AT ? RECORD_ABSENT : RECORD_TORN);
	}
	for (size_t sector = AT / 512; sector * 512 < end; sector++) {
		size_t from = sector * 512 < AT ? AT : sector * 512;

		memcpy(copy, file, FILE_SIZE);
		memset(copy + from, 0, sector * 512 + 512 - from);
		assert_int_equal(record_look(copy, FILE_SIZE, AT, &found), RECORD_TORN);
	}
	for (size_t bit = AT * 8; bit < end * 8; bit++) {
		memcpy(copy, file, FILE_SIZE);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(record_look(copy, FILE_SIZE, AT, &found), RECORD_DAMAGED);
	}
	seal_free(seal);
}

static void search(void **unused)
{
	static uint8_t file[FILE_SIZE];
	uint8_t chain[DISK_TAG_SIZE] = {0};
	struct seal *seal = make_seal();
	struct record_header a = put_record(file, seal, 112, 1, 300, chain);
	size_t next = record_next(&a);

	(void)unused;
	assert_int_equal(record_search(file, FILE_SIZE, 112), 0);
	put_record(file, seal, next, 2, 40, chain);
	assert_int_equal(record_search(file, FILE_SIZE, 112), next);
	assert_int_equal(record_search(file, next + 8, 112), 0);
	seal_free(seal);
}

static void items(void **unused)
{
	struct record_item in[] = {
	    {.type = ITEM_HARD_STATE, .hard_state = {1, 2, 3}},
	    {.type = ITEM_ENTRY,
	     .entry = {5, 6, RAFT_ENTRY_COMMAND, true, (const uint8_t *)"xyz", 3}},
	    {.type = ITEM_ENTRY, .entry = {6, 6, RAFT_ENTRY_COMMAND, true, NULL, 0}},
	    {.type = ITEM_ENTRY, .entry = {7, 6, RAFT_ENTRY_EMPTY, false, NULL, 0}},
	    {.type = ITEM_CUT, .at = {.index = UINT64_MAX}},
	    {.type = ITEM_SNAPSHOT, .at = {8, 9}},
	    {.type = ITEM_INSTALL, .at = {10, 11}},
	    {.type = ITEM_KEY, .key = {1, 2}},
	};
	uint8_t bytes[512], *at = bytes;
	struct record_item out;
	struct cursor c;

	(void)unused;
	for (size_t i = 0; i < 8; i++) {
		uint8_t *next = record_item_encode(at, &in[i]);

		assert_int_equal(next - at, record_item_size(&in[i]));
		at = next;
	}
	c = (struct cursor){bytes, (size_t)(at - bytes), false};
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(record_item_decode(&c, &out), 1);
		assert_int_equal(out.type, in[i].type);
		if (out.type == ITEM_ENTRY) {
			assert_int_equal(out.entry.index, in[i].entry.index);
			assert_int_equal(out.entry.has_data, in[i].entry.has_data);
			assert_int_equal(out.entry.size, in[i].entry.size);
			if (out.entry.size)
				assert_memory_equal(out.entry.data, in[i].entry.data, 3);
		} else if (out.type == ITEM_HARD_STATE) {
			assert_memory_equal(&out.hard_state, &in[i].hard_state, 24);
		} else if (out.type == ITEM_KEY) {
			assert_int_equal(out.key.to, 2);
		} else {
			assert_int_equal(out.at.index, in[i].at.index);
		}
	}
	assert_int_equal(record_item_decode(&c, &out), 0);
	/* Cut anywhere but between two items, it makes no sense. */
	for (size_t size = 1; size < record_item_size(&in[0]); size++) {
		c = (struct cursor){bytes, size, false};
		assert_int_equal(record_item_decode(&c, &out), -EBADMSG);
	}
	bytes[1] = 1; /* has to be zero */
	c = (struct cursor){bytes, sizeof(bytes), false};
	assert_int_equal(record_item_decode(&c, &out), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checksum),
	    cmocka_unit_test(roundtrip),
	    cmocka_unit_test(bound_to_its_place),
	    cmocka_unit_test(torn_or_damaged),
	    cmocka_unit_test(search),
	    cmocka_unit_test(items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
