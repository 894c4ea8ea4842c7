/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_ARCHIVE_FILES_H
#define FL_IMAGE_ARCHIVE_FILES_H
/* The files of an image archive, each a blob of the store, found by its path in the archive. */
#include "install.h"

struct archive_file {
	char *path;   /* clean: no leading slash, no "." and ".."; owned */
	char *target; /* a symbolic link's, relative to the archive's root; NULL: a file; owned */
	struct digest digest;
};

struct archive_files {
	struct archive_file *list;
	unsigned int count;
};

int archive_files_read(const struct import *import, int fd, struct archive_files *out,
		       struct error *error);
void archive_files_release(struct archive_files *files);

/* Follows links (old docker saves equal layers as links). NULL: it is not there, or links in a
 * ring. */
const struct digest *archive_files_find(const struct archive_files *files, const char *path);

/* A small JSON file of the archive, parsed; NULL and the error: it is missing or malformed. */
json_t *archive_files_json(const struct import *import, const struct archive_files *files,
			   const char *path, size_t size_max, struct error *error);

/* Where a link at `path` leads, as a clean path. False: out of the archive. */
bool archive_link_target(const char *path, const char *link, char *out, size_t size);
#endif
