/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_STORE_INTERNAL_H
#define FL_IMAGE_STORE_INTERNAL_H
/* What the files of the store share. Everything here is called with the store's lock held. */
#include <pthread.h>

#include "layers.h"
#include "store.h"

struct image {
	struct digest id;       /* of its config */
	struct digest manifest; /* empty text: not known */
	struct image_config config;
	struct digest chains[IMAGE_LAYERS_MAX];
	uint64_t size_bytes; /* of the files of all its layers */
	int64_t tagged_s;    /* when it got a name last */
	char **names;        /* reference_full of each */
	unsigned int name_count;
	char **owners; /* who pinned it */
	unsigned int owner_count;
};

struct image_store {
	pthread_mutex_t lock;
	char *folder;
	struct blobs blobs;
	struct layers layers;
	struct image *images[IMAGE_IMAGES_MAX];
	unsigned int image_count;
	unsigned int imports;
	bool sweep_wanted;
};

/* By name or ID. NULL with -ENOENT's words in *error. ambiguous beginnings are none. */
struct image *store_find(struct image_store *store, const char *name, struct error *error);
struct image *store_find_id(struct image_store *store, const struct digest *id);

/* Reads a known image's config and layers from the disk; frees nothing of *image on failure. */
int store_load_image(struct image_store *store, struct image *image, struct error *error);
void store_free_image(struct image *image);

int store_index_read(struct image_store *store, struct image_store_report *report,
		     struct error *error);
int store_index_write(struct image_store *store, struct error *error);
void store_sweep(struct image_store *store);

int store_words_add(char ***words, unsigned int *count, const char *word);
bool store_words_remove(char **words, unsigned int *count, const char *word);
#endif
