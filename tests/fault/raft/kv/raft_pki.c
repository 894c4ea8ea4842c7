/* SPDX-License-Identifier: BSD-2-Clause */
/* raft-pki FOLDER CLUSTER ID...: a new CA, and certificates and keys for members (ids in hex). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki.h"

static void save(const char *folder, const char *name, const char *text)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct pki *pki = pki_new();

	if (argc < 4) {
		fprintf(stderr, "usage: raft-pki FOLDER CLUSTER ID...\n");
		return 2;
	}
	save(argv[1], "ca.pem", pki_ca(pki));
	for (int i = 3; i < argc; i++) {
		const uint64_t id = strtoull(argv[i], NULL, 16);
		struct pki_pair pair = pki_member(pki, argv[2], id);
		char name[32];

		snprintf(name, sizeof(name), "%" PRIx64 ".pem", id);
		save(argv[1], name, pair.certificate);
		snprintf(name, sizeof(name), "%" PRIx64 ".key", id);
		save(argv[1], name, pair.key);
		pki_pair_free(&pair);
	}
	pki_free(pki);
	return 0;
}
