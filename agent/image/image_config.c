/* SPDX-License-Identifier: BSD-2-Clause */
#include "image_config.h"

#include <errno.h>
#include <string.h>

static int bad(struct error *error, const char *place, const char *what)
{
	return error_set(error, -EINVAL, "image config: %s: %s", place, what);
}

static bool is_missing(const json_t *value)
{
	return !value || json_is_null(value);
}

static int check_list(const json_t *run, const char *key, struct error *error)
{
	const json_t *list = json_object_get(run, key), *item;
	size_t i;

	if (is_missing(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > IMAGE_ENV_MAX)
		return bad(error, key, "is not a list, or too long");
	json_array_foreach (list, i, item) {
		/* A NUL inside would cut what the program is given. */
		if (!json_is_string(item) ||
		    strlen(json_string_value(item)) != json_string_length(item))
			return bad(error, key, "holds something that is not text");
	}
	return 0;
}

static int check_run(const json_t *run, struct error *error)
{
	static const char *const lists[] = {"Env", "Cmd", "Entrypoint", "Shell"};
	static const char *const objects[] = {"Labels", "ExposedPorts", "Volumes", "Healthcheck"};
	static const char *const texts[] = {"User", "WorkingDir", "StopSignal"};

	if (is_missing(run))
		return 0;
	if (!json_is_object(run))
		return bad(error, "config", "is not an object");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const int rc = check_list(run, lists[i], error);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		const json_t *value = json_object_get(run, objects[i]);
		if (!is_missing(value) && !json_is_object(value))
			return bad(error, objects[i], "is not an object");
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const json_t *value = json_object_get(run, texts[i]);
		if (!is_missing(value) && !json_is_string(value))
			return bad(error, texts[i], "is not text");
	}
	return check_list(json_object_get(run, "Healthcheck"), "Test", error);
}

static int parse_layers(const json_t *root, struct image_config *out, struct error *error)
{
	const json_t *ids = json_object_get(json_object_get(root, "rootfs"), "diff_ids"), *id;
	size_t i;

	if (!json_is_array(ids) || json_array_size(ids) > IMAGE_LAYERS_MAX)
		return bad(error, "rootfs.diff_ids", "is not a list, or too long");
	json_array_foreach (ids, i, id) {
		if (!digest_parse(json_string_value(id), &out->diff_ids[i]))
			return bad(error, "rootfs.diff_ids",
				   "holds something that is not a sha256 digest");
	}
	out->layer_count = (unsigned int)json_array_size(ids);
	return 0;
}

int image_config_parse(const char *bytes, size_t length, struct image_config *out,
		       struct error *error)
{
	struct image_config made = {0};
	json_error_t at;
	AUTO_JSON json_t *root =
	    length > IMAGE_CONFIG_MAX ? NULL : json_loadb(bytes, length, 0, &at);
	const char *os;
	int rc;

	if (length > IMAGE_CONFIG_MAX)
		return error_set(error, -EFBIG, "image config: is larger than %d MiB",
				 IMAGE_CONFIG_MAX >> 20);
	if (!json_is_object(root))
		return bad(error, "the whole", root ? "is not an object" : at.text);
	os = json_text(root, "os");
	if (os && *os && strcmp(os, "linux") != 0)
		return error_set(
		    error, -ENOTSUP,
		    "cannot load %s image on linux: image operating system \"%s\" cannot be used "
		    "on this platform",
		    os, os);
	rc = check_run(json_object_get(root, "config"), error);
	rc = rc < 0 ? rc : parse_layers(root, &made, error);
	if (rc < 0)
		return rc;
	*out = made;
	out->json = root;
	root = NULL;
	return 0;
}

void image_config_release(struct image_config *config)
{
	json_decref(config->json);
	config->json = NULL;
}

const json_t *image_config_run(const struct image_config *config)
{
	const json_t *run = json_object_get(config->json, "config");
	return json_is_object(run) ? run : NULL;
}
