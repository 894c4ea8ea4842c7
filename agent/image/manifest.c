/* SPDX-License-Identifier: BSD-2-Clause */
#include "manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "json_auto.h"

struct platform platform_of_host(void)
{
	static const struct {
		const char *machine, *architecture, *variant;
	} known[] = {
	    {"x86_64", "amd64", ""},    {"aarch64", "arm64", "v8"}, {"armv7l", "arm", "v7"},
	    {"riscv64", "riscv64", ""}, {"ppc64le", "ppc64le", ""}, {"s390x", "s390x", ""},
	};
	struct platform platform = {.os = "linux"};
	struct utsname name;

	if (uname(&name) < 0)
		return platform;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name.machine, known[i].machine) != 0)
			continue;
		strcpy(platform.architecture, known[i].architecture);
		strcpy(platform.variant, known[i].variant);
		return platform;
	}
	snprintf(platform.architecture, sizeof(platform.architecture), "%.31s", name.machine);
	return platform;
}

static int parse_descriptor(const json_t *json, const char *what, uint64_t size_max,
			    struct descriptor *out, struct error *error)
{
	const json_int_t size = json_number_or(json, "size", -1);

	if (!digest_parse(json_text(json, "digest"), &out->digest))
		return error_set(error, -EINVAL, "manifest: %s: digest is not a sha256 digest",
				 what);
	if (size < 0 || (uint64_t)size > size_max)
		return error_set(error, -EINVAL, "manifest: %s: size is missing or out of bounds",
				 what);
	out->size_bytes = (uint64_t)size;
	return 0;
}

static int parse_image(const json_t *root, struct manifest *out, struct error *error)
{
	const json_t *layers = json_object_get(root, "layers"), *layer;
	struct manifest made = {0};
	size_t i;
	int rc = parse_descriptor(json_object_get(root, "config"), "config", IMAGE_CONFIG_MAX,
				  &made.config, error);

	if (rc < 0)
		return rc;
	if (!json_is_array(layers))
		return error_set(error, -EINVAL, "manifest: layers is not a list");
	if (json_array_size(layers) > IMAGE_LAYERS_MAX)
		return error_set(error, -EINVAL,
				 "manifest: has %zu layers; at most %d can be mounted",
				 json_array_size(layers), IMAGE_LAYERS_MAX);
	json_array_foreach (layers, i, layer) {
		char what[32];
		snprintf(what, sizeof(what), "layers[%zu]", i);
		rc = parse_descriptor(layer, what, IMAGE_BLOB_MAX, &made.layers[i], error);
		if (rc < 0)
			return rc;
	}
	made.layer_count = (unsigned int)json_array_size(layers);
	*out = made;
	return 0;
}

static bool same(const json_t *object, const char *key, const char *wanted)
{
	const char *text = json_text(object, key);
	return text && !strcmp(text, wanted);
}

/* 0: not for this platform; an equal variant is better than none said, none better than another. */
static int fits(const json_t *entry, const struct platform *wanted)
{
	const json_t *platform = json_object_get(entry, "platform");

	if (!platform) /* an OCI layout of one image need not say */
		return 1;
	if (!same(platform, "os", wanted->os) ||
	    !same(platform, "architecture", wanted->architecture))
		return 0;
	if (!json_text(platform, "variant"))
		return wanted->variant[0] ? 2 : 3;
	return same(platform, "variant", wanted->variant) ? 3 : 1;
}

static int parse_index(const json_t *root, const struct platform *platform, struct descriptor *out,
		       struct error *error)
{
	const json_t *entries = json_object_get(root, "manifests"), *entry, *best = NULL;
	int best_fit = 0;
	size_t i;

	if (json_array_size(entries) > IMAGE_INDEX_ENTRIES_MAX)
		return error_set(error, -EINVAL, "manifest list: has more than %d entries",
				 IMAGE_INDEX_ENTRIES_MAX);
	json_array_foreach (entries, i, entry) {
		const int fit = fits(entry, platform);
		if (fit > best_fit) {
			best = entry;
			best_fit = fit;
		}
	}
	if (!best)
		return error_set(error, -ENOENT,
				 "no matching manifest for %s/%s%s%s in the manifest list entries",
				 platform->os, platform->architecture,
				 platform->variant[0] ? "/" : "", platform->variant);
	return parse_descriptor(best, "manifests", IMAGE_MANIFEST_MAX, out, error);
}

int manifest_parse(const char *bytes, size_t length, const struct platform *platform,
		   enum manifest_kind *kind, struct manifest *image, struct descriptor *chosen,
		   struct error *error)
{
	json_error_t at;
	AUTO_JSON json_t *root = NULL;
	int rc;

	if (length > IMAGE_MANIFEST_MAX)
		return error_set(error, -EFBIG, "manifest: is larger than %d MiB",
				 IMAGE_MANIFEST_MAX >> 20);
	root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &at);
	if (!json_is_object(root))
		return error_set(error, -EINVAL, "manifest: is no JSON object: %s",
				 root ? "" : at.text);
	if (json_number_or(root, "schemaVersion", 2) != 2)
		return error_set(
		    error, -ENOTSUP,
		    "manifest: schema version 1 images are not supported; push it again with "
		    "a newer docker");
	if (json_is_array(json_object_get(root, "manifests"))) {
		rc = parse_index(root, platform, chosen, error);
		*kind = rc < 0 ? *kind : MANIFEST_INDEX;
		return rc;
	}
	rc = parse_image(root, image, error);
	*kind = rc < 0 ? *kind : MANIFEST_IMAGE;
	return rc;
}
