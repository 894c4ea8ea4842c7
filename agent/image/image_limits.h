/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_LIMITS_H
#define FL_IMAGE_LIMITS_H
/* What an image may be. All of it comes from strangers. */
#include <stdint.h>

enum {
	IMAGE_REFERENCE_MAX =
	    255 + 1 + 128 + 1 + 71,   /* name, tag, digest (distribution's reference) */
	IMAGE_MANIFEST_MAX = 4 << 20, /* as registries have it */
	IMAGE_CONFIG_MAX = 8 << 20,
	IMAGE_INDEX_ENTRIES_MAX = 256,
	/*
	 * overlayfs takes its lower folders in one page of options: 24 digits and a colon each (see
	 * layers.h), which leaves 900 bytes for the container's own two folders.
	 */
	IMAGE_LAYERS_MAX = 127,
	IMAGE_ENV_MAX = 4096,
	IMAGE_ARCHIVE_FILES_MAX = 4096, /* in a `docker save` archive */
	IMAGE_IMAGES_MAX = 4096,        /* in the store, and in one archive */
	LAYER_ENTRIES_MAX = 4 << 20,
	LAYER_XATTR_MAX = 64 << 10,
	REGISTRY_ERROR_MAX = 64 << 10,
	REGISTRY_REDIRECTS_MAX = 5,
	REGISTRY_CONNECT_S_MAX = 15,
	REGISTRY_STALL_S_MAX = 60, /* without a byte */
};

#define IMAGE_BLOB_MAX     ((uint64_t)64 << 30)  /* one layer as it travels */
#define LAYER_UNPACKED_MAX ((uint64_t)256 << 30) /* and what it becomes */
#define STORE_INDEX_MAX    ((uint64_t)64 << 20)
_Static_assert(IMAGE_LAYERS_MAX * 25 + 900 <= 4096, "fits the page of mount options");
#endif
