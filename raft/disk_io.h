/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_IO_H
#define FL_RAFT_DISK_IO_H
/*
 * The system calls that the log and the snapshots make, so that a test can stand in for the kernel:
 * lose what was not synced, write short, fail, or stop at any one of them.
 *
 * All return a value >= 0 or a negative errno. Names are of files in the folder. May be called from
 * any thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DISK_IO_READ = 1, DISK_IO_CREATE = 2, DISK_IO_MAKE_ANEW = 4 };

struct disk_io {
	void *context;
	/* Makes the folder, mode 0700, where there is none. A handle. */
	int (*open_folder)(void *context, const char *path);
	/* READ: read only. CREATE: read and write, made where missing. MAKE_ANEW: read and write,
	 * made or emptied. Mode 0600. A handle. */
	int (*open)(void *context, int folder, const char *name, int how);
	void (*close)(void *context, int handle);
	int (*lock)(void *context, int handle); /* -EWOULDBLOCK: somebody else holds it */
	ssize_t (*pread)(void *context, int handle, void *to, size_t size, uint64_t offset);
	ssize_t (*pwrite)(void *context, int handle, const void *from, size_t size,
			  uint64_t offset);
	int (*allocate)(void *context, int handle, uint64_t size); /* -EOPNOTSUPP is fine */
	int (*truncate)(void *context, int handle, uint64_t size);
	int (*size)(void *context, int handle, uint64_t *size);
	int (*sync)(void *context, int handle); /* data, and what it takes to find them */
	int (*sync_folder)(void *context, int folder);
	int (*rename)(void *context, int folder, const char *from, const char *to);
	int (*unlink)(void *context, int folder, const char *name);
	/* Calls each with every name. each returns 0 to go on. */
	int (*list)(void *context, int folder, int (*each)(void *argument, const char *name),
		    void *argument);
	int (*random)(void *context, void *to, size_t size); /* for salts */
};

extern const struct disk_io disk_io_kernel;
#endif
