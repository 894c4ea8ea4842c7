/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes record_fuzz's seeds: record_seeds tests/fuzz/corpus/record. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "record.h"

static int write_seed(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

/* One of each item, as a log could have them. */
static size_t payload(uint8_t *to, uint64_t first)
{
	struct record_item item = {.type = ITEM_HARD_STATE, .hard_state = {2, 3, first - 1}};
	uint8_t *at = record_item_encode(to, &item);

	for (uint64_t i = 0; i < 3; i++) {
		item = (struct record_item){.type = ITEM_ENTRY,
					    .entry = {.index = first + i,
						      .term = 2,
						      .type = RAFT_ENTRY_COMMAND,
						      .has_data = true,
						      .data = (const uint8_t *)"abc",
						      .size = 3}};
		at = record_item_encode(at, &item);
	}
	item = (struct record_item){.type = ITEM_CUT, .at = {.index = first + 2}};
	at = record_item_encode(at, &item);
	item = (struct record_item){.type = ITEM_SNAPSHOT, .at = {first, 2}};
	at = record_item_encode(at, &item);
	return (size_t)(at - to);
}

static size_t install(uint8_t *to)
{
	struct record_item item = {.type = ITEM_INSTALL, .at = {40, 3}};

	return (size_t)(record_item_encode(to, &item) - to);
}

int main(int count, char **arguments)
{
	uint8_t bytes[2048] = {0};
	size_t size, part;
	int bad;

	if (count != 2) {
		fprintf(stderr, "usage: record_seeds FOLDER\n");
		return 2;
	}
	size = 1 + payload(bytes + 1, 1);
	bad = write_seed(arguments[1], "payload", bytes, size);

	bytes[0] = 2; /* way 2, flips, then size and payload twice, and an install */
	bytes[1] = 1;
	memcpy(bytes + 2, "\x90\x01\x40\x01", 4);
	size = 6;
	for (uint64_t first = 1; first < 5; first += 2) {
		part = payload(bytes + size + 2, first);
		bytes[size] = (uint8_t)part;
		bytes[size + 1] = (uint8_t)(part >> 8);
		size += 2 + part;
	}
	part = install(bytes + size + 2);
	bytes[size] = (uint8_t)part;
	bytes[size + 1] = 0;
	size += 2 + part;
	bad |= write_seed(arguments[1], "flipped", bytes, size);
	bytes[1] = 0;
	memmove(bytes + 2, bytes + 6, size - 6);
	bad |= write_seed(arguments[1], "whole", bytes, size - 4);

	memset(bytes, 0, 400);
	bytes[0] = 1; /* way 1: a header, a record of 64 sealed bytes */
	bytes[1 + 12] = bytes[1 + 16] = bytes[1 + 24] = 1;
	bytes[1 + 112 + 8] = 64;
	bytes[1 + 112 + 12] = bytes[1 + 112 + 24] = bytes[1 + 112 + 28] = 1;
	bad |= write_seed(arguments[1], "file", bytes, 1 + 112 + 32 + 72);
	return bad;
}
