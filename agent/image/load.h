/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_LOAD_H
#define FL_IMAGE_LOAD_H
/*
 * docker load: an archive as `docker save` writes it (manifest.json names configs and layers), or
 * an OCI image layout in a tar (index.json and blobs/), packed or not. It is read once, from a pipe
 * too: each file becomes a blob as it comes, and what they mean is found out at the end.
 */
#include "install.h"

/*
 * *loaded: a new list of what docker says, "Loaded image: web:1" each. On an error nothing of the
 * archive is in the store, but images of it that were complete before the bad one. Blocks.
 */
int image_load(struct image_store *store, int fd, const struct import_progress *progress,
	       const atomic_bool *cancel, json_t **loaded, struct error *error);
#endif
