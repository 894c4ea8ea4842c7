/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_INSTALL_H
#define FL_IMAGE_INSTALL_H
/* The end of every import: from blobs to an image. And what imports have in common. */
#include <stdatomic.h>

#include "manifest.h"
#include "store.h"

/*
 * How an import goes on, said on its own thread. id: "" or what it is about (a layer's first 12
 * digits); total 0: not known.
 */
struct import_progress {
	void (*say)(void *arg, const char *id, const char *status, uint64_t current,
		    uint64_t total);
	void *arg;
};

struct import {
	struct image_store *store;       /* between image_store_import_begin and _end */
	struct import_progress progress; /* say may be NULL */
	const atomic_bool *cancel;       /* may be NULL */
};

void import_say(const struct import *import, const char *id, const char *status, uint64_t current,
		uint64_t total);
bool import_canceled(const struct import *import);

/* The config blob `digest`, parsed; image_config_release is the caller's. */
int install_config(const struct import *import, const struct digest *digest,
		   struct image_config *out, struct error *error);

/*
 * Unpacks the layer number `which` of the config from the blob, unless it is there. The blob stays
 * until the store sweeps: two layers may be one blob.
 */
int install_layer(const struct import *import, const struct image_config *config,
		  unsigned int which, const struct digest *blob, struct error *error);

/* Whether the layer and all below it are there already. */
bool install_has_layer(const struct import *import, const struct image_config *config,
		       unsigned int which);
#endif
