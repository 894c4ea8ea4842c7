/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_PULL_H
#define FL_IMAGE_PULL_H
/* docker pull: from a registry into the store. */
#include "registry.h"

/*
 * Fetches what is missing, verifies every digest and size on the way, and names the image: by its
 * tag, and by the digest of what the tag stood for. *digest: that digest; *fresh: something was
 * new. Blocks.
 */
int image_pull(struct image_store *store, const struct reference *reference,
	       const struct registry_options *options, const struct import_progress *progress,
	       const atomic_bool *cancel, struct digest *digest, bool *fresh, struct error *error);
#endif
