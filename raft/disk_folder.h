/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_FOLDER_H
#define FL_RAFT_DISK_FOLDER_H
/*
 * The folder of one member, and what became of its disk.
 *
 * A full disk (ENOSPC, EDQUOT) is passed on as -ENOSPC and may end. Any other failure of a write,
 * a sync or a rename is for good: after a failed fsync the kernel may have dropped the pages and
 * say yes the next time, so nothing is tried again. All calls then give -EIO, until the folder is
 * opened anew and what is on disk is read back.
 *
 * Calls are safe from any thread.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "raft_error.h"
#include "disk_io.h"
#include "disk_limits.h"
#include "seal.h"

struct disk_folder {
	struct disk_io io;
	int handle, lock; /* -1: none */
	char path[DISK_PATH_MAX];
	atomic_bool failed;
	atomic_bool unsettled; /* something was removed since the folder was synced */
	pthread_mutex_t mutex; /* of what is below */
	struct disk_keyring ring;
	char failure[160]; /* what failed first */
};

/* Opens and locks. -EWOULDBLOCK: another process has it. -EINVAL: the keyring. */
int folder_open(struct disk_folder *f, const char *path, const struct disk_io *io,
		const struct disk_keyring *ring, struct raft_error *error);
void folder_close(struct disk_folder *f); /* wipes the keys */

/* 0 or -EIO and why. */
int folder_check(struct disk_folder *f, struct raft_error *error);
/* A copy of a key; id 0: the active one. -ENOKEY. */
int folder_key(struct disk_folder *f, uint32_t id, struct disk_key *key);

int folder_open_file(struct disk_folder *f, const char *name, int how);
void folder_close_file(struct disk_folder *f, int *handle); /* and sets it to -1 */
/* Whole, in as many calls as it takes. 0, -ENOSPC or -EIO. */
int folder_write(struct disk_folder *f, int handle, const char *name, const void *from, size_t size,
		 uint64_t offset);
/* Whole; *got is less than size at the end of the file alone. A failed read leaves the folder as
 * it is. */
int folder_read(struct disk_folder *f, int handle, void *to, size_t size, uint64_t offset,
		size_t *got);
int folder_allocate(struct disk_folder *f, int handle, const char *name, uint64_t size);
int folder_sync(struct disk_folder *f, int handle, const char *name);
/* Renames and makes it last. */
int folder_rename(struct disk_folder *f, const char *from, const char *to);
/* Lasts once folder_settle was called, or a rename. */
void folder_unlink(struct disk_folder *f, const char *name);
int folder_settle(struct disk_folder *f);
#endif
