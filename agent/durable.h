/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DURABLE_H
#define FL_DURABLE_H
/*
 * Files that are there whole or not at all, also after a power cut: written beside, synced,
 * renamed, the folder synced. All functions block, and return 0 or a negative errno.
 */
#include <stddef.h>
#include <sys/types.h>

/* mkdir -p of a path, mode 0755 for what is missing above it; the last part gets `mode`. */
int durable_make_folder(const char *path, mode_t mode);

/* Makes what was renamed or made in a folder survive a power cut. */
int durable_sync_folder(const char *path);

/* Replaces folder/name. On an error the old file is still there, and nothing else. */
int durable_write(const char *folder, const char *name, const void *bytes, size_t length,
		  mode_t mode);

/*
 * The same, but for what means nothing after a power cut (a running container's files): whole or
 * not at all for whoever reads it, however the writer dies, without waiting for the disk.
 */
int durable_replace(const char *folder, const char *name, const void *bytes, size_t length,
		    mode_t mode);

/* Writes all bytes, whatever write() does in pieces. */
int durable_write_all(int fd, const void *bytes, size_t length);

/*
 * Reads a file of at most length_max bytes; a NUL follows the last. The caller frees *bytes.
 * -EFBIG if it is longer. Does not follow a symbolic link, and reads regular files alone.
 */
int durable_read(const char *path, size_t length_max, char **bytes, size_t *length);
int durable_read_fd(int fd, size_t length_max, char **bytes, size_t *length);
#endif
