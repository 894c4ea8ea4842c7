/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TREE_H
#define FL_TREE_H
/*
 * Folders whose content a stranger made (an image's layer, a container's root). Nothing here
 * follows a symbolic link out of them: paths are resolved by openat2(2) with RESOLVE_IN_ROOT, as
 * after a chroot. All functions block, and return 0, a descriptor, or a negative errno.
 */
#include <stdint.h>
#include <sys/types.h>

enum {
	TREE_DEPTH_MAX = 1024, /* folders within folders that are removed or copied */
};

/* openat2 in the tree; symbolic links lead inside it. mode: for O_CREAT. */
int tree_open(int root, const char *path, int flags, mode_t mode);

/* mkdir -p in the tree; what is there already stays as it is. */
int tree_make_folder(int root, const char *path, mode_t mode);

/* Removes a name in a folder and all below it, across no file system. Missing is no error. */
int tree_remove(int folder, const char *name);

/*
 * Copies folders, files and symbolic links with owners, modes and times from one folder into an
 * empty one, which gets the first's owner and mode: how a new volume is filled from an image.
 * Sockets, pipes, devices and extended attributes stay behind.
 */
int tree_copy(int from, int into);
#endif
