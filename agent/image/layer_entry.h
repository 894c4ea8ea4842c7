/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_LAYER_ENTRY_H
#define FL_IMAGE_LAYER_ENTRY_H
/* One entry of a layer: checked, and put where it belongs. */
#include <archive.h>
#include <archive_entry.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/*
 * A path of a layer without "." and doubled or leading slashes, in out[size]; "" is the root.
 * -EINVAL: it has "..", or is malformed; -ENAMETOOLONG.
 */
int layer_path_clean(const char *path, char *out, size_t size);

/*
 * What a whiteout hides ("name" of ".wh.name"); NULL: it is none. *opaque: it hides all of its
 * folder. *invalid: it looks like one but hides nothing that may be hidden.
 */
const char *layer_whiteout(const char *name, bool *opaque, bool *invalid);

/*
 * Makes the entry below root. bytes_left counts down what may still be written. -EPERM: it is
 * something that layers may not hold.
 */
int layer_entry_make(int root, struct archive *tar, struct archive_entry *entry,
		     uint64_t *bytes_left, const atomic_bool *cancel, struct error *error);
#endif
