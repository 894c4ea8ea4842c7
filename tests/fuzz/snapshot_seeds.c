/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes snapshot_fuzz's seeds: snapshot_seeds tests/fuzz/corpus/snapshot. */
#include <stdio.h>
#include <string.h>

#include "types.h"

static int write_seed(const char *folder, const char *name, uint8_t way, const void *bytes,
		      size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	if (!f || fputc(way, f) == EOF || fwrite(bytes, 1, size, f) != size || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int count, char **arguments)
{
	struct raft_members members = {
	    .count = 2, .member = {{7, RAFT_VOTER, "host1:4242"}, {9, RAFT_LEARNER, "host2:4242"}}};
	struct raft_bytes *encoded = raft_members_encode(&members);
	int bad;

	if (count != 2 || !encoded) {
		fprintf(stderr, "usage: snapshot_seeds FOLDER\n");
		return 2;
	}
	bad = write_seed(arguments[1], "members", 1, encoded->data, encoded->size);
	bad |= write_seed(arguments[1], "header", 0, "FLRAFTS1\0\0\0\0\1\0\0\0\11", 17);
	bad |= write_seed(arguments[1], "overwritten", 2, "\0\x30\0\0\1\1\0", 7);
	bad |= write_seed(arguments[1], "cut", 2, "\xff\xff\xff\xff\0\0\xf0", 7);
	bad |= write_seed(arguments[1], "whole", 2, "", 0);
	raft_bytes_release(encoded);
	return bad;
}
