/* SPDX-License-Identifier: BSD-2-Clause */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "durable.h"
#include "host_files.h"
#include "json_auto.h"
#include "rootfs.h"
#include "spec.h"
#include "tree.h"
#include "volumes.h"

/* What is being made. */
struct making {
	const struct bundle_place *place;
	const struct container_options *options;
	struct container_record *record;
	struct error *error;
	char *folder, *merged;
	int root; /* of merged */
	struct image_pin pin;
	char *sources[CONTAINER_MOUNTS_MAX]; /* of the mounts; owned */
};

static int out_of_memory(const struct making *at)
{
	return error_set(at->error, -ENOMEM, "out of memory");
}

static int make_root(struct making *at)
{
	AUTO_FREE char *layers = image_store_layers_folder(at->place->images);
	int rc;

	if (!layers || asprintf(&at->merged, "%s/merged", at->folder) < 0)
		return out_of_memory(at);
	rc = rootfs_mount(at->folder, layers, at->pin.lower, at->error);
	if (rc < 0)
		return rc;
	at->root = open(at->merged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return at->root < 0 ? error_set(at->error, -errno, "%s: %s", at->merged, strerror(errno))
			    : 0;
}

/* A bind mount's source must be there: docker stopped making folders of typing errors. */
static int find_bind(const struct making *at, const struct container_mount *mount, char **source)
{
	struct stat stat_;

	if (!mount->source || *mount->source != '/')
		return error_set(at->error, -EINVAL,
				 "invalid mount config for type \"bind\": invalid mount path: "
				 "'%.200s' mount path must "
				 "be absolute",
				 mount->source ? mount->source : "");
	if (stat(mount->source, &stat_) < 0)
		return error_set(at->error, -EINVAL,
				 "invalid mount config for type \"bind\": bind source path does "
				 "not exist: %.300s",
				 mount->source);
	*source = strdup(mount->source);
	return *source ? 0 : out_of_memory(at);
}

static int find_volume(const struct making *at, unsigned int which,
		       const struct container_mount *mount, char **source)
{
	bool fresh = true;
	int rc = 0;

	if (mount->source && *mount->source) {
		rc = volume_open(at->place->volumes, mount->source, source, &fresh, at->error);
	} else if (asprintf(source, "%s/volumes/%u", at->folder, which) < 0) {
		*source = NULL;
		return out_of_memory(at);
	} else if ((rc = durable_make_folder(*source, 0755)) < 0) {
		error_set(at->error, rc, "%s: %s", *source, strerror(-rc));
	}
	if (rc < 0 || !fresh || mount->no_copy)
		return rc;
	return rootfs_copy_out(at->root, mount->target, *source, at->error);
}

static int find_mounts(struct making *at)
{
	int rc = 0;

	if (at->options->mount_count > CONTAINER_MOUNTS_MAX)
		return error_set(at->error, -EINVAL, "more than %d mounts", CONTAINER_MOUNTS_MAX);
	for (unsigned int i = 0; !rc && i < at->options->mount_count; i++) {
		const struct container_mount *mount = &at->options->mounts[i];
		if (!mount->target)
			return error_set(at->error, -EINVAL,
					 "invalid mount target, must be an absolute path: (none)");
		if (mount->type == MOUNT_BIND)
			rc = find_bind(at, mount, &at->sources[i]);
		else if (mount->type == MOUNT_VOLUME)
			rc = find_volume(at, i, mount, &at->sources[i]);
	}
	return rc;
}

static int make_spec(struct making *at)
{
	struct passwd_user user;
	AUTO_JSON json_t *spec = NULL;
	const struct spec_input input = {.options = at->options,
					 .image = at->pin.config,
					 .user = &user,
					 .cgroups = at->place->cgroups,
					 .cgroup_path = at->record->cgroup_path,
					 .folder = at->folder,
					 .rootfs = at->merged,
					 .init_program = at->place->init_program,
					 .mount_sources = (const char *const *)at->sources};
	int rc = rootfs_user(at->root, spec_user(at->options, at->pin.config), &user, at->error);

	rc = rc < 0 ? rc : spec_make(&input, &spec, at->error);
	if (rc < 0)
		return rc;
	at->record->labels = json_incref(json_object_get(spec, "annotations"));
	AUTO_FREE char *text = json_dumps(spec, JSON_INDENT(1));
	if (!text)
		return out_of_memory(at);
	rc = durable_replace(at->folder, "config.json", text, strlen(text), 0600);
	return rc < 0 ? error_set(at->error, rc, "%s/config.json: %s", at->folder, strerror(-rc))
		      : 0;
}

/* docker makes the folder in which a program is to start, if the image forgot. */
static int make_workdir(const struct making *at)
{
	const char *folder = spec_workdir(at->options, at->pin.config);
	const int rc = *folder == '/' ? tree_make_folder(at->root, folder, 0755) : 0;

	return rc < 0 ? error_set(at->error, rc, "cannot make the working folder %.200s: %s",
				  folder, strerror(-rc))
		      : 0;
}

static int make(struct making *at)
{
	int rc = record_make(at->options, at->pin.config, at->record, at->error);

	if (rc < 0)
		return rc;
	at->record->image = at->pin.id;
	if (asprintf(&at->record->cgroup_path, "%s/%s", at->place->cgroup_parent, at->options->id) <
	    0) {
		at->record->cgroup_path = NULL;
		return out_of_memory(at);
	}
	rc = make_root(at);
	rc = rc < 0 ? rc : make_workdir(at);
	rc = rc < 0 ? rc : find_mounts(at);
	rc = rc < 0 ? rc : host_files_write(at->folder, at->options, at->error);
	rc = rc < 0 ? rc : make_spec(at);
	return rc < 0 ? rc : record_write(at->folder, at->record, at->error);
}

static int make_folder(struct making *at)
{
	/* A folder is refused that is there: IDs are unique, so it would be somebody's. */
	if (asprintf(&at->folder, "%s/%s", at->place->tasks, at->options->id) < 0)
		return out_of_memory(at);
	if (mkdir(at->folder, 0711) < 0)
		return error_set(at->error, -errno, "%s: %s", at->folder, strerror(errno));
	return 0;
}

static void release(struct making *at)
{
	for (unsigned int i = 0; i < CONTAINER_MOUNTS_MAX; i++)
		free(at->sources[i]);
	image_pin_release(&at->pin);
	free(at->folder);
	free(at->merged);
	if (at->root >= 0)
		close(at->root);
}

int bundle_make(const struct bundle_place *place, const struct container_options *options,
		struct container_record *record, struct error *error)
{
	struct container_record made = {0};
	struct making at = {
	    .place = place, .options = options, .record = &made, .error = error, .root = -1};
	int rc;

	if (!options->id || !options->hostname)
		return error_set(error, -EINVAL, "a container needs an ID and a hostname");
	rc = image_store_pin(place->images, options->image ? options->image : "", options->id,
			     &at.pin, error);
	if (rc < 0)
		return rc;
	rc = make_folder(&at);
	if (!rc && (rc = make(&at)) < 0)
		bundle_remove_folder(at.folder);
	if (rc < 0) {
		image_store_unpin(place->images, &at.pin.id, options->id);
		record_release(&made);
	} else {
		*record = made;
	}
	release(&at);
	return rc;
}

int bundle_remove_folder(const char *folder)
{
	const int rc = rootfs_unmount(folder);

	return rc < 0 ? rc : tree_remove(AT_FDCWD, folder);
}

int bundle_remove(const struct bundle_place *place, const struct container_record *record)
{
	AUTO_FREE char *folder = NULL;
	int rc;

	if (asprintf(&folder, "%s/%s", place->tasks, record->id) < 0)
		return -ENOMEM;
	rc = bundle_remove_folder(folder);
	if (!rc)
		image_store_unpin(place->images, &record->image, record->id);
	return rc;
}
