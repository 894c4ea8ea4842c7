/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_BLOBS_H
#define FL_IMAGE_BLOBS_H
/*
 * Content by its digest, as files:
 *
 *	FOLDER/blobs/sha256/<64 hex>	synced before it gets its name; never changed again
 *	FOLDER/tmp/			what is not done; emptied when the store is opened
 *
 * Any thread; a writer belongs to one. All functions block.
 */
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"

struct blobs {
	char *folder; /* owned */
};

/* Makes the folders, empties tmp/. removed: how many leftovers that were. */
int blobs_open(struct blobs *blobs, const char *folder, unsigned int *removed, struct error *error);
void blobs_close(struct blobs *blobs);

bool blobs_have(const struct blobs *blobs, const struct digest *digest);

/* A descriptor to read from, or a negative errno. */
int blobs_read(const struct blobs *blobs, const struct digest *digest);

/* A whole blob, verified; the caller frees *bytes. -EBADMSG if it is not what its name says. */
int blobs_read_all(const struct blobs *blobs, const struct digest *digest, size_t length_max,
		   char **bytes, size_t *length);

/* Missing is no error. */
int blobs_remove(const struct blobs *blobs, const struct digest *digest);

struct blob_writer {
	const struct blobs *blobs;
	char *path; /* owned */
	int fd;
	uint64_t size_bytes, size_bytes_max;
	struct digest_stream digest;
};

int blob_begin(struct blob_writer *writer, const struct blobs *blobs, uint64_t size_bytes_max,
	       struct error *error);
/* -EFBIG past the writer's limit; -ENOSPC and others as the disk has them. */
int blob_add(struct blob_writer *writer, const void *bytes, size_t length, struct error *error);
/*
 * Ends the writer in any case. expected: what it must be (-EBADMSG, and nothing stays), or NULL.
 */
int blob_commit(struct blob_writer *writer, const struct digest *expected, struct digest *out,
		struct error *error);
void blob_drop(struct blob_writer *writer);
#endif
