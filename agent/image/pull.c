/* SPDX-License-Identifier: BSD-2-Clause */
#include "pull.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

/* One blob on its way. */
struct fetch {
	const struct import *import;
	struct blob_writer writer;
	uint64_t size_bytes, said_bytes;
	char id[13];
};

enum { SAY_EVERY = 1 << 20 };

static int take(void *arg, const void *bytes, size_t length, struct error *error)
{
	struct fetch *fetch = arg;
	const int rc = blob_add(&fetch->writer, bytes, length, error);

	if (!rc && fetch->writer.size_bytes - fetch->said_bytes >= SAY_EVERY) {
		fetch->said_bytes = fetch->writer.size_bytes;
		import_say(fetch->import, fetch->id, "Downloading", fetch->said_bytes,
			   fetch->size_bytes);
	}
	return rc;
}

static int fetch_blob(const struct import *import, struct registry *registry,
		      const struct descriptor *descriptor, struct error *error)
{
	struct fetch fetch = {.import = import, .size_bytes = descriptor->size_bytes};
	struct digest made;
	int rc;

	if (blobs_have(image_store_blobs(import->store), &descriptor->digest))
		return 0;
	snprintf(fetch.id, sizeof(fetch.id), "%.12s", digest_hex(&descriptor->digest));
	rc = blob_begin(&fetch.writer, image_store_blobs(import->store), descriptor->size_bytes,
			error);
	if (rc < 0)
		return rc;
	rc = registry_blob(registry, &descriptor->digest, take, &fetch, error);
	if (!rc && fetch.writer.size_bytes != descriptor->size_bytes)
		rc = error_set(
		    error, -EBADMSG,
		    "blob %s: the registry sent %" PRIu64 " bytes where the manifest says %" PRIu64,
		    descriptor->digest.text, fetch.writer.size_bytes, descriptor->size_bytes);
	if (!rc)
		return blob_commit(&fetch.writer, &descriptor->digest, &made, error);
	blob_drop(&fetch.writer);
	return rc;
}

/* From a tag, maybe through an index, to the manifest for this machine. *named: what the tag stands
 * for. */
static int fetch_manifest(struct registry *registry, const struct reference *reference,
			  struct manifest *manifest, struct digest *named, struct error *error)
{
	const struct platform platform = platform_of_host();
	enum manifest_kind kind = MANIFEST_INDEX;
	char version[DIGEST_SIZE + sizeof(reference->tag)];

	snprintf(version, sizeof(version), "%s",
		 reference->digest.text[0] ? reference->digest.text : reference->tag);
	for (int depth = 0; depth < 3; depth++) {
		AUTO_FREE char *bytes = NULL;
		struct descriptor chosen;
		struct digest digest;
		size_t length;
		int rc = registry_manifest(registry, version, &bytes, &length, &digest, error);
		if (!rc && !depth)
			*named = digest;
		rc = rc < 0 ? rc
			    : manifest_parse(bytes, length, &platform, &kind, manifest, &chosen,
					     error);
		if (rc < 0 || kind == MANIFEST_IMAGE)
			return rc;
		snprintf(version, sizeof(version), "%s", chosen.digest.text);
	}
	return error_set(error, -ELOOP, "manifest list: leads to another manifest list");
}

static int fetch_layers(const struct import *import, struct registry *registry,
			const struct manifest *manifest, const struct image_config *config,
			bool *fresh, struct error *error)
{
	if (config->layer_count != manifest->layer_count)
		return error_set(error, -EINVAL,
				 "invalid manifest, layers length mismatch: expected %u, got %u",
				 manifest->layer_count, config->layer_count);
	for (unsigned int i = 0; i < manifest->layer_count; i++) {
		const struct descriptor *layer = &manifest->layers[i];
		char id[13];
		int rc;
		snprintf(id, sizeof(id), "%.12s", digest_hex(&layer->digest));
		if (install_has_layer(import, config, i)) {
			import_say(import, id, "Already exists", 0, 0);
			continue;
		}
		*fresh = true;
		import_say(import, id, "Pulling fs layer", 0, 0);
		rc = fetch_blob(import, registry, layer, error);
		if (rc < 0)
			return rc;
		import_say(import, id, "Download complete", 0, 0);
		rc = install_layer(import, config, i, &layer->digest, error);
		if (rc < 0)
			return rc;
		import_say(import, id, "Pull complete", 0, 0);
	}
	return 0;
}

static int add(const struct import *import, const struct reference *reference,
	       const struct digest *config, const struct digest *named, struct error *error)
{
	struct reference names[2] = {*reference, *reference};

	names[0].tag[0] = '\0';
	names[0].digest = *named;
	names[1].digest.text[0] = '\0';
	/* What was asked for by digest has no tag: a tag may mean another image by now. */
	return image_store_add(import->store, config, NULL, names,
			       reference->digest.text[0] ? 1 : 2, error);
}

static int pull(const struct import *import, struct registry *registry,
		const struct reference *reference, struct digest *digest, bool *fresh,
		struct error *error)
{
	struct manifest manifest;
	struct image_config config;
	struct digest named;
	int rc = fetch_manifest(registry, reference, &manifest, &named, error);

	if (!rc && !blobs_have(image_store_blobs(import->store), &manifest.config.digest)) {
		*fresh = true;
		rc = fetch_blob(import, registry, &manifest.config, error);
	}
	rc = rc < 0 ? rc : install_config(import, &manifest.config.digest, &config, error);
	if (rc < 0)
		return rc;
	rc = fetch_layers(import, registry, &manifest, &config, fresh, error);
	image_config_release(&config);
	rc = rc < 0 ? rc : add(import, reference, &manifest.config.digest, &named, error);
	if (!rc)
		*digest = named;
	return rc;
}

int image_pull(struct image_store *store, const struct reference *reference,
	       const struct registry_options *options, const struct import_progress *progress,
	       const atomic_bool *cancel, struct digest *digest, bool *fresh, struct error *error)
{
	const struct import import = {store, progress ? *progress : (struct import_progress){0},
				      cancel};
	struct registry *registry;
	bool any = false;
	int rc = registry_open(reference, options, cancel, &registry, error);

	if (rc < 0)
		return rc;
	image_store_import_begin(store);
	rc = pull(&import, registry, reference, digest, &any, error);
	image_store_import_end(store);
	registry_close(registry);
	if (!rc)
		*fresh = any;
	return rc;
}
