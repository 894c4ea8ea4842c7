/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "store_internal.h"

int store_words_add(char ***words, unsigned int *count, const char *word)
{
	char **larger = reallocarray(*words, *count + 1, sizeof(**words));

	if (!larger)
		return -ENOMEM;
	*words = larger;
	larger[*count] = strdup(word);
	if (!larger[*count])
		return -ENOMEM;
	(*count)++;
	return 0;
}

bool store_words_remove(char **words, unsigned int *count, const char *word)
{
	for (unsigned int i = 0; i < *count; i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		free(words[i]);
		memmove(&words[i], &words[i + 1], (--*count - i) * sizeof(*words));
		return true;
	}
	return false;
}

static void free_words(char **words, unsigned int count)
{
	while (count)
		free(words[--count]);
	free(words);
}

void store_free_image(struct image *image)
{
	if (!image)
		return;
	image_config_release(&image->config);
	free_words(image->names, image->name_count);
	free_words(image->owners, image->owner_count);
	free(image);
}

int store_load_image(struct image_store *store, struct image *image, struct error *error)
{
	AUTO_FREE char *bytes = NULL;
	uint64_t size;
	size_t length;
	int rc = blobs_read_all(&store->blobs, &image->id, IMAGE_CONFIG_MAX, &bytes, &length);

	if (rc < 0)
		return error_set(error, rc, "image %s: its config: %s", image->id.text,
				 strerror(-rc));
	rc = image_config_parse(bytes, length, &image->config, error);
	image->size_bytes = 0;
	for (unsigned int i = 0; !rc && i < image->config.layer_count; i++) {
		const struct digest *diff = &image->config.diff_ids[i];
		rc = i ? digest_chain(&image->chains[i - 1], diff, &image->chains[i])
		       : (image->chains[0] = *diff, 0);
		if (!rc && !layers_have(&store->layers, &image->chains[i], &size))
			rc = error_set(error, -ENOENT, "image %s: layer %s is not there",
				       image->id.text, diff->text);
		image->size_bytes += rc ? 0 : size;
	}
	return rc;
}

int image_store_open(const char *folder, struct image_store **out,
		     struct image_store_report *report, struct error *error)
{
	struct image_store *store = calloc(1, sizeof(*store));
	struct image_store_report seen = {0};
	int rc;

	if (!store || !(store->folder = strdup(folder))) {
		free(store);
		return error_set(error, -ENOMEM, "out of memory");
	}
	pthread_mutex_init(&store->lock, NULL);
	rc = blobs_open(&store->blobs, folder, &seen.leftovers, error);
	rc = rc < 0 ? rc : layers_open(&store->layers, store->folder, error);
	rc = rc < 0 ? rc : store_index_read(store, &seen, error);
	if (rc < 0) {
		image_store_close(store);
		return rc;
	}
	store_sweep(store);
	*report = seen;
	*out = store;
	return 0;
}

void image_store_close(struct image_store *store)
{
	while (store->image_count)
		store_free_image(store->images[--store->image_count]);
	blobs_close(&store->blobs);
	pthread_mutex_destroy(&store->lock);
	free(store->folder);
	free(store);
}

const struct blobs *image_store_blobs(const struct image_store *store)
{
	return &store->blobs;
}

void image_store_import_begin(struct image_store *store)
{
	pthread_mutex_lock(&store->lock);
	store->imports++;
	pthread_mutex_unlock(&store->lock);
}

void image_store_import_end(struct image_store *store)
{
	pthread_mutex_lock(&store->lock);
	if (!--store->imports)
		store_sweep(store);
	pthread_mutex_unlock(&store->lock);
}

bool image_store_has_layer(struct image_store *store, const struct digest *chain)
{
	return layers_have(&store->layers, chain, NULL);
}

int image_store_add_layer(struct image_store *store, const struct digest *chain,
			  const struct digest *diff_id, int blob, const atomic_bool *cancel,
			  struct error *error)
{
	return layers_add(&store->layers, chain, diff_id, blob, cancel, error);
}

struct image *store_find_id(struct image_store *store, const struct digest *id)
{
	for (unsigned int i = 0; i < store->image_count; i++) {
		if (digest_equal(&store->images[i]->id, id))
			return store->images[i];
	}
	return NULL;
}

static struct image *find_name(struct image_store *store, const char *full)
{
	for (unsigned int i = 0; i < store->image_count; i++) {
		const struct image *image = store->images[i];
		for (unsigned int j = 0; j < image->name_count; j++) {
			if (!strcmp(image->names[j], full))
				return store->images[i];
		}
	}
	return NULL;
}

/* The one image whose ID begins so. */
static struct image *find_beginning(struct image_store *store, const char *name)
{
	const char *hex = !strncmp(name, "sha256:", 7) ? name + 7 : name;
	const size_t length = strlen(hex);
	struct image *found = NULL;

	if (!length || length > DIGEST_HEX || strspn(hex, "0123456789abcdef") != length)
		return NULL;
	for (unsigned int i = 0; i < store->image_count; i++) {
		if (strncmp(digest_hex(&store->images[i]->id), hex, length) != 0)
			continue;
		if (found)
			return NULL;
		found = store->images[i];
	}
	return found;
}

struct image *store_find(struct image_store *store, const char *name, struct error *error)
{
	struct reference reference;
	char full[REFERENCE_TEXT];
	struct image *image = NULL;

	if (!reference_parse(name, &reference, NULL)) {
		if (reference.digest.text[0])
			reference.tag[0] =
			    '\0'; /* the digest says which one; the tag is only a comment */
		reference_full(&reference, full);
		image = find_name(store, full);
	}
	image = image ? image : find_beginning(store, name);
	if (!image)
		error_set(error, -ENOENT, "No such image: %.300s", name);
	return image;
}

/* A name belongs to one image. */
static int give_name(struct image_store *store, struct image *image, const struct reference *name,
		     struct error *error)
{
	char full[REFERENCE_TEXT];
	struct image *had;

	reference_full(name, full);
	had = find_name(store, full);
	if (had == image)
		return 0;
	if (store_words_add(&image->names, &image->name_count, full) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (had)
		store_words_remove(had->names, &had->name_count, full);
	image->tagged_s = time(NULL);
	return 0;
}

static struct image *make_image(struct image_store *store, const struct digest *id,
				struct error *error)
{
	struct image *image;

	if (store->image_count == IMAGE_IMAGES_MAX) {
		error_set(error, -ENOSPC, "this node has %d images already; remove some",
			  IMAGE_IMAGES_MAX);
		return NULL;
	}
	image = calloc(1, sizeof(*image));
	if (!image) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	image->id = *id;
	if (store_load_image(store, image, error) < 0) {
		store_free_image(image);
		return NULL;
	}
	return store->images[store->image_count++] = image;
}

static int add(struct image_store *store, const struct digest *config,
	       const struct digest *manifest, const struct reference *names,
	       unsigned int name_count, struct error *error)
{
	struct image *image = store_find_id(store, config);

	image = image ? image : make_image(store, config, error);
	if (!image)
		return error ? error->code : -EINVAL;
	if (manifest)
		image->manifest = *manifest;
	for (unsigned int i = 0; i < name_count; i++) {
		const int rc = give_name(store, image, &names[i], error);
		if (rc < 0)
			return rc;
	}
	return store_index_write(store, error);
}

int image_store_add(struct image_store *store, const struct digest *config,
		    const struct digest *manifest, const struct reference *names,
		    unsigned int name_count, struct error *error)
{
	struct error own;
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = add(store, config, manifest, names, name_count, error ? error : &own);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

int image_store_tag(struct image_store *store, const char *name, const struct reference *as,
		    struct error *error)
{
	struct image *image;
	int rc = -ENOENT;

	pthread_mutex_lock(&store->lock);
	image = store_find(store, name, error);
	if (image)
		rc = give_name(store, image, as, error);
	if (!rc)
		rc = store_index_write(store, error);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

char *image_store_layers_folder(const struct image_store *store)
{
	char *path;

	return asprintf(&path, "%s/layers", store->folder) < 0 ? NULL : path;
}

/* Topmost first, as overlayfs wants them. */
static char *lower_of(const struct image *image)
{
	char *text = calloc(image->config.layer_count + 1, LAYER_NAME + sizeof("/root:"));
	char *at = text;

	for (unsigned int i = image->config.layer_count; text && i--;)
		at += sprintf(at, "%s%s/root", at == text ? "" : ":",
			      layer_name_of(&image->chains[i]).text);
	return text;
}

static int pin(struct image_store *store, struct image *image, const char *owner,
	       struct image_pin *out)
{
	const json_t *run = image_config_run(&image->config);
	struct image_pin made = {
	    .id = image->id, .config = json_deep_copy(run), .lower = lower_of(image)};

	(void)store;
	if (!made.lower || (run && !made.config) ||
	    store_words_add(&image->owners, &image->owner_count, owner) < 0) {
		image_pin_release(&made);
		return -ENOMEM;
	}
	made.healthcheck = json_object_get(made.config, "Healthcheck");
	*out = made;
	return 0;
}

int image_store_pin(struct image_store *store, const char *name, const char *owner,
		    struct image_pin *out, struct error *error)
{
	struct image *image;
	int rc = -ENOENT;

	pthread_mutex_lock(&store->lock);
	image = store_find(store, name, error);
	if (image && (rc = pin(store, image, owner, out)) < 0)
		error_set(error, rc, "out of memory");
	pthread_mutex_unlock(&store->lock);
	return rc;
}

void image_store_unpin(struct image_store *store, const struct digest *id, const char *owner)
{
	struct image *image;

	pthread_mutex_lock(&store->lock);
	image = store_find_id(store, id);
	if (image)
		store_words_remove(image->owners, &image->owner_count, owner);
	pthread_mutex_unlock(&store->lock);
}

void image_pin_release(struct image_pin *pin)
{
	json_decref(pin->config);
	free(pin->lower);
	*pin = (struct image_pin){0};
}
