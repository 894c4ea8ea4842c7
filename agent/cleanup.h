/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CLEANUP_H
#define FL_CLEANUP_H
/*
 * One idiom for resources: a variable declared with one of these attributes releases what it holds
 * when it goes out of scope; what is to live on is taken out of it with a steal.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *at)
{
	free(*(void **)at);
}

static inline void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FD   __attribute__((cleanup(cleanup_fd)))
#define AUTO_FILE __attribute__((cleanup(cleanup_file)))
#define AUTO_DIR  __attribute__((cleanup(cleanup_dir)))

static inline int steal_fd(int *fd)
{
	const int taken = *fd;
	*fd = -1;
	return taken;
}

#define steal_ptr(at)                                                                              \
	({                                                                                         \
		__typeof__(*(at)) taken_ = *(at);                                                  \
		*(at) = NULL;                                                                      \
		taken_;                                                                            \
	})
#endif
