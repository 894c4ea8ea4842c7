/* SPDX-License-Identifier: BSD-2-Clause */
/* Images as the Engine API shows them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store_internal.h"

/* "2026-11-21T07:02:13.683298509Z" -> seconds; 0 if it is no time. */
static int64_t seconds_of(const char *text)
{
	struct tm time = {0};
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &time) : NULL;

	return end ? timegm(&time) : 0;
}

static json_t *names_of(const struct image *image, bool digests)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < image->name_count; i++) {
		struct reference reference;
		char text[REFERENCE_TEXT];
		if (reference_parse(image->names[i], &reference, NULL) < 0 ||
		    digests != (reference.digest.text[0] != '\0'))
			continue;
		reference_familiar(&reference, text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *labels_of(const struct image *image)
{
	json_t *labels = json_object_get(image_config_run(&image->config), "Labels");
	return labels ? json_deep_copy(labels) : json_null();
}

json_t *image_store_list(struct image_store *store)
{
	json_t *list = json_array();

	pthread_mutex_lock(&store->lock);
	for (unsigned int i = 0; i < store->image_count; i++) {
		const struct image *image = store->images[i];
		json_array_append_new(
		    list,
		    json_pack("{s:I, s:I, s:s, s:o, s:s, s:o, s:o, s:I, s:I, s:I}", "Containers",
			      (json_int_t)-1, "Created",
			      (json_int_t)seconds_of(json_text(image->config.json, "created")),
			      "Id", image->id.text, "Labels", labels_of(image), "ParentId", "",
			      "RepoDigests", names_of(image, true), "RepoTags",
			      names_of(image, false), "SharedSize", (json_int_t)-1, "Size",
			      (json_int_t)image->size_bytes, "VirtualSize",
			      (json_int_t)image->size_bytes));
	}
	pthread_mutex_unlock(&store->lock);
	return list;
}

static json_t *layer_list(const struct image *image)
{
	json_t *layers = json_array();

	for (unsigned int i = 0; i < image->config.layer_count; i++)
		json_array_append_new(layers, json_string(image->config.diff_ids[i].text));
	return layers;
}

static void copy_text(json_t *into, const char *as, const struct image *image, const char *key)
{
	const char *text = json_text(image->config.json, key);
	json_object_set_new(into, as, json_string(text ? text : ""));
}

/* The whole of it, as GET /images/{name}/json has it; keys that no image made today fills are
 * empty. */
static json_t *show(const struct image *image)
{
	static const struct {
		const char *as, *key;
	} texts[] = {{"Comment", "comment"},
		     {"Author", "author"},
		     {"Architecture", "architecture"},
		     {"Os", "os"},
		     {"DockerVersion", "docker_version"}};
	json_t *out =
	    json_pack("{s:s, s:o, s:o, s:s, s:s, s:{}, s:I, s:I}", "Id", image->id.text, "RepoTags",
		      names_of(image, false), "RepoDigests", names_of(image, true), "Parent", "",
		      "Container", "", "ContainerConfig", "Size", (json_int_t)image->size_bytes,
		      "VirtualSize", (json_int_t)image->size_bytes);
	const json_t *run = image_config_run(&image->config);
	const char *created = json_text(image->config.json, "created");
	const time_t tagged = image->tagged_s;
	char when[32] = "";
	struct tm time;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		copy_text(out, texts[i].as, image, texts[i].key);
	json_object_set_new(out, "Created",
			    json_string(created ? created : "0001-01-01T00:00:00Z"));
	json_object_set_new(out, "Config", run ? json_deep_copy(run) : json_object());
	json_object_set_new(out, "GraphDriver",
			    json_pack("{s:n, s:s}", "Data", "Name", "overlay2"));
	json_object_set_new(out, "RootFS",
			    json_pack("{s:s, s:o}", "Type", "layers", "Layers", layer_list(image)));
	if (gmtime_r(&tagged, &time))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &time);
	json_object_set_new(out, "Metadata", json_pack("{s:s}", "LastTagTime", when));
	return out;
}

int image_store_inspect(struct image_store *store, const char *name, json_t **out,
			struct error *error)
{
	const struct image *image;
	json_t *made = NULL;

	pthread_mutex_lock(&store->lock);
	image = store_find(store, name, error);
	if (image)
		made = show(image);
	pthread_mutex_unlock(&store->lock);
	if (!image)
		return -ENOENT;
	if (!made)
		return error_set(error, -ENOMEM, "out of memory");
	*out = made;
	return 0;
}
