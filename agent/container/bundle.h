/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_BUNDLE_H
#define FL_BUNDLE_H
/*
 * A container's folder, from nothing to what crun can run:
 *
 *	TASKS/ID/upper work merged	its root (rootfs.h)
 *		 config.json		for crun (spec.h)
 *		 hosts hostname resolv.conf
 *		 volumes/N		nameless volumes, which go with it
 *		 container.json		written last: a folder without it is half made, and is
 *removed ID-json.log[.N]	what it says
 *
 * and what the monitor writes (shim_files.h). All functions block.
 */
#include "cgroup.h"
#include "container_options.h"
#include "record.h"
#include "store.h"

struct bundle_place {
	struct image_store *images;
	const char *tasks, *volumes; /* folders */
	const char *cgroup_parent;   /* "/fairlead" */
	const char *init_program;    /* may be NULL */
	enum cgroup_kind cgroups;
};

/* On an error nothing stays. The image is pinned by the container's ID. */
int bundle_make(const struct bundle_place *place, const struct container_options *options,
		struct container_record *record, struct error *error);

/* Unmounts and removes the folder, unpins the image. */
int bundle_remove(const struct bundle_place *place, const struct container_record *record);
int bundle_remove_folder(const char *folder);
#endif
