/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "archive_files.h"
#include "cleanup.h"
#include "json_auto.h"

/* One image of the archive. */
struct found {
	struct digest config;
	const struct digest *manifest; /* NULL: not known */
	struct digest layers[IMAGE_LAYERS_MAX];
	unsigned int layer_count;
	struct reference names[64];
	unsigned int name_count;
};

static int install(const struct import *import, const struct found *found, json_t *loaded,
		   struct error *error)
{
	struct image_config config;
	int rc = install_config(import, &found->config, &config, error);

	if (rc < 0)
		return rc;
	if (config.layer_count != found->layer_count)
		rc = error_set(error, -EINVAL,
			       "invalid manifest, layers length mismatch: expected %u, got %u",
			       found->layer_count, config.layer_count);
	for (unsigned int i = 0; !rc && i < found->layer_count; i++) {
		char id[13];
		if (install_has_layer(import, &config, i))
			continue;
		snprintf(id, sizeof(id), "%.12s", digest_hex(&config.diff_ids[i]));
		import_say(import, id, "Loading layer", 0, 0);
		rc = install_layer(import, &config, i, &found->layers[i], error);
	}
	image_config_release(&config);
	rc = rc < 0 ? rc
		    : image_store_add(import->store, &found->config, found->manifest, found->names,
				      found->name_count, error);
	for (unsigned int i = 0; !rc && i < found->name_count; i++) {
		char name[REFERENCE_TEXT];
		reference_familiar(&found->names[i], name);
		json_array_append_new(loaded, json_sprintf("Loaded image: %s", name));
	}
	if (!rc && !found->name_count)
		json_array_append_new(loaded,
				      json_sprintf("Loaded image ID: %s", found->config.text));
	return rc;
}

static int add_name(struct found *found, const char *name, struct error *error)
{
	if (found->name_count == sizeof(found->names) / sizeof(found->names[0]))
		return error_set(error, -EINVAL, "archive: an image in it has too many names");
	const int rc = reference_parse(name, &found->names[found->name_count], error);
	found->name_count += rc == 0;
	return rc;
}

static int find_file(const struct archive_files *files, const char *path, struct digest *out,
		     struct error *error)
{
	const struct digest *digest = path ? archive_files_find(files, path) : NULL;

	if (!digest)
		return error_set(error, -EINVAL,
				 "archive: manifest.json names %.200s, which is not there",
				 path ? path : "a file without a name");
	*out = *digest;
	return 0;
}

/* One object of `docker save`'s manifest.json. */
static int read_saved(const struct archive_files *files, const json_t *json, struct found *found,
		      struct error *error)
{
	const json_t *layers = json_object_get(json, "Layers"),
		     *names = json_object_get(json, "RepoTags"), *item;
	size_t i;
	int rc = find_file(files, json_text(json, "Config"), &found->config, error);

	if (!rc && json_array_size(layers) > IMAGE_LAYERS_MAX)
		return error_set(error, -EINVAL, "archive: an image in it has more than %d layers",
				 IMAGE_LAYERS_MAX);
	json_array_foreach (layers, i, item) {
		if (rc < 0)
			return rc;
		rc = find_file(files, json_string_value(item), &found->layers[i], error);
	}
	found->layer_count = (unsigned int)json_array_size(layers);
	json_array_foreach (names, i, item) {
		if (rc < 0)
			return rc;
		rc = add_name(found, json_string_value(item), error);
	}
	return rc;
}

static int load_saved(const struct import *import, const struct archive_files *files,
		      json_t *loaded, struct error *error)
{
	AUTO_JSON json_t *list =
	    archive_files_json(import, files, "manifest.json", IMAGE_MANIFEST_MAX, error);
	const json_t *json;
	size_t i;

	if (!list)
		return error->code;
	if (!json_is_array(list))
		return error_set(error, -EINVAL, "archive: manifest.json: is not a list");
	json_array_foreach (list, i, json) {
		struct found found = {0};
		int rc = read_saved(files, json, &found, error);
		rc = rc < 0 ? rc : install(import, &found, loaded, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Follows an index to the manifest for this machine; it is one blob to the next. */
static int read_manifest(const struct import *import, struct descriptor *at,
			 struct manifest *manifest, struct error *error)
{
	const struct platform platform = platform_of_host();
	enum manifest_kind kind = MANIFEST_INDEX;

	for (int depth = 0; depth < 4; depth++) {
		AUTO_FREE char *bytes = NULL;
		struct descriptor next;
		size_t length;
		int rc = blobs_read_all(image_store_blobs(import->store), &at->digest,
					IMAGE_MANIFEST_MAX, &bytes, &length);
		if (rc < 0)
			return error_set(error, rc, "archive: manifest %s: %s", at->digest.text,
					 rc == -ENOENT ? "is missing" : strerror(-rc));
		rc = manifest_parse(bytes, length, &platform, &kind, manifest, &next, error);
		if (rc < 0 || kind == MANIFEST_IMAGE)
			return rc;
		*at = next;
	}
	return error_set(error, -ELOOP, "archive: indexes lead to indexes");
}

static int load_layout_image(const struct import *import, const json_t *entry, json_t *loaded,
			     struct error *error)
{
	const json_t *notes = json_object_get(entry, "annotations");
	const char *name = json_text(notes, "io.containerd.image.name");
	struct found found = {0};
	struct descriptor at = {0};
	struct manifest manifest;
	int rc;

	name = name ? name : json_text(notes, "org.opencontainers.image.ref.name");
	if (!digest_parse(json_text(entry, "digest"), &at.digest))
		return error_set(error, -EINVAL,
				 "archive: index.json: digest is not a sha256 digest");
	rc = read_manifest(import, &at, &manifest, error);
	rc = rc < 0 || !name ? rc : add_name(&found, name, error);
	if (rc < 0)
		return rc;
	found.config = manifest.config.digest;
	found.manifest = &at.digest;
	found.layer_count = manifest.layer_count;
	for (unsigned int i = 0; i < manifest.layer_count; i++)
		found.layers[i] = manifest.layers[i].digest;
	return install(import, &found, loaded, error);
}

static int load_layout(const struct import *import, const struct archive_files *files,
		       json_t *loaded, struct error *error)
{
	AUTO_JSON json_t *root =
	    archive_files_json(import, files, "index.json", IMAGE_MANIFEST_MAX, error);
	const json_t *list = json_object_get(root, "manifests"), *entry;
	size_t i;

	if (!root)
		return error->code;
	if (!json_is_array(list) || json_array_size(list) > IMAGE_INDEX_ENTRIES_MAX)
		return error_set(error, -EINVAL,
				 "archive: index.json: manifests is not a list, or too long");
	json_array_foreach (list, i, entry) {
		const int rc = load_layout_image(import, entry, loaded, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int load(const struct import *import, int fd, json_t *loaded, struct error *error)
{
	struct archive_files files;
	int rc = archive_files_read(import, fd, &files, error);

	if (rc < 0)
		return rc;
	if (archive_files_find(&files, "manifest.json"))
		rc = load_saved(import, &files, loaded, error);
	else if (archive_files_find(&files, "index.json"))
		rc = load_layout(import, &files, loaded, error);
	else
		rc = error_set(
		    error, -EINVAL,
		    "archive: has neither manifest.json (docker save) nor index.json (OCI layout)");
	archive_files_release(&files);
	return rc;
}

int image_load(struct image_store *store, int fd, const struct import_progress *progress,
	       const atomic_bool *cancel, json_t **loaded, struct error *error)
{
	const struct import import = {store, progress ? *progress : (struct import_progress){0},
				      cancel};
	AUTO_JSON json_t *list = json_array();
	struct error own;
	int rc;

	error = error ? error : &own;
	if (!list)
		return error_set(error, -ENOMEM, "out of memory");
	image_store_import_begin(store);
	rc = load(&import, fd, list, error);
	image_store_import_end(store);
	if (rc < 0)
		return rc;
	*loaded = list;
	list = NULL;
	return 0;
}
