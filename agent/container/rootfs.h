/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ROOTFS_H
#define FL_ROOTFS_H
/*
 * A container's root: the layers of its image under a folder of its own (overlayfs), at
 * FOLDER/merged. All functions block.
 */
#include "error.h"
#include "passwd.h"

/*
 * Mounts it. lower: as in image_pin, relative to layers_folder. The folders upper, work and merged
 * are made. The mount is made by a short-lived child, for `lower` is relative and a process has but
 * one current folder.
 */
int rootfs_mount(const char *folder, const char *layers_folder, const char *lower,
		 struct error *error);

/* Takes the mount away, though somebody may look at it still. No mount there: 0. */
int rootfs_unmount(const char *folder);

/* Resolves "USER[:GROUP]" in the root's own passwd and group. root: a descriptor of the mounted
 * folder. */
int rootfs_user(int root, const char *spec, struct passwd_user *out, struct error *error);

/* Fills an empty folder (a new volume's) with what the root has at the path; nothing there is no
 * error. */
int rootfs_copy_out(int root, const char *path, const char *into, struct error *error);
#endif
