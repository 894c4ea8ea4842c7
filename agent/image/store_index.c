/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's index on disk, and sweeping what is not in it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "durable.h"
#include "store_internal.h"

enum { INDEX_VERSION = 1 };

static json_t *encode_image(const struct image *image)
{
	json_t *names = json_array();

	for (unsigned int i = 0; i < image->name_count; i++)
		json_array_append_new(names, json_string(image->names[i]));
	return json_pack("{s:s, s:s, s:I, s:o}", "id", image->id.text, "manifest",
			 image->manifest.text, "tagged_s", (json_int_t)image->tagged_s, "names",
			 names);
}

int store_index_write(struct image_store *store, struct error *error)
{
	AUTO_JSON json_t *root = json_pack("{s:i, s:[]}", "version", INDEX_VERSION, "images");
	json_t *images = json_object_get(root, "images");
	int rc;

	for (unsigned int i = 0; i < store->image_count; i++) {
		if (json_array_append_new(images, encode_image(store->images[i])) < 0)
			return error_set(error, -ENOMEM, "out of memory");
	}
	AUTO_FREE char *text = json_dumps(root, JSON_INDENT(1));
	if (!text)
		return error_set(error, -ENOMEM, "out of memory");
	rc = durable_write(store->folder, "index.json", text, strlen(text), 0600);
	return rc < 0 ? error_set(error, rc, "%s/index.json: %s", store->folder, strerror(-rc)) : 0;
}

static int decode_image(struct image_store *store, const json_t *json, struct image *image)
{
	const json_t *names = json_object_get(json, "names"), *name;
	const char *manifest = json_text(json, "manifest");
	struct reference parsed;
	size_t i;

	if (!digest_parse(json_text(json, "id"), &image->id) || !json_is_array(names) ||
	    store_find_id(store, &image->id))
		return -EINVAL;
	if (manifest && *manifest && !digest_parse(manifest, &image->manifest))
		return -EINVAL;
	image->tagged_s = json_number_or(json, "tagged_s", 0);
	json_array_foreach (names, i, name) {
		if (reference_parse(json_string_value(name), &parsed, NULL) < 0)
			return -EINVAL;
		const int rc =
		    store_words_add(&image->names, &image->name_count, json_string_value(name));
		if (rc < 0)
			return rc;
	}
	return store_load_image(store, image, NULL);
}

static int decode(struct image_store *store, const json_t *root, struct image_store_report *report)
{
	const json_t *images = json_object_get(root, "images"), *json;
	size_t i;

	if (json_number_or(root, "version", 0) != INDEX_VERSION || !json_is_array(images) ||
	    json_array_size(images) > IMAGE_IMAGES_MAX)
		return -EINVAL;
	json_array_foreach (images, i, json) {
		struct image *image = calloc(1, sizeof(*image));
		if (!image)
			return -ENOMEM;
		if (!decode_image(store, json, image)) {
			store->images[store->image_count++] = image;
			continue;
		}
		store_free_image(image);
		report->images_dropped++;
	}
	return 0;
}

/* An index that cannot be read is kept for who wants to look, and the images are fetched again. */
static int put_aside(struct image_store *store, const char *path, struct image_store_report *report,
		     struct error *error)
{
	AUTO_FREE char *aside = NULL;

	if (asprintf(&aside, "%s.damaged", path) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (rename(path, aside) < 0)
		return error_set(error, -errno, "%s: %s", path, strerror(errno));
	while (store->image_count)
		store_free_image(store->images[--store->image_count]);
	report->index_damaged = true;
	return store_index_write(store, error);
}

int store_index_read(struct image_store *store, struct image_store_report *report,
		     struct error *error)
{
	AUTO_FREE char *path = NULL, *text = NULL;
	AUTO_JSON json_t *root = NULL;
	size_t length;
	int rc;

	if (asprintf(&path, "%s/index.json", store->folder) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	rc = durable_read(path, STORE_INDEX_MAX, &text, &length);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0 && rc != -EFBIG && rc != -EINVAL && rc != -ELOOP)
		return error_set(error, rc, "%s: %s", path, strerror(-rc));
	root = rc < 0 ? NULL : json_loadb(text, length, 0, NULL);
	rc = root ? decode(store, root, report) : -EINVAL;
	if (rc == -ENOMEM)
		return error_set(error, rc, "out of memory");
	return rc < 0 ? put_aside(store, path, report, error) : 0;
}

static bool layer_used(void *arg, const char *name)
{
	const struct image_store *store = arg;

	for (unsigned int i = 0; i < store->image_count; i++) {
		const struct image *image = store->images[i];
		for (unsigned int j = 0; j < image->config.layer_count; j++) {
			if (!strcmp(layer_name_of(&image->chains[j]).text, name))
				return true;
		}
	}
	return false;
}

static bool blob_used(const struct image_store *store, const char *hex)
{
	for (unsigned int i = 0; i < store->image_count; i++) {
		const struct image *image = store->images[i];
		if (!strcmp(digest_hex(&image->id), hex) ||
		    (image->manifest.text[0] && !strcmp(digest_hex(&image->manifest), hex)))
			return true;
	}
	return false;
}

/* What could not be removed is tried again the next time. */
void store_sweep(struct image_store *store)
{
	AUTO_FREE char *path = NULL;
	const struct dirent *entry;

	store->sweep_wanted = false;
	(void)layers_sweep(&store->layers, layer_used, store);
	if (asprintf(&path, "%s/blobs/sha256", store->folder) < 0)
		return;
	AUTO_DIR DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !blob_used(store, entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
}
