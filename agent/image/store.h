/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_STORE_H
#define FL_IMAGE_STORE_H
/*
 * The images of a node:
 *
 *	FOLDER/index.json	which images there are and how they are called; replaced as a whole
 *	       blobs/		configs and manifests by digest (blobs.h); layers as they travelled
 *				are dropped when they are unpacked
 *	       layers/		unpacked layers (layers.h)
 *	       tmp/		what is being made
 *
 * Any thread may call any function; each may block on the disk, those marked "quick" only on a
 *mutex. What no image needs is swept when the last running import ends, or on removal if none runs.
 */
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "blobs.h"
#include "error.h"
#include "image_config.h"
#include "reference.h"

struct image_store;

struct image_store_report {
	unsigned int leftovers;      /* half-made things that were removed */
	unsigned int images_dropped; /* that the index named and the disk no longer has */
	bool index_damaged;          /* it was put aside as index.json.damaged */
};

/* No other process may have it open: what that one is making would be swept. */
int image_store_open(const char *folder, struct image_store **out,
		     struct image_store_report *report, struct error *error);
void image_store_close(struct image_store *store);

/* -- importing: between begin and end nothing is swept, so parts may come one by one ------------
 */
void image_store_import_begin(struct image_store *store);
void image_store_import_end(struct image_store *store);
const struct blobs *image_store_blobs(const struct image_store *store);

bool image_store_has_layer(struct image_store *store, const struct digest *chain);
/* See layers_add. */
int image_store_add_layer(struct image_store *store, const struct digest *chain,
			  const struct digest *diff_id, int blob, const atomic_bool *cancel,
			  struct error *error);

/*
 * An image whose config blob and layers are there gets its names; a name moves here from the image
 * that had it. manifest: its digest if it is known, else NULL. An image that is known already is
 * only named.
 */
int image_store_add(struct image_store *store, const struct digest *config,
		    const struct digest *manifest, const struct reference *names,
		    unsigned int name_count, struct error *error);

/* -- looking: by name, ID ("sha256:..." or without), or a beginning of an ID; all quick ----------
 */
/* New references, in the Engine API's form: of GET /images/json and of GET /images/{name}/json. */
json_t *image_store_list(struct image_store *store);
/* -ENOENT "No such image: X". */
int image_store_inspect(struct image_store *store, const char *name, json_t **out,
			struct error *error);

/*
 * What a container is made of. The image cannot be removed until each who pinned it has unpinned
 * it. owner: the container's ID.
 */
struct image_pin {
	struct digest id;
	json_t *config;      /* the image's "config" member, or NULL; owned */
	json_t *healthcheck; /* borrowed from config */
	char *lower; /* overlayfs' lowerdir relative to image_store_layers_folder, topmost first;
			owned */
};

int image_store_pin(struct image_store *store, const char *name, const char *owner,
		    struct image_pin *out, struct error *error);
void image_store_unpin(struct image_store *store, const struct digest *id, const char *owner);
void image_pin_release(struct image_pin *pin);
char *image_store_layers_folder(const struct image_store *store); /* new; NULL: out of memory */

/* docker tag. */
int image_store_tag(struct image_store *store, const char *name, const struct reference *as,
		    struct error *error);

/*
 * docker rmi: takes a name away, and the image with its last. *done: a new list of {"Untagged":..}
 * and
 * {"Deleted":..}. -ENOENT; -EBUSY: pinned, or an ID with several names and no force.
 */
int image_store_remove(struct image_store *store, const char *name, bool force, json_t **done,
		       struct error *error);
#endif
