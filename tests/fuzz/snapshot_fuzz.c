/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over a snapshot's file.
 *
 * Input: | way | bytes |
 *   way 0  bytes are a header, its checksum put right
 *   way 1  bytes are members, in a header that is good otherwise
 *   way 2  | offset 4, value, length 2 | ...: a good file of about two blocks in which so much was
 *          overwritten; offset FFFFFFFF: cut to length. It opens and reads as what was written, or
 *          not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "fake_disk.h"
#include "snapshot_file.h"

enum { STATE_SIZE = 70001, HEADER_BLOCK_SIZE_AT = 40, HEADER_TAG_AT = 80, HEADER_MEMBERS_AT = 96 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct disk_keyring ring = {.active = 1, .count = 1, .keys = {{1, "a key"}}};
static const char name[] = "0000000000000009-0000000000000002.snapshot";

static void mend(uint8_t *header)
{
	memcpy(header, "FLRAFTS1", 8);
	bytes_put32(header + HEADER_BLOCK_SIZE_AT, DISK_SNAPSHOT_BLOCK_SIZE);
	bytes_put32(header + 8, crc32c(header + 12, DISK_SNAPSHOT_HEADER_SIZE - 12));
}

/* The header as it is, then with its members. */
static void open_header(uint8_t *bytes)
{
	struct snapshot_header header;
	struct seal *seal;

	if (snapshot_header_decode(bytes, DISK_SNAPSHOT_HEADER_SIZE, &header))
		return;
	if (seal_new(&ring.keys[0], SEAL_SNAPSHOT, header.salt, &seal))
		abort();
	if (snapshot_header_open(bytes, seal, &header) == 0 &&
	    header.snapshot.members.count > RAFT_MEMBERS_MAX)
		abort();
	seal_free(seal);
}

static void header_alone(const uint8_t *data, size_t size)
{
	static uint8_t bytes[DISK_SNAPSHOT_HEADER_SIZE];
	struct snapshot_header header;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	if (snapshot_header_decode(bytes, size < sizeof(bytes) ? size : sizeof(bytes), &header) ==
		0 &&
	    size < sizeof(bytes))
		abort();
	mend(bytes);
	open_header(bytes);
}

static void members_alone(const uint8_t *data, size_t size)
{
	static uint8_t bytes[DISK_SNAPSHOT_HEADER_SIZE];
	static const uint8_t salt[DISK_SALT_SIZE];
	uint8_t aad[HEADER_TAG_AT];
	struct seal *seal;

	if (size > sizeof(bytes) - HEADER_MEMBERS_AT)
		return;
	memset(bytes, 0, sizeof(bytes));
	bytes_put32(bytes + 12, 1);
	memcpy(bytes, "FLRAFTS1", 8);
	bytes_put32(bytes + HEADER_BLOCK_SIZE_AT, DISK_SNAPSHOT_BLOCK_SIZE);
	bytes_put32(bytes + HEADER_BLOCK_SIZE_AT + 4, (uint32_t)size);
	memcpy(bytes + HEADER_MEMBERS_AT, data, size);
	memcpy(aad, bytes, sizeof(aad));
	if (seal_new(&ring.keys[0], SEAL_SNAPSHOT, salt, &seal) ||
	    seal_close(seal, 0, aad, sizeof(aad), bytes + HEADER_MEMBERS_AT, size,
		       bytes + HEADER_TAG_AT))
		abort();
	seal_free(seal);
	bytes_put32(bytes + 8, crc32c(bytes + 12, sizeof(bytes) - 12));
	open_header(bytes);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void make_file(struct fake_disk *fake, struct disk_folder *folder)
{
	static uint8_t state[STATE_SIZE];
	struct raft_snapshot snapshot = {
	    .index = 9, .term = 2, .members = {.count = 1, .member = {{3, RAFT_VOTER, "a:1"}}}};
	struct snapshot_writer *w;
	size_t taken;

	for (size_t i = 0; i < STATE_SIZE; i++)
		state[i] = byte_at(i);
	fake_init(fake, 1);
	if (folder_open(folder, "raft", &fake->io, &ring, NULL) ||
	    snapshot_writer_open(folder, "x.tmp", &snapshot, &w) ||
	    snapshot_writer_add(w, state, sizeof(state), &taken) || snapshot_writer_finish(w))
		abort();
	snapshot_writer_close(w);
}

static void overwrite(struct fake_bytes *file, const uint8_t *data, size_t size)
{
	for (; size >= 7; data += 7, size -= 7) {
		uint32_t offset = bytes_get32(data);
		uint32_t length = data[5] | (uint32_t)data[6] << 8;

		if (offset == UINT32_MAX) {
			fake_resize(file, length);
			continue;
		}
		for (uint32_t i = 0; i < length && file->size; i++)
			file->data[(offset % file->size + i) % file->size] ^= data[4];
	}
}

static void read_back(struct disk_folder *folder, uint8_t how)
{
	static uint8_t bytes[STATE_SIZE + 1];
	struct snapshot_reader *r;
	struct raft_error error;
	size_t got, offset = how * 311u;

	if (snapshot_reader_open(folder, name, &r, &error))
		return;
	if (snapshot_reader_snapshot(r)->size != STATE_SIZE ||
	    snapshot_reader_snapshot(r)->members.count != 1)
		abort();
	if (snapshot_reader_read(r, offset, bytes, sizeof(bytes), &got, &error) == 0) {
		if (got != (offset < STATE_SIZE ? STATE_SIZE - offset : 0))
			abort();
		for (size_t i = 0; i < got; i++)
			if (bytes[i] != byte_at(offset + i))
				abort();
	}
	snapshot_reader_close(r);
}

static void whole_file(const uint8_t *data, size_t size)
{
	static struct fake_disk fake;
	static struct disk_folder folder;
	static uint8_t *good;
	static size_t good_size;
	struct fake_bytes *file;

	if (!good) {
		make_file(&fake, &folder);
		file = fake_find(&fake, name);
		good_size = file->size;
		good = malloc(good_size);
		if (!good)
			abort();
		memcpy(good, file->data, good_size);
	}
	file = fake_find(&fake, name);
	fake_resize(file, good_size);
	memcpy(file->data, good, good_size);
	overwrite(file, data, size);
	read_back(&folder, size ? data[size - 1] : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		header_alone(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		members_alone(data + 1, size - 1);
	else
		whole_file(data + 1, size - 1);
	return 0;
}
