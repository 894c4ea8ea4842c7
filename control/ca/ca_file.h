/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CA_FILE_H
#define FL_CA_FILE_H
/* Small files that are there as a whole, before or after a crash. folder is a descriptor of one
 * that nobody else writes to. Each returns 0 or a negative errno. */
#include <stddef.h>
#include <sys/types.h>

/* *data is malloc'ed, with a NUL behind it. -ENOENT; -EFBIG: more than size_max; -EINVAL: no plain
 * file. */
int ca_file_read(int folder, const char *name, size_t size_max, char **data, size_t *size);
/* Writes another file, makes it last and puts it in the place of name. An error leaves what was
 * there, but for an error of the folder's last sync, after which it may be either. */
int ca_file_write(int folder, const char *name, mode_t mode, const void *data, size_t size);
/* Lasts; what `to` was is gone. */
int ca_file_rename(int folder, const char *from, const char *to);
/* Lasts; 0 also where there is none. */
int ca_file_remove(int folder, const char *name);
/* The folder path/name, made where it is missing. A descriptor or a negative errno. */
int ca_file_open_folder(const char *path, const char *name, mode_t mode);
#endif
