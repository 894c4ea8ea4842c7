/* SPDX-License-Identifier: BSD-2-Clause */
/* Removing images, with dockerd's rules and words. */
#include <errno.h>
#include <string.h>

#include "store_internal.h"

static bool is_name(const struct image *image, const char *name)
{
	struct reference reference;
	char full[REFERENCE_TEXT];

	if (reference_parse(name, &reference, NULL) < 0)
		return false;
	reference_full(&reference, full);
	for (unsigned int i = 0; i < image->name_count; i++) {
		if (!strcmp(image->names[i], full))
			return true;
	}
	return false;
}

/* A name that looks like an ID is a name. */
static bool is_id(const char *name, const struct image *image)
{
	const char *hex = !strncmp(name, "sha256:", 7) ? name + 7 : name;
	return !is_name(image, name) && !strncmp(digest_hex(&image->id), hex, strlen(hex));
}

static bool names_in_two_repositories(const struct image *image)
{
	struct reference first, other;

	for (unsigned int i = 1; i < image->name_count; i++) {
		if (!reference_parse(image->names[0], &first, NULL) &&
		    !reference_parse(image->names[i], &other, NULL) &&
		    !reference_same_name(&first, &other))
			return true;
	}
	return false;
}

static void say(json_t *done, const char *what, const char *whom)
{
	json_array_append_new(done, json_pack("{s:s}", what, whom));
}

static void untag(struct image *image, unsigned int which, json_t *done)
{
	struct reference reference;
	char text[REFERENCE_TEXT];

	if (!reference_parse(image->names[which], &reference, NULL)) {
		reference_familiar(&reference, text);
		say(done, "Untagged", text);
	}
	store_words_remove(image->names, &image->name_count, image->names[which]);
}

static void delete_image(struct image_store *store, struct image *image, json_t *done)
{
	unsigned int at = 0;

	while (store->images[at] != image)
		at++;
	store->images[at] = store->images[--store->image_count];
	say(done, "Deleted", image->id.text);
	for (unsigned int i = image->config.layer_count; i--;)
		say(done, "Deleted", image->chains[i].text);
	store_free_image(image);
}

static bool has_tag(const struct image *image)
{
	for (unsigned int i = 0; i < image->name_count; i++) {
		if (!strchr(image->names[i], '@'))
			return true;
	}
	return false;
}

static int check(const struct image *image, const char *name, bool by_id, bool force,
		 struct error *error)
{
	if (by_id && !force && names_in_two_repositories(image))
		return error_set(
		    error, -EBUSY,
		    "conflict: unable to delete %.12s (must be forced) - image is referenced in "
		    "multiple repositories",
		    digest_hex(&image->id));
	if (!image->owner_count)
		return 0;
	if (by_id)
		return error_set(
		    error, -EBUSY,
		    "conflict: unable to delete %.12s (cannot be forced) - image is being used by "
		    "running container %.12s",
		    digest_hex(&image->id), image->owners[0]);
	if (image->name_count > 1 || force)
		return 0;
	return error_set(
	    error, -EBUSY,
	    "conflict: unable to remove repository reference \"%.300s\" (must force) - container "
	    "%.12s is using its referenced image %.12s",
	    name, image->owners[0], digest_hex(&image->id));
}

static void take_name(struct image *image, const char *name, json_t *done)
{
	struct reference reference;
	char full[REFERENCE_TEXT];

	if (reference_parse(name, &reference, NULL) < 0)
		return;
	reference_full(&reference, full);
	for (unsigned int i = 0; i < image->name_count; i++) {
		if (!strcmp(image->names[i], full)) {
			untag(image, i, done);
			break;
		}
	}
	/* Without a tag nobody sees the digests' names: they go with the last one. */
	while (image->name_count && !has_tag(image))
		untag(image, 0, done);
}

int image_store_remove(struct image_store *store, const char *name, bool force, json_t **done,
		       struct error *error)
{
	json_t *list = json_array();
	struct image *image;
	int rc = -ENOENT;

	pthread_mutex_lock(&store->lock);
	image = store_find(store, name, error);
	if (image) {
		const bool by_id = is_id(name, image);
		rc = check(image, name, by_id, force, error);
		if (!rc && by_id) {
			while (image->name_count)
				untag(image, 0, list);
		} else if (!rc) {
			take_name(image, name, list);
		}
		/* One that is in use only loses its name. */
		if (!rc && !image->name_count && !image->owner_count)
			delete_image(store, image, list);
		if (!rc)
			rc = store_index_write(store, error);
		if (!rc && !store->imports)
			store_sweep(store);
	}
	pthread_mutex_unlock(&store->lock);
	if (rc < 0)
		json_decref(list);
	else
		*done = list;
	return rc;
}
