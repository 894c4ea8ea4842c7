/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_LAYER_H
#define FL_IMAGE_LAYER_H
/*
 * Unpacks one layer (a tar, maybe packed by gzip, zstd, xz or bzip2) into an empty folder, in the
 *form that overlayfs takes as a lower folder:
 *
 *	.wh.NAME        -> a character device 0:0 called NAME: NAME of the layers below is gone
 *	.wh..wh..opq    -> trusted.overlay.opaque=y on its folder: all of it below is gone
 *
 * (image-spec layer.md; kernel, overlayfs.rst). What a layer may do is bounded: "..", device nodes
 *and malformed names are refused; an absolute path begins at the layer's own root; symbolic links
 *lead inside it (tree.h); only security.capability and user.* attributes are kept, for
 *trusted.overlay.* would steer the mount itself.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"

struct layer_limits {
	uint64_t bytes, entries;
	const atomic_bool *cancel; /* may be NULL; looked at between entries and blocks */
};

struct layer_result {
	struct digest diff_id; /* of the tar as it was before packing */
	uint64_t size_bytes;   /* of the files in it */
};

/* blob: read from where it stands to its end. root: the empty folder. Blocks. */
int layer_unpack(int blob, int root, const struct layer_limits *limits, struct layer_result *result,
		 struct error *error);
#endif
