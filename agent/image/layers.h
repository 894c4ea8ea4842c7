/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_LAYERS_H
#define FL_IMAGE_LAYERS_H
/*
 * Unpacked layers, shared by all images and containers:
 *
 *	FOLDER/layers/<24 hex of the chain ID>/root/	what overlayfs mounts, read only
 *					       chain	the whole chain ID and the size of the files
 *
 * The names are short because overlayfs takes up to 127 of them in one page; `chain` tells two
 *apart that begin alike (the second is then refused). A layer's folder gets its name when all in it
 *is on disk. Any thread, but removing while somebody unpacks or mounts is the caller's to prevent
 *(store.c does).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"

enum { LAYER_NAME = 24 };

struct layers {
	char *folder; /* the store's; borrowed */
};

struct layer_name {
	char text[LAYER_NAME + 1];
};

int layers_open(struct layers *layers, char *folder, struct error *error);

struct layer_name layer_name_of(const struct digest *chain);

/* Whether it is there; its size then. */
bool layers_have(const struct layers *layers, const struct digest *chain, uint64_t *size_bytes);

/*
 * Unpacks blob as the layer `chain`, whose tar must have the digest diff_id (-EBADMSG). There
 * already: 0.
 */
int layers_add(const struct layers *layers, const struct digest *chain,
	       const struct digest *diff_id, int blob, const atomic_bool *cancel,
	       struct error *error);

/* Removes each layer that is in use by none, as the caller's function says. Missing is no error. */
int layers_sweep(const struct layers *layers, bool (*used)(void *arg, const char *name), void *arg);
#endif
